"""Metrics: a number read from a record, by name.

A name is a quantity, optionally followed by ``:part`` and ``@number``: ``accuracy``, ``accuracy@2``
(after epoch 2, counted from 0 as in the log), ``accuracy:imdb`` (on one task), ``sparsity:0`` and
``similarity:2`` (of one layer), ``dead:2`` (of a hidden layer), ``epochs_to@45``,
``pruned:kernel@94.2`` (pruned by kernel, at 94.2 % zeros).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spatialnb.records.store import Record
from spatialnb.registry import unknown

NAME = re.compile(r"([a-z_]+)(?::([a-z0-9_-]+))?(?:@([0-9]+(?:\.[0-9]+)?))?")
"""Pattern of a metric's name: quantity, part, number."""

MEASURES = ("similarity", "alignment")
"""Measures of pairs of networks, each stored in a separate record: see
:mod:`spatialnb.analysis.pair_measures`."""

Read = Callable[[dict[str, Any], str | None, float | None], float]
"""From an outcome, a part and a number to the value."""


class NotRecordedError(ValueError):
    """The record does not contain the quantity; for example, only caps have ``cap_share``."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: its name and title, and how it is read from an outcome.

    Parameters
    ----------
    name : the full name, with part and number.
    title : for the header of a table, or an axis.
    unit : e.g. ``"%"``; a difference of percentages is in points.
    digits : decimals in a table.
    kind : ``run``, or ``pair`` for metrics of two trained networks.
    read : reads the value from an outcome; `of_record`, if given, reads it from the whole record.
    margin : the difference that does not matter, or None.
    """

    name: str
    title: str
    unit: str
    digits: int
    kind: Literal["run", "pair"]
    read: Callable[[dict[str, Any]], float]
    of_record: Callable[[Record], float] | None = None
    margin: float | None = None

    @property
    def difference_unit(self) -> str:
        """The unit of a difference: points for percentages."""
        return "points" if self.unit == "%" else self.unit


