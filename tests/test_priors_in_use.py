"""The prior in other people's models: what they do with one goes on working, or says why not."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm

from spatialnb import (
    Exponential,
    LeftAloneWarning,
    Sharpen,
    attach,
    baked_copy,
    effective_state_dict,
    remove,
    step,
)
from spatialnb.priors.geometry import plane
from spatialnb.priors.kernels import Shuffled
from spatialnb.priors.parametrization import learned_weight, spatial_priors

KERNEL = Exponential(k=5.0)


def mlp() -> nn.Sequential:
    """The same network every time, one in which most hidden units fire."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)
        )


X = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))


# ── One weight, several places ──────────────────────────────────────────────────────────────────


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(9, 4)
        self.hidden = nn.Linear(4, 4)
        self.head = nn.Linear(4, 9)
        self.head.weight = self.emb.weight


def of_one_memory() -> nn.Module:
    model = mlp()
    model.extra = nn.Linear(6, 5)
    model.extra.weight = nn.Parameter(model[0].weight.data)
    return model


def twice_in_one() -> nn.Module:
    model = mlp()
    model[0].also = model[0].weight
    return model


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Tied(), "layer 'head' shares its weight with emb.weight"),
        (of_one_memory(), "layer '0' shares its weight with extra.weight"),
        (twice_in_one(), "layer '0' shares its weight with 0.also"),
    ],
    ids=["tied to an embedding", "two parameters of one memory", "registered twice"],
)
def test_a_shared_weight_is_refused_by_name_and_nothing_is_changed(
    model: nn.Module, names: str
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=f"{names}, which the prior would also change"):
        attach(model, KERNEL)
    assert not list(spatial_priors(model))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_shared_weight_may_be_left_out_or_untied() -> None:
    model = Tied()
    attach(model, KERNEL, layers=["hidden"])
    model = Tied()
    model.head.weight = nn.Parameter(model.head.weight.detach().clone())
    x = torch.arange(9)
    attach(model, KERNEL)
    y, embedded = model.head(model.hidden(model.emb(x))), model.emb.weight.clone()
    remove(model)
    assert torch.equal(model.head(model.hidden(model.emb(x))), y)
    assert torch.equal(model.emb.weight, embedded)


def test_a_layer_that_is_used_twice_is_one_layer() -> None:
    layer = nn.Linear(6, 6)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    attach(model, KERNEL)
    y = model(X)
    assert torch.equal(remove(model)(X), y)


def test_parts_of_one_flat_buffer_are_weights_of_their_own() -> None:
    flat, model = torch.randn(50), mlp()
    model[0].weight = nn.Parameter(flat[:30].view(5, 6))
    model[2].weight = nn.Parameter(flat[30:].view(4, 5))
    assert len(list(spatial_priors(attach(model, KERNEL)))) == 3


# ── All or nothing, and no more than its own ────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the older weight norm
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda layer: parametrizations.weight_norm(layer),
            "layer '2' already has a parametrized weight",
        ),
        (lambda layer: weight_norm(layer), "the weight of layer '2' is not a parameter"),
        (lambda layer: spectral_norm(layer), "the weight of layer '2' is not a parameter"),
    ],
    ids=["parametrized", "older weight norm", "older spectral norm"],
)
def test_where_one_layer_cannot_carry_a_prior_no_layer_gets_one(
    spoil: Callable[[nn.Module], object], message: str
) -> None:
    model = mlp()
    spoil(model[2])
    with pytest.raises(ValueError, match=message):
        attach(model, KERNEL)
    assert not list(spatial_priors(model))


def test_removal_leaves_what_others_have_put_on_top() -> None:
    model = attach(mlp(), KERNEL)
    parametrizations.spectral_norm(model[2])
    model.eval()
    y = model(X)
    remove(model)
    assert parametrize.is_parametrized(model[2], "weight")
    assert not list(spatial_priors(model))
    torch.testing.assert_close(model(X), y)


def test_removal_from_a_copy_leaves_the_original_as_it_was() -> None:
    model = attach(mlp(), KERNEL)
    y = model(X)
    copied = copy.deepcopy(model)
    assert torch.equal(remove(copied)(X), y)
    assert torch.equal(model(X), y)
    model(X).sum().backward()
    assert learned_weight(model[0]).grad is not None
    assert torch.equal(remove(model)(X), y)
    assert type(model[0]) is type(copied[0]) is nn.Linear


def test_a_baked_copy_is_plain_and_the_model_goes_on() -> None:
    model = attach(mlp(), Sharpen(k_start=3.0, k_end=9.0))
    baked = baked_copy(model)
    assert torch.equal(baked(X), model(X))
    assert not list(spatial_priors(baked))
    step(model, Sharpen(k_start=3.0, k_end=9.0), 1.0)
    assert not torch.equal(baked(X), model(X))


def test_effective_weights_load_into_a_model_without_the_prior() -> None:
    model, plain = attach(mlp(), KERNEL), mlp()
    plain.load_state_dict(effective_state_dict(model))
    assert torch.equal(plain(X), model(X))


# ── Which layers ────────────────────────────────────────────────────────────────────────────────


def carrying(model: nn.Module) -> list[str]:
    layers = [layer for layer, _ in spatial_priors(model)]
    return [name for name, part in model.named_modules() if any(part is one for one in layers)]


