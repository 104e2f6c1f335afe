"""How a strength acts on a learned weight, and how a prior is put on a model and taken off."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parametrize

from spatialnb.priors import actions, parametrization
from spatialnb.priors.geometry import layer_distance, plane
from spatialnb.priors.kernels import (
    Exponential,
    Gaussian,
    Inverse,
    Kernel,
    Linear,
    Shuffled,
    Uniform,
)
from spatialnb.priors.parametrization import (
    DecayTarget,
    attach,
    remove,
    spatial_priors,
    step,
)
from spatialnb.priors.schedules import Anneal, Sharpen, Static
from spatialnb.training import networks

EXACT = ("multiply", "normalise", "cap", "soft_cap")
"""Actions whose gradient is their own."""
ACTIONS = (*EXACT, "cap_scaled_gradient")
KERNELS: tuple[Kernel, ...] = (Linear(), Exponential(), Gaussian(), Shuffled(kernel=Inverse()))


def made(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small() -> nn.Sequential:
    return networks.mlp(6, (5, 4), 3, made())


def inputs(features: int = 6, rows: int = 8) -> Tensor:
    return torch.randn(rows, features, generator=made(9))


def same_bits(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(tensor.view(torch.int32), second[name].view(torch.int32))
        for name, tensor in first.items()
    )


# ── The actions ─────────────────────────────────────────────────────────────────────────────────


def test_multiply_is_weight_times_strength() -> None:
    weight, strength = torch.tensor([[2.0, -4.0]]), torch.tensor([[0.5, 0.25]])
    assert actions.multiply(weight, strength).tolist() == [[1.0, -1.0]]


def test_normalise_keeps_a_row_s_direction_and_gives_it_the_initial_norm() -> None:
    weight = torch.tensor([[3.0, -4.0], [0.3, -0.4]])
    found = actions.normalise(weight, torch.tensor([[1.0, 0.5], [1.0, 1.0]]))
    root = math.sqrt(2.0)
    # Single precision: relative rounding of 6e-8 in each of a few operations.
    assert found[0].tolist() == pytest.approx([0.6 * root, -0.4 * root], rel=1e-6)
    assert found[1].norm().item() == pytest.approx(root, rel=1e-6)


def test_root_two_is_the_row_norm_that_the_initialisation_gives() -> None:
    rows = networks.linear(3072, 256, made()).weight.norm(dim=1)
    # A squared row norm has mean 2 and relative sd sqrt(2/3072); 256 rows average it: 5 sigmas.
    assert rows.square().mean().item() == pytest.approx(
        actions.ROW_NORM**2, rel=5 * math.sqrt(2 / 3072 / 256)
    )


def test_a_row_of_zeros_stays_zeros_and_its_gradient_is_finite() -> None:
    weight = torch.zeros(2, 3, requires_grad=True)
    found = actions.normalise(weight, torch.ones(2, 3))
    assert torch.equal(found, torch.zeros(2, 3))
    (100.0 * found).sum().backward()
    assert weight.grad is not None
    # The row is divided by nothing: the slope is strength times root two, not 1e38.
    assert weight.grad.abs().max() <= 100.0 * actions.ROW_NORM * 1.000001


def test_cap_holds_a_weight_between_plus_and_minus_its_strength() -> None:
    weight, strength = torch.tensor([[2.0, -2.0, 0.1, -0.1]]), torch.full((1, 4), 0.5)
    assert actions.cap(weight, strength)[0].tolist() == pytest.approx([0.5, -0.5, 0.1, -0.1])


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.label())
@pytest.mark.parametrize("name", EXACT)
def test_gradients_of_an_action_are_those_of_finite_differences(name: str, kernel: Kernel) -> None:
    strength = kernel.strength(layer_distance(4, 5))
    weight = 2.0 * torch.rand(4, 5, generator=made(), dtype=torch.float64) - 1.0
    # The cap has a kink at |W| = K, where no difference quotient is right: step off it by 0.01,
    # ten thousand times the step of gradcheck (1e-6).
    near = (weight.abs() - strength).abs() < 0.01
    weight = torch.where(near, weight.sign() * (strength + 0.02), weight).requires_grad_()
    # gradcheck's own tolerances for float64 (atol 1e-5, rtol 1e-3) compare with a quotient whose
    # error is about 1e-10 here; these are tighter.
    assert torch.autograd.gradcheck(
        lambda w: actions.actions.get(name)(w, strength), (weight,), atol=1e-8, rtol=1e-6
    )


def test_the_gradient_of_a_capped_weight_is_nought_beyond_and_unscaled_within() -> None:
    weight = torch.tensor([[0.9, -0.9, 0.1]], requires_grad=True)
    actions.cap(weight, torch.full((1, 3), 0.5)).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[0.0, 0.0, 1.0]]


def test_a_soft_cap_stays_within_the_strength_and_is_the_weight_near_zero() -> None:
    weight = torch.tensor([[50.0, -50.0, 1e-3]], requires_grad=True)
    found = actions.soft_cap(weight, torch.tensor([[0.5, 0.5, 0.5]]))
    assert found[0].tolist() == pytest.approx([0.5, -0.5, 1e-3], rel=1e-4)
    found.sum().backward()
    assert weight.grad is not None
    assert weight.grad[0].tolist() == pytest.approx([0.0, 0.0, 1.0], abs=1e-4)
    nothing = actions.soft_cap(torch.ones(1, 1), torch.zeros(1, 1))
    assert nothing.tolist() == [[0.0]]


def test_a_cap_with_scaled_gradients_has_the_caps_value_and_the_products_gradient() -> None:
    weight = torch.tensor([[0.9, -0.9, 0.1]], requires_grad=True)
    strength = torch.tensor([[0.5, 0.5, 0.5]])
    found = actions.cap_scaled_gradient(weight, strength)
    assert torch.equal(found, actions.cap(weight, strength))
    found.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[0.0, 0.0, 0.5]]


def test_a_target_that_keeps_the_sign_is_of_the_size_alone() -> None:
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[-0.75, 0.25]]))
    kept = DecayTarget(layer, Uniform(value=0.5), 2.0, keep_sign=True)
    assert kept().item() == pytest.approx(2.0 * 2 * 0.25**2)
    assert kept.distance() == pytest.approx(0.25)
    kept().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad[0].tolist() == pytest.approx([-1.0, -1.0])  # toward -0.5 and 0.5


@pytest.mark.parametrize("name", EXACT)
def test_gradients_through_an_attached_layer_are_those_of_finite_differences(name: str) -> None:
    layer = attach(nn.Linear(5, 4).double(), Exponential(), action=name)
    parameters = tuple(tensor.detach().clone().requires_grad_() for tensor in layer.parameters())
    names = [key for key, _ in layer.named_parameters()]
    x = torch.randn(3, 5, generator=made(), dtype=torch.float64)

    def outputs(*values: Tensor) -> Tensor:
        found = torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))
        assert isinstance(found, Tensor)
        return found

    assert torch.autograd.gradcheck(outputs, parameters, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize(
    "target", [Uniform(value=0.0), *KERNELS], ids=lambda kernel: kernel.label()
)
def test_gradients_of_the_decay_penalty_are_those_of_finite_differences(target: Kernel) -> None:
    layer = networks.linear(5, 4, made()).double()
    penalty = DecayTarget(layer, target, 0.3)
    expected = 0.6 * (layer.weight.detach() - target.strength(layer_distance(4, 5)))
    penalty().backward()
    assert layer.weight.grad is not None
    assert layer.bias.grad is None
    torch.testing.assert_close(layer.weight.grad, expected, rtol=1e-14, atol=1e-14)  # by hand

    slope = torch.zeros(4, 5, dtype=torch.float64)
    with torch.no_grad():
        for place in range(20):
            entry = layer.weight.view(-1)[place : place + 1]
            centre, pair = entry.clone(), []
            for change in (1e-4, -1e-4):
                entry.copy_(centre + change)
                pair.append(penalty())
            entry.copy_(centre)
            slope.view(-1)[place] = (pair[0] - pair[1]) / 2e-4
    # The penalty is a square, so the quotient is exact but for rounding: 1e-16 · 10 / 1e-4.
    torch.testing.assert_close(layer.weight.grad, slope, rtol=0.0, atol=1e-10)


# ── none is a plain network ─────────────────────────────────────────────────────────────────────


def trained(model: nn.Module, epochs: int = 4) -> nn.Module:
    """A few epochs of Adam on a small made data set of three classes."""
    x = torch.randn(60, 6, generator=made(1))
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    for epoch in range(epochs):
        for index in torch.randperm(60, generator=made(epoch)).split(16):
            optimizer.zero_grad()
            cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
    return model


@pytest.mark.parametrize("action", ["multiply", "cap"])
def test_none_is_bit_for_bit_a_plain_network(action: str) -> None:
    start = small()
    if action == "cap":  # v8: a cap of one is the baseline while it never binds
        with torch.no_grad():
            for layer in (start[0], start[2], start[4]):
                layer.weight.mul_(0.3)
    plain = trained(copy.deepcopy(start))
    prior = trained(attach(copy.deepcopy(start), Uniform(), action=action))
    assert parametrization.capped_share(prior) == 0.0 or action == "multiply"
    assert not same_bits(start.state_dict(), plain.state_dict())
    assert same_bits(remove(prior).state_dict(), plain.state_dict())


def test_a_kernel_that_is_not_ones_trains_to_something_else() -> None:
    start = small()
    prior = remove(trained(attach(copy.deepcopy(start), Linear())))
    assert not same_bits(trained(copy.deepcopy(start)).state_dict(), prior.state_dict())


# ── attach, step, remove ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("action", ACTIONS)
def test_the_weight_of_a_layer_reads_as_the_effective_one(action: str) -> None:
    model = small()
    learned = [layer.weight.detach().clone() for _, layer in networks.linear_layers(model)]
    attach(model, Exponential(), action=action)
    for before, (_, layer) in zip(learned, networks.linear_layers(model), strict=True):
        strength = Exponential().strength(layer_distance(*before.shape)).float()
        assert torch.equal(parametrization.learned_weight(layer), before)
        assert torch.equal(layer.weight, actions.actions.get(action)(before, strength))


class Odd(nn.Module):
    """A model of the user's own: nested, with a shared layer and parts that are not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.body = nn.ModuleDict({"in": nn.Linear(6, 6, bias=False), "norm": nn.LayerNorm(6)})
        self.head = nn.Linear(6, 2)

    def forward(self, words: Tensor) -> Tensor:
        hidden = self.embed(words)
        for _ in range(2):
            hidden = self.body["norm"](self.body["in"](hidden).relu())
        found = self.head(hidden.mean(dim=1))
        assert isinstance(found, Tensor)
        return found


