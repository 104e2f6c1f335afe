"""A table of the fraction of kernel values below 0.1, which the log calls sparsity."""

from __future__ import annotations

import pandas as pd

from spatialnb.priors.kernels import SMALL
from spatialnb.report.citation import cited, number_parts
from spatialnb.report.display import Shown
from spatialnb.report.formatting import number, slug
from spatialnb.report.html_tables import Cell, as_html, as_text, downloads
from spatialnb.report.summary import Row, summarise
from spatialnb.study.results import Results


def shares(results: Results) -> Shown:
    """Kernel values below 0.1 in the last epoch, by arm: reported, measured, in closed form."""
    study = results.study
    rows = summarise(results, "sparsity")
    exact = [100.0 * study.arms[row.arm].schedule.at(1.0).share_below(SMALL) for row in rows]
    plain = pd.DataFrame(
        {
            "reported": [row.reported for row in rows],
            "measured": [row.ours.estimate for row in rows],
            "closed form, wide layers": exact,
        },
        index=[study.label(row.arm) for row in rows],
    )
    data = plain.map(lambda value: Cell(number(value, 1), sort=value))
    data.index = pd.Index([_named(results, row) for row in rows])
    title = "Kernel values below 0.1 in the last epoch (%)"
    links = downloads(f"{study.id}-sparsity", plain.reset_index(names="arm"))
    return Shown(f"{as_html(data, title, corner='arm')}\n{links}", as_text(data, title))


def _named(results: Results, row: Row) -> Cell:
    study, label = results.study, results.study.label(row.arm)
    if not row.ours.n:
        return Cell(label)
    parts = number_parts(results, "sparsity", [row.arm], row.ours, f"{study.id}, {label}")
    return cited(label, f"{study.id}-shares-{slug(row.arm)}", parts)
