"""Check the locked packages for known vulnerabilities.

    make audit

pip-audit queries a database on the network. If the database cannot be reached, pip-audit reports
that nothing was found; this script reports that nothing was checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "constraints.txt"

EXPLAINED: dict[str, str] = {}
"""Known findings that do not affect this project, by id, with the reason."""


def says(found: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Summarise pip-audit's output: lines to print, and the exit code.

    The code is 0 if every package was checked and every finding is explained, 1 if a finding is not
    explained, and 2 if packages could not be checked.
    """
    lines, left, unknown = [], 0, []
    for package in found:
        if "skip_reason" in package:
            unknown.append(package["name"])
        for one in package.get("vulns", ()):
            names = [one["id"], *one.get("aliases", ())]
            why = next((EXPLAINED[name] for name in names if name in EXPLAINED), None)
            left += why is None
            fixed = ", ".join(one.get("fix_versions", ())) or "no version yet"
            what = f"explained: {why}" if why else f"fixed in {fixed}"
            lines.append(f"{package['name']} {package['version']}: {' '.join(names)}: {what}")
    asked = len(found) - len(unknown)
    if not asked:
        lines.append(
            "The vulnerability database could not be reached, so nothing was looked up. Try again "
            "with network access."
        )
    else:
        lines.append(f"{asked} packages looked up, {left} findings left to explain or to fix.")
        if unknown:
            lines.append(f"{len(unknown)} are not in the database: {', '.join(sorted(unknown))}")
    return lines, 1 if left else 2 if unknown else 0


def main() -> int:
    """Run pip-audit, and print the summary."""
    words = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps"]
    words += ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("pip-audit gave no answer; most likely its database could not be reached.")
        print(done.stderr.strip()[-600:], file=sys.stderr)
        return 2
    lines, code = says(found)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