def test_a_model_of_the_user_s_own_takes_a_prior_on_all_its_linear_layers() -> None:
    model = Odd()
    assert attach(model, Linear()) is model
    carrying = [layer for layer, _ in spatial_priors(model)]
    assert carrying == [model.body["in"], model.head]
    assert not parametrize.is_parametrized(model.embed)
    model(torch.arange(10).view(2, 5)).sum().backward()
    assert parametrization.learned_weight(model.head).grad is not None


def test_a_single_linear_layer_is_a_model_too() -> None:
    layer = nn.Linear(3, 2)
    plain = layer.weight.detach().clone()
    attach(layer, Linear(floor=0.0))
    assert torch.equal(layer.weight, plain * torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]))


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_feed_forward_layers_of_a_transformer_take_a_prior_by_name(training: bool) -> None:
    block = nn.TransformerEncoderLayer(
        8, nhead=2, dim_feedforward=12, dropout=0.0, batch_first=True
    )
    block.train(training)
    x = inputs(8, rows=6).view(2, 3, 8)
    by_hand = copy.deepcopy(block)
    with torch.no_grad():
        for layer in (by_hand.linear1, by_hand.linear2):
            layer.weight.mul_(Exponential().strength(layer_distance(*layer.weight.shape)).float())
        attach(block, Exponential(), layers=["linear1", "linear2"])
        assert [layer for layer, _ in spatial_priors(block)] == [block.linear1, block.linear2]
        # The fused path of evaluation may add in another order: single precision, outputs near 1.
        torch.testing.assert_close(block(x), by_hand(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(remove(block)(x), by_hand(x), rtol=1e-5, atol=1e-5)


def test_every_linear_layer_of_a_transformer_includes_its_attention_output() -> None:
    block = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=12)
    attach(block, Linear(), layers=["*"])
    carrying = {id(layer) for layer, _ in spatial_priors(block)}
    assert carrying == {id(block.linear1), id(block.linear2), id(block.self_attn.out_proj)}


@pytest.mark.parametrize("action", ACTIONS)
def test_removing_bakes_the_effective_weight_in(action: str) -> None:
    model, x = attach(small(), Exponential(k=9.0), action=action), inputs()
    before, parameters = model(x), {id(p) for p in model.parameters()}
    assert remove(model) is model
    assert torch.equal(model(x), before)
    assert {type(layer) for _, layer in networks.linear_layers(model)} == {nn.Linear}
    assert model.state_dict().keys() == small().state_dict().keys()
    assert {id(p) for p in model.parameters()} == parameters, "an optimizer keeps its parameters"
    assert not any(parametrize.is_parametrized(part) for part in model.modules())


def test_removing_leaves_parametrizations_of_others_alone() -> None:
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)), nn.Linear(3, 2))
    attach(model, Linear(), layers=["1"])
    remove(model)
    assert parametrize.is_parametrized(model[0], "weight")
    assert not parametrize.is_parametrized(model[1])


