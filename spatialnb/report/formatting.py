"""Formatting of numbers, values to glue into the text, and the warnings above results."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from spatialnb.config.run import Run
from spatialnb.execution import planning
from spatialnb.records.store import default_store
from spatialnb.report.display import NOTHING as NOTHING
from spatialnb.report.display import Shown
from spatialnb.report.summary import Row, summarise
from spatialnb.study import metrics
from spatialnb.study.claims import Finding
from spatialnb.study.inference import Interval
from spatialnb.study.results import Results

GLUED = "application/papermill.record/"
"""MIME prefix of glued outputs, so that the page does not also show them below the cell."""
SYMBOLS = {
    "holds": "✓",
    "exceeded": "↑",
    "tied": "=",
    "contradicted": "✗",
    "undecided": "?",
    "not judged": NOTHING,
}
"""Symbols of verdicts. Exceeded: the arm does better than claimed. Tied: best with another."""


SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
SIZES = {"as reported": "✓", "larger": "✗", "smaller": "✗", "other sign": "✗"}
"""Symbols for how a size compares with the reported one."""


def size_text(finding: Finding) -> str:
    """How a finding's size compares with the reported one, such as ``✗ larger``; a dash if none."""
    return NOTHING if finding.size is None else f"{SIZES[finding.size]} {finding.size}"


def number(value: float | None, digits: int, signed: bool = False) -> str:
    """A number with `digits` decimals, never "-0.00"; a dash for None."""
    if value is None or math.isnan(value):
        return NOTHING
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.{digits}f}".replace("-", "−")


def scientific(value: float, digits: int = 1) -> str:
    """A number in scientific notation, such as ``5.6 × 10⁻¹⁶``, without line breaks."""
    if value == 0.0 or not math.isfinite(value):
        return number(value, 0) if value == 0.0 else NOTHING
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    power = str(int(exponent)).translate(SUPERSCRIPTS)
    return f"{mantissa}\u00a0×\u00a010{power}".replace("-", "−")


def p_value(p: float) -> str:
    """A p value with two digits: ``0.021``, or ``3.3 × 10⁻⁸``."""
    text = f"{p:.2g}"
    return scientific(p) if "e" in text else text


def spread(value: float | None, sd: float | None, digits: int) -> str:
    """``97.43 ± 0.12``; only the number if no spread is known."""
    if sd is None or math.isnan(sd):
        return number(value, digits)
    return f"{number(value, digits)} ± {number(sd, digits)}"


def bounds(interval: Interval, digits: int, signed: bool = False, empty: str = NOTHING) -> str:
    """``[97.38, 97.48]``; `empty` if there is no interval."""
    if math.isnan(interval.low):
        return empty
    return f"[{number(interval.low, digits, signed)}, {number(interval.high, digits, signed)}]"


def estimate(interval: Interval, digits: int, signed: bool = True) -> str:
    """A difference, or a value, with its interval: ``+2.31 [+2.10, +2.52]``."""
    if not interval.n:
        return NOTHING
    return f"{number(interval.estimate, digits, signed)} {bounds(interval, digits, signed)}"


def mirrored(interval: Interval) -> Interval:
    """The interval of the same difference with the opposite sign."""
    return dataclasses.replace(
        interval, estimate=-interval.estimate, low=-interval.high, high=-interval.low
    )


def capital(text: str) -> str:
    """A text with its first letter in upper case, the rest unchanged: ``Linear CKA``."""
    return text[:1].upper() + text[1:]


def plain(value: float | None) -> str:
    """A reported size as it was printed."""
    return NOTHING if value is None else f"{value:g}".replace("-", "−")


def plain_value(value: object) -> str:
    """A setting as text: ``0.001``, ``256-128``."""
    return "-".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def slug(name: str) -> str:
    """A name for use in a key or file name: ``accuracy@2`` becomes ``accuracy-at-2``."""
    spoken = name.lower().replace("→", "-to-").replace("@", "-at-")
    return re.sub(r"[^a-z0-9_]+", "-", spoken).strip("-")


def seeds_text(seeds: tuple[int, ...]) -> str:
    """``20 seeds (0 to 19)``, or a list of the seeds if they are not consecutive."""
    if len(seeds) == 1:
        return f"1 seed ({seeds[0]})"
    if list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]})"
    return f"{len(seeds)} seeds ({', '.join(map(str, seeds))})"


