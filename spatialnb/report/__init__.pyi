from .accelerator_table import beside_the_published
from .claims_across import (
    Across,
    across,
    across_numbers,
    across_rows,
    across_table,
)
from .comparison import (
    Compared,
    compare,
    compared,
    comparison_rows,
    comparison_text,
)
from .cost import cost, cost_numbers
from .display import Shown
from .engines import made_by, made_by_results
from .figures import curves, dots, trade_off
from .findings import few_seeds, ledger, ledger_rows, tally, verdicts
from .fingerprint_tables import (
    by_epoch_table,
    fingerprint_numbers,
    in_words,
    nearest_table,
)
from .formatting import banner, glue_numbers, numbers, scientific
from .initial_caps import cap_numbers
from .interpolation_figure import lines
from .judged import judged, judged_rows, judged_text
from .kernels import idea_figure, kernel_figure
from .live_ledger import ledger_data, live_ledger
from .metric_grid import side_by_side
from .population_tables import (
    answer_numbers,
    answer_rows,
    answer_table,
    judge_populations,
    population_numbers,
    population_rows,
    population_table,
)
from .protocol_box import protocol
from .pruning_report import latency_table, zeros_figure, zeros_table
from .reach import reach_numbers
from .receptive import receptive_fields
from .robustness_tables import (
    expected_numbers,
    power_numbers,
    power_table,
    robustness_numbers,
    robustness_rows,
    robustness_table,
)
from .search_budget import (
    best_draws,
    best_draws_numbers,
    best_draws_table,
    budget_figure,
)
from .sparsity_table import shares
from .specification_curve import specification_curve
from .spread_table import (
    spread_findings,
    spread_numbers,
    spread_rows,
    spread_verdicts,
)
from .style import figure
from .summary_box import glance
from .tables import frame, runs_frame, table, table_rows
from .tuning import (
    best,
    chosen,
    chosen_numbers,
    chosen_table,
    rate_figure,
    rate_table,
)
from .two_claims import two_claims, two_claims_numbers
from .universe_parts import part_numbers, part_table
from .weight_figures import weights_figure, weights_numbers

__all__ = [
    "Across",
    "Compared",
    "Shown",
    "across",
    "across_numbers",
    "across_rows",
    "across_table",
    "answer_numbers",
    "answer_rows",
    "answer_table",
    "banner",
    "beside_the_published",
    "best",
    "best_draws",
    "best_draws_numbers",
    "best_draws_table",
    "budget_figure",
    "by_epoch_table",
    "cap_numbers",
    "chosen",
    "chosen_numbers",
    "chosen_table",
    "compare",
    "compared",
    "comparison_rows",
    "comparison_text",
    "cost",
    "cost_numbers",
    "curves",
    "dots",
    "expected_numbers",
    "few_seeds",
    "figure",
    "fingerprint_numbers",
    "frame",
    "glance",
    "glue_numbers",
    "idea_figure",
    "in_words",
    "judge_populations",
    "judged",
    "judged_rows",
    "judged_text",
    "kernel_figure",
    "latency_table",
    "ledger",
    "ledger_data",
    "ledger_rows",
    "lines",
    "live_ledger",
    "made_by",
    "made_by_results",
    "nearest_table",
    "numbers",
    "part_numbers",
    "part_table",
    "population_numbers",
    "population_rows",
    "population_table",
    "power_numbers",
    "power_table",
    "protocol",
    "rate_figure",
    "rate_table",
    "reach_numbers",
    "receptive_fields",
    "robustness_numbers",
    "robustness_rows",
    "robustness_table",
    "runs_frame",
    "scientific",
    "shares",
    "side_by_side",
    "specification_curve",
    "spread_findings",
    "spread_numbers",
    "spread_rows",
    "spread_verdicts",
    "table",
    "table_rows",
    "tally",
    "trade_off",
    "two_claims",
    "two_claims_numbers",
    "verdicts",
    "weights_figure",
    "weights_numbers",
    "zeros_figure",
    "zeros_table",
]
