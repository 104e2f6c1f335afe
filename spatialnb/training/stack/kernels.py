"""The kernel values of every run of a stack, computed once for all runs that share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spatialnb.config.run import Run
from spatialnb.config.sparsity import Sparse
from spatialnb.priors.kernels import Kernel
from spatialnb.priors.schedules import Static
from spatialnb.training import networks
from spatialnb.training.build import sparsity
from spatialnb.training.interventions.sparse_weights import first_mask


class Place(NamedTuple):
    """Positions of a run's units, and the mask of its first layer."""

    positions: str | None
    permuted_pixels: int | None
    sparse: Sparse | None
    seed: int | None
    """The run's seed if its mask is random, else None."""


Key = tuple[Kernel, Place]
"""A key that is equal for runs with the same kernel values."""


def without_prior(run: Run) -> bool:
    """Whether nothing acts on the run's weights, since multiplying by one is exact."""
    return run.action == "multiply" and run.schedule == Static() and run.sparse is None


class Kernels:
    """Kernel values (R, out, in) of every layer with a prior; empty if no run has one.

    If a run's first layer is sparse, the kernel values include its mask.

    Parameters
    ----------
    runs : the runs, in the order of the stack.
    model : the network of one of them.
    shape : of an input.
    device : the device of the values.
    """

    def __init__(
        self, runs: Sequence[Run], model: nn.Module, shape: Sequence[int], device: torch.device
    ) -> None:
        self._runs, self._model, self._device = runs, model, device
        one_each = {place_of(run): run for run in runs}
        self._places = {
            place: networks.distances(run, model, shape) for place, run in one_each.items()
        }
        self._masks = {
            place: first_mask(run, model, shape).float()
            for place, run in one_each.items()
            if place.sparse
        }
        self._computed: dict[Key, list[Tensor]] = {}
        self._current: list[Key] = []
        layers = networks.prior_layers(model)
        self.names = [name for name, _ in layers]
        self.values: list[Tensor] = []
        if not all(map(without_prior, runs)):
            shapes = [layer.weight.shape for _, layer in layers]
            self.values = [torch.ones(len(runs), *one, device=device) for one in shapes]

    def prepare(self, progress: float) -> list[Key]:
        """Compute the kernel values at this progress on the CPU, and return each run's key.

        They are computed in float64 and rounded as in the loop; values from the last call are
        reused.
        """
        if not self.values:
            return []
        keys = [(run.schedule.at(progress), place_of(run)) for run in self._runs]
        self._computed = {
            key: self._computed.get(key) or self._strengths(*key) for key in dict.fromkeys(keys)
        }
        return keys

    def set(self, prepared: list[Key]) -> bool:
        """Copy the prepared values to the device; returns whether anything changed."""
        if prepared == self._current:
            return False
        rows = {key: row for row, key in enumerate(self._computed)}
        index = torch.tensor([rows[key] for key in prepared]).to(self._device)
        for layer, values in enumerate(self.values):
            table = torch.stack([strengths[layer] for strengths in self._computed.values()])
            torch.index_select(table.to(self._device), 0, index, out=values)
        self._current = prepared
        return True

    def sparsities(self) -> list[dict[str, float]]:
        """The fractions of kernel values below 0.1 in the last epoch, for every run."""
        found: dict[Key, dict[str, float]] = {}
        for run in self._runs:
            key = (run.schedule.at(1.0), place_of(run))
            if key not in found:
                found[key] = sparsity(run, self._model, self._places[place_of(run)])
        return [dict(found[run.schedule.at(1.0), place_of(run)]) for run in self._runs]

    def _strengths(self, kernel: Kernel, place: Place) -> list[Tensor]:
        values = [kernel.strength(between).float() for between in self._places[place]]
        if place in self._masks:
            values[0] = values[0] * self._masks[place]
        return values


def place_of(run: Run) -> Place:
    """A key that is equal for runs with the same distances and the same mask."""
    drawn = run.sparse is not None and run.sparse.places == "random"
    return Place(run.positions, run.permuted_pixels, run.sparse, run.seed if drawn else None)
