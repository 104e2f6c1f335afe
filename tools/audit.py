"""Look the locked packages up among the known vulnerabilities, and say what was found.

    make audit

pip-audit asks a database on the network. Where that answers nothing, pip-audit itself says that
nothing was found; this says that nothing was asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "constraints.txt"

EXPLAINED: dict[str, str] = {}
"""What is known and does not touch this project: id of the finding, and why not."""


def says(found: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Lines about what pip-audit gives for each package, and the exit code.

    0 where every package was looked up and nothing is left unexplained, 1 where something is, 2
    where packages could not be looked up.
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
            what = f"explained: {why}" if why else f"mended in {fixed}"
            lines.append(f"{package['name']} {package['version']}: {' '.join(names)}: {what}")
    asked = len(found) - len(unknown)
    if not asked:
        lines.append(
            "The database of vulnerabilities could not be reached, so nothing was looked up. Try "
            "again where the network allows it."
        )
    else:
        lines.append(f"{asked} packages looked up, {left} findings left to explain or to mend.")
        if unknown:
            lines.append(f"{len(unknown)} are not in the database: {', '.join(sorted(unknown))}")
    return lines, 1 if left else 2 if unknown else 0


def main() -> int:
    """Ask pip-audit, and print what it says."""
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
