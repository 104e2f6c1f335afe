r"""Results of a random search: the best draws, and the best expected from fewer draws.

Source: Dodge et al. 2019, show your work: improved reporting of experimental results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spatialnb.datasets import edition
from spatialnb.report.citation import cited, number_parts
from spatialnb.report.display import Shown
from spatialnb.report.formatting import failures, number, setting, slug, spread
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.style import canvas, figure, legend, look, looks
from spatialnb.report.summary import summarise
from spatialnb.report.tuning import ACCURACY
from spatialnb.study import metrics
from spatialnb.study.results import Results

Grid = Mapping[str, Sequence[str]]
"""For each arm that was searched, the study's arms, one per draw and in their order."""
BUDGETS = (1, 5, 10, 20, 40)
"""Numbers of draws with ticks in the figure."""
IN_TABLE = (5, 40)
"""Numbers of draws in the table."""


def expected_best(values: Sequence[float], draws: int) -> float:
    r"""Estimate the expected maximum of n draws from the values of N draws.

    $E[\max] = \sum_i v_{(i)} \left[(i / N)^n - ((i - 1) / N)^n\right]$ with the values
    $v_{(1)} \le \dots \le v_{(N)}$ and n draws with replacement.

    Parameters
    ----------
    values : the values of all N draws of a search.
    draws : n, from 1 to N, because the search says nothing about more draws.

    Raises
    ------
    ValueError : no values, or `draws` outside this range.
    """
    if not 1 <= draws <= len(values):
        raise ValueError(f"draws: expected 1 to {len(values)}, as many as there are, got {draws}")
    shares = np.arange(len(values) + 1) / len(values)
    weights = np.diff(shares**draws)
    return float(np.sort(np.asarray(values)) @ weights)


def best_draws(results: Results, grid: Grid) -> dict[str, int]:
    """The best draw of every arm that was searched, counted from 1.

    It has the highest mean validation accuracy among draws in which no seed failed; ties go to the
    first.

    Raises
    ------
    ValueError : every draw failed.
    """
    found = {}
    for name, values in _values(results, grid).items():
        if all(map(math.isnan, values)):
            raise ValueError(f"every draw of {name} failed")
        found[name] = 1 + max(
            range(len(values)), key=lambda i: (not math.isnan(values[i]), values[i])
        )
    return found


def best_draws_table(results: Results, grid: Grid) -> Shown:
    """A table of the best draws, and of the highest accuracy expected from fewer draws."""
    wanted = metrics.metric(ACCURACY)
    rows = {row.arm: row.ours for row in summarise(results, ACCURACY)}
    values = _values(results, grid, failed=_chance(results))
    most = max(map(len, grid.values()))
    cells = {}
    for name, draw in best_draws(results, grid).items():
        arm = grid[name][draw - 1]
        run, ours = results.study.arms[arm], rows[arm]
        cells[name] = {
            "learning rate": Cell(
                f"{run.learning_rate:g}",
                below=f"decay: {run.learning_rate_decay or 'none'}",
                sort=run.learning_rate,
            ),
            "weight decay": Cell(f"{run.weight_decay or 0:g}", sort=run.weight_decay or 0.0),
            f"{wanted.title} ({wanted.unit})": Cell(
                spread(ours.estimate, ours.sd, wanted.digits), sort=ours.estimate
            ),
            **{
                f"expected | of {budget}": _expected(values[name], budget, wanted.digits)
                for budget in IN_TABLE
                if budget <= most
            },
        }
    data = pd.DataFrame.from_dict(cells, orient="index")
    named = []
    for name, draw in best_draws(results, grid).items():
        arm, about = grid[name][draw - 1], f"{results.study.id}, {name}, the best draw"
        parts = number_parts(results, ACCURACY, [arm], rows[arm], about)
        named.append(cited(name, f"{results.study.id}-draw-{slug(name)}", parts))
    data.index = pd.Index(named)
    title = f"The draw with the highest {wanted.title}: {setting(results)}"
    notes = [
        f"The best of {_counts(grid)} draws per arm; a draw that failed counts as chance accuracy."
        + _explained(most),
        *failures(results),
    ]
    long = pd.DataFrame(
        {
            "searched": name,
            "draw": place + 1,
            "learning_rate": (run := results.study.arms[arm]).learning_rate,
            "falls": run.learning_rate_decay,
            "weight_decay": run.weight_decay,
            "mean": rows[arm].estimate,
            "n": rows[arm].n,
        }
        for name, arms in grid.items()
        for place, arm in enumerate(arms)
    )
    html = [as_html(data, title, corner="arm"), *(f"<p>{note}</p>" for note in notes)]
    return Shown(
        "\n".join([*html, downloads(f"{results.study.id}-draws", long)]),
        "\n".join([as_text(data, title), *notes]),
    )


