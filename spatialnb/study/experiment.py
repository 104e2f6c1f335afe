"""Judge your own experiment by the rules of this book: results and claims from files.

The results are a CSV file with one row per run and the columns ``seed``, ``arm`` and one or more
metrics. The claims are a TOML file with one table ``[[claim]]`` per claim. Nothing here depends on
kernels, on this book's chapters, or on torch.
"""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialnb.registry import unknown
from spatialnb.study.claims import Claim, Finding
from spatialnb.study.judging import PUBLISHED, Settings, case, judge_cases

SEED, ARM = "seed", "arm"
"""The two columns that identify a run; every other column is a metric."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The measured values: one number per arm, metric and seed.

    Parameters
    ----------
    source : the file's name, for messages.
    metrics, arms : in the order of the file.
    values : by arm and metric, then by seed; seeds without a value are omitted.
    """

    source: str
    metrics: tuple[str, ...]
    arms: tuple[str, ...]
    values: Mapping[tuple[str, str], Mapping[int, float]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that have a value, in order."""
        return tuple(sorted({seed for by_seed in self.values.values() for seed in by_seed}))

    def samples(self, arm: str, metric: str) -> Mapping[int, float]:
        """The metric of an arm by seed, in the form for :func:`spatialnb.study.judging.judge`.

        Raises
        ------
        ValueError : no such arm or metric; the message lists the known ones.
        """
        if arm not in self.arms:
            raise ValueError(f"{self.source}: " + unknown("arm", arm, dict.fromkeys(self.arms)))
        if metric not in self.metrics:
            names = dict.fromkeys(self.metrics)
            raise ValueError(f"{self.source}: " + unknown("metric", metric, names))
        return self.values[arm, metric]


# ── Results ─────────────────────────────────────────────────────────────────────────────────────


def read_results(path: Path) -> Measured:
    """The results in a CSV file: columns ``seed`` and ``arm``, and a column for each metric.

    An empty cell means that the run lacks that metric; its seed is omitted from its comparisons.

    Raises
    ------
    ValueError : a column is missing or duplicated, a seed of an arm is duplicated, a cell is not a
        finite number, or there is no row. The message names the line.
    OSError : the file cannot be read.
    """
    rows = _rows(path)
    _, head = next(rows, (0, []))
    metrics = _metrics(path.name, head)
    values: dict[tuple[str, str], dict[int, float]] = {}
    lines: dict[tuple[str, int], int] = {}
    for line, cells in rows:
        where = f"{path.name}, line {line}"
        if len(cells) != len(head):
            raise ValueError(
                f"{where}: expected {len(head)} cells as in the header, got {len(cells)}"
            )
        row = dict(zip(head, cells, strict=True))
        arm, seed = row[ARM], _seed(where, row[SEED])
        if not arm:
            raise ValueError(f"{where}: the arm is empty; give each row the name of its arm")
        if (earlier := lines.setdefault((arm, seed), line)) != line:
            raise ValueError(
                f"{where}: seed {seed} of arm {arm!r} is already in line {earlier}; "
                "keep only one of the two"
            )
        for metric in metrics:
            by_seed = values.setdefault((arm, metric), {})
            if row[metric]:
                by_seed[seed] = _number(f"{where}, {metric}", row[metric])
    if not values:
        raise ValueError(f"{path.name}: no rows below the header; expected one row per run")
    return Measured(
        source=path.name,
        metrics=metrics,
        arms=tuple(dict.fromkeys(arm for arm, _ in values)),
        values={key: dict(sorted(by_seed.items())) for key, by_seed in values.items()},
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The non-empty lines of a CSV file, with their line numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not a CSV file in UTF-8: {error}") from error


def _metrics(source: str, head: Sequence[str]) -> tuple[str, ...]:
    """The metrics in a file's header, which must also contain seed and arm."""
    if not head:
        raise ValueError(f"{source} is empty: expected a header such as {SEED},{ARM},accuracy")
    if len(head) == 1 and (";" in head[0] or "\t" in head[0]):
        raise ValueError(
            f"{source}: expected columns separated by commas, and numbers with a decimal point; "
            f"got the header {head[0]!r}"
        )
    for name in head:
        if head.count(name) > 1:
            raise ValueError(f"{source}: two columns are named {name!r}; rename one")
    for name in (SEED, ARM):
        if name not in head:
            raise ValueError(f"{source} has no column {name!r}; it has {', '.join(head)}")
    metrics = tuple(name for name in head if name not in (SEED, ARM))
    if not metrics:
        raise ValueError(f"{source}: expected at least one metric column besides {SEED} and {ARM}")
    return metrics


def _seed(where: str, text: str) -> int:
    """A seed as a whole number; also 3.0, as programs write it if the column has missing values."""
    if not re.fullmatch(r"[0-9]{1,15}(\.0)?", text):
        raise ValueError(
            f"{where}, {SEED}: expected a whole number of at least 0, got {text!r}. Rows with the "
            "same seed are compared with each other"
        )
    return int(text.partition(".")[0])


def _number(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or "_" in text:  # Python would read 1_000
        raise ValueError(f"{where}: expected a number, got {text!r}")
    if not math.isfinite(value):
        raise ValueError(f"{where}: expected a finite number or an empty cell, got {text!r}")
    return value


# ── Claims ──────────────────────────────────────────────────────────────────────────────────────


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_arms(value: Any) -> bool:
    several = isinstance(value, list) and bool(value) and all(map(_is_text, value))
    return _is_text(value) or several


_TEXT = ("a text in quotes", _is_text)
_NUMBER = ("a number", _is_number)
_FLAG = ("true or false", _is_flag)
_ARMS = ("an arm, or a list of arms", _is_arms)

FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "key": _TEXT,
    "words": _TEXT,
    "rule": _TEXT,
    "arm": _ARMS,
    "against": _ARMS,
    "each": _FLAG,
    "metric": _TEXT,
    "against_metric": _TEXT,
    "than": _NUMBER,
    "margin": _NUMBER,
    "low": _NUMBER,
    "high": _NUMBER,
    "as_share": _FLAG,
    "reported": _NUMBER,
    "unit": _TEXT,
    "note": _TEXT,
    "better": _TEXT,
    "best_of": _FLAG,
    "chapter": _TEXT,
}
"""The keys of a ``[[claim]]``, with the expected values. :class:`spatialnb.study.claims.Claim`
explains each; ``chapter`` is the family of claims that Holm's method corrects together."""


def read_claims(path: Path, measured: Measured, margin: float | None = None) -> list[Claim]:
    """The claims in a TOML file, checked against what was measured.

    ``key``, ``rule`` and ``arm`` are required, ``margin`` except for the rule ``between``, and
    ``metric`` if there are several. The default for ``words`` is the key, and for ``chapter`` the
    file's name.

    Parameters
    ----------
    measured : the arms and metrics that a claim may name.
    margin : replaces the margin of every claim that has one.

    Raises
    ------
    ValueError : no claim, an unknown key, arm or metric, a value of the wrong type, parts that do
        not fit the rule, two claims with the same key, or one margin for claims in different units.
        The message names the claim.
    OSError : the file cannot be read.
    """
    claims = [
        _claim(path, number, table, measured, margin)
        for number, table in enumerate(_tables(path), 1)
    ]
    seen: set[tuple[str, str]] = set()
    for claim in claims:
        if (claim.chapter, claim.key) in seen:
            raise ValueError(f"{path.name}: two claims have the key {claim.key!r}; rename one")
        seen.add((claim.chapter, claim.key))
    units = {claim.unit for claim in claims if claim.rule != "between"}
    if margin is not None and len(units) > 1:
        listed = ", ".join(sorted(unit or "no unit" for unit in units))
        raise ValueError(
            f"margin: the claims are in different units ({listed}), so one margin cannot apply to "
            f"all; change each margin in {path.name}"
        )
    return claims


def _tables(path: Path) -> list[dict[str, Any]]:
    try:
        whole = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not a TOML file: {error}") from error
    for name in whole:
        if name != "claim":
            raise ValueError(f"{path.name}: " + unknown("table", name, {"claim": None}))
    tables = whole.get("claim", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{path.name}: start each claim with [[claim]], in double brackets")
    if not tables:
        raise ValueError(f"{path.name} contains no claim; start each with a line [[claim]]")
    return tables


def _claim(
    path: Path, number: int, table: dict[str, Any], measured: Measured, margin: float | None
) -> Claim:
    what = f"{path.name}, claim {number}"
    if _is_text(table.get("key")):
        what += f" ({table['key']})"
    for name, value in table.items():
        if name not in FIELDS:
            raise ValueError(f"{what}: " + unknown("key", name, FIELDS))
        expected, fits = FIELDS[name]
        if not fits(value):
            raise ValueError(f"{what}, {name}: expected {expected}, got {value!r}")
    for name in ("key", "rule", "arm"):
        if name not in table:
            raise ValueError(f"{what} has no {name}")
    given = {"chapter": path.stem, "words": table["key"].replace("-", " "), "unit": "", **table}
    if "metric" not in given:
        if len(measured.metrics) > 1:
            raise ValueError(
                f"{what} has no metric; choose one of {measured.source}: "
                f"{', '.join(measured.metrics)}"
            )
        given["metric"] = measured.metrics[0]
    if margin is not None and given["rule"] != "between":
        given["margin"] = margin
    if "margin" not in given and given["rule"] != "between":
        raise ValueError(
            f"{what} has no margin: set the difference in {given['metric']} that does not matter"
        )
    for name in ("arm", "against"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    try:
        claim = Claim(**given)
        for arm in claim.arms:
            for metric in claim.metrics:
                measured.samples(arm, metric)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    return claim


# ── Verdicts ────────────────────────────────────────────────────────────────────────────────────


def findings(
    claims: Sequence[Claim], measured: Measured, settings: Settings = PUBLISHED
) -> list[Finding]:
    """Judge the claims, and return their findings in order.

    Seeds are paired: D is a difference by seed. A seed that lacks a value in an arm of a comparison
    is left out of it, and the finding's reason names it.

    Raises
    ------
    ValueError : the settings ask for seeds that were not measured, or a percentage of 0 is taken.
    """
    missing = sorted(set(settings.seeds or ()) - set(measured.seeds))
    if missing:
        there = measured.seeds
        has = f"{there[0]} to {there[-1]}" if there else "none"
        raise ValueError(
            f"seeds {', '.join(map(str, missing))}: not in {measured.source}, which has {has}"
        )
    families: dict[str, list[Claim]] = {}
    for claim in claims:
        families.setdefault(claim.chapter, []).append(claim)
    cases = [[case(claim, measured.samples) for claim in family] for family in families.values()]
    judged = {
        (found.claim.chapter, found.claim.key): found
        for family in judge_cases(cases, settings)
        for found in family
    }
    return [judged[claim.chapter, claim.key] for claim in claims]