def setting(results: Results) -> str:
    """The setting of a table: edition, epochs, seeds, and whether it is a quick edition."""
    epochs = "1 epoch" if results.epochs == 1 else f"{results.epochs} epochs"
    text = f"{' and '.join(results.editions)}, {epochs}, {seeds_text(results.seeds)}"
    text += "".join(f", {name} {plain_value(value)}" for name, value in results.settings.items())
    if results.study.added:
        text += f", arms added: {', '.join(results.study.added)}"
    return f"{text}; quick: small data, decides nothing" if results.quick else text


def setting_text(configs: Sequence[Run]) -> str:
    """Data, epochs, seeds and learning rate of a grid that is not run yet."""
    first = configs[0]
    seeds = tuple(dict.fromkeys(run.seed for run in configs))
    epochs = "1 epoch" if first.epochs == 1 else f"{first.epochs} epochs"
    return f"{first.dataset}, {epochs}, {seeds_text(seeds)}, lr {first.learning_rate:g}"


def failures(results: Results) -> list[str]:
    """A sentence for every arm with failed runs."""
    notes = []
    for arm in results.arms:
        failed = results.failed(arm)
        if failed:
            seeds = "seed" if len(failed) == 1 else "seeds"
            notes.append(
                f"{results.study.label(arm)}: failed at {seeds} {', '.join(map(str, failed))} "
                "(numbers not finite); left out, so n is smaller."
            )
    return notes


def banner(results: Results) -> Shown | None:
    """A warning above results that are not the published ones; None for published results."""
    if results.published and not results.quick:
        return None
    study = results.study
    if study.dataset == results.dataset and results.quick:
        title, text = "A draft", f"This chapter runs on {results.dataset}, which decides nothing."
    elif results.quick:
        title = "Quick edition"
        text = (
            f"These numbers come from {results.dataset}, a small data set to show that all "
            "runs. They decide nothing, and no claim is judged on them."
        )
    elif results.interim:
        title = "Runs are still to come"
        text = (
            f"These numbers are for {seeds_text(results.seeds)} of the {len(study.seeds)} planned. "
            f"No claim is judged before all are there. {_why_interim(results)}"
        ).rstrip()
    else:
        title = "Not the published parameters"
        text = f"These numbers are for {setting(results)}."
    seeds = seeds_text(study.seeds)
    published = f"The published ones are for {study.dataset}, {study.epochs} epochs, {seeds}."
    html = (
        f'<div class="admonition warning"><p class="admonition-title">{title}</p>'
        f"<p>{escape(text)} {escape(published)}</p></div>"
    )
    return Shown(html, f"{title}. {text} {published}")


def _why_interim(results: Results) -> str:
    """Which of the chapter's runs are not recorded, and why."""
    study = results.study
    configs = [run for arm in study.configs().values() for run in arm]
    said = planning.why_missing(study.id, configs, default_store().ids())
    return f"Of this chapter: {said}" if said else ""


