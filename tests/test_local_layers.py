"""Real zeros in a network of your own, and the compact form, against the masked layer."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from benchmarks import local_layer
from spatialnb.priors.geometry import plane
from spatialnb.priors.local_layers import CompactLinear, LocalMask, attach_local, compact
from spatialnb.priors.parametrization import effective_state_dict, remove

SHAPE = (3, 6, 6)


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def network(out: int = 20) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(108, out), nn.ReLU(), nn.Linear(out, 4))


def masked(out: int = 20) -> nn.Sequential:
    between = plane(SHAPE, out)[:1]
    return attach_local(network(out), 0.2, layers=["0"], distances=between, channels=3)


def test_each_unit_keeps_its_nearest_pixels_and_the_rest_is_zero() -> None:
    model, plain = masked(), network()
    kept = model[0].parametrizations.weight[0].kept
    assert (kept.sum(dim=1) == 21).all()  # 0.2 of 36 pixels are 7, with three channels each
    assert torch.equal(model[0].weight, plain[0].weight * kept)
    assert torch.equal(model[2].weight, plain[2].weight)
    assert "kept=420" in repr(model)


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_no_optimiser_moves_a_zero(make: Any) -> None:
    model = masked()
    kept = model[0].parametrizations.weight[0].kept
    optimizer = make(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(5, 108, generator=chance())).square().sum().backward()
        optimizer.step()
    assert (model[0].weight[~kept] == 0.0).all()
    assert (model[0].weight[kept] != 0.0).all()


@pytest.mark.parametrize("out", [1, 16, 20, 33])
@pytest.mark.parametrize("block", [1, 4, 16])
def test_the_compact_form_computes_and_learns_what_the_masked_layer_does(
    out: int, block: int
) -> None:
    model = masked(out)
    small = compact(copy.deepcopy(model), block)
    assert isinstance(small[0], CompactLinear)  # type: ignore[index]
    x = torch.randn(2, 7, 108, generator=chance())
    assert torch.allclose(small(x), model(x), atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(small(x), model(x), atol=1e-5)
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.05) for one in (model, small)]
    for _ in range(3):
        for one, optimizer in zip((model, small), optimizers, strict=True):
            optimizer.zero_grad()
            one(x).square().mean().backward()
            optimizer.step()
    assert torch.allclose(small(x), model(x), atol=1e-4)
    layer = small[0]  # type: ignore[index]
    assert (layer.weight[~layer.kept] == 0.0).all()


def test_removed_a_mask_leaves_a_plain_layer_with_its_zeros() -> None:
    model = masked()
    x = torch.randn(4, 108, generator=chance())
    expected, zeros = model(x), (model[0].weight == 0.0).sum()
    assert set(effective_state_dict(model)) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    plain = remove(copy.deepcopy(model))
    assert type(plain[0]) is nn.Linear
    assert torch.equal(plain(x), expected)
    assert (plain[0].weight == 0.0).sum() == zeros
    assert isinstance(model[0].parametrizations.weight[0], LocalMask)


def test_a_masked_layer_is_not_drawn_anew_until_the_mask_is_removed() -> None:
    model = masked()
    with pytest.raises(RuntimeError, match="reset_parameters has no effect"):
        model[0].reset_parameters()
    before = remove(model)[0].weight.detach().clone()
    model[0].reset_parameters()
    assert not torch.equal(model[0].weight, before)


@pytest.mark.parametrize("form", ["masked", "compact"])
def test_either_form_can_be_compiled(form: str) -> None:
    model = masked() if form == "masked" else compact(masked())
    # The whole of it, without the code generator, which needs a compiler and takes long.
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    x = torch.randn(4, 108, generator=chance())
    assert torch.allclose(compiled(x), model(x), atol=1e-6)
    compiled(x).square().sum().backward()
    found = {name: part.grad.clone() for name, part in model.named_parameters()}
    model.zero_grad()
    model(x).square().sum().backward()
    for name, part in model.named_parameters():
        assert torch.allclose(found[name], part.grad, atol=1e-5), name


def test_a_compact_model_goes_through_a_file_as_a_whole() -> None:
    small, file = compact(masked()), io.BytesIO()
    torch.save(small, file)
    file.seek(0)
    x = torch.randn(4, 108, generator=chance())
    assert torch.equal(torch.load(file, weights_only=False)(x), small(x))


def test_a_compact_layer_is_frozen_where_the_masked_one_was_and_stands_where_that_stood() -> None:
    shared = attach_local(nn.Linear(8, 8), 3)
    model = nn.Sequential(shared, nn.ReLU(), shared).eval()
    shared.requires_grad_(False)
    compact(model)
    assert model[0] is model[2]
    assert isinstance(model[0], CompactLinear)
    assert not any(part.requires_grad for part in model.parameters())
    assert not model[0].training


def test_a_mask_with_something_on_top_is_refused_and_nothing_is_replaced() -> None:
    model = nn.Sequential(attach_local(nn.Linear(6, 6), 2), attach_local(nn.Linear(6, 6), 2))
    parametrizations.spectral_norm(model[1])
    with pytest.raises(ValueError, match="layer '1' has another parametrization besides its mask"):
        compact(model)
    assert isinstance(model[0], nn.Linear)


def test_a_compact_layer_has_fewer_weights_and_says_so() -> None:
    torch.manual_seed(0)
    between = plane((3, 16, 16), 64)[:1]
    layer = attach_local(nn.Linear(768, 64), 0.05, distances=between, channels=3)
    small = compact(layer)
    assert isinstance(small, CompactLinear)
    assert small.weight.numel() < layer.parametrizations.weight.original.numel() / 3
    assert "blocks=4 of 16 units" in repr(small)


def test_a_state_goes_through_a_file_and_a_copy_stands_alone() -> None:
    model = masked()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = attach_local(network(), 0.9, layers=["0"])  # another mask, which the state replaces
    other.load_state_dict(torch.load(file))
    x = torch.randn(4, 108, generator=chance())
    assert torch.equal(other(x), model(x))
    compact(copy.deepcopy(model))
    assert isinstance(model[0].parametrizations.weight[0], LocalMask)
    small = compact(copy.deepcopy(model))
    again = compact(copy.deepcopy(model))
    again.load_state_dict(small.state_dict())
    assert torch.equal(again(x), small(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"keep": 0.0},
            "keep: expected a fraction between 0 and 1, or 1 to 108 inputs of '0', got",
        ),
        ({"keep": 109}, "or 1 to 108 inputs"),
        ({"keep": True}, "keep: expected a fraction"),
        ({"keep": 0.5, "channels": 5}, "108 inputs of '0' are not a multiple of 5"),
        ({"keep": 4, "channels": 3}, "4 inputs are not a multiple of 3 channels"),
        ({"keep": 0.5, "distances": [torch.zeros(2, 2)]}, r"distances: layer '0' is \(20, 108\)"),
        ({"keep": 0.5, "distances": []}, "distances: expected a list with one tensor"),
        ({"keep": 0.5, "distances": [torch.full((20, 108), torch.nan)]}, "finite numbers >= 0"),
        ({"keep": 0.5, "layers": ["9"]}, "unknown linear layer '9'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    arguments: dict[str, Any], message: str
) -> None:
    model = network()
    with pytest.raises(ValueError, match=message):
        attach_local(model, **{"layers": ["0"], **arguments})
    assert not hasattr(model[0], "parametrizations")


def test_a_layer_with_a_parametrization_is_refused_and_none_to_compact_is_said() -> None:
    model = network()
    parametrizations.weight_norm(model[0])
    with pytest.raises(ValueError, match="parametriz"):
        attach_local(model, 0.5)
    with pytest.raises(ValueError, match="no local layer"):
        compact(network())
    with pytest.raises(ValueError, match="block: expected at least 1"):
        compact(masked(), 0)


def test_the_benchmark_measures_every_form_of_the_same_layer(tmp_path: Path) -> None:
    out = tmp_path / "speed" / "local_layer.json"
    local_layer.main(["--rehearse", "--rounds", "1", "--json", str(out)])
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert {row["device"] for row in rows} >= {"cpu"}
    assert {row["form"] for row in rows} == {"dense", "masked", "csr", "compact"}
    assert {(row["work"], row["form"]) for row in rows if row["work"] == "step"} == {
        ("step", name) for name in ("dense", "masked", "compact")
    }
    assert all(row["ms"] > 0.0 and row["kilobytes"] > 0.0 for row in rows)
    by = {(row["work"], row["form"], row["batch"]): row for row in rows}
    dense = (16 * 192 + 16) * 4 / 1e3
    assert by["forward", "dense", 1]["kilobytes"] == pytest.approx(dense)
    assert by["step", "dense", 1]["kilobytes"] == pytest.approx(3 * dense)
    assert by["forward", "csr", 1]["kilobytes"] < by["forward", "dense", 1]["kilobytes"]
    # A masked layer makes its effective weight anew in every pass, and a step its gradients.
    assert by["forward", "masked", 1]["working_kilobytes"] > 16 * 192 * 4 / 1e3
    for name in ("dense", "masked", "compact"):
        small, large = (by["step", name, batch]["working_kilobytes"] for batch in (1, 4))
        assert by["forward", name, 1]["working_kilobytes"] < small <= large, name
    x = torch.randn(5, 192, generator=chance())
    made = local_layer.forms(16, 0.1, (3, 8, 8), "cpu")
    for name in ("csr", "compact"):
        assert torch.allclose(made[name](x), made["masked"](x), atol=1e-5), name
