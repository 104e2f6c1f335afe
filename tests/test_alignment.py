"""Two networks matched neuron by neuron: what is found, what is not, and what chance gives."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from spatialnb.analysis import alignment
from spatialnb.analysis.alignment import Images, Layer, Network, Seen
from spatialnb.priors.geometry import positions

WIDTHS = (20, 12, 8, 4)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(seed: int, widths: tuple[int, ...] = WIDTHS) -> list[Layer]:
    chance = generator(seed)
    return [
        Layer(
            torch.randn(out, into, generator=chance) / into**0.5,
            torch.randn(out, generator=chance),
        )
        for into, out in itertools.pairwise(widths)
    ]


def images(count: int = 200, seed: int = 9) -> Tensor:
    return torch.randn(count, WIDTHS[0], generator=generator(seed))


def logits(one: Network, x: Tensor) -> Tensor:
    return alignment.forward(one, torch.nn.functional.linear(x, *one[0]))[-1]


def seen(first: Network, second: Network) -> Seen:
    labels = logits(first, images()).argmax(dim=1)
    test, train = images(), images(seed=10)
    return Seen(alignment.look(first, second, test), labels, alignment.look(first, second, train))


FIRST, SECOND = network(1), network(2)
ORDER = alignment.random_order(FIRST, generator(3))


def test_renumbering_leaves_what_a_network_computes() -> None:
    renumbered = alignment.permute(FIRST, ORDER)
    assert not torch.equal(renumbered[1].weight, FIRST[1].weight)
    torch.testing.assert_close(logits(renumbered, images()), logits(FIRST, images()))


@pytest.mark.parametrize("widths", [WIDTHS, (20, 12, 4), (20, 9, 9, 9, 9, 4)])
def test_a_renumbered_copy_is_matched_exactly(widths: tuple[int, ...]) -> None:
    one = network(4, widths)
    order = alignment.random_order(one, generator(5))
    found = alignment.match(one, alignment.permute(one, order), generator())
    again = alignment.permute(alignment.permute(one, order), found)
    for layer, expected in zip(again, one, strict=True):
        assert torch.equal(layer.weight, expected.weight)
        assert torch.equal(layer.bias, expected.bias)


def test_a_matching_is_a_permutation_and_the_same_each_time() -> None:
    found, again = (alignment.match(FIRST, SECOND, generator(6)) for _ in range(2))
    for order, other, layer in zip(found, again, FIRST, strict=False):
        assert torch.equal(order, other)
        assert sorted(order.tolist()) == list(range(len(layer.bias)))


def test_each_step_of_the_search_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []
    gain = alignment._gain

    def note(first: Network, second: Network, order: list[Tensor], place: int) -> Tensor:
        reached.append(alignment.inner(first, alignment.permute(second, order)))
        return gain(first, second, order, place)

    monkeypatch.setattr(alignment, "_gain", note)
    start = alignment.random_order(SECOND, generator(7))
    found = alignment._ascend(FIRST, SECOND, start, generator(8))
    reached.append(alignment.inner(FIRST, alignment.permute(SECOND, found)))
    assert len(reached) > 3
    assert all(after >= before - 1e-9 for before, after in itertools.pairwise(reached))
    assert reached[-1] > reached[0]


def test_no_neuron_can_be_swapped_for_a_better_matching() -> None:
    found = alignment.match(FIRST, SECOND, generator(6))
    best = alignment.inner(FIRST, alignment.permute(SECOND, found))
    for layer, order in enumerate(found):
        for i in range(len(order)):
            for j in range(i):
                other = [one.clone() for one in found]
                other[layer][[i, j]] = order[[j, i]]
                swapped = alignment.inner(FIRST, alignment.permute(SECOND, other))
                assert swapped <= best + 1e-9


def test_matching_prefers_no_neuron_for_its_place() -> None:
    one = network(1, (20, 50, 4))
    found = alignment.match(one, network(2, (20, 50, 4)), generator())
    assert int((found[0] == torch.arange(50)).sum()) <= 5  # by chance, one


def test_weights_dealt_anew_keep_what_neurons_share_and_lose_the_neurons() -> None:
    dealt = alignment.scramble_units(FIRST, generator())
    for one, other in zip(FIRST[:-1], dealt[:-1], strict=True):
        assert torch.equal(one.weight.sort(dim=0).values, other.weight.sort(dim=0).values)
        assert torch.equal(one.bias.sort().values, other.bias.sort().values)
        assert not torch.equal(one.weight.sort(dim=1).values, other.weight.sort(dim=1).values)
    last, other = FIRST[-1], dealt[-1]
    assert torch.equal(last.weight.sort(dim=1).values, other.weight.sort(dim=1).values)
    assert torch.equal(last.bias, other.bias)


def test_cka_of_a_rotated_and_scaled_layer_is_one_and_of_noise_small() -> None:
    x, noise = (torch.randn(500, 12, generator=generator(seed)) for seed in (1, 2))
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=generator(3)).double()).Q
    assert alignment.cka(x, 3.0 * x.double() @ rotation + 1.0) == pytest.approx(1.0, abs=1e-6)
    assert alignment.cka(x, noise) < 0.1
    assert alignment.cka(x, noise) == pytest.approx(alignment.cka(noise, x), abs=1e-12)
    with pytest.raises(ValueError, match="the same activations for all images"):
        alignment.cka(x, torch.ones(500, 3))


def test_agreement_and_what_chance_gives() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    one = torch.eye(2)[[0, 0, 1, 0]]
    other = torch.eye(2)[[0, 1, 1, 1]]
    # Class 0: one says 0, 0 and the other 0, 1; class 1: one says 1, 0 and the other 1, 1.
    assert alignment.agreement(one, other, labels) == (0.5, 0.5)
    assert alignment.agreement(one, one, labels) == (1.0, 0.75)


def test_a_line_from_a_network_to_itself_is_flat_and_to_a_renumbered_copy_is_not() -> None:
    same = alignment.line(FIRST, FIRST, seen(FIRST, FIRST))
    assert same["barrier"]["loss"] == pytest.approx(0.0, abs=1e-6)
    assert same["barrier"]["accuracy"] == 0.0
    copy = alignment.permute(FIRST, ORDER)
    found = alignment.line(FIRST, copy, seen(FIRST, copy))
    assert found["loss"][-1] == pytest.approx(found["loss"][0], abs=1e-6)
    assert found["barrier"]["loss"] > 0.05
    assert found["barrier"]["accuracy"] > 0.05


@pytest.mark.parametrize("repair", [False, True])
def test_the_ends_of_a_line_are_the_networks(repair: bool) -> None:
    shown = seen(FIRST, SECOND)
    found = alignment.line(FIRST, SECOND, shown, repair=repair)
    for end, one in ((0, FIRST), (-1, SECOND)):
        answers = logits(one, images())
        loss = torch.nn.functional.cross_entropy(answers, shown.labels)
        assert found["loss"][end] == pytest.approx(float(loss), abs=1e-5)
        right = (answers.argmax(dim=1) == shown.labels).double().mean()
        assert found["accuracy"][end] == float(right)


def test_a_line_is_the_loss_of_the_networks_between() -> None:
    shown = seen(FIRST, SECOND)
    half = [
        Layer(*((a + b) / 2 for a, b in zip(*layers, strict=True)))
        for layers in zip(FIRST, SECOND, strict=True)
    ]
    loss = torch.nn.functional.cross_entropy(logits(half, images()), shown.labels)
    assert alignment.line(FIRST, SECOND, shown)["loss"][5] == pytest.approx(float(loss), abs=1e-5)


def test_repair_gives_every_hidden_neuron_the_spread_of_the_ends() -> None:
    """With as many hidden layers as one, what goes on to the logits shows it."""
    one, other = network(1, (20, 12, 12)), network(2, (20, 12, 12))
    # A last layer that hands the hidden activations on, less their ReLU: all are made positive.
    plain = Layer(torch.eye(12), torch.zeros(12))
    one, other = ([Layer(n[0].weight, n[0].bias + 30.0), plain] for n in (one, other))
    shown = alignment.look(one, other, images(400))
    goals = [[alignment._moments(z)] for z in shown]
    middle = torch.lerp(*shown, 0.5)
    out = alignment._repaired(one, middle, middle, goals, 0.5)
    spread = (shown.first.std(dim=0) + shown.second.std(dim=0)) / 2
    torch.testing.assert_close(out.std(dim=0), spread)
    assert bool((middle.std(dim=0) < 0.95 * spread).all())


def test_a_neuron_that_never_varies_is_left_as_it_is_by_repair() -> None:
    dead = [Layer(torch.zeros(12, 20), torch.ones(12)), *network(1)[1:]]
    found = alignment.line(dead, dead, seen(dead, dead), repair=True)
    assert all(torch.isfinite(torch.tensor(found["loss"])))


@pytest.mark.parametrize(
    ("values", "height"),
    [
        ([0.0] * 11, 0.0),
        ([0.1 * step for step in range(11)], 0.0),
        ([1.0, *[0.0] * 9, 1.0], 0.0),
        ([0.0, *[0.0] * 4, 2.0, *[0.0] * 4, 1.0], 1.5),
    ],
)
def test_a_barrier_is_the_height_above_the_line_between_the_ends(
    values: list[float], height: float
) -> None:
    assert alignment.barrier(values) == pytest.approx(height, abs=1e-12)


def test_how_far_neurons_moved() -> None:
    places = [positions(3), positions(2)]
    still = [torch.arange(3), torch.arange(2)]
    assert alignment.moved(still, places) == {"0": 0.0, "1": 0.0, "overall": 0.0}
    turned = [torch.tensor([2, 1, 0]), torch.tensor([0, 1])]
    found = alignment.moved(turned, places)
    assert found == pytest.approx({"0": 2 / 3, "1": 0.0, "overall": 0.4})


def test_a_pair_of_one_network_and_its_renumbered_copy() -> None:
    copy = alignment.permute(FIRST, ORDER)
    found = alignment.compare(
        (FIRST, copy),
        alignment.scramble_units(copy, generator()),
        (FIRST, SECOND),
        (images(), logits(FIRST, images()).argmax(dim=1)),
        images(seed=10),
        [positions(width) for width in WIDTHS[1:-1]],
        seed=0,
    )
    assert found["matched"]["overall"] == pytest.approx(1.0)
    assert found["cosine"]["overall"] < 0.5
    assert found["dealt"]["overall"] < 0.9
    assert found["cka"]["overall"] == pytest.approx(1.0, abs=1e-6)
    assert found["cka_untrained"]["overall"] < 0.95
    assert found["agreement"] == 1.0
    assert found["agreement_chance"] == 1.0  # it is right about every image, and so would chance be
    assert found["lines"]["matched"]["barrier"]["loss"] == pytest.approx(0.0, abs=1e-6)
    assert found["lines"]["matched-repaired"]["barrier"]["loss"] == pytest.approx(0.0, abs=1e-6)
    for name in ("straight", "renumbered", "repaired"):
        assert found["lines"][name]["barrier"]["loss"] > 0.01
    assert found["moved_chance"]["0"] == pytest.approx((12 + 1) / (3 * 12))


def test_what_two_networks_see_are_pre_activations_of_the_first_layer() -> None:
    shown = alignment.look(FIRST, SECOND, images())
    assert isinstance(shown, Images)
    torch.testing.assert_close(shown.second, images() @ SECOND[0].weight.T + SECOND[0].bias)