def numbers(results: Results) -> dict[str, str]:
    """All values that the text of a chapter may quote, by key.

    In these examples, ``v01`` is the study's id, ``linear`` an arm, ``none`` the baseline and
    ``accuracy`` a metric; names are written as by :func:`slug` (``k-3-to-15``, ``accuracy-at-2``):

    - ``v01-dataset``, ``v01-epochs``, ``v01-seeds`` (the number of seeds);
    - ``v01-linear-accuracy`` (``97.56 ± 0.12 (n = 20)``), and parts of it with the suffixes
      ``-mean``, ``-sd``, ``-interval``, ``-n``, ``-reported``;
    - ``v01-linear-minus-none-accuracy`` (``−0.13 [−0.20, −0.06]``), and with the suffixes
      ``-mean``, ``-n``, ``-reported``; ``v01-linear-minus-none`` refers to the first metric;
    - ``v01-claim-<key>`` (``holds``), and with the suffixes ``-mark``, ``-estimate``, ``-n``,
      ``-reported``, ``-size`` (``✗ larger``); ``-ahead`` and ``-behind`` are D and -D without a
      plus sign, for sentences that state the direction, such as "points below";
    - ``v01-claims``, the number of claims, and ``v01-claims-hold``, ``-exceeded``, ``-tied``,
      ``-contradicted``, ``-undecided``, ``-not-judged``, those with this verdict.

    Raises
    ------
    ValueError : two arms would have the same key.
    """
    study = results.study
    check_slugs(study.arms)
    said = {
        f"{study.id}-dataset": results.dataset,
        f"{study.id}-epochs": str(results.epochs),
        f"{study.id}-seeds": str(len(results.seeds)),
    }
    for name in study.metrics:
        for row in summarise(results, name):
            said |= _row_numbers(results, row, name)
    verdicts = []
    for finding in results.findings():
        claim, digits = finding.claim, metrics.metric(finding.claim.metric).digits
        key = f"{study.id}-claim-{claim.key}"
        verdicts.append(finding.verdict)
        said[key] = finding.verdict
        said[f"{key}-mark"] = f"{SYMBOLS[finding.verdict]} {finding.verdict}"
        said[f"{key}-estimate"] = estimate(finding.estimate, digits, claim.is_difference)
        said[f"{key}-n"] = str(finding.interval.n)
        said[f"{key}-size"] = size_text(finding)
        said[f"{key}-reported"] = plain(claim.reported)
        said[f"{key}-ahead"] = estimate(finding.estimate, digits, signed=False)
        said[f"{key}-behind"] = estimate(mirrored(finding.estimate), digits, signed=False)
    said[f"{study.id}-claims"] = str(len(verdicts))
    for verdict, key in {
        "holds": "hold",
        "exceeded": "exceeded",
        "tied": "tied",
        "contradicted": "contradicted",
        "undecided": "undecided",
        "not judged": "not-judged",
    }.items():
        said[f"{study.id}-claims-{key}"] = str(verdicts.count(verdict))  # type: ignore[arg-type]
    return said


def check_slugs(arms: Iterable[str]) -> None:
    """Raise ValueError if two arms would have the same key."""
    taken: dict[str, str] = {}
    for arm in arms:
        other = taken.setdefault(slug(arm), arm)
        if other != arm:
            raise ValueError(f"arms {other!r} and {arm!r} have one key, {slug(arm)!r}; rename one")


def _row_numbers(results: Results, row: Row, name: str) -> dict[str, str]:
    study, digits = results.study, metrics.metric(name).digits
    key = f"{study.id}-{slug(row.arm)}-{slug(name)}"
    said = {f"{key}-reported": spread(row.reported, row.reported_sd, digits)}
    ours = row.ours
    said[key] = f"{spread(ours.estimate, ours.sd, digits)} (n = {ours.n})"
    said[f"{key}-mean"] = number(ours.estimate, digits)
    said[f"{key}-sd"] = number(ours.sd, digits)
    said[f"{key}-interval"] = bounds(ours, digits)
    said[f"{key}-n"] = str(ours.n)
    if row.difference is None:
        return said
    minus = f"{study.id}-{slug(row.arm)}-minus-{slug(study.base_of(row.arm))}"
    key = f"{minus}-{slug(name)}"
    said[key] = estimate(row.difference, digits)
    said[f"{key}-mean"] = number(row.difference.estimate, digits, True)
    said[f"{key}-n"] = str(row.difference.n)
    said[f"{key}-reported"] = number(row.reported_difference, digits, True)
    if name == study.metrics[0]:
        said[minus] = said[key]
    return said


def glue_numbers(said: Results | Mapping[str, str]) -> None:
    """Glue the values of :func:`numbers`, for use in text as ``{glue:text}`v01-none-accuracy```.

    A mapping from keys to texts, such as a tally of the ledger, is glued as it is. Outside a
    notebook, this does nothing.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return
    from IPython.core.formatters import format_display_data
    from IPython.display import display

    # The same as myst_nb.glue, which is not installed where chapters are only re-run.
    for key, text in (numbers(said) if isinstance(said, Results) else said).items():
        shown, metadata = format_display_data(text)
        named = {**metadata, "scrapbook": {"name": key, "mime_prefix": GLUED}}
        display({GLUED + kind: part for kind, part in shown.items()}, raw=True, metadata=named)
