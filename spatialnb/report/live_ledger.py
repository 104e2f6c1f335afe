"""The interactive ledger: controls with which a page judges claims again, and their data."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from spatialnb.report.display import Shown
from spatialnb.report.formatting import SYMBOLS
from spatialnb.report.sources import records_anchor, sources
from spatialnb.study import metrics
from spatialnb.study.judging import PUBLISHED, Case, Comparison, NoAnswersError
from spatialnb.study.registration import registration
from spatialnb.study.results import Results

STATIC = "../_static"
"""Folder of the book's scripts, relative to a page."""
CORRECTIONS = {
    "none": "none",
    "chapter": "Holm, by chapter",
    "ledger": "Holm, over the ledger",
    "fdr": "false discoveries, over the ledger",
}
POPULATIONS = {"seeds": "other seeds", "images": "other test images", "both": "both"}
EDITIONS = {"2": "second edition", "1": "first edition"}
FLIPS = {
    "": "no filter",
    "margin:0.25": "margin 0.25",
    "margin:1": "margin 1",
    "alpha:0.01": "level 0.01",
    "alpha:0.1": "level 0.10",
    "correction:none": "no correction",
    "correction:ledger": "Holm over the ledger",
    "correction:fdr": "false discoveries over the ledger",
}
"""Filters by verdict change, as in the page's address; see
:data:`spatialnb.study.robustness.VARIATIONS`."""
SCRIPTS = ("ledger_core.js", "claim_card.js", "ledger.js")
DATA = "ledger-data.js"
"""Script that sets a variable to the samples; a page opened from disk may not load other files."""
VALUE_DIGITS = 12
"""Significant digits of D, enough because only its last bits are rounding noise."""
DIGITS = 8
"""Significant digits of a covariance, many more than a verdict needs."""


def live_ledger(
    parts: Mapping[str, Sequence[Sequence[Case]]],
    chapters: Iterable[Results] = (),
    pages: Mapping[str, str] | None = None,
) -> Shown:
    """Controls with which a page judges all its claims again, and a card for each claim.

    Parameters
    ----------
    parts : the chapters' claims by the title of their part. For a correction over the ledger, each
        part is one family, as in ``spatialnb ledger``. The page must show the claims with
        :func:`spatialnb.report.ledger`.
    chapters : the results on which the claims are judged; cards name their records.
    pages : the chapters' pages by id; cards link to them.
    """
    behind = {results.study.id: results for results in chapters}
    data = [
        {
            "title": title,
            "chapters": ledger_data(cases),
            "about": [
                ledger_about(one, behind.get(one.claim.chapter), pages or {})
                for chapter in cases
                for one in chapter
            ],
        }
        for title, cases in parts.items()
    ]
    ids = dict.fromkeys(
        one.claim.chapter for cases in parts.values() for chapter in cases for one in chapter
    )
    show = {"all": "every claim", "changed": "changed verdicts", **{one: one for one in SYMBOLS}}
    fields = (
        _input("margin", "Margin (points)", "number", "each claim's own"),
        _input("alpha", "Level", "number", "", str(PUBLISHED.alpha)),
        _select("correction", "Correction", CORRECTIONS, PUBLISHED.correction),
        _input("seeds", "Seeds", "text", "all, or such as 0-4"),
        _select("population", "Generalise to", POPULATIONS, PUBLISHED.population),
        _select("edition", "Rules", EDITIONS, str(PUBLISHED.edition)),
        _select("chapter", "Chapter", {"": "all", **{one: one for one in ids}}, ""),
        _select("show", "Verdict", show, "all"),
        _select("flips", "Verdict flips under", FLIPS, ""),
        _input("find", "Find", "search", "words of a claim"),
    )
    html = (
        f'<link rel="stylesheet" href="{STATIC}/ledger.css">'
        "<noscript><p>Controls to judge the claims again need JavaScript, which is switched off in "
        "this browser. <code>spatialnb ledger --help</code> names the same settings.</p></noscript>"
        '<form id="live-ledger" class="live-ledger" aria-label="Judge the claims again" '
        f'autocomplete="off" novalidate hidden>{"".join(fields)}'
        '<p id="live-ledger-problem" role="alert" hidden></p>'
        '<p id="live-ledger-said" role="status"></p>'
        '<p><button type="reset">Published settings</button></p></form>'
        + _data_file(data)
        + "".join(f'<script defer src="{STATIC}/{name}"></script>' for name in SCRIPTS)
    )
    words = "Controls to judge every claim again stand here on the page."
    return Shown(html, words)


