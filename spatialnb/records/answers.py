"""Answers: the class that a trained network predicts for every image it is evaluated on.

Each run has a separate record of its answers, with four bits per image, and one more record holds
the true classes of the test split. With these, accuracy can be computed on any subset of the
images, two networks can be compared image by image, and networks can vote.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spatialnb.config.run import RECIPE, SCHEMA, Run, digest
from spatialnb.records.store import Record, RecordError, Store, default_store

if TYPE_CHECKING:
    import numpy as np

    from spatialnb.datasets import Dataset

MOST_CLASSES = 16
"""The number of classes that four bits can encode."""

Answers = Mapping[str, Sequence[int]]
"""By edition, the predicted class of every sample of the split that is evaluated."""


def answers_config(run: Run) -> dict[str, Any]:
    """The configuration of the record of a run's answers."""
    return {"schema": SCHEMA, "recipe": RECIPE, "measure": "answers", "run": run.id}


def answers_id(run: Run) -> str:
    """The id of the record of a run's answers."""
    return digest(answers_config(run))[:16]


def record_of(run: Run, answers: Answers, provenance: dict[str, Any]) -> Record:
    """The record of a run's answers.

    Parameters
    ----------
    run : the configuration.
    answers : by edition, from a run that did not fail.
    provenance : that of the run's own record.

    Raises
    ------
    ValueError : a class outside 0 to 15.
    """
    split = "validation" if run.validation_size else "test"
    outcome = {
        name: {"split": split, "samples": len(given), "classes": pack(given)}
        for name, given in answers.items()
    }
    return Record(kind="answer", config=answers_config(run), outcome=outcome, provenance=provenance)


def answers_of(run: Run, store: Store | None = None) -> dict[str, np.ndarray] | None:
    """The answers of a recorded run by edition, (samples,) uint8; None where they are not recorded.

    Raises
    ------
    RecordError : the record is damaged, or was made on other data than the run.
    """
    store = store or default_store()
    record = store.find(answers_id(run), "answer")
    if record is None:
        return None
    whole = store.get(run.id)
    path = store.path(record.id, "answer")
    for key in ("data", "second_data"):
        if _files(record, key) != _files(whole, key):
            raise RecordError(
                f"{path}: made on other data than the run {run.id}, so it is not used. Delete it, "
                "and train the run again with `spatialnb answers`."
            )
    return _unpacked(record, store)


def labels_config(edition: str) -> dict[str, Any]:
    """The configuration of the record of an edition's true classes, those of its test split."""
    return {"schema": SCHEMA, "measure": "labels", "edition": edition, "split": "test"}


def labels_id(edition: str) -> str:
    """The id of the record of an edition's true classes."""
    return digest(labels_config(edition))[:16]


def labels_record(data: Dataset) -> Record | None:
    """The record of a data set's true classes; None if four bits cannot encode its classes.

    The record is the same wherever it is made, so its provenance names only the data.
    """
    if data.classes > MOST_CLASSES:
        return None
    true = data.test.y.tolist()
    outcome = {data.name: {"split": "test", "samples": len(true), "classes": pack(true)}}
    made = {"data": {"edition": data.name, "sha256": data.sha256}}
    return Record(kind="answer", config=labels_config(data.name), outcome=outcome, provenance=made)


def true_classes(edition: str, store: Store | None = None) -> np.ndarray | None:
    """The true classes of an edition's test images, (samples,) uint8; None where not recorded."""
    store = store or default_store()
    record = store.find(labels_id(edition), "answer")
    return None if record is None else _unpacked(record, store)[edition]


def correct(run: Run, store: Store | None = None) -> np.ndarray | None:
    """Whether a recorded run is right on each test image, (samples,) bool, in the data set's order.

    None if its answers or the true classes are not recorded, if the run is evaluated on held-out
    training images, or if it has two tasks.

    Raises
    ------
    RecordError : answers or true classes are damaged or from other data, or the answers do not give
        the recorded accuracy.
    """
    if run.validation_size or run.second is not None:
        return None
    store = store or default_store()
    given, labels = answers_of(run, store), store.find(labels_id(run.dataset), "answer")
    if given is None or labels is None:
        return None
    whole, path = store.get(run.id), store.path(answers_id(run), "answer")
    if _files(labels, "data") != _files(whole, "data"):
        raise RecordError(
            f"{store.path(labels.id, 'answer')}: true classes of other data than the run {run.id} "
            "was trained on, so they are not used. Delete the file; `spatialnb answers` writes it "
            "again."
        )
    true = _unpacked(labels, store)[run.dataset]
    same_size = len(given[run.dataset]) == len(true)
    right: np.ndarray | None = given[run.dataset] == true if same_size else None
    accuracy = whole.outcome["epochs"]["test_accuracy"][-1]
    if right is None or round(accuracy * len(true)) != int(right.sum()):
        raise RecordError(
            f"{path}: these answers do not give the recorded accuracy of the run {run.id}, "
            f"{100 * accuracy:.2f} %, so they are not used. Restore the file, or delete it to "
            "train the run again."
        )
    return right


def _unpacked(record: Record, store: Store) -> dict[str, np.ndarray]:
    """The classes in a record, by edition. RecordError if they cannot be read."""
    found = {}
    for name, part in record.outcome.items():
        try:
            found[name] = unpack(part["classes"], part["samples"])
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(
                f"{store.path(record.id, record.kind)}: {error}. The file is not used. Restore it, "
                "or delete it to train the run again."
            ) from error
    return found


def _files(record: Record, key: str) -> tuple[Any, Any]:
    """The edition and the digest of the data files behind a record."""
    data = record.provenance.get(key) or {}
    return data.get("edition"), data.get("sha256")


def pack(classes: Sequence[int]) -> str:
    """Classes 0 to 15 as text: two per byte, the first in the high half, in Base64."""
    import numpy as np

    given = np.asarray(classes)
    if given.size and not (given.min() >= 0 and given.max() < MOST_CLASSES):
        raise ValueError(f"answers: expected classes from 0 to {MOST_CLASSES - 1}")
    even = np.zeros(-(-given.size // 2) * 2, dtype=np.uint8)
    even[: given.size] = given
    return base64.b64encode((even[::2] << 4 | even[1::2]).tobytes()).decode("ascii")


def unpack(text: str, samples: int) -> np.ndarray:
    """The classes (samples,) uint8 that :func:`pack` wrote. ValueError if they cannot be read."""
    import numpy as np

    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"answers cannot be read: {error}") from error
    if packed.size != -(-samples // 2):
        raise ValueError(f"answers: expected {samples} samples, got {2 * packed.size}")
    return np.stack([packed >> 4, packed & 15], axis=1).reshape(-1)[:samples]
