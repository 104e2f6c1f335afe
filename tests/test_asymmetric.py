"""Networks with fixed weights: which ones, that they stay, and that the others are trained."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from spatialnb import datasets
from spatialnb.config.asymmetric import Asymmetric
from spatialnb.config.run import Decay, Run
from spatialnb.priors import parametrization
from spatialnb.priors.kernels import Exponential, Uniform
from spatialnb.priors.schedules import Static
from spatialnb.training import loop, networks
from spatialnb.training.build import build
from spatialnb.training.interventions.fixed_weights import fix

RUN = Run(dataset="quick-colours", hidden=(12,), epochs=1, asymmetric=Asymmetric(share=0.25))


def network(seed: int, widths: tuple[int, ...] = (40, 30, 6)) -> nn.Module:
    into, hidden, out = widths
    return networks.mlp(into, (hidden,), out, torch.Generator().manual_seed(seed))


def weights(model: nn.Module) -> list[Tensor]:
    return list(networks.effective_weights(model).values())


def test_networks_from_other_seeds_share_the_fixed_weights_and_no_others() -> None:
    first, second = (weights(fix(network(seed), Asymmetric(share=0.25))) for seed in (0, 1))
    for one, other in zip(first, second, strict=True):
        assert (one == other).sum(dim=1).tolist() == [one.shape[1] // 4] * len(one)


def test_neurons_have_other_subsets_and_other_values() -> None:
    first, second = (weights(fix(network(seed), Asymmetric())) for seed in (0, 1))
    fixed = [row.nonzero().flatten().tolist() for row in first[0] == second[0]]
    assert len({tuple(one) for one in fixed}) == 30
    values = first[0][first[0] == second[0]]
    assert len(values.unique()) == 30 * 20


def test_another_seed_fixes_others() -> None:
    one, other = (weights(fix(network(0), Asymmetric(seed=seed)))[0] for seed in (0, 1))
    assert 0.15 < float((one == other).double().mean()) < 0.35  # free in both: a quarter


def test_the_scale_is_that_of_the_others_at_initialisation() -> None:
    first, second = (
        weights(fix(network(seed, (400, 200, 6)), Asymmetric(scale=4.0)))[0] for seed in (0, 1)
    )
    fixed = first == second
    # Also: the draw of which ones are fixed is not that of a network's weights.
    # 40,000 values: the standard error of their deviation is 0.4 %.
    assert float(first[fixed].std()) == pytest.approx(4.0 * math.sqrt(2 / 400), rel=0.02)
    assert float(first[~fixed].std()) == pytest.approx(math.sqrt(2 / 400), rel=0.02)


def test_training_moves_all_weights_but_the_fixed_ones() -> None:
    data = datasets.load(RUN.dataset)
    before = weights(build(RUN, data.shape, data.classes))
    other = weights(build(replace(RUN, seed=1), data.shape, data.classes))
    after = weights(loop.train(RUN, data).model)
    for start, apart, end in zip(before, other, after, strict=True):
        fixed = start == apart
        assert torch.equal(start[fixed], end[fixed])
        assert float((start[~fixed] != end[~fixed]).double().mean()) > 0.9


def test_a_run_without_it_is_what_it_was() -> None:
    assert "asymmetric" not in Run().to_dict()
    assert Run.from_dict(RUN.to_dict()) == RUN
    assert RUN.id != replace(RUN, asymmetric=None).id
    assert RUN.id != replace(RUN, asymmetric=Asymmetric(share=0.25, seed=1)).id


@pytest.mark.parametrize(
    "wrong", [{"share": 0.0}, {"share": 1.0}, {"scale": -1.0}, {"seed": -1}], ids=str
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"Asymmetric.*{next(iter(wrong))}"):
        Asymmetric(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        {"schedule": Static(kernel=Exponential())},
        {"action": "cap"},
        {"decay": Decay(target=Uniform(value=0.0))},
        {"folded": ("start",)},
    ],
    ids=lambda one: next(iter(one)),
)
def test_it_does_not_go_with_a_prior_or_a_decay(other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="asymmetric: expected"):
        replace(RUN, **other)  # type: ignore[arg-type]


def test_weights_that_have_a_prior_are_not_fixed() -> None:
    model = parametrization.attach(network(0), Exponential())
    with pytest.raises(ValueError, match="layer '0' already has a parametrized weight"):
        fix(model, Asymmetric())
