"""Build the network of a run at progress 0, and measure its final kernel's sparsity."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from spatialnb.config.run import Run
from spatialnb.datasets import Dataset
from spatialnb.priors.kernels import SMALL, share_below
from spatialnb.training import networks, optimizers
from spatialnb.training.context import Training
from spatialnb.training.determinism import generator
from spatialnb.training.interventions import table


def build(run: Run, shape: Sequence[int], classes: int) -> nn.Module:
    """The network of a run, initialised from its seed and prepared by its interventions.

    Parameters
    ----------
    run : the configuration.
    shape : of one input, (channels, height, width) or (features,).
    classes : number of outputs.
    """
    model = networks.initialise(run, shape, classes)
    for intervention in table.asked_by(run):
        intervention.prepare(model, run, tuple(shape))
    return model


def prepared(run: Run, data: Dataset) -> Training:
    """A run before its first step, on the device of its data."""
    model = build(run, data.shape, data.classes).to(data.train.y.device)
    return Training(
        run=run,
        data=data,
        model=model,
        optimizer=optimizers.make(run, model),
        distances=networks.distances(run, model, data.shape),
        order=generator(run.seed, "order"),
        generator=generator(run.seed, "intervention"),
    )


def sparsity(run: Run, model: nn.Module, distances: Sequence[Tensor]) -> dict[str, float]:
    """Fraction of kernel values below 0.1 in the last epoch, by layer and over all connections.

    `distances` are those of the layers, from :func:`spatialnb.training.networks.distances`.
    """
    kernel = run.schedule.at(1.0)
    names = [name for name, _ in networks.prior_layers(model)]
    values = {name: kernel.strength(d) for name, d in zip(names, distances, strict=True)}
    shares = {name: share_below([value], SMALL) for name, value in values.items()}
    return {**shares, "overall": share_below(values.values(), SMALL)}
