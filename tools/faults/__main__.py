"""Inject faults many times, and record the results.

    python -m tools.faults                        # every fault; half an hour
    python -m tools.faults --only kill --times 3  # one of them, a few times
    python -m tools.faults --quick                # all of them, a few times each

The results go to ``book/faults.json``, which ``book/guarantees.md`` shows. A fault that this
machine does not allow (mounting needs root on Linux) is skipped, with the reason.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spatialnb.records import provenance
from tools.faults.trying import FAULTS, Trial

OUT = Path(__file__).resolve().parents[2] / "book" / "faults.json"
for family in ("killed", "disks", "writers", "files", "asked"):  # the order in the results
    importlib.import_module(f"tools.faults.{family}")


def row(name: str, times: int, seed: int) -> dict[str, Any]:
    """Inject one fault in a separate folder; return the number of times, and the results."""
    fault = FAULTS[name]
    words, must = fault.words()
    plain = {"key": name, "fault": words, "must": must, "commit": provenance.commit()}
    plain["date"] = str(datetime.datetime.now(datetime.UTC).date())
    with tempfile.TemporaryDirectory(prefix="spatialnb-faults-") as folder:
        trial = Trial(times, random.Random(f"{name} {seed}"), Path(folder))
        started = time.perf_counter()
        try:
            fault.work(trial)
        except NotImplementedError as error:
            return {**plain, "times": 0, "wrong": 0, "left_out": str(error)}
    for one in trial.wrong[:10]:
        print(f"  WRONG: {one}", flush=True)
    return {
        **plain,
        "times": trial.times,
        "wrong": len(trial.wrong),
        "counts": dict(sorted(trial.counts.items())),
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> int:
    """Inject the selected faults; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="tools.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(FAULTS), action="append", help="only this fault")
    parser.add_argument("--times", type=int, help="number of times, instead of each fault's own")
    parser.add_argument("--quick", action="store_true", help="inject each fault a few times")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random damage")
    parser.add_argument("--out", type=Path, help=f"file for the results [default: {OUT.name}]")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as kept:
        os.environ.setdefault("SPATIALNB_CACHE", kept)
        for name in asked.only or FAULTS:
            usual = FAULTS[name].few if asked.quick else FAULTS[name].times
            rows.append(row(name, asked.times or usual, asked.seed))
            print("{times:>6} × {key}: {wrong} wrong ".format(**rows[-1]), end=" ")
            print(rows[-1].get("counts", rows[-1].get("left_out")), flush=True)
    out = asked.out or (None if asked.only or asked.quick else OUT)
    if out is not None:
        _keep(out, rows, asked.seed)
    return int(any(found["wrong"] for found in rows))


def _keep(out: Path, rows: list[dict[str, Any]], seed: int) -> None:
    """Write the rows, replacing earlier rows of the same faults."""
    old = json.loads(out.read_text("utf-8"))["rows"] if out.is_file() else []
    latest = {found["key"]: found for found in (*old, *rows)}
    told = {
        "format": "spatialnb-faults/1",
        "seed": seed,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: provenance.versions()[name] for name in ("python", "torch")},
        "rows": [latest[name] for name in FAULTS if name in latest],
    }
    out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
