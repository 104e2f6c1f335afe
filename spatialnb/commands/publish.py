"""From the working store into the book: chosen records, after checks."""

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
    """Records that may be published, and the others with what speaks against each."""

    good: Sequence[Record]
    bad: Sequence[tuple[Record, str]]


def candidates(
    studies: Iterable[Study],
    store: Store,
    asked: Parsed | None = None,
    into: Path | None = None,
) -> Checked:
    """Records of the studies' published grids that stand in the working store alone.

    Answers are those to test images, of studies that have claims: what a search answers to images
    that are held out stays where it is.

    Parameters
    ----------
    asked : parameters that make the grids smaller, such as ``seeds``.
    into : a store of its own, which takes runs of any engine and device; the book without it.

    Raises
    ------
    RecordError : one of them is damaged.
    """
    working, published = Store(store.folders[0]), Store(into or records_store.published_folder())
    good: dict[str, Record] = {}
    bad: dict[str, tuple[Record, str]] = {}
    for study in studies:
        for configs in study.grid(asked or Parsed()).values():
            ids = [(run.id, "run") for run in configs]
            # Other answers decide nothing, and there are many such runs.
            judged = [run for run in configs if study.claims and not run.validation_size]
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
    """What speaks against publishing a record; empty where nothing does.

    Parameters
    ----------
    any_engine : whether stacks may have trained it, and another device, as those of a search may.
    """
    if record.config.get("measure") == "labels":
        return ""  # they are the data's: no code has a part in them
    commit = str(record.provenance.get("commit", "unknown"))
    if commit == "unknown" or commit.endswith("+"):
        return (
            f"made from the commit {commit!r}: commit the package first, then train, so that "
            "anybody can find the code behind the number"
        )
    made = (record.provenance.get("engine", "loop"), record.provenance.get("device", "cpu"))
    if made != ("loop", "cpu") and not any_engine:
        return (
            f"trained by {provenance.engine_of(record.provenance)}, and the book's records are the "
            "loop's on a processor: train it without --stack and --device, or publish it into a "
            "folder of its own, --into FOLDER"
        )
    if record.kind == "answer":
        return ""  # their run is judged: they are read with it alone
    if record.kind != "run":
        return ""
    if any(edition(name).quick for name in editions(record.run)):
        return "made on a quick edition, which decides nothing"
    if fingerprint.definition(record.run) is not None:
        return "made with a kernel that is not in the package: move it there, then train"
    for key in ("data", "second_data"):
        data = record.provenance.get(key)
        expected = edition(data["edition"]).sha256 if data else None
        if data and expected and data["sha256"] != expected:
            return f"made on other files of {data['edition']} than the published ones"
    return ""


def publish(chosen: Iterable[Record], store: Store, into: Path | None = None) -> list[Path]:
    """Move records from the working store to the book, or `into` another one.

    Returns
    -------
    Where they stand now.

    Raises
    ------
    OSError : the folder cannot be written. Nothing is removed before its copy is in place.
    """
    target = Store(into or records_store.published_folder())
    paths = []
    for record in chosen:
        paths.append(target.add(record))
        (store.folders[0] / f"{record.kind}s" / f"{record.id}.json").unlink()
    return paths
