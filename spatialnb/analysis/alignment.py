r"""Are two networks alike once their neurons are matched?

Hidden neurons can be renumbered without changing what a network computes, so two networks may
differ by their numbering alone. Here the neurons of the second network are matched to those of the
first, and the two are compared by their weights, by what their layers compute, by their predictions
and by the loss between them. Beside each number stands a *null*: what comes out where the likeness
that it looks for is absent by construction. :func:`compare` lists them.

All is about the weights that act. Under one kernel $W_\text{eff} = K \circ W$ is linear in $W$, so
a straight line between the learned weights of two networks is the straight line between their
effective ones.
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
"""How many random numberings the search for a matching starts from; the best one is kept."""
RENUMBERINGS = 5
"""How many random renumberings a null takes its mean over."""
ALPHAS = tuple(step / 10 for step in range(11))
"""Where on the straight line the loss is measured."""


class Layer(NamedTuple):
    """A linear layer: effective weights (out, in), and biases (out,)."""

    weight: Tensor
    bias: Tensor


Network = Sequence[Layer]
"""Layers, first to last, with ReLU between."""
Order = Sequence[Tensor]
"""For every hidden layer a permutation: place i is taken by the neuron ``order[layer][i]``."""


class Images(NamedTuple):
    """What two networks see of the same images: pre-activations (images, neurons) of layer one.

    They are linear in the weights, so those of a network between two are between theirs.
    """

    first: Tensor
    second: Tensor


class Seen(NamedTuple):
    """Two networks' view of test images with their labels, and of training images."""

    test: Images
    labels: Tensor
    train: Images


def look(first: Network, second: Network, images: Tensor) -> Images:
    """What two networks see of images (images, features)."""
    return Images(linear(images, *first[0]), linear(images, *second[0]))


def forward(network: Network, seen: Tensor) -> list[Tensor]:
    """Pre-activations of every layer from those of the first; the last are the logits."""
    found = [seen]
    for layer in network[1:]:
        found.append(linear(relu(found[-1]), *layer))
    return found


def permute(network: Network, order: Order) -> list[Layer]:
    """The network with its hidden neurons renumbered; it computes what it did."""
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
    """A random numbering of every hidden layer."""
    return [torch.randperm(len(layer.bias), generator=generator) for layer in network[:-1]]


def match(first: Network, second: Network, generator: torch.Generator) -> list[Tensor]:
    r"""The order of the second network's hidden neurons that fits the first's.

    It maximises the inner product of all weights and biases,
    $\sum_l \langle W_l, P_l W'_l P_{l-1}^\top \rangle + \langle b_l, P_l b'_l \rangle$, one layer's
    permutation after another, each the solution of a linear assignment, until none changes
    (Ainsworth et al. 2023, "weight matching"). That finds a local maximum, so the best of several
    random starts is kept. No start is the order as it is: nothing but the weights speaks for a
    neuron's own place.
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
            # A gain of rounding alone could go round in circles.
            if new > old + 1e-9 * old.abs():
                order[place], changed = best, True
    return order


def _gain(first: Network, second: Network, order: Sequence[Tensor], place: int) -> Tensor:
    """What each neuron of the second network (columns) adds at each place (rows)."""
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
    """A network with the same weights and no neurons: each is put together from parts of many.

    The weights of an input are dealt anew among the neurons of its layer, for every input by
    itself; those of an output of the last layer among its inputs. So what all neurons of a layer
    have in common stays, and what makes one of them is gone.
    """
    *hidden, (weight, bias) = learned
    found = [
        Layer(_shuffled(layer.weight, 0, generator), _shuffled(layer.bias, 0, generator))
        for layer in hidden
    ]
    return [*found, Layer(_shuffled(weight, 1, generator), bias)]


def _shuffled(values: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """The values in a random order along an axis, in another one for each line along it."""
    draw = torch.rand(values.shape, generator=generator)
    return values.gather(dim, draw.argsort(dim=dim))


def cka(first: Tensor, second: Tensor) -> float:
    r"""Linear centred kernel alignment of two layers' activations (images, neurons), in [0, 1].

    $\lVert Y^\top X \rVert_F^2 / (\lVert X^\top X \rVert_F \lVert Y^\top Y \rVert_F)$ with columns
    centred (Kornblith et al. 2019). It does not see a rotation, a renumbering or a common scale.

    Raises
    ------
    ValueError : a layer whose activations are the same for all images.
    """
    x, y = ((one - one.mean(dim=0)).double() for one in (first, second))
    scale = (x.T @ x).norm() * (y.T @ y).norm()
    if not scale > 0.0:
        raise ValueError("CKA is not defined for a layer that answers all images alike")
    return float((y.T @ x).square().sum() / scale)


def agreement(first: Tensor, second: Tensor, labels: Tensor) -> tuple[float, float]:
    r"""Share of images (logits) that get the same prediction, and that which chance would give.

    Chance: $\sum_c p(c) \sum_k p(k \mid c)\, p'(k \mid c)$, two networks that predict what they do
    for each class, independently within the class. It takes their accuracies and their habits of
    confusion into account.
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
    """Test loss and accuracy on the straight line between two networks, and its barriers.

    Parameters
    ----------
    first, second : the ends, at alpha 0 and 1.
    seen : what they see.
    repair : give every hidden neuron of a network between the mean and standard deviation, over the
        training images, that lie between those of the ends (Jordan et al. 2023, REPAIR). Averages
        of unlike neurons vary too little.

    Returns
    -------
    dict : ``loss`` and ``accuracy``, a number for each of :data:`ALPHAS`; and ``barrier``: by how
        much at most the loss exceeds, and the accuracy falls short of, the straight line between
        its values at the ends.
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
    """By how much values, at :data:`ALPHAS`, exceed the line between their ends, at most."""
    pairs = zip(ALPHAS, values, strict=True)
    return max(value - ((1 - alpha) * values[0] + alpha * values[-1]) for alpha, value in pairs)


Moments = tuple[Tensor, Tensor]
"""Mean and standard deviation (neurons,) over images."""


def _moments(z: Tensor) -> Moments:
    return z.mean(dim=0), z.std(dim=0)


def _repaired(
    network: Network,
    test: Tensor,
    train: Tensor,
    goals: Sequence[Sequence[Moments]],
    alpha: float,
) -> Tensor:
    """Logits of test images, every hidden neuron's moments set to the goal, layer by layer."""
    for layer, *ends in zip(network[1:], *goals, strict=True):
        mean, sd = _moments(train)
        goal_mean, goal_sd = (torch.lerp(a, b, alpha) for a, b in zip(*ends, strict=True))
        factor = torch.where(sd > 0.0, goal_sd / sd, 1.0)
        train, test = (linear(relu((z - mean) * factor + goal_mean), *layer) for z in (train, test))
    return test


