"""Record summaries of the weights of published runs: seed 0 of the named arms.

python tools/record_weights.py v05 none linear exponential
"""

from __future__ import annotations

import sys

from spatialnb.execution.weight_records import record_weights
from spatialnb.records import provenance
from spatialnb.records import store as records_store
from spatialnb.records.store import Store
from spatialnb.registry import unknown
from spatialnb.studies import get


def main(chapter: str, *arms: str) -> None:
    """Train seed 0 of each arm again, and write the summary of its weights into the book."""
    study = get(chapter)
    for arm in arms:
        if arm not in study.arms:
            sys.exit(unknown("arm", arm, study.arms))
    if provenance.doubt():
        sys.exit(f"The code behind these records could not be found later: {provenance.doubt()}.")
    for arm in arms:
        record = record_weights(study.configs([0])[arm][0], Store(records_store.published_folder()))
        print(f"{chapter}/{arm}: book/records/weights/{record.id}.json", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
