"""Answers: the class that a trained network gives to every image it is measured on.

They stand in a record of their own beside the run's, four bits an image. With them accuracy can be
taken over other images, two networks can be compared image by image, and networks can vote.
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

MOST_CLASSES = 16
"""Classes that four bits tell apart."""

Answers = Mapping[str, Sequence[int]]
"""By edition of a data set, the class given to every sample of the split that is measured."""


def answers_config(run: Run) -> dict[str, Any]:
    """What the record of a run's answers is asked for."""
    return {"schema": SCHEMA, "recipe": RECIPE, "measure": "answers", "run": run.id}


def answers_id(run: Run) -> str:
    """The id of the record of a run's answers."""
    return digest(answers_config(run))[:16]


def record_of(run: Run, answers: Answers, provenance: dict[str, Any]) -> Record:
    """The record of a run's answers.

    Parameters
    ----------
    run : the configuration.
    answers : of a run that did not fail, by edition.
    provenance : as the run's own record has it.

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
    RecordError : the record is damaged, or of other data or of another outcome than the run's.
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
                f"{path}: made on other data than the run {run.id}. It is not used. Delete it, and "
                "train the run again with `spatialnb answers`."
            )
    found = {}
    for name, part in record.outcome.items():
        try:
            found[name] = unpack(part["classes"], part["samples"])
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(
                f"{path}: {error}. It is not used. Restore the file, or delete it to train the run "
                "again."
            ) from error
    return found


def _files(record: Record, key: str) -> tuple[Any, Any]:
    """The edition and the digest of the files that a record was made on."""
    data = record.provenance.get(key) or {}
    return data.get("edition"), data.get("sha256")


def pack(classes: Sequence[int]) -> str:
    """Classes 0 to 15 as text: two to a byte, the first one in the high half, then Base64."""
    import numpy as np

    given = np.asarray(classes)
    if given.size and not (given.min() >= 0 and given.max() < MOST_CLASSES):
        raise ValueError(f"answers: expected classes from 0 to {MOST_CLASSES - 1}")
    even = np.zeros(-(-given.size // 2) * 2, dtype=np.uint8)
    even[: given.size] = given
    return base64.b64encode((even[::2] << 4 | even[1::2]).tobytes()).decode("ascii")


def unpack(text: str, samples: int) -> np.ndarray:
    """The classes (samples,) uint8 that :func:`pack` wrote. ValueError where they do not fit."""
    import numpy as np

    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"answers that cannot be read: {error}") from error
    if packed.size != -(-samples // 2):
        raise ValueError(f"answers for {2 * packed.size} samples, not for {samples}")
    return np.stack([packed >> 4, packed & 15], axis=1).reshape(-1)[:samples]
