r"""Sparse training: which weights each layer keeps, and optimisers that hold the others at zero.

The number of kept weights follows the band that a thresholded exponential kernel leaves: at a
fraction z of zeros, each layer keeps as many weights as it has connections within the distance
$1 - \sqrt z$, about a fraction 1 - z of them (see
:meth:`spatialnb.priors.kernels.Kernel.share_below`). All methods keep this number in each layer, so
they differ in which weights they keep, not in how many. Weights are (out, in) throughout.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from spatialnb.config.sparsity import Sparse
from spatialnb.priors.geometry import layer_distance

REPLACED = 0.3
"""Fraction of a layer's weights that SET replaces, and RigL initially."""
RIGL_STEPS = 100
"""Steps between two replacements in RigL."""
RIGL_UNTIL = 0.75
"""Fraction of training after which RigL's mask is fixed."""


def weights_left(shape: Sequence[int], zeros: float) -> int:
    r"""How many weights a layer (out, in) keeps: its connections within $1 - \sqrt z$, or one."""
    return max(1, int((layer_distance(*shape) <= 1.0 - math.sqrt(zeros)).sum()))


def largest(score: Tensor, number: int) -> Tensor:
    """A mask that is True at the `number` largest scores; ties are broken arbitrarily."""
    mask = torch.zeros(score.numel(), dtype=torch.bool, device=score.device)
    mask[score.flatten().topk(number, sorted=False).indices] = True
    return mask.reshape(score.shape)


def masks(
    weights: Sequence[Tensor], sparse: Sparse, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """The initial mask of each layer: True for a weight, False for a zero."""
    made = []
    for weight in weights:
        if sparse.places == "band":
            score = -layer_distance(*weight.shape)
        else:
            score = torch.rand(weight.shape, generator=generator)
        made.append(largest(score, weights_left(weight.shape, sparse.zeros)).to(weight.device))
    return tuple(made)


@torch.no_grad()
def start(weights: Sequence[Tensor], kept: Sequence[Tensor], scale: bool = True) -> None:
    r"""Apply the masks to the initial weights, and rescale the kept weights to the smaller fan-in.

    Weights were drawn from $N(0, 2 / \text{fan in})$. If a fraction s is kept, the fan-in is s
    times as large, so they are divided by $\sqrt s$. With `scale` False they stay as drawn.
    """
    for weight, mask in zip(weights, kept, strict=True):
        share = int(mask.sum()) / mask.numel() if scale else 1.0
        weight.mul_(mask / math.sqrt(share))


class Masked:
    """An optimiser that holds weights at zero where their mask is False.

    Parameters
    ----------
    optimizer : the optimiser of these weights, and possibly of others, which are not masked.
    weights : the masked weights; set to zero immediately where `kept` is False.
    kept : a mask for each weight tensor.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, weights: Sequence[Tensor], kept: Sequence[Tensor]
    ) -> None:
        self.optimizer = optimizer
        self.weights = list(weights)
        self.kept = [mask.clone().to(w.device) for mask, w in zip(kept, weights, strict=True)]
        self._hold()

    def step(self) -> None:
        """One step of the optimiser, with gradients masked like the weights."""
        if self.before_step():
            self.optimizer.step()
        self.after_step()

    @torch.no_grad()
    def before_step(self) -> bool:
        """Apply the mask to the gradients; returns False if the step must be skipped."""
        for weight, mask in zip(self.weights, self.kept, strict=True):
            if weight.grad is not None:
                weight.grad.mul_(mask)
        return True

    def after_step(self) -> None:
        """Apply the mask to the weights again after the step."""
        self._hold()

    @torch.no_grad()
    def replace(self, share: float, score: Callable[[Tensor], Tensor]) -> None:
        """Drop the smallest weights of each layer, a fraction `share`, and grow as many new ones.

        New weights start at zero, at the largest scores among the connections without a weight,
        including those just dropped. The optimiser's averages are reset there.
        """
        for place, (weight, mask) in enumerate(zip(self.weights, self.kept, strict=True)):
            left = int(mask.sum())
            dropped = int(share * left)
            stay = largest(weight.abs().masked_fill(~mask, -1.0), left - dropped)
            grown = largest(score(weight).masked_fill(stay, -1.0), dropped)
            for average in self.optimizer.state[weight].values():
                if isinstance(average, Tensor) and average.shape == weight.shape:
                    average.mul_(stay)
            weight.mul_(stay)
            self.kept[place] = stay | grown

    @torch.no_grad()
    def keep(self, numbers: Sequence[int]) -> None:
        """Keep the largest weights of each layer, as many as `numbers` says; zero the others."""
        for place, (weight, mask) in enumerate(zip(self.weights, self.kept, strict=True)):
            if numbers[place] < int(mask.sum()):
                self.kept[place] = largest(weight.abs().masked_fill(~mask, -1.0), numbers[place])
        self._hold()

    @torch.no_grad()
    def _hold(self) -> None:
        for weight, mask in zip(self.weights, self.kept, strict=True):
            weight.mul_(mask)


class Set(Masked):
    """SET: after every epoch but the last, the smallest weights are replaced by random connections.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`.
    epoch, steps : number of steps per epoch, and in the whole training.
    generator : the only source of randomness.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        weights: Sequence[Tensor],
        kept: Sequence[Tensor],
        *,
        epoch: int,
        steps: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(optimizer, weights, kept)
        self._epoch, self._steps, self._generator = epoch, steps, generator
        self._done = 0

    def after_step(self) -> None:
        """Mask the weights; after the last step of an epoch, also replace some of them."""
        super().after_step()
        self._done += 1
        if self._done % self._epoch == 0 and self._done < self._steps:
            self.replace(
                REPLACED, lambda w: torch.rand(w.shape, generator=self._generator).to(w.device)
            )


class Rigl(Masked):
    r"""RigL: the smallest weights are replaced by connections with large gradients.

    Every 100 steps, a replacement takes the place of a step. The fraction replaced before step t of
    S is $\frac{0.3}{2} (1 + \cos(\pi t / 0.75 S))$.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`.
    steps : number of steps in the whole training.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        weights: Sequence[Tensor],
        kept: Sequence[Tensor],
        *,
        steps: int,
    ) -> None:
        super().__init__(optimizer, weights, kept)
        self._until = RIGL_UNTIL * steps
        self._done = 0

    def before_step(self) -> bool:
        """Replace weights if due, instead of a step; otherwise mask the gradients."""
        due = self._done and self._done % RIGL_STEPS == 0 and self._done < self._until
        self._done += 1
        if not due:
            return super().before_step()
        share = 0.5 * REPLACED * (1.0 + math.cos(math.pi * (self._done - 1) / self._until))
        self.replace(share, _gradient)
        return False


