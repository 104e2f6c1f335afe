"""An experiment of your own: results and claims from files, judged by the rules of this book.

The results are a CSV with a row a run and the columns ``seed``, ``arm`` and one or more metrics.
The claims are a TOML file with a table ``[[claim]]`` for each. Nothing here knows of kernels,
of this book's chapters, or of torch.
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
"""The two columns that say whose number it is; every other column is a metric."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured: a number by arm, metric and seed.

    Parameters
    ----------
    source : the file's name, for messages.
    metrics, arms : in the order of the file.
    values : by arm and metric, then by seed; a seed without a value is left out.
    """

    source: str
    metrics: tuple[str, ...]
    arms: tuple[str, ...]
    values: Mapping[tuple[str, str], Mapping[int, float]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed that has a value, in order."""
        return tuple(sorted({seed for by_seed in self.values.values() for seed in by_seed}))

    def samples(self, arm: str, metric: str) -> Mapping[int, float]:
        """The metric of an arm by seed, as :func:`spatialnb.study.judging.judge` takes it.

        Raises
        ------
        ValueError : no such arm or metric; the message lists those there are.
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

    An empty cell is a run without that number; its seed is left out where the metric is judged.

    Raises
    ------
    ValueError : a column is missing or there twice, a seed of an arm is there twice, a cell holds
        no finite number, or there is no row. The message names the line.
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
                f"{where}: expected {len(head)} cells as in the head, got {len(cells)}"
            )
        row = dict(zip(head, cells, strict=True))
        arm, seed = row[ARM], _seed(where, row[SEED])
        if not arm:
            raise ValueError(f"{where}: the arm is empty; give each row the name of its arm")
        if (earlier := lines.setdefault((arm, seed), line)) != line:
            raise ValueError(
                f"{where}: seed {seed} of arm {arm!r} stands in line {earlier} already; "
                "leave one of the two"
            )
        for metric in metrics:
            by_seed = values.setdefault((arm, metric), {})
            if row[metric]:
                by_seed[seed] = _number(f"{where}, {metric}", row[metric])
    if not values:
        raise ValueError(f"{path.name}: no row below the head; there must be one for each run")
    return Measured(
        source=path.name,
        metrics=metrics,
        arms=tuple(dict.fromkeys(arm for arm, _ in values)),
        values={key: dict(sorted(by_seed.items())) for key, by_seed in values.items()},
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV file with their numbers, without those that are empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no CSV file in UTF-8: {error}") from error


def _metrics(source: str, head: Sequence[str]) -> tuple[str, ...]:
    """The metrics in a file's head, which must have seed and arm, too."""
    if not head:
        raise ValueError(f"{source} is empty: expected a head such as {SEED},{ARM},accuracy")
    if len(head) == 1 and (";" in head[0] or "\t" in head[0]):
        raise ValueError(
            f"{source}: columns are separated by commas, and numbers have a decimal point; "
            f"got the head {head[0]!r}"
        )
    for name in head:
        if head.count(name) > 1:
            raise ValueError(f"{source}: two columns are called {name!r}; rename one")
    for name in (SEED, ARM):
        if name not in head:
            raise ValueError(f"{source} has no column {name!r}; it has {', '.join(head)}")
    metrics = tuple(name for name in head if name not in (SEED, ARM))
    if not metrics:
        raise ValueError(f"{source}: expected a column for a metric besides {SEED} and {ARM}")
    return metrics


def _seed(where: str, text: str) -> int:
    """A whole number; 3.0 too, as programs write it where a number of the column is missing."""
    if not re.fullmatch(r"[0-9]{1,15}(\.0)?", text):
        raise ValueError(
            f"{where}, {SEED}: expected a whole number from 0 on, got {text!r}. Rows of one number "
            "are compared with one another"
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
        raise ValueError(f"{where}: expected a finite number, got {text!r}; or leave it empty")
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
"""What a ``[[claim]]`` may say, with what is expected there. :class:`spatialnb.study.claims.Claim`
explains each; ``chapter`` is the family of claims that Holm's method corrects together."""


def read_claims(path: Path, measured: Measured, margin: float | None = None) -> list[Claim]:
    """The claims in a TOML file, checked against what was measured.

    ``key``, ``rule`` and ``arm`` are needed, ``margin`` but for the rule ``between``, ``metric``
    where there are several. ``words`` are the key's without it, and ``chapter`` the file's name.

    Parameters
    ----------
    measured : the arms and metrics that a claim may name.
    margin : for every claim with a margin, instead of its own.

    Raises
    ------
    ValueError : no claim, an unknown key, arm or metric, a value of the wrong kind, parts that make
        no rule, two claims of one key, or one margin for claims in different units. The message
        names the claim.
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
            f"margin: the claims are in different units ({listed}), so that one margin does not do "
            f"for all; change each in {path.name}"
        )
    return claims


def _tables(path: Path) -> list[dict[str, Any]]:
    try:
        whole = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no TOML file: {error}") from error
    for name in whole:
        if name != "claim":
            raise ValueError(f"{path.name}: " + unknown("table", name, {"claim": None}))
    tables = whole.get("claim", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{path.name}: head each claim with [[claim]], in two pairs of brackets")
    if not tables:
        raise ValueError(f"{path.name} holds no claim; head each with a line [[claim]]")
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
                f"{what} has no metric, and {measured.source} has {', '.join(measured.metrics)}"
            )
        given["metric"] = measured.metrics[0]
    if margin is not None and given["rule"] != "between":
        given["margin"] = margin
    if "margin" not in given and given["rule"] != "between":
        raise ValueError(
            f"{what} has no margin: say which difference in {given['metric']} does not matter"
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
    """The claims with their verdicts, in their order.

    Seeds are paired: D is a difference by seed. A seed without a value in every arm of a comparison
    is left out of it, and the reason names it.

    Raises
    ------
    ValueError : the settings ask for seeds that were not measured, or a share is taken of 0.
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