def moved(order: Sequence[Tensor], places: Sequence[Tensor]) -> dict[str, float]:
    """Mean distance of the places of matched neurons, by hidden layer and over all neurons.

    Parameters
    ----------
    order : what :func:`match` found.
    places : positions (neurons, axes) of every hidden layer.
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
    """Everything that the record of a pair holds, by layer (0 is the first) or as one number.

    - ``cosine``: of the weights as they are numbered. Null ``renumbered``: the second network's
      hidden neurons renumbered at random; what is left is common to all neurons of a layer.
    - ``matched``: the cosine after matching. Null ``dealt``: the first network matched in the same
      way to a network without neurons, see :func:`deal`: matching finds likeness in noise too.
    - ``moved``: how far apart matched neurons stand, see :func:`moved`. Nulls: ``moved_dealt`` of
      the matching to that network, and ``moved_chance`` of a matching at random.
    - ``cka``: of hidden activations on the test images. Null ``cka_untrained``: the same two
      networks before training.
    - ``agreement``: of predictions on the test images. Null ``agreement_chance``, see
      :func:`agreement`.
    - ``lines``: :func:`line` on the test images, ``straight`` to the second network as it is
      numbered, and ``matched`` to it after matching. ``renumbered`` is the null of both: the mean
      over random renumberings. Where neurons have no place of their own, ``straight`` is one of
      them. ``matched-repaired`` is ``matched`` with repair; its null is ``repaired``, which is
      ``straight`` with repair.

    Parameters
    ----------
    trained : the two networks.
    dealt : the second one after :func:`deal`.
    untrained : the two networks before training.
    test : images (images, features) and labels.
    train : training images.
    places : positions (neurons, axes) of every hidden layer.
    seed : of the random numberings.
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
    """What is seen where the second network's hidden neurons are renumbered."""
    test, train = (Images(one.first, one.second[:, order[0]]) for one in (seen.test, seen.train))
    return Seen(test, seen.labels, train)


def _cosine(first: Network, second: Network) -> dict[str, float]:
    named = [{str(place): layer.weight for place, layer in enumerate(n)} for n in (first, second)]
    return similarity.cosine(*named)


def _hidden_cka(first: Sequence[Tensor], second: Sequence[Tensor]) -> dict[str, float]:
    """CKA of the activations of each hidden layer, from all pre-activations."""
    pairs = zip(first[:-1], second[:-1], strict=True)
    return _by_layer([torch.tensor([cka(relu(x), relu(y))]) for x, y in pairs])


def _by_layer(values: Sequence[Tensor]) -> dict[str, float]:
    """Means by layer, and over all values of all layers."""
    parts = {str(place): float(one.double().mean()) for place, one in enumerate(values)}
    return {**parts, "overall": float(torch.cat(list(values)).double().mean())}


def _mean(found: Sequence[Any]) -> Any:
    """The mean of numbers that stand in the same places of equal structures."""
    if isinstance(found[0], dict):
        return {key: _mean([one[key] for one in found]) for key in found[0]}
    if isinstance(found[0], list):
        return [_mean(items) for items in zip(*found, strict=True)]
    return sum(found) / len(found)