def best_draws_numbers(results: Results, grid: Grid) -> dict[str, str]:
    """Values to glue: the accuracy of the best draws, with keys like ``c7a-none-best``."""
    digits = metrics.metric(ACCURACY).digits
    values = _values(results, grid)
    return {
        f"{results.study.id}-{slug(name)}-best": number(values[name][draw - 1], digits)
        for name, draw in best_draws(results, grid).items()
    }


def budget_figure(results: Results, grid: Grid) -> Shown:
    """Figure of the expected highest accuracy against the number of draws, one line per arm."""
    wanted = metrics.metric(ACCURACY)
    alts, data = [], []
    with look():
        fig, axes = canvas(height=4.2)
        drawn = looks(list(grid), baseline=next(iter(grid)))
        for name, values in _values(results, grid, failed=_chance(results)).items():
            style, budgets = drawn[name], range(1, len(values) + 1)
            expected = [expected_best(values, budget) for budget in budgets]
            axes.plot(budgets, expected, ls=style.dash, color=style.color, label=name)
            alts.append(
                f"{name}: {number(expected[0], wanted.digits)} of one draw, "
                f"{number(expected[-1], wanted.digits)} of {len(values)}."
            )
            data += [
                {"arm": name, "draws": budget, "expected": value}
                for budget, value in zip(budgets, expected, strict=True)
            ]
        axes.set_xscale("log", base=2)
        shown = [budget for budget in BUDGETS if budget <= len(budgets)]
        axes.set_xticks(shown, [str(budget) for budget in shown])
        axes.set_xlabel("draws tried")
        axes.set_ylabel(f"expected accuracy ({wanted.unit})")
        legend(fig, axes)
    return figure(
        fig,
        f"Expected highest {wanted.title} over the number of draws. {' '.join(alts)}",
        f"What a search of n draws is expected to find: the highest {wanted.title}, means of "
        f"{len(results.seeds)} seeds a draw. "
        + " ".join([f"{setting(results)}.", *failures(results)]),
        name=f"{results.study.id}-budget",
        rows=data,
    )


def _values(results: Results, grid: Grid, failed: float = math.nan) -> dict[str, list[float]]:
    """Mean accuracy of every draw; `failed` if one of its seeds failed."""
    rows = {row.arm: row.ours for row in summarise(results, ACCURACY)}
    whole = len(results.seeds)
    return {
        name: [rows[arm].estimate if rows[arm].n == whole else failed for arm in arms]
        for name, arms in grid.items()
    }


def _chance(results: Results) -> float:
    """Chance accuracy in percent."""
    return 100.0 / edition(results.dataset).classes


def _expected(values: Sequence[float], budget: int, digits: int) -> Cell:
    if budget > len(values):
        return Cell("–")
    found = expected_best(values, budget)
    return Cell(number(found, digits), sort=found)


def _counts(grid: Grid) -> str:
    counts = sorted({len(arms) for arms in grid.values()})
    return " or ".join(map(str, counts))


def _explained(most: int) -> str:
    """A sentence about the columns of smaller budgets; empty if there are none."""
    if most < min(IN_TABLE):
        return ""
    return " Expected of n: the accuracy expected of the best of n draws."
