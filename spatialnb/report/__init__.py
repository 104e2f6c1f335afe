"""Records to tables, figures and numbers for the prose.

Everything that a chapter shows is made here from a study's :class:`~spatialnb.study.Results`: a
chapter holds no number typed by hand. What is shown fits light and dark pages, and always says its
spread and its n.
"""

from spatialnb.report.comparison import (
    Compared,
    compare,
    compared,
    comparison_rows,
    comparison_text,
)
from spatialnb.report.figures import curves, dots, trade_off
from spatialnb.report.findings import ledger, ledger_rows, tally, verdicts
from spatialnb.report.glance import glance
from spatialnb.report.kernels import idea_figure, kernel_figure
from spatialnb.report.learned import weights_figure, weights_numbers
from spatialnb.report.lines import lines
from spatialnb.report.overview import side_by_side
from spatialnb.report.receptive import receptive_fields
from spatialnb.report.shares import shares
from spatialnb.report.shown import Shown
from spatialnb.report.style import figure
from spatialnb.report.tables import frame, table, table_rows
from spatialnb.report.tuning import (
    best,
    chosen,
    chosen_numbers,
    chosen_table,
    rate_figure,
    rate_table,
)
from spatialnb.report.words import banner, glue_numbers, numbers
from spatialnb.report.zeros import latency_table, zeros_figure, zeros_table

__all__ = [
    "Compared",
    "Shown",
    "banner",
    "best",
    "chosen",
    "chosen_numbers",
    "chosen_table",
    "compare",
    "compared",
    "comparison_rows",
    "comparison_text",
    "curves",
    "dots",
    "figure",
    "frame",
    "glance",
    "glue_numbers",
    "idea_figure",
    "kernel_figure",
    "latency_table",
    "ledger",
    "ledger_rows",
    "lines",
    "numbers",
    "rate_figure",
    "rate_table",
    "receptive_fields",
    "shares",
    "side_by_side",
    "table",
    "table_rows",
    "tally",
    "trade_off",
    "verdicts",
    "weights_figure",
    "weights_numbers",
    "zeros_figure",
    "zeros_table",
]
