"""c4 · Sparse, or only small: its grid and its claims, as they were written before its runs."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
from pathlib import Path
from types import ModuleType

import pytest
import synthetic
import torch

from spatialnb import report
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Averaged, Exponential, share_below
from spatialnb.priors.schedules import Sharpen, Static
from spatialnb.records.store import Store, published_folder
from spatialnb.studies import c4_sparse_or_small, get
from spatialnb.training.sparse_optimizers import narrowed, weights_left

STUDY = get("c4")
SHAPES = ((256, 3072), (128, 256), (10, 128))


def test_every_claim_has_half_a_point_of_margin_and_twenty_seeds() -> None:
    assert {claim.margin for claim in STUDY.claims} == {0.5}
    assert STUDY.seeds == tuple(range(20))
    assert STUDY.reported == ()


def test_what_is_compared_at_the_level_of_the_claims_is_at_that_level() -> None:
    for claim in STUDY.claims:
        named = " ".join([*claim.arms, *claim.metrics])
        assert ("88.6" in named) == (claim.key == "small-weights-idle-at-50")
        assert "81.4" not in named


def test_the_highest_level_of_the_claims_is_the_sparsity_that_the_report_prints() -> None:
    strengths = [Exponential(k=100).strength(layer_distance(*shape)) for shape in SHAPES]
    assert round(100 * share_below(strengths), 1) == 94.2
    kept, total = (
        sum(numbers)
        for numbers in ([weights_left(s, 0.942) for s in SHAPES], map(math.prod, SHAPES))
    )
    assert round(100 * (1 - kept / total), 1) == 94.2


def test_the_last_layer_keeps_what_the_chapter_says() -> None:
    assert (weights_left((10, 128), 0.942), 10 * 128) == (68, 1280)


def test_before_anything_is_cut_a_run_is_the_one_of_v11() -> None:
    """Of the published records, whose networks must not have been changed by what comes after."""
    store = Store(published_folder())
    grids = [get(chapter).configs(seeds=STUDY.seeds) for chapter in ("v11", "c4")]
    pairs = [
        (store.find(first.id), store.find(second.id))
        for arm in ("none", "k 3 → 50", "k 3 → 100")
        for first, second in zip(*(grid[arm] for grid in grids), strict=True)
    ]
    assert len(pairs) == 60
    for first, second in pairs:
        assert first is not None
        assert second is not None
        assert first.outcome["epochs"] == second.outcome["epochs"], second.id


@pytest.mark.parametrize("level", ["81.4 %", "94.2 %"])
def test_a_narrower_network_has_as_many_weights_as_the_others(level: str) -> None:
    zeros = float(level.split()[0]) / 100
    run = STUDY.arms[f"narrower, {level}"]
    assert run.hidden == narrowed(3072, (256, 128), 10, zeros)
    ours = sum(a * b for a, b in itertools.pairwise([3072, *run.hidden, 10]))
    theirs = sum(weights_left(shape, zeros) for shape in SHAPES)
    assert 0 <= theirs - ours < run.hidden[0] + 10


def test_one_number_is_the_mean_strength_of_the_sharpened_arm() -> None:
    sharpened = STUDY.arms["k 3 → 100"].schedule
    assert sharpened == Sharpen(k_start=3, k_end=100)
    for arm in ("one number", "RigL, one number", "narrower, one number"):
        for at in (0.0, 0.5, 1.0):
            assert STUDY.arms[arm].schedule.at(at) == Averaged(kernel=sharpened.at(at))


def test_the_other_sparse_arms_have_no_prior() -> None:
    for arm, run in STUDY.arms.items():
        if run.prune is None and "one number" not in arm:
            assert run.schedule == Static()


# ── What is shown ───────────────────────────────────────────────────────────────────────────────

LINES = {
    "right after pruning": c4_sparse_or_small.RIGHT_AFTER,
    "after one more epoch": c4_sparse_or_small.ONE_MORE,
    "from the start": c4_sparse_or_small.FROM_THE_START,
}


@pytest.mark.parametrize(("what", "lines"), LINES.items(), ids=LINES)
def test_every_point_of_a_figure_is_measured_and_stands_in_the_table(
    what: str, lines: report.zeros.Lines
) -> None:
    results = synthetic.results(STUDY)
    table = report.zeros_table(results, lines, what).html
    for points in lines.values():
        for share, arm, metric in points:
            mean = sum(results.samples(arm, metric).values()) / len(STUDY.seeds)
            assert f"{mean:.2f} ±" in table, f"{arm} at {share} %"
    assert all(name in report.zeros_figure(results, lines, what).text for name in lines)


def test_a_line_is_at_the_share_of_zeros_that_its_metric_names() -> None:
    for share, _, metric in itertools.chain.from_iterable(
        [*c4_sparse_or_small.RIGHT_AFTER.values(), *c4_sparse_or_small.ONE_MORE.values()]
    ):
        assert metric.endswith(f"@{share:g}") == (share > 0.0)


# ── The benchmark ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def latency() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "sparse_latency.py"
    spec = importlib.util.spec_from_file_location("sparse_latency", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("zeros", [0.814, 0.98])
def test_every_way_to_multiply_gives_the_same_and_stores_what_it_says(
    latency: ModuleType, zeros: float
) -> None:
    layers = latency.banded(latency.drawn((96, 40, 24, 10)), zeros)
    x = torch.randn(5, 96, generator=torch.Generator().manual_seed(2))
    dense, csr = latency.dense(layers), latency.csr(layers)
    torch.testing.assert_close(csr.forward(x), dense.forward(x), rtol=1e-4, atol=1e-4)
    left = sum(int((weight != 0.0).sum()) for weight, _ in layers)
    rows, biases = 40 + 24 + 10 + 3, 40 + 24 + 10
    assert latency.stored_bytes(csr) == 4 * (2 * left + rows + biases)
    for blocks in (1, 2, 8):
        band = latency.band(layers, blocks)
        torch.testing.assert_close(band.forward(x), dense.forward(x), rtol=1e-4, atol=1e-4)
        assert 4 * (left + biases) <= latency.stored_bytes(band) <= latency.stored_bytes(dense)


def test_latency_is_shown_as_it_was_measured_and_missing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    assert report.latency_table(path).text.startswith("Not measured yet: python benchmarks/")
    rows = [
        {"zeros": 0.942, "batch": 32, "way": way, "blocks": 8 if way == "band" else None}
        | {"microseconds": 1234.0, "time_ratio": ratio, "stored_ratio": ratio / 2}
        for way, ratio in {"dense": 1.0, "csr": 1.25, "band": 0.5, "narrower": 0.125}.items()
    ]
    provenance = {"processor": "<b>x</b>", "versions": {"torch": "2"}}
    path.write_text(json.dumps({"rounds": 7, "rows": rows, "provenance": provenance}))
    shown = report.latency_table(path)
    row = next(line for line in shown.text.splitlines() if line.startswith("94.2 %, batch 32"))
    assert row.split()[4:] == [
        "1,234",
        "1.25",
        "0.50;",
        "8",
        "blocks",
        "0.12",
        "0.62",
        "0.25",
        "0.06",
    ]
    assert "<b>" not in shown.html