def _data_file(data: object) -> str:
    """A link that contains the data as a script, which is loaded only when needed.

    The built book stores it in a file beside the page, like every download.
    """
    text = f"window.LEDGER = {json.dumps(data, separators=(',', ':'))};\n"
    held = base64.b64encode(text.encode()).decode()
    return (
        f'<a hidden id="live-ledger-data" download="{DATA}" '
        f'href="data:text/javascript;base64,{held}">{DATA}</a>'
    )


def _input(name: str, label: str, kind: str, placeholder: str, value: str = "") -> str:
    step = ' step="any" min="0"' if kind == "number" else ""
    return (
        f'<label>{escape(label)}<input name="{name}" type="{kind}"{step} '
        f'placeholder="{escape(placeholder)}" value="{escape(value)}"></label>'
    )


def _select(name: str, label: str, options: Mapping[str, str], chosen: str) -> str:
    made = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(text)}</option>"
        for value, text in options.items()
    )
    return f'<label>{escape(label)}<select name="{name}">{made}</select></label>'


def ledger_data(chapters: Sequence[Sequence[Case]]) -> list[list[dict[str, Any]]]:
    """Claims with their samples, chapter by chapter, as JSON data.

    ``book/_static/ledger_core.js`` judges them by the rules of :mod:`spatialnb.study.judging`. A
    comparison has D by seed or by pair of seeds (``values``; also ``keys``, unless the seeds are 0,
    1, 2, ...). If answers are recorded, it also has the covariance of D over test images between
    every two seeds, as the rows of the lower triangle, with which claims can be judged over images
    on any subset of seeds.
    """
    return [[_claim(one) for one in chapter] for chapter in chapters]


def _claim(one: Case) -> dict[str, Any]:
    claim = one.claim
    fields = {
        "chapter": claim.chapter,
        "key": claim.key,
        "rule": claim.rule,
        "margin": claim.margin,
        "unit": claim.unit,
        "low": claim.low,
        "high": claim.high,
        "better": claim.better,
        "best_of": claim.best_of,
        "since": claim.since,
        "digits": metrics.metric(claim.metric).digits,
        "signed": claim.is_difference,
        "reported": None if claim.reported is None else [claim.reported, claim.rounding],
        "comparisons": [_comparison(part) for part in one.comparisons],
    }
    empty = (None, "", False)  # compared by identity, because 0, for example a bound, equals False
    return {name: value for name, value in fields.items() if not any(value is one for one in empty)}


def ledger_about(case: Case, results: Results | None, pages: Mapping[str, str]) -> dict[str, Any]:
    """The parts of a claim's card on which no verdict depends, as JSON data."""
    claim = case.claim
    known = registration(claim)
    page = pages.get(claim.chapter)
    return {
        "id": f"{claim.chapter}/{claim.key}",
        "measured": metrics.metric(claim.metric).title,
        "arms": list(claim.arms),
        "of": "pairs of seeds" if metrics.metric(claim.metric).kind == "pair" else "seeds",
        "registration": None if known is None else known.sentence,
        "page": page and f"{page}.html",
        "list": page and f"{page}.html#{records_anchor(claim.metric)}",
        **({} if results is None else sources(results, claim.arms, claim.metric)),
    }


def _comparison(part: Comparison) -> dict[str, Any]:
    keys = list(part.values)
    found: dict[str, Any] = {
        "name": part.name,
        "values": [float(f"{value:.{VALUE_DIGITS}g}") for value in part.values.values()],
    }
    if keys != list(range(len(keys))):
        found["keys"] = [list(key) if isinstance(key, tuple) else key for key in keys]
    if part.by_image is None or len(keys) < 2:
        return found
    try:
        points = part.by_image(keys)
    except NoAnswersError:
        return found
    covariance = np.atleast_2d(np.cov(points))
    found["images"] = points.shape[1]
    found["covariance"] = list(
        itertools.chain.from_iterable(
            [float(f"{covariance[row, column]:.{DIGITS}g}") for column in range(row + 1)]
            for row in range(len(keys))
        )
    )
    return found
