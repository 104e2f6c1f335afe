r"""Masks: how many weights a layer keeps, which ones, and training that leaves the others at zero.

A share of zeros z stands for the band that a thresholded exponential kernel leaves: each layer
keeps as many weights as it has connections within the distance $1 - \sqrt z$, about a share 1 - z
of them (see :meth:`spatialnb.priors.kernels.Kernel.share_below`). Every method keeps so many in
each layer, so methods differ in which weights they keep, and not in how many. Weights are (out, in)
throughout.
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
"""Share of a layer's weights that SET replaces, and RigL at first."""
RIGL_STEPS = 100
"""Steps from one replacement to the next in RigL."""
RIGL_UNTIL = 0.75
"""Share of the training after which RigL's places stay."""


def weights_left(shape: Sequence[int], zeros: float) -> int:
    r"""How many weights a layer (out, in) keeps: its connections within $1 - \sqrt z$, or one."""
    return max(1, int((layer_distance(*shape) <= 1.0 - math.sqrt(zeros)).sum()))


def largest(score: Tensor, number: int) -> Tensor:
    """A mask, True at the so many largest scores. Which of equal ones are kept is left open."""
    mask = torch.zeros(score.numel(), dtype=torch.bool, device=score.device)
    mask[score.flatten().topk(number, sorted=False).indices] = True
    return mask.reshape(score.shape)


def masks(
    weights: Sequence[Tensor], sparse: Sparse, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Where the weights of each layer are at the start: True for a weight, False for a zero."""
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
    r"""Set weights to zero where nothing is kept, and scale the others to the inputs that are left.

    Weights were drawn from $N(0, 2 / \text{fan in})$; with a share s of them left the fan-in is s
    times as large, so they are divided by $\sqrt s$. With `scale` False they stay as drawn.
    """
    for weight, mask in zip(weights, kept, strict=True):
        share = int(mask.sum()) / mask.numel() if scale else 1.0
        weight.mul_(mask / math.sqrt(share))


class Masked:
    """An optimiser that leaves weights at zero where their mask says so.

    Parameters
    ----------
    optimizer : of these weights, and of others, which it leaves alone.
    weights : they are set to zero at once where `kept` is False.
    kept : a mask for each.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, weights: Sequence[Tensor], kept: Sequence[Tensor]
    ) -> None:
        self.optimizer = optimizer
        self.weights = list(weights)
        self.kept = [mask.clone().to(w.device) for mask, w in zip(kept, weights, strict=True)]
        self._hold()

    def step(self) -> None:
        """One step of the optimiser, from gradients that are zero where the weights are."""
        if self.before_step():
            self.optimizer.step()
        self.after_step()

    @torch.no_grad()
    def before_step(self) -> bool:
        """Set gradients to zero where the weights are; False where the step is to be left out."""
        for weight, mask in zip(self.weights, self.kept, strict=True):
            if weight.grad is not None:
                weight.grad.mul_(mask)
        return True

    def after_step(self) -> None:
        """Set weights to zero again that the step has moved."""
        self._hold()

    @torch.no_grad()
    def replace(self, share: float, score: Callable[[Tensor], Tensor]) -> None:
        """Drop this share of each layer's weights, the smallest, and let as many grow.

        They grow at zero where the score of a layer's weight is largest, among the places without a
        weight and those just dropped. The optimiser's averages start anew there.
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
        """Keep so many of each layer's weights, the largest; the others are zero from here on."""
        for place, (weight, mask) in enumerate(zip(self.weights, self.kept, strict=True)):
            if numbers[place] < int(mask.sum()):
                self.kept[place] = largest(weight.abs().masked_fill(~mask, -1.0), numbers[place])
        self._hold()

    @torch.no_grad()
    def _hold(self) -> None:
        for weight, mask in zip(self.weights, self.kept, strict=True):
            weight.mul_(mask)


class Set(Masked):
    """SET: after every epoch but the last, weights give way to others at random places.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`.
    epoch, steps : steps of an epoch, and of the whole training.
    generator : the only source of chance.
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
        """After the last step of an epoch weights are replaced as well."""
        super().after_step()
        self._done += 1
        if self._done % self._epoch == 0 and self._done < self._steps:
            self.replace(
                REPLACED, lambda w: torch.rand(w.shape, generator=self._generator).to(w.device)
            )


class Rigl(Masked):
    r"""RigL: now and then, instead of a step, weights give way to others with large gradients.

    The share replaced before step t of S is $\frac{0.3}{2} (1 + \cos(\pi t / 0.75 S))$.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`.
    steps : of the whole training.
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
        """Now and then replace weights, which takes the place of a step."""
        due = self._done and self._done % RIGL_STEPS == 0 and self._done < self._until
        self._done += 1
        if not due:
            return super().before_step()
        share = 0.5 * REPLACED * (1.0 + math.cos(math.pi * (self._done - 1) / self._until))
        self.replace(share, _gradient)
        return False


class Granet(Masked):
    r"""GraNet: ever fewer weights, and of those that are left some grow anew where gradients ask.

    Every 100 steps until 75 % of the training, and there, instead of a step, each layer keeps its n
    largest weights, $n = n_1 + (n_0 - n_1) (1 - t / 0.75 S)^3$ before step t of S, from $n_0$ to
    $n_1$; then a share $\frac14 (1 + \cos(\pi t / 0.75 S))$ of these gives way to weights
    where the gradient is largest. Liu et al. 2021, by layer.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`; `kept` is the mask at the start.
    left : how many weights each layer has at the end.
    steps : of the whole training.
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
        """Now and then keep fewer weights and replace some, which takes the place of a step."""
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
    """Iterative magnitude pruning: trained, pruned, set back to the start, and trained again.

    After each round but the last the largest weights of each layer stay, at the values that they
    started with, and the optimiser starts anew. Their number falls by the same factor each time.
    Frankle and Carbin 2019; from a little later than the start, Frankle et al. 2020.

    Parameters
    ----------
    optimizer, weights, kept : as for :class:`Masked`; `kept` is all of them.
    left : how many weights each layer has in the last round.
    rounds : how many there are.
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
        """Let later rounds start from all parameters of the optimiser as they are now."""
        groups = self.optimizer.param_groups
        self._start = {part: part.detach().clone() for group in groups for part in group["params"]}

    @torch.no_grad()
    def begin(self, number: int) -> None:
        """Begin the round of that number, counted from 0."""
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
    """Hidden widths of a dense network with as many weights as a sparse one has left.

    Each layer but the last two gets at most as many weights as the sparse one's has left; the last
    hidden width is the largest for which the whole has at most as many. Biases are not counted.

    Parameters
    ----------
    features, hidden, classes : widths of the sparse network, at least one of them hidden.
    zeros : its share of zeros.

    Raises
    ------
    ValueError : no hidden layer, or too few weights for one neuron a layer.
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
            f"narrowed: {sum(left)} weights are too few for a neuron in each of {len(hidden)} "
            "hidden layers; give fewer zeros"
        )
    return tuple(widths[1:])


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad.abs()