def metric(name: str) -> Metric:
    """The metric with that name.

    Raises
    ------
    ValueError : no such metric, a number that the metric does not take, or a missing number.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"metric {name!r}: expected a name like accuracy, accuracy@2 or sparsity:0"
        )
    base, part, number = match.group(1), match.group(2), match.group(3)
    if base not in METRICS:
        raise ValueError(unknown("metric", base, METRICS))
    known = METRICS[base]
    if number is None and known.number == "needed":
        raise ValueError(f"metric {name!r} needs a number, e.g. {base}@{known.example}")
    if number is not None and known.number == "none":
        raise ValueError(f"metric {name!r} takes no number; ask for {base!r}")
    if part is not None and known.of_record is not None:
        raise ValueError(f"metric {name!r} has no parts; ask for {base!r}")
    title = known.title if number is None else known.title_at.format(number)
    if part is not None:
        title = known.with_part.format(title, known.parts.get(part, part))
    return Metric(
        name=name,
        title=title,
        unit=known.unit,
        digits=known.digits,
        kind=known.kind,
        margin=known.margin,
        read=lambda outcome: known.read(outcome, part, None if number is None else float(number)),
        of_record=known.of_record,
    )


def measure(record: Record, name: str) -> float:
    """The metric `name` of a record.

    Raises
    ------
    ValueError : no such metric; a pair metric for a run, or vice versa; or the run failed.
    NotRecordedError : this record does not contain the quantity.
    """
    wanted = metric(name)
    if wanted.kind != record.kind:
        raise ValueError(
            f"metric {name!r} needs a {wanted.kind}, but {record.id} is a {record.kind}"
        )
    if record.failed:
        raise ValueError(f"run {record.id} failed, so it has no {name}; leave it out and report it")
    try:
        if wanted.of_record is not None:
            return wanted.of_record(record)
        return wanted.read(record.outcome)
    except (KeyError, IndexError) as error:
        raise NotRecordedError(
            f"record {record.id} has no {name}: its outcome has no {error}"
        ) from error
    except (TypeError, AttributeError, ValueError) as error:
        raise NotRecordedError(
            f"record {record.id} has no {name}: the recorded value is not a number ({error})"
        ) from error


def _nothing(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
    raise AssertionError("a metric that is read from the whole record")


def _series(quantity: str) -> Callable[[dict[str, Any], str | None], list[float]]:
    def read(outcome: dict[str, Any], part: str | None) -> list[float]:
        key = quantity if part is None else f"{quantity}:{part}"
        values: list[float] = outcome["epochs"][key]
        return values

    return read


def _epoch(quantity: str, scale: float = 1.0) -> Read:
    """The value after an epoch; without a number, after the last one."""
    series = _series(quantity)

    def read(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
        values = series(outcome, part)
        if number is None:
            return scale * values[-1]
        if number != int(number) or number >= len(values):
            raise IndexError(f"epoch {number:g} of 0 to {len(values) - 1}")
        return scale * values[int(number)]

    return read


def _gain(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
    accuracy = _epoch("test_accuracy", 100.0)
    return accuracy(outcome, part, None) - accuracy(outcome, part, number)


def _epochs_to(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
    assert number is not None
    values = _series("test_accuracy")(outcome, part)
    # A fraction such as 0.45 is a count over the size of the test set: allow for rounding.
    reached = (e for e, value in enumerate(values, 1) if 100.0 * value >= number - 1e-9)
    return float(next(reached, len(values) + 1))


def _sparsity(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
    return 100.0 * float(outcome["final"]["sparsity"][part or "overall"])


def _pruned(quantity: str) -> Read:
    """A quantity of a pruned network: the part is the criterion, the number the level of zeros."""

    def read(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
        pruned = outcome["pruned"]
        if part is None and number is None:
            return 100.0 * float(pruned[quantity])
        for row in pruned["levels"]:
            # A level of 94.2 % is recorded as 0.942, which has no exact binary representation.
            if number is not None and row["by"] == part and abs(100 * row["level"] - number) < 1e-9:
                return 100.0 * float(row[quantity])
        raise KeyError(f"level {number} by {part}")

    return read


def _zeros(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
    if part is None and number is None:
        return 100.0 * float(outcome["final"]["zeros"])
    return _pruned("zeros")(outcome, part, number)


def _of_mask(quantity: str, scale: float = 1.0) -> Read:
    """A measure of the first layer's mask after an epoch; with a part, the mean over that null."""
    after = _epoch(quantity, scale)

    def read(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
        if part is None:
            return after(outcome, None, number)
        return scale * float(outcome["final"]["mask_nulls"][part][quantity])

    return read


def _against_null(quantity: str) -> Read:
    """The same at the end of training, in percent of the null's mean."""
    read_one = _of_mask(quantity)

    def read(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
        null = read_one(outcome, part or "random", None)
        return 100.0 * read_one(outcome, None, None) / null

    return read


def _weights(record: Record) -> float:
    from spatialnb.analysis import weight_counts  # here: metric names must not need torch

    return float(weight_counts.weights_left(record))


def _pair(kind: str, of: str = "") -> Read:
    """A similarity: ``outcome[kind]`` by layer, or ``outcome[kind][of]`` for a null."""

    def read(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
        return float(outcome[kind][of or part or "overall"])

    return read


def _above(kind: str, null: str, scale: float = 1.0) -> Read:
    """A similarity minus its null, over all layers or for one."""

    def read(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
        values = (outcome[name] for name in (kind, null))
        one, other = (v[part or "overall"] if isinstance(v, dict) else v for v in values)
        return scale * (float(one) - float(other))

    return read


def _share(quantity: str) -> Read:
    """A number in a pair's outcome, in percent."""
    return lambda outcome, part, number: 100.0 * float(outcome[quantity])


def _barrier(quantity: str, scale: float = 1.0) -> Read:
    """The barrier on one of a pair's lines; without a part, on the straight line."""

    def read(outcome: dict[str, Any], part: str | None, number: float | None) -> float:
        return scale * float(outcome["lines"][part or "straight"]["barrier"][quantity])

    return read


@dataclass(frozen=True, kw_only=True)
class _Known:
    title: str
    read: Read = _nothing
    of_record: Callable[[Record], float] | None = None
    unit: str = ""
    digits: int = 3
    kind: Literal["run", "pair"] = "run"
    number: Literal["none", "optional", "needed"] = "none"
    title_at: str = ""
    with_part: str = "{}, layer {}"
    parts: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    margin: float | None = None


TASK = "{} on the {} task"
"""Title of a metric for one of two tasks."""

LINES = {
    "renumbered": "permuted at random",
    "matched": "aligned",
    "repaired": "repaired",
    "matched-repaired": "aligned and repaired",
}
"""What a title calls a line between two networks."""

METRICS: dict[str, _Known] = {
    "accuracy": _Known(
        title="test accuracy",
        title_at="test accuracy after epoch {}",
        unit="%",
        digits=2,
        number="optional",
        margin=0.5,
        with_part=TASK,
        read=_epoch("test_accuracy", 100.0),
    ),
    "gain": _Known(
        title="gain in test accuracy",
        title_at="gain in test accuracy after epoch {}",
        unit="points",
        digits=2,
        number="needed",
        example="2",
        margin=0.5,
        with_part=TASK,
        read=_gain,
    ),
    "epochs_to": _Known(
        title="epochs",
        title_at="epochs to {} % test accuracy",
        unit="epochs",
        digits=2,
        number="needed",
        example="45",
        margin=0.5,
        with_part=TASK,
        read=_epochs_to,
    ),
    "train_loss": _Known(
        title="training loss",
        title_at="training loss in epoch {}",
        number="optional",
        with_part=TASK,
        read=_epoch("train_loss"),
    ),
    "test_loss": _Known(
        title="test loss",
        title_at="test loss after epoch {}",
        number="optional",
        with_part=TASK,
        read=_epoch("test_loss"),
    ),
    "validation_accuracy": _Known(
        title="validation accuracy",
        title_at="validation accuracy after epoch {}",
        unit="%",
        digits=2,
        number="optional",
        margin=0.5,
        read=_epoch("validation_accuracy", 100.0),
    ),
    "sparsity": _Known(
        title="kernel values below 0.1", unit="%", digits=1, margin=0.5, read=_sparsity
    ),
    "pruned": _Known(
        title="test accuracy with zeros",
        title_at="test accuracy at {} % zeros",
        unit="%",
        digits=2,
        number="needed",
        example="94.2",
        with_part="{}, kept by {}",
        read=_pruned("accuracy"),
    ),
    "tuned": _Known(
        title="test accuracy after one more epoch",
        title_at="test accuracy at {} % zeros after one more epoch",
        unit="%",
        digits=2,
        number="optional",
        with_part="{}, kept by {}",
        read=_pruned("tuned_accuracy"),
    ),
    "zeros": _Known(
        title="weights that are zero",
        title_at="weights that are zero at {} %",
        unit="%",
        digits=2,
        number="optional",
        with_part="{}, kept by {}",
        read=_zeros,
    ),
    "zeros_after": _Known(
        title="weights that are zero",
        title_at="weights that are zero after epoch {}",
        unit="%",
        digits=2,
        number="needed",
        example="11",
        read=_epoch("zeros", 100.0),
    ),
    "weights": _Known(title="weights that are not zero", digits=0, of_record=_weights),
    "cap_share": _Known(
        title="weights at their cap",
        title_at="weights at their cap after epoch {}",
        unit="%",
        digits=2,
        number="optional",
        read=_epoch("cap_share", 100.0),
    ),
    "dead": _Known(
        title="dead units",
        title_at="dead units after epoch {}",
        with_part="{}, hidden layer {}",
        unit="%",
        digits=1,
        number="optional",
        read=_epoch("dead", 100.0),
    ),
    **{
        prefix + name: _Known(
            title=of + title,
            title_at=f"{of}{title}, epoch {{}}",
            unit=unit,
            digits=digits,
            number="optional",
            read=_epoch(prefix + name, scale),
        )
        for prefix, of in (("", ""), ("learned_", "learned weights: "))
        for name, title, unit, digits, scale in (
            ("angle", "rotation of weight vectors per epoch", "°", 2, 1.0),
            ("angle_from_start", "angle of weight vectors to initialisation", "°", 1, 1.0),
            ("norm", "norm of weight vectors", "", 3, 1.0),
            ("sign_flips", "weights that change sign per epoch", "%", 2, 100.0),
        )
    },
    "input_distance": _Known(
        title="distance between the inputs of a unit",
        title_at="distance between the inputs of a unit after epoch {}",
        with_part="{}, {} null",
        number="optional",
        read=_of_mask("input_distance"),
    ),
    "input_distance_share": _Known(
        title="distance between the inputs of a unit, relative to a null",
        with_part="{}, {}",
        unit="%",
        digits=1,
        read=_against_null("input_distance"),
    ),
    "plane_overlap": _Known(
        title="weights shared with the local mask",
        title_at="weights shared with the local mask after epoch {}",
        with_part="{}, {} null",
        unit="%",
        digits=1,
        number="optional",
        read=_of_mask("plane_overlap", 100.0),
    ),
    "plane_overlap_best": _Known(
        title="weights shared with the local mask, units at their best positions",
        title_at="weights shared with the local mask, units at their best positions, epoch {}",
        with_part="{}, {} null",
        unit="%",
        digits=1,
        number="optional",
        read=_of_mask("plane_overlap_best", 100.0),
    ),
    "permuted_accuracy": _Known(
        title="test accuracy with hidden units permuted",
        unit="%",
        digits=2,
        margin=0.5,
        read=lambda outcome, part, number: 100.0 * float(outcome["final"]["permuted_accuracy"]),
    ),
    "target_distance": _Known(
        title="distance to the target",
        title_at="distance to the target after epoch {}",
        digits=4,
        number="optional",
        read=_epoch("target_distance"),
    ),
    "similarity": _Known(title="similarity", kind="pair", digits=4, margin=0.01, read=_pair("raw")),
    "similarity_effective": _Known(
        title="similarity of effective weights", kind="pair", digits=4, read=_pair("effective")
    ),
    "similarity_centred": _Known(
        title="similarity after centring over units",
        kind="pair",
        digits=4,
        read=_pair("centred", "raw"),
    ),
    "similarity_initial": _Known(
        title="similarity at initialisation", kind="pair", digits=4, read=_pair("initial", "raw")
    ),
    "similarity_initial_effective": _Known(
        title="similarity of effective weights at initialisation",
        kind="pair",
        digits=4,
        read=_pair("initial", "effective"),
    ),
    "similarity_permuted": _Known(
        title="similarity after random permutation",
        kind="pair",
        digits=4,
        read=_pair("permuted", "raw"),
    ),
    "similarity_permuted_effective": _Known(
        title="similarity of effective weights after random permutation",
        kind="pair",
        digits=4,
        read=_pair("permuted", "effective"),
    ),
    "matched": _Known(title="cosine after alignment", kind="pair", digits=4, read=_pair("matched")),
    "matched_dealt": _Known(
        title="cosine after alignment, weights reshuffled",
        kind="pair",
        digits=4,
        read=_pair("dealt"),
    ),
    "matched_excess": _Known(
        title="cosine after alignment, above its null",
        kind="pair",
        digits=4,
        margin=0.01,
        read=_above("matched", "dealt"),
    ),
    "unmatched": _Known(
        title="cosine before alignment", kind="pair", digits=4, read=_pair("cosine")
    ),
    "unmatched_renumbered": _Known(
        title="cosine after random permutation", kind="pair", digits=4, read=_pair("renumbered")
    ),
    "unmatched_excess": _Known(
        title="cosine before alignment, above its null",
        kind="pair",
        digits=4,
        margin=0.01,
        read=_above("cosine", "renumbered"),
    ),
    "moved": _Known(title="distance of aligned units", kind="pair", read=_pair("moved")),
    "moved_dealt": _Known(
        title="distance of aligned units, weights reshuffled",
        kind="pair",
        read=_pair("moved_dealt"),
    ),
    "moved_chance": _Known(
        title="distance of units paired at random", kind="pair", read=_pair("moved_chance")
    ),
    "cka": _Known(title="linear CKA", kind="pair", margin=0.01, read=_pair("cka")),
    "cka_untrained": _Known(
        title="linear CKA before training", kind="pair", read=_pair("cka_untrained")
    ),
    "agreement": _Known(
        title="agreement", unit="%", digits=2, kind="pair", margin=0.5, read=_share("agreement")
    ),
    "agreement_chance": _Known(
        title="agreement by chance",
        unit="%",
        digits=2,
        kind="pair",
        read=_share("agreement_chance"),
    ),
    "agreement_excess": _Known(
        title="agreement above chance",
        unit="%",
        digits=2,
        kind="pair",
        margin=0.5,
        read=_above("agreement", "agreement_chance", 100.0),
    ),
    "barrier": _Known(
        title="loss barrier",
        kind="pair",
        margin=0.05,
        with_part="{}, {}",
        parts=LINES,
        read=_barrier("loss"),
    ),
    "drop": _Known(
        title="accuracy barrier",
        unit="points",
        digits=2,
        kind="pair",
        margin=0.5,
        with_part="{}, {}",
        parts=LINES,
        read=_barrier("accuracy", 100.0),
    ),
}
"""All metrics by name. ``gain@2`` is the accuracy gained from the end of epoch 2 to the end of
training, so a widening gap between two arms is a larger gain. ``epochs_to@45`` is the number of
epochs trained, so it is 1 after the first (epoch 0); a run that never reaches the accuracy counts
as one epoch more than it was trained for, which understates its difference. ``barrier`` and
``drop`` refer to the straight line between two networks, ``barrier:matched`` to the one after
matching; the other parts are the lines of :func:`spatialnb.analysis.alignment.compare`."""
