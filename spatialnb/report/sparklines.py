"""Sparklines: learning curves the size of a word, for rows of a table."""

from __future__ import annotations

from html import escape

from spatialnb.report.formatting import number
from spatialnb.report.html_tables import Cell
from spatialnb.report.summary import values
from spatialnb.study import metrics
from spatialnb.study.inference import mean_interval
from spatialnb.study.results import Results

WIDTH, HEIGHT, EDGE = 72, 26, 3  # CSS pixels


def sparks(results: Results, metric: str) -> dict[str, Cell]:
    """The mean by epoch of every arm as a line, with that of the arm it is compared with in grey.

    All curves of a table have the same scale. Empty if the metric is not recorded by epoch, or if
    there is only one epoch.
    """
    if "@" in metric or metrics.METRICS[metric.partition(":")[0]].number != "optional":
        return {}
    means = {arm: _means(results, arm, metric) for arm in results.arms}
    drawn = {arm: line for arm, line in means.items() if len(line) > 1}
    if not drawn:
        return {}
    low = min(min(line) for line in drawn.values())
    high = max(max(line) for line in drawn.values())
    paths = {arm: _path(line, low, (high - low) or 1.0) for arm, line in drawn.items()}
    digits = metrics.metric(metric).digits
    found = {}
    for arm, line in paths.items():
        other = results.study.base_of(arm)
        behind = paths.get(other, "") if other != arm else ""
        found[arm] = _cell(line, behind, drawn[arm], digits)
    return found


def _means(results: Results, arm: str, metric: str) -> list[float]:
    by_epoch = [values(results, arm, f"{metric}@{epoch}") for epoch in range(results.epochs)]
    return [mean_interval(list(at.values())).estimate for at in by_epoch if at]


def _path(line: list[float], low: float, span: float) -> str:
    across, up = WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE
    points = [
        (EDGE + across * place / (len(line) - 1), EDGE + up * (1.0 - (value - low) / span))
        for place, value in enumerate(line)
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _cell(line: str, base: str, means: list[float], digits: int) -> Cell:
    said = f"{number(means[0], digits)} to {number(means[-1], digits)}"
    behind = _polyline(base, 'stroke-opacity="0.6" stroke-dasharray="2 2"') if base else ""
    ours = _polyline(line, 'stroke-width="1.8"')
    return Cell(
        text=said,
        sort=means[-1],
        markup=(
            f'<svg class="spark" role="img" aria-label="{escape(f"By epoch: {said}")}" '
            f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
            f"{behind}{ours}</svg>"
        ),
    )


def _polyline(points: str, look: str) -> str:
    return f'<polyline points="{points}" fill="none" stroke="currentColor" {look}/>'
