"""Train published runs that were made on a GPU again, with the loop on a CPU.

    python benchmarks/repeated.py --out book/speed/repeated.json [--runs 40] [--seed 0]

It takes a random sample of the runs of large studies (``Study.any_engine``) with claims. Each has
the same initial weights and order of images as before; only rounding differs. The file contains
both accuracies, and the mean and standard deviation of the arm over its recorded seeds. Training
takes about a minute per run on one core; runs in ``--store`` are not trained again.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from spatialnb.commands import verify
from spatialnb.records import provenance
from spatialnb.records.store import Store, published_folder
from spatialnb.studies import STUDIES, WITHOUT_PAGE, get
from spatialnb.study import metrics


def main() -> None:
    """Train the sample again, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--runs", type=int, default=40, help="runs in the sample  [default: 40]")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample  [default: 0]")
    parser.add_argument(
        "--store", type=Path, default=Path("repeated"), help="folder for new records"
    )
    options = parser.parse_args()
    published = Store(published_folder())
    every = [get(name) for name in (*STUDIES, *WITHOUT_PAGE)]
    studies = [study for study in every if study.any_engine and study.claims]
    known = verify.sample(studies, published, len(published.ids()), seed=0)
    loop = provenance.engine_of({})
    made = {run.id: provenance.engine_of(published.get(run.id).provenance) for _, run in known}
    elsewhere = sorted(
        ((arm, run) for arm, run in known if made[run.id] != loop), key=lambda one: one[1].id
    )
    if not 1 <= options.runs <= len(elsewhere):
        parser.error(f"--runs: expected 1 to {len(elsewhere)}, got {options.runs}")
    chosen = random.Random(options.seed).sample(elsewhere, options.runs)
    rows = [
        {
            "arm": one.arm,
            "id": one.recorded.run.id,
            "seed": one.recorded.run.seed,
            "made by": made[one.recorded.run.id],
            "recorded": metrics.measure(one.recorded, "accuracy"),
            "again": metrics.measure(one.again, "accuracy"),
            "mean": one.mean,
            "sd": one.sd,
        }
        for one in verify.verify(chosen, published, studies, options.store)
    ]
    text = {"of": len(elsewhere), "sample": options.seed, "rows": rows, **provenance.here()}
    options.out.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
