"""Check records and move them from the working store into the book."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spatialnb.datasets import edition
from spatialnb.execution.planning import editions, pair_id
from spatialnb.records import provenance
from spatialnb.records import store as records_store
from spatialnb.records.answers import answers_id, labels_id
from spatialnb.records.store import Record, Store
from spatialnb.study.parameters import Parsed
from spatialnb.study.study import Study
from spatialnb.training import fingerprint


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Records that may be published, and refused records with the reason for each."""

    good: Sequence[Record]
    bad: Sequence[tuple[Record, str]]


def candidates(
    studies: Iterable[Study],
    store: Store,
    asked: Parsed | None = None,
    into: Path | None = None,
) -> Checked:
    """Records of the studies' published grids that are in the working store only.

    Answers are included only for test images, and not for studies that any engine may train and
    that have no claims.

    Parameters
    ----------
    asked : parameters that restrict the grids, such as ``seeds``.
    into : a separate store, which accepts runs of any engine and device; by default the book.

    Raises
    ------
    RecordError : a record is damaged.
    """
    working, published = Store(store.folders[0]), Store(into or records_store.published_folder())
    good: dict[str, Record] = {}
    bad: dict[str, tuple[Record, str]] = {}
    for study in studies:
        for configs in study.grid(asked or Parsed()).values():
            ids = [(run.id, "run") for run in configs]
            # No claim uses the other answers, and there are many of them.
            unjudged = study.any_engine and not study.claims
            judged = [run for run in configs if not (unjudged or run.validation_size)]
            ids += [(answers_id(run), "answer") for run in judged]
            ids += [(labels_id(name), "answer") for name in {run.dataset for run in configs}]
            ids += [(pair_id(*pair), "pair") for pair in study.pairs_of(configs)]
            for record_id, kind in ids:
                record = working.find(record_id, kind)
                if record is None or published.find(record_id, kind) is not None:
                    continue
                against = objection(record, any_engine=study.any_engine or into is not None)
                if against:
                    bad[record_id] = (record, against)
                else:
                    good[record_id] = record
    return Checked(good=list(good.values()), bad=list(bad.values()))


def objection(record: Record, any_engine: bool = False) -> str:
    """The reason a record cannot be published, or an empty string if it can.

    Parameters
    ----------
    any_engine : whether it may have been trained in a stack or on another device.
    """
    if record.config.get("measure") == "labels":
        return ""  # true classes depend on the data alone, not on any code
    commit = str(record.provenance.get("commit", "unknown"))
    if commit == "unknown" or commit.endswith("+"):
        return (
            f"made from the commit {commit!r}: commit the package before you train, so that "
            "anyone can find the code behind the number"
        )
    made = (record.provenance.get("engine", "loop"), record.provenance.get("device", "cpu"))
    if made != ("loop", "cpu") and not any_engine:
        return (
            f"trained by {provenance.engine_of(record.provenance)}, but the book accepts only "
            "records of the loop on a CPU: train it without --stack and --device, or publish it "
            "into a separate folder with --into FOLDER"
        )
    if record.kind == "answer":
        return ""  # answers are read only together with their run, which is checked
    if record.kind != "run":
        return ""
    if any(edition(name).quick for name in editions(record.run)):
        return "made on a quick edition of the data, which decides no claim"
    if fingerprint.definition(record.run) is not None:
        return "made with a kernel that is not in the package: move the kernel there, then train"
    for key in ("data", "second_data"):
        data = record.provenance.get(key)
        expected = edition(data["edition"]).sha256 if data else None
        if data and expected and data["sha256"] != expected:
            return f"made on files of {data['edition']} that differ from the published ones"
    return ""


def publish(chosen: Iterable[Record], store: Store, into: Path | None = None) -> list[Path]:
    """Move records from the working store into the book, or `into` another folder.

    Returns
    -------
    The new paths of the records.

    Raises
    ------
    OSError : the folder cannot be written. A record is removed only after its copy is in place.
    """
    target = Store(into or records_store.published_folder())
    paths = []
    for record in chosen:
        paths.append(target.add(record))
        (store.folders[0] / f"{record.kind}s" / f"{record.id}.json").unlink()
    return paths
