r"""Compare two networks after aligning their hidden units.

Permuting hidden units does not change what a network computes, so two networks may look dissimilar
only because the order of their units is arbitrary. This module matches the hidden units of the
second network to those of the first, and compares the networks by their weights, activations and
predictions, and by the loss on the straight line between them. Each number has a *null value*: what
the measurement gives if, by construction, there is nothing to find. :func:`compare` lists them.

All weights are effective weights. With a fixed kernel, $W_\text{eff} = K \circ W$ is linear in $W$,
so the straight line between two networks' learned weights is also the straight line between their
effective weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, relu

from spatialnb.analysis import similarity
from spatialnb.extras import needed

STARTS = 5
"""Number of random permutations from which the search for a matching starts."""
RENUMBERINGS = 5
"""Number of random permutations over which a null value is averaged."""
ALPHAS = tuple(step / 10 for step in range(11))
"""Points on the straight line at which the loss is measured, from 0 (first network) to 1."""


class Layer(NamedTuple):
    """A linear layer: effective weights (out, in), and biases (out,)."""

    weight: Tensor
    bias: Tensor


Network = Sequence[Layer]
"""Layers, first to last, with ReLU between them."""
Order = Sequence[Tensor]
"""A permutation of every hidden layer: unit ``order[layer][i]`` moves to index i."""


class Images(NamedTuple):
    """First-layer pre-activations (images, units) of two networks on the same images.

    They are linear in the weights, so those of an interpolated network can be interpolated.
    """

    first: Tensor
    second: Tensor


class Seen(NamedTuple):
    """Pre-activations on test images, the test labels, and pre-activations on training images."""

    test: Images
    labels: Tensor
    train: Images


def look(first: Network, second: Network, images: Tensor) -> Images:
    """The first-layer pre-activations of two networks on images (images, features)."""
    return Images(linear(images, *first[0]), linear(images, *second[0]))


def forward(network: Network, seen: Tensor) -> list[Tensor]:
    """Pre-activations of every layer, given those of the first; the last are the logits."""
    found = [seen]
    for layer in network[1:]:
        found.append(linear(relu(found[-1]), *layer))
    return found


def permute(network: Network, order: Order) -> list[Layer]:
    """The network with its hidden units permuted; it computes the same function."""
    last = len(network) - 1
    found = []
    for place, (weight, bias) in enumerate(network):
        if place > 0:
            weight = weight[:, order[place - 1]]
        if place < last:
            weight, bias = weight[order[place]], bias[order[place]]
        found.append(Layer(weight, bias))
    return found


def random_order(network: Network, generator: torch.Generator) -> list[Tensor]:
    """A random permutation of every hidden layer."""
    return [torch.randperm(len(layer.bias), generator=generator) for layer in network[:-1]]


def match(first: Network, second: Network, generator: torch.Generator) -> list[Tensor]:
    r"""Match the second network's hidden units to the first's, and return their order.

    It maximises the inner product of all weights and biases,
    $\sum_l \langle W_l, P_l W'_l P_{l-1}^\top \rangle + \langle b_l, P_l b'_l \rangle$. The
    permutation of one layer at a time is optimised, by linear assignment, until none changes
    (Ainsworth et al. 2023, "weight matching"). This finds a local maximum, so the best of several
    random starts is kept. The current order is not used as a start, so that units are matched to
    the same index only if the weights say so.
    """
    found = [
        _ascend(first, second, random_order(second, generator), generator) for _ in range(STARTS)
    ]
    return max(found, key=lambda order: inner(first, permute(second, order)))


def inner(first: Network, second: Network) -> float:
    """The inner product of all weights and biases, which :func:`match` maximises."""
    pairs = zip(first, second, strict=True)
    return sum(
        float((one.double() * other.double()).sum())
        for layers in pairs
        for one, other in zip(*layers, strict=True)
    )


def _ascend(
    first: Network, second: Network, order: list[Tensor], generator: torch.Generator
) -> list[Tensor]:
    linear_sum_assignment = needed("scipy.optimize").linear_sum_assignment  # only pairs need it

    order = list(order)
    changed = True
    while changed:
        changed = False
        for place in torch.randperm(len(order), generator=generator).tolist():
            gain = _gain(first, second, order, place)
            old = gain[torch.arange(len(gain)), order[place]].sum()
            _, columns = linear_sum_assignment(gain.numpy(), maximize=True)
            best = torch.from_numpy(columns).to(order[place].dtype)
            new = gain[torch.arange(len(gain)), best].sum()
            # Ignore gains within rounding, with which the search might never end.
            if new > old + 1e-9 * old.abs():
                order[place], changed = best, True
    return order


def _gain(first: Network, second: Network, order: Sequence[Tensor], place: int) -> Tensor:
    """The gain if each unit of the second network (columns) moves to each index (rows)."""
    one, after = first[place], first[place + 1]
    other, other_after = second[place], second[place + 1]
    into = other.weight if place == 0 else other.weight[:, order[place - 1]]
    out = other_after.weight
    if place + 1 < len(order):
        out = out[order[place + 1]]
    gain = one.weight.double() @ into.double().T
    gain += torch.outer(one.bias.double(), other.bias.double())
    return gain + after.weight.double().T @ out.double()


def scramble_units(learned: Network, generator: torch.Generator) -> list[Layer]:
    """Permute weights among the units of each layer, so that no unit keeps its weight vector.

    In hidden layers, the weights from each input are permuted among the layer's units, separately
    for every input; in the last layer, the weights to each output are permuted among its inputs.
    This keeps what all units of a layer have in common, and destroys what distinguishes them.
    """
    *hidden, (weight, bias) = learned
    found = [
        Layer(_shuffled(layer.weight, 0, generator), _shuffled(layer.bias, 0, generator))
        for layer in hidden
    ]
    return [*found, Layer(_shuffled(weight, 1, generator), bias)]


def _shuffled(values: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """Permute the values along an axis, with a separate permutation for each line."""
    draw = torch.rand(values.shape, generator=generator)
    return values.gather(dim, draw.argsort(dim=dim))


def cka(first: Tensor, second: Tensor) -> float:
    r"""Linear centred kernel alignment of two layers' activations (images, units), in [0, 1].

    $\lVert Y^\top X \rVert_F^2 / (\lVert X^\top X \rVert_F \lVert Y^\top Y \rVert_F)$ with columns
    centred (Kornblith et al. 2019). It is invariant to rotations, permutations and a common scale.

    Raises
    ------
    ValueError : a layer whose activations are the same for all images.
    """
    x, y = ((one - one.mean(dim=0)).double() for one in (first, second))
    scale = (x.T @ x).norm() * (y.T @ y).norm()
    if not scale > 0.0:
        raise ValueError("CKA is not defined for a layer with the same activations for all images")
    return float((y.T @ x).square().sum() / scale)


def agreement(first: Tensor, second: Tensor, labels: Tensor) -> tuple[float, float]:
    r"""Fraction of images on which two networks predict the same class, and the same by chance.

    `first` and `second` are logits (images, classes). Chance is
    $\sum_c p(c) \sum_k p(k \mid c)\, p'(k \mid c)$: both networks keep their predictions for each
    true class c, but make them independently within the class. It therefore accounts for their
    accuracies and for which classes they confuse.
    """
    mine, theirs = first.argmax(dim=1), second.argmax(dim=1)
    classes = first.shape[1]
    counts = [
        torch.bincount(labels * classes + one, minlength=classes * classes)
        .reshape(classes, classes)
        .double()
        for one in (mine, theirs)
    ]
    images = counts[0].sum(dim=1).clamp(min=1.0)
    chance = (counts[0] * counts[1]).sum(dim=1) / images
    return float((mine == theirs).double().mean()), float(chance.sum() / len(labels))


def line(first: Network, second: Network, seen: Seen, *, repair: bool = False) -> dict[str, Any]:
    """Test loss and accuracy on the straight line between two networks, and the barriers.

    Parameters
    ----------
    first, second : the ends of the line, at alpha 0 and 1.
    seen : their first-layer pre-activations, from :func:`look`.
    repair : rescale every hidden unit of an interpolated network, so that its mean and standard
        deviation over the training images are interpolated between those of the ends (REPAIR,
        Jordan et al. 2023). Otherwise averages of dissimilar units vary too little.

    Returns
    -------
    dict : ``loss`` and ``accuracy``, lists with a number for each of :data:`ALPHAS`; and
        ``barrier``, for both the largest amount by which the loss lies above, or the accuracy
        below, the straight line between the values at the ends.
    """
    ends = zip((first, second), seen.train, strict=True)
    goals = [[_moments(z) for z in forward(*end)[:-1]] for end in ends] if repair else []
    losses, accuracies = [], []
    for alpha in ALPHAS:
        between = [
            Layer(*(torch.lerp(a, b, alpha) for a, b in zip(*layers, strict=True)))
            for layers in zip(first, second, strict=True)
        ]
        test = torch.lerp(*seen.test, alpha)
        if repair:
            logits = _repaired(between, test, torch.lerp(*seen.train, alpha), goals, alpha)
        else:
            logits = forward(between, test)[-1]
        losses.append(float(cross_entropy(logits.double(), seen.labels)))
        accuracies.append(float((logits.argmax(dim=1) == seen.labels).double().mean()))
    return {
        "loss": losses,
        "accuracy": accuracies,
        "barrier": {
            "loss": barrier(losses),
            "accuracy": barrier([-value for value in accuracies]),
        },
    }


def barrier(values: Sequence[float]) -> float:
    """The largest amount by which values at :data:`ALPHAS` exceed the line between their ends."""
    pairs = zip(ALPHAS, values, strict=True)
    return max(value - ((1 - alpha) * values[0] + alpha * values[-1]) for alpha, value in pairs)


Moments = tuple[Tensor, Tensor]
"""Mean and standard deviation over images, (units,) each."""


def _moments(z: Tensor) -> Moments:
    return z.mean(dim=0), z.std(dim=0)


def _repaired(
    network: Network,
    test: Tensor,
    train: Tensor,
    goals: Sequence[Sequence[Moments]],
    alpha: float,
) -> Tensor:
    """Logits of test images, with the moments of every hidden unit set to the interpolated ones."""
    for layer, *ends in zip(network[1:], *goals, strict=True):
        mean, sd = _moments(train)
        goal_mean, goal_sd = (torch.lerp(a, b, alpha) for a, b in zip(*ends, strict=True))
        factor = torch.where(sd > 0.0, goal_sd / sd, 1.0)
        train, test = (linear(relu((z - mean) * factor + goal_mean), *layer) for z in (train, test))
    return test


def moved(order: Sequence[Tensor], places: Sequence[Tensor]) -> dict[str, float]:
    """Mean distance between the positions of matched units, by hidden layer and over all units.

    Parameters
    ----------
    order : the output of :func:`match`.
    places : positions (units, axes) of every hidden layer.
    """
    pairs = zip(order, places, strict=True)
    return _by_layer([(place - place[one]).norm(dim=1) for one, place in pairs])


@torch.no_grad()
def compare(
    trained: tuple[Network, Network],
    dealt: Network,
    untrained: tuple[Network, Network],
    test: tuple[Tensor, Tensor],
    train: Tensor,
    places: Sequence[Tensor],
    *,
    seed: int,
) -> dict[str, Any]:
    """Compute all measures of a pair of networks, with their null values.

    Measures are numbers, or dicts by layer (0 is the first) with ``overall`` for all layers:

    - ``cosine``: cosine of the weights, units in their given order. Null ``renumbered``: the second
      network's hidden units permuted at random; what remains is common to all units of a layer.
    - ``matched``: the cosine after matching. Null ``dealt``: the first network matched in the same
      way to `dealt`, because matching finds similarity even in noise.
    - ``moved``: distance between matched units, see :func:`moved`. Nulls: ``moved_dealt`` for the
      matching to `dealt`, and ``moved_chance`` for a random matching.
    - ``cka``: of hidden activations on the test images. Null ``cka_untrained``: the same two
      networks before training.
    - ``agreement``: of predictions on the test images. Null ``agreement_chance``, see
      :func:`agreement`.
    - ``lines``: :func:`line` on the test images: ``straight`` to the second network with its units
      in the given order, and ``matched`` to it after matching. ``renumbered`` is the null of both,
      the mean over random permutations; if units are exchangeable, ``straight`` is a draw from it.
      ``matched-repaired`` is ``matched`` with repair; its null is ``repaired``, which is
      ``straight`` with repair.

    Parameters
    ----------
    trained : the two networks.
    dealt : the second network after :func:`scramble_units`.
    untrained : the two networks before training.
    test : images (images, features) and labels.
    train : training images.
    places : positions (units, axes) of every hidden layer.
    seed : seed of the random permutations.
    """
    first, second = trained
    generator = torch.Generator().manual_seed(seed)
    order, order_dealt = (match(first, other, generator) for other in (second, dealt))
    numberings = [random_order(second, generator) for _ in range(RENUMBERINGS)]
    seen = Seen(look(first, second, test[0]), test[1], look(first, second, train))
    outputs = [forward(network, images) for network, images in zip(trained, seen.test, strict=True)]
    agreed, by_chance = agreement(outputs[0][-1], outputs[1][-1], test[1])
    before = [
        forward(network, images)
        for network, images in zip(untrained, look(*untrained, test[0]), strict=True)
    ]
    return {
        "cosine": _cosine(first, second),
        "renumbered": _mean([_cosine(first, permute(second, one)) for one in numberings]),
        "matched": _cosine(first, permute(second, order)),
        "dealt": _cosine(first, permute(dealt, order_dealt)),
        "moved": moved(order, places),
        "moved_dealt": moved(order_dealt, places),
        "moved_chance": _by_layer([torch.cdist(place, place).mean(dim=1) for place in places]),
        "cka": _hidden_cka(*outputs),
        "cka_untrained": _hidden_cka(*before),
        "agreement": agreed,
        "agreement_chance": by_chance,
        "alphas": list(ALPHAS),
        "lines": _lines(first, second, seen, order, numberings),
    }


def _lines(
    first: Network, second: Network, seen: Seen, order: Order, numberings: Sequence[Order]
) -> dict[str, Any]:
    matched = permute(second, order), _renumbered(seen, order)
    others = [line(first, permute(second, one), _renumbered(seen, one)) for one in numberings]
    return {
        "straight": line(first, second, seen),
        "renumbered": _mean(others),
        "matched": line(first, *matched),
        "repaired": line(first, second, seen, repair=True),
        "matched-repaired": line(first, *matched, repair=True),
    }


def _renumbered(seen: Seen, order: Order) -> Seen:
    """The pre-activations after permuting the second network's first hidden layer."""
    test, train = (Images(one.first, one.second[:, order[0]]) for one in (seen.test, seen.train))
    return Seen(test, seen.labels, train)


def _cosine(first: Network, second: Network) -> dict[str, float]:
    named = [{str(place): layer.weight for place, layer in enumerate(n)} for n in (first, second)]
    return similarity.cosine(*named)


def _hidden_cka(first: Sequence[Tensor], second: Sequence[Tensor]) -> dict[str, float]:
    """CKA of the activations of each hidden layer, from the pre-activations of all layers."""
    pairs = zip(first[:-1], second[:-1], strict=True)
    return _by_layer([torch.tensor([cka(relu(x), relu(y))]) for x, y in pairs])


def _by_layer(values: Sequence[Tensor]) -> dict[str, float]:
    """The mean of each layer's values, and of the values of all layers together."""
    parts = {str(place): float(one.double().mean()) for place, one in enumerate(values)}
    return {**parts, "overall": float(torch.cat(list(values)).double().mean())}


def _mean(found: Sequence[Any]) -> Any:
    """The element-wise mean of nested dicts and lists with the same structure."""
    if isinstance(found[0], dict):
        return {key: _mean([one[key] for one in found]) for key in found[0]}
    if isinstance(found[0], list):
        return [_mean(items) for items in zip(*found, strict=True)]
    return sum(found) / len(found)