class Granet(Masked):
    r"""GraNet: gradual pruning, while some weights are regrown where gradients are large.

    Every 100 steps until 75 % of training, and once at that point, a step is replaced by the
    following. Each layer keeps its n largest weights, where before step t of S
    $n = n_1 + (n_0 - n_1) (1 - t / 0.75 S)^3$ goes from $n_0$ to $n_1$. Then a fraction
    $\frac14 (1 + \cos(\pi t / 0.75 S))$ of these, the smallest, is replaced by connections with the
    largest gradients. Liu et al. 2021, applied per layer.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`; `kept` is the initial mask.
    left : the number of weights that each layer has at the end.
    steps : number of steps in the whole training.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        weights: Sequence[Tensor],
        kept: Sequence[Tensor],
        *,
        left: Sequence[int],
        steps: int,
    ) -> None:
        super().__init__(optimizer, weights, kept)
        self._first, self._last = [int(mask.sum()) for mask in self.kept], list(left)
        self._until = math.ceil(RIGL_UNTIL * steps)
        self._done = 0

    def before_step(self) -> bool:
        """Prune and replace weights if due, instead of a step; otherwise mask the gradients."""
        step, self._done = self._done, self._done + 1
        regular = step > 0 and step % RIGL_STEPS == 0 and step < self._until
        if not (regular or step == self._until):
            return super().before_step()
        at = step / self._until
        self.keep(
            [
                round(last + (first - last) * (1.0 - at) ** 3)
                for first, last in zip(self._first, self._last, strict=True)
            ]
        )
        self.replace(0.25 * (1.0 + math.cos(math.pi * at)), _gradient)
        return False


class Iterative(Masked):
    """Iterative magnitude pruning: train, prune, rewind, and train again.

    After each round but the last, the largest weights of each layer are kept and rewound to their
    initial values, and the optimiser is reset. Their number decreases by the same factor each time.
    Frankle and Carbin 2019; rewinding to a later step, Frankle et al. 2020.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`; `kept` is True everywhere.
    left : the number of weights that each layer has in the last round.
    rounds : the number of rounds.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        weights: Sequence[Tensor],
        kept: Sequence[Tensor],
        *,
        left: Sequence[int],
        rounds: int,
    ) -> None:
        super().__init__(optimizer, weights, kept)
        self._left, self._rounds = list(left), rounds
        self._start: dict[Tensor, Tensor] = {}
        self.remember()

    def remember(self) -> None:
        """Store the current values of all parameters, to which later rounds are rewound."""
        groups = self.optimizer.param_groups
        self._start = {part: part.detach().clone() for group in groups for part in group["params"]}

    @torch.no_grad()
    def begin(self, number: int) -> None:
        """Begin round `number`, counted from 0."""
        if number == 0:
            return
        share = number / (self._rounds - 1)
        self.keep(
            [
                round(weight.numel() * (left / weight.numel()) ** share)
                for weight, left in zip(self.weights, self._left, strict=True)
            ]
        )
        for parameter, value in self._start.items():
            parameter.copy_(value)
        self.optimizer.state.clear()
        self._hold()


def narrowed(features: int, hidden: Sequence[int], classes: int, zeros: float) -> tuple[int, ...]:
    """Hidden widths of a dense network with as many weights as a sparse one keeps.

    Each layer but the last two has at most as many weights as the same layer of the sparse network
    keeps; the last hidden width is the largest for which the whole network has at most as many.
    Biases are not counted.

    Parameters
    ----------
    features, hidden, classes : widths of the sparse network, with at least one hidden layer.
    zeros : its fraction of zeros.

    Raises
    ------
    ValueError : no hidden layer, or too few weights for one unit per layer.
    """
    if not hidden:
        raise ValueError("narrowed: expected at least one hidden width, got none")
    sizes = [features, *hidden, classes]
    left = [weights_left((out, into), zeros) for into, out in itertools.pairwise(sizes)]
    widths, budget = [features], sum(left)
    for number in left[:-2]:
        widths.append(number // widths[-1])
        budget -= widths[-1] * widths[-2]
    widths.append(budget // (widths[-1] + classes) if widths[-1] else 0)
    if min(widths[1:]) < 1:
        raise ValueError(
            f"narrowed: {sum(left)} weights are too few for one unit in each of {len(hidden)} "
            "hidden layers; use fewer zeros"
        )
    return tuple(widths[1:])


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad.abs()