def test_removing_from_a_model_without_priors_changes_nothing() -> None:
    model = small()
    assert same_bits(remove(copy.deepcopy(model)).state_dict(), model.state_dict())


def test_a_removed_prior_can_be_attached_again() -> None:
    model = attach(remove(attach(small(), Linear())), Linear())
    assert len(list(spatial_priors(model))) == 3


@pytest.mark.parametrize("prior", [Exponential(), Sharpen(k_start=3.0, k_end=15.0)])
def test_a_state_dict_brings_weights_and_strengths_to_a_fresh_model(
    prior: Exponential | Sharpen, tmp_path: Path
) -> None:
    model = trained(attach(small(), prior))
    if isinstance(prior, Sharpen):
        step(model, prior, 1.0)
    safetensors.torch.save_file(model.state_dict(), tmp_path / "model.safetensors")
    torch.save(model.state_dict(), tmp_path / "model.pt")
    for stored in (
        safetensors.torch.load_file(tmp_path / "model.safetensors"),
        torch.load(tmp_path / "model.pt", weights_only=True),
    ):
        fresh = attach(networks.mlp(6, (5, 4), 3, made(7)), Uniform())
        fresh.load_state_dict(stored)
        assert torch.equal(fresh(inputs()), model(inputs()))
        assert same_bits(fresh.state_dict(), model.state_dict())