def test_layers_are_chosen_by_name_pattern_or_function() -> None:
    assert carrying(attach(mlp(), KERNEL, layers=["2"])) == ["2"]
    assert carrying(attach(mlp(), KERNEL, layers=["[02]"])) == ["0", "2"]
    assert carrying(attach(mlp(), KERNEL, layers=lambda name, layer: layer.out_features > 4)) == [
        "0"
    ]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)], "2 Conv2d layers"),
        (
            [parametrizations.weight_norm(nn.Conv1d(1, 2, 3)), nn.GRU(2, 3)],
            "1 Conv1d .* 1 GRU layer",
        ),
        ([nn.LazyConv2d(2, 3)], "1 LazyConv2d layer"),
        ([nn.MultiheadAttention(4, 2)], "1 MultiheadAttention layer"),
    ],
    ids=["convolutions", "parametrized and recurrent", "lazy", "attention"],
)
def test_layers_that_are_left_alone_are_counted_unless_layers_are_chosen(
    others: list[nn.Module], said: str
) -> None:
    def model() -> nn.Sequential:
        return nn.Sequential(nn.Linear(6, 5), *copy.deepcopy(others))

    with pytest.warns(LeftAloneWarning, match=f"^attach left {said} unchanged, because a prior"):
        attach(model(), KERNEL)
    for layers in (["0"], ["*"], lambda name, layer: True):
        attach(model(), KERNEL, layers=layers)  # a warning would be an error
    untouched = model()
    with pytest.raises(LeftAloneWarning):  # warnings are errors, as in these tests
        attach(untouched, KERNEL)
    assert not list(spatial_priors(untouched))


def test_a_lazy_layer_takes_a_prior_once_it_has_a_shape() -> None:
    model = nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(ValueError, match="layer '0' has no shape yet; call the model once on a ba"):
        attach(model, KERNEL)
    model(X)
    assert carrying(attach(model, KERNEL)) == ["0", "2"]


def test_layers_without_positions_or_without_a_matrix_are_not_counted() -> None:
    others = [nn.Embedding(9, 6), nn.LayerNorm(6), nn.BatchNorm1d(6), nn.PReLU()]
    attach(nn.Sequential(*others, nn.Linear(6, 5)), KERNEL)


def test_a_pattern_or_a_function_that_chooses_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown linear layer 'blocks\.\*'"):
        attach(mlp(), KERNEL, layers=["blocks.*"])
    with pytest.raises(ValueError, match="the function selects none of 0, 2, 4"):
        attach(mlp(), KERNEL, layers=lambda name, layer: False)
    with pytest.raises(ValueError, match="'0' is listed twice"):
        attach(mlp(), KERNEL, layers=["0", "*"])


# ── Contexts ────────────────────────────────────────────────────────────────────────────────────


def test_a_progress_outside_zero_to_one_is_refused_with_a_kernel_too() -> None:
    model = attach(mlp(), KERNEL)
    with pytest.raises(ValueError, match=r"progress: expected a number in \[0, 1\], got 1.2"):
        step(model, KERNEL, 1.2)


def test_resetting_a_layer_says_that_nothing_would_change() -> None:
    model = attach(mlp(), KERNEL)
    with pytest.raises(RuntimeError, match="reset_parameters has no effect under a spatial"):
        model[0].reset_parameters()
    remove(model)
    model[0].reset_parameters()


def test_a_prior_attached_in_inference_mode_can_be_trained_with() -> None:
    model = mlp()
    with torch.inference_mode():
        attach(model, Sharpen(k_start=3.0, k_end=9.0))
        step(model, Sharpen(k_start=3.0, k_end=9.0), 0.5)
    model(X).sum().backward()
    assert learned_weight(model[0]).grad is not None


@pytest.mark.parametrize("kernel", [KERNEL, Shuffled(kernel=KERNEL)])
def test_a_prior_is_the_same_under_another_default_device(kernel: Exponential) -> None:
    model = mlp()
    expected = attach(copy.deepcopy(model), kernel)(X)
    with torch.device("meta"):
        attach(model, kernel)
        distances = plane((1, 4, 4), 9, permuted=0)
    assert torch.equal(model(X), expected)
    assert distances[0].device.type == "cpu"


def test_a_model_on_the_meta_device_takes_a_prior() -> None:
    with torch.device("meta"):
        model = mlp()
    attach(model, KERNEL)
    assert model(X.to("meta")).shape == (7, 3)


def test_a_checkpoint_is_loaded_into_a_model_with_the_prior() -> None:
    model, other = attach(mlp(), KERNEL), attach(mlp(), Exponential(k=9.0))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(X), model(X))


def test_a_whole_model_is_saved_baked() -> None:
    model = attach(mlp(), KERNEL)
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        torch.save(model, io.BytesIO())  # torch's own sentence, for every parametrization
    buffer = io.BytesIO()
    torch.save(baked_copy(model), buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(X), model(X))


def test_an_average_of_the_model_has_the_prior_of_its_own() -> None:
    model = attach(mlp(), KERNEL)
    averaged = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    averaged.update_parameters(model)
    torch.testing.assert_close(averaged(X), model(X))
    baked = baked_copy(averaged.module)
    torch.testing.assert_close(baked(X), model(X))
    model(X).sum().backward()


def test_autocast_takes_the_effective_weights_down_and_leaves_the_learned_ones() -> None:
    model = attach(mlp(), KERNEL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(X)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), model(X), atol=0.1, rtol=0.1)
    assert learned_weight(model[0]).dtype == torch.float32


def test_a_transformer_layer_s_fast_path_uses_the_effective_weights() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    attach(layer, KERNEL, layers=["linear1", "linear2"])
    x: Tensor = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
    slow = layer.train()(x)
    with torch.no_grad():
        fast = layer.eval()(x)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
