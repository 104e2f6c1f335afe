"""Tables of protocols ("universes") by the distance of their results to the log's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from spatialnb.report.display import Shown
from spatialnb.report.formatting import NOTHING, number
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.study.multiverse import curves, expected_distance, nearest, same_order
from spatialnb.study.results import Results

Fingerprint = Mapping[str, Sequence[float | None]]
Choices = Mapping[str, Sequence[str]]
PLACES = ("nearest", "second", "third", "fourth", "fifth")
"""Names of the nearest universes in keys, from the first on."""
NEAREST = 10
"""The largest number of universes in the table, besides the reference."""


def fingerprint_numbers(
    results: Results, codes: Sequence[str], choices: Choices, fingerprint: Fingerprint,
    epochs: Sequence[int],
) -> dict[str, str]:  # fmt: skip
    """Values to glue; none if the runs have fewer epochs than the fingerprint.

    ``<study>-nearest`` is the nearest universe's choices in words, ``-nearest-distance`` its
    distance, and ``-nearest-seeds`` the distance expected from seeds alone; ``-second-distance`` to
    ``-fifth-distance`` are those of the next universes. ``-reference-distance`` and
    ``-reference-rank`` belong to the first universe in `codes`. ``-numbers`` is the number of
    values in the fingerprint, ``-same-order`` the number of universes whose arms end in its order.
    """
    if not _long_enough(results, epochs):
        return {}
    study, reference = results.study.id, codes[0]
    ranked = nearest(results, codes, fingerprint, epochs)
    ranks = {code: place for place, (code, _) in enumerate(ranked, 1)}
    said = {f"{study}-numbers": str(_count(fingerprint))}
    for place, (code, far) in zip(PLACES, ranked, strict=False):
        said[f"{study}-{place}"] = in_words(code, choices)
        said[f"{study}-{place}-distance"] = number(far, 2)
        seeds = expected_distance(results, code, fingerprint, epochs)
        said[f"{study}-{place}-seeds"] = number(seeds, 2)
    if reference in ranks:
        said[f"{study}-reference-distance"] = number(dict(ranked)[reference], 2)
        said[f"{study}-reference-rank"] = str(ranks[reference])
    ordered = [code for code in ranks if same_order(results, code, fingerprint, epochs[-1])]
    said[f"{study}-same-order"] = str(len(ordered))
    return said


def in_words(code: str, choices: Choices) -> str:
    """A universe's choices in words: ``learning rate 0.003, batch 128, ...``."""
    return ", ".join(
        f"{choice} {values[int(digit)]}"
        for digit, (choice, values) in zip(code, choices.items(), strict=True)
    )


def nearest_table(
    results: Results, codes: Sequence[str], choices: Choices, fingerprint: Fingerprint,
    epochs: Sequence[int],
) -> Shown:  # fmt: skip
    """A table of the nearest universes and the reference, with their choices.

    Parameters
    ----------
    results : results of a study whose arms are named ``"<code> <arm>"``.
    codes : the universes, the reference first.
    choices : by the words for a choice, the words for its values, in the order of a code's digits.
    fingerprint : accuracies (%) of every arm at these epochs; None for missing numbers.
    epochs : counted from 0.
    """
    if not _long_enough(results, epochs):
        return _too_short(results, epochs)
    ranked = list(enumerate(nearest(results, codes, fingerprint, epochs), 1))
    shown = [one for one in ranked if one[0] <= NEAREST or one[1][0] == codes[0]]
    data = pd.DataFrame(
        [
            {
                "distance | by seeds alone": Cell(
                    number(far, 2),
                    below=number(expected_distance(results, code, fingerprint, epochs), 2),
                    sort=far,
                )
            }
            | _two_a_cell(code, choices)
            for _, (code, far) in shown
        ],
        index=[
            Cell(f"{rank}{', the reference' if code == codes[0] else ''}", sort=rank)
            for rank, (code, _) in shown
        ],
    )
    title = f"The universes nearest to the log, of {len(ranked)}"
    note = (
        f"Distance: the root mean square of the differences from the log's {_count(fingerprint)} "
        "accuracies, in points. By seeds alone: the distance to expect between two means over as "
        "many seeds, had the log used this protocol."
    )
    rows = [
        {"rank": rank, "universe": code, "distance": far}
        | {c: v[int(d)] for d, (c, v) in zip(code, choices.items(), strict=True)}
        for rank, (code, far) in ranked
    ]
    html = (
        as_html(data, title, corner="rank")
        + f"<p>{escape(note)}</p>"
        + downloads(f"{results.study.id}-nearest", pd.DataFrame(rows))
    )
    return Shown(html, as_text(data, title) + "\n" + note)


def _two_a_cell(code: str, choices: Choices) -> dict[str, Cell]:
    """A universe's choices, two per cell, so that all of them fit in a row."""
    values = [words[int(digit)] for digit, words in zip(code, choices.values(), strict=True)]
    heads, cells = [*choices, ""], [*values, ""]
    return {
        " | ".join(filter(None, heads[place : place + 2])): Cell(*cells[place : place + 2])
        for place in range(0, len(values), 2)
    }


def by_epoch_table(
    results: Results, codes: Sequence[str], fingerprint: Fingerprint, epochs: Sequence[int]
) -> Shown:
    """A table of accuracies by arm and epoch: the log's, the nearest universe's, the reference's.

    Parameters
    ----------
    results : results of a study whose arms are named ``"<code> <arm>"``.
    codes : the universes, the reference first.
    fingerprint : accuracies (%) of every arm at these epochs; None for missing numbers.
    epochs : counted from 0.
    """
    if not _long_enough(results, epochs):
        return _too_short(results, epochs)
    ranked = nearest(results, codes, fingerprint, epochs)
    universes = {"nearest": ranked[0][0] if ranked else codes[0], "reference": codes[0]}
    ours = {name: curves(results, code, fingerprint, epochs) for name, code in universes.items()}
    rows: list[tuple[str, str, Sequence[float | None]]] = []
    for arm, numbers in fingerprint.items():
        rows += [(arm, "the log", numbers), *((arm, name, ours[name][arm]) for name in ours)]
    data = pd.DataFrame(
        [
            {
                f"epoch {epoch}": number(value, 1)
                for epoch, value in zip(epochs, values, strict=True)
            }
            for _, _, values in rows
        ],
        index=[Cell(f"{arm}, {name}", sort=place) for place, (arm, name, _) in enumerate(rows)],
    )
    title = "Test accuracy (%) by epoch: the log's and ours"
    note = f"Means over {len(results.seeds)} seeds. {NOTHING}: the log prints no number."
    table = [
        {"arm": arm, "protocol": name, "epoch": epoch, "accuracy": value}
        for arm, name, values in rows
        for epoch, value in zip(epochs, values, strict=True)
    ]
    html = (
        as_html(data, title, corner="arm")
        + f"<p>{escape(note)}</p>"
        + downloads(f"{results.study.id}-by-epoch", pd.DataFrame(table))
    )
    return Shown(html, as_text(data, title) + "\n" + note)


def _count(fingerprint: Fingerprint) -> int:
    return sum(value is not None for values in fingerprint.values() for value in values)


def _long_enough(results: Results, epochs: Sequence[int]) -> bool:
    return results.epochs > max(epochs)


def _too_short(results: Results, epochs: Sequence[int]) -> Shown:
    text = (
        f"The log's numbers go to epoch {max(epochs)}, and these runs have {results.epochs} "
        "epochs: no universe is held against the log."
    )
    return Shown(f"<p>{escape(text)}</p>", text)