def test_a_copy_of_a_model_has_priors_of_its_own() -> None:
    model = attach(small(), Linear())
    twin = copy.deepcopy(model)
    step(twin, Exponential(), 0.0)
    assert torch.equal(model[0].weight, attach(small(), Linear())[0].weight)
    assert torch.equal(twin[0].weight, attach(small(), Exponential())[0].weight)


def test_strengths_follow_the_model_to_another_precision() -> None:
    model = attach(small(), Linear()).double()
    step(model, Exponential(), 0.0)
    strength = next(part.strength for _, part in spatial_priors(model))
    assert torch.equal(strength, Exponential().strength(layer_distance(5, 6)))
    assert model(inputs().double()).dtype == torch.float64


def test_strengths_are_not_trained() -> None:
    model = attach(small(), Linear())
    assert not any("strength" in name for name, _ in model.named_parameters())
    before = [part.strength.clone() for _, part in spatial_priors(model)]
    trained(model, epochs=1)
    assert all(
        torch.equal(old, part.strength)
        for old, (_, part) in zip(before, spatial_priors(model), strict=True)
    )


def test_a_schedule_starts_at_nought_and_is_moved_by_step() -> None:
    schedule = Anneal(start=Uniform(), end=Linear(floor=0.0))
    layer = attach(nn.Linear(3, 2), schedule)
    learned = parametrization.learned_weight(layer)
    assert torch.equal(layer.weight, learned)
    step(layer, schedule, 0.5)
    assert torch.equal(layer.weight, learned * torch.tensor([[1.0, 0.75, 0.5], [0.5, 0.75, 1.0]]))
    with pytest.raises(ValueError, match=r"progress: expected a number in \[0, 1\], got 1.5"):
        step(layer, schedule, 1.5)


def test_the_share_of_capped_weights_counts_connections_of_all_layers() -> None:
    model = attach(
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), Uniform(value=0.5), action="cap"
    )
    with torch.no_grad():
        parametrization.learned_weight(model[0]).copy_(torch.tensor([[0.6, -0.7], [0.5, -0.5]]))
        parametrization.learned_weight(model[1]).copy_(torch.tensor([[0.1, 0.9]]))
    assert parametrization.capped_share(model) == pytest.approx(3 / 6)


def test_the_decay_follows_a_weight_that_gets_its_prior_later() -> None:
    layer = networks.linear(5, 4, made())
    before = DecayTarget(layer, Linear(), 0.1)
    attach(layer, Exponential())
    after = DecayTarget(layer, Linear(), 0.1)
    with torch.no_grad():
        parametrization.learned_weight(layer).add_(1.0)
    assert before().item() == after().item()
    weights = parametrization.learned_weight(layer).detach().double()
    apart = (weights - Linear().strength(layer_distance(4, 5))).square()
    # Single precision sums of twenty numbers.
    assert after().item() == pytest.approx(0.1 * apart.sum().item(), rel=1e-6)
    assert after.distance() == pytest.approx(math.sqrt(apart.mean().item()), rel=1e-6)


def test_the_prior_shows_what_it_is() -> None:
    assert "action='cap', out=2, in=3" in repr(attach(nn.Linear(3, 2), Linear(), action="cap"))


# ── What is refused ─────────────────────────────────────────────────────────────────────────────


def test_attaching_twice_is_refused_and_changes_nothing() -> None:
    model = attach(small(), Linear(), layers=["2"])
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(
        ValueError, match=r"layer '2' already has a parametrized weight; call remove"
    ):
        attach(model, Exponential())
    assert same_bits(before, model.state_dict())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["3"], r"unknown linear layer '3'; known: 0, 2, 4"),
        (["1"], r"unknown linear layer '1'"),
        (["0", "0"], r"layers: '0' is listed twice"),
        ([], r"layers: expected a list of one or more names, got \[\]"),
        ("024", r"layers: expected a list of one or more names, got '024'"),
    ],
)
def test_layers_that_cannot_be_chosen_are_named(layers: list[str], message: str) -> None:
    model = small()
    with pytest.raises(ValueError, match=message):
        attach(model, Linear(), layers=layers)
    assert not list(spatial_priors(model))


def test_distances_that_are_given_are_those_of_the_layers_in_their_order() -> None:
    between = plane((1, 2, 3), 5, 4, 3)
    model = attach(small(), Exponential(), distances=between)
    for (_, part), expected in zip(spatial_priors(model), between, strict=True):
        assert torch.equal(part.strength, Exponential().strength(expected).float())
    step(model, Exponential(k=9), 0.0)
    for (_, part), expected in zip(spatial_priors(model), between, strict=True):
        assert torch.equal(part.strength, Exponential(k=9).strength(expected).float())


def test_distances_go_with_the_layers_that_are_named() -> None:
    between = torch.rand(3, 4, generator=made())
    model = attach(small(), Linear(), layers=["4"], distances=[between])
    ((layer, part),) = spatial_priors(model)
    assert layer is model[4]
    assert torch.equal(part.strength, Linear().strength(between).float())


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        ([torch.zeros(5, 6)], r"one tensor for each layer \('0', '2', '4'\), got 1"),
        (torch.zeros(3, 5, 6), r"expected a list .* got a tensor \(3, 5, 6\)"),
        (plane((1, 6, 1), 4, 4, 3), r"layer '0' is \(5, 6\), \(out, in\), got \(4, 6\)"),
        ([-between for between in plane((1, 6, 1), 5, 4, 3)], "'0': expected finite numbers >= 0"),
        ([between / 0.0 for between in plane((1, 6, 1), 5, 4, 3)], "'0': expected finite numbers"),
    ],
)
def test_distances_that_do_not_fit_are_named(distances: list[Tensor], message: str) -> None:
    model = small()
    with pytest.raises(ValueError, match=f"^distances: .*{message}"):
        attach(model, Linear(), distances=distances)
    assert not list(spatial_priors(model))


def test_a_model_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Conv2d has no nn\.Linear layer"):
        attach(nn.Conv2d(1, 1, 1), Linear())
    with pytest.raises(ValueError, match=r"ReLU has no nn\.Linear layer"):
        DecayTarget(nn.ReLU(), Linear(), 0.1)


@pytest.mark.parametrize("prior", ["linear", None, Linear, 1.0])
def test_a_prior_of_another_type_is_refused(prior: object) -> None:
    with pytest.raises(TypeError, match="expected a Kernel or a Schedule, got"):
        attach(small(), prior)  # type: ignore[arg-type]


def test_an_unknown_action_is_refused_before_anything_is_attached() -> None:
    model = small()
    with pytest.raises(ValueError, match=r"unknown action 'multply'.*Did you mean 'multiply'"):
        attach(model, Linear(), action="multply")
    assert not list(spatial_priors(model))


@pytest.mark.parametrize("use", [lambda m: step(m, Static(), 0.0), parametrization.capped_share])
def test_what_needs_a_prior_says_that_there_is_none(use) -> None:
    with pytest.raises(ValueError, match=r"has no spatial prior; call attach"):
        use(small())


@pytest.mark.parametrize("weight", [-0.1, math.nan])
def test_a_decay_that_is_not_a_number_from_nought_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=f"decay weight: expected a number >= 0, got {weight}"):
        DecayTarget(small(), Linear(), weight)


def test_an_action_of_one_s_own_is_used_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions.actions, "_functions", dict(actions.actions._functions))

    @actions.register("shift")
    def shift(weight: Tensor, strength: Tensor) -> Tensor:
        return weight + strength

    layer = attach(nn.Linear(3, 2), Uniform(), action="shift")
    assert torch.equal(layer.weight, parametrization.learned_weight(layer) + 1.0)
    with pytest.raises(ValueError, match=r"'cap' is taken by spatialnb\.priors\.actions\.cap"):
        actions.register("cap")(shift)
