"""How many inputs an output can depend on if the kernel has exact zeros."""

from __future__ import annotations

import torch

from spatialnb.datasets import edition
from spatialnb.report.formatting import number, slug
from spatialnb.study.results import Results
from spatialnb.training import networks


def reach_numbers(results: Results) -> dict[str, str]:
    """Values to glue on multilayer perceptrons whose final kernel has zeros, in percent.

    Keys start with chapter and arm, such as ``c8-k-3-to-50-real-zeros``: ``-zeros``, weights whose
    kernel value in the last epoch is 0; ``-reach``, inputs to which an output is connected through
    the other weights, averaged over outputs; ``-idle``, units of the last hidden layer that are
    connected to no output. Arms without zeros have no keys.
    """
    data = edition(results.dataset)
    said = {}
    for arm, run in results.study.arms.items():
        if run.action != "multiply" or run.network is not None:
            continue
        model = networks.initialise(run, data.shape, data.classes)
        kernel = run.schedule.at(1.0)
        layers = [kernel.strength(d) != 0.0 for d in networks.distances(run, model, data.shape)]
        zeros = sum(int((~layer).sum()) for layer in layers) / sum(map(torch.numel, layers))
        if not zeros:
            continue
        key = f"{results.study.id}-{slug(arm)}"
        reached = torch.eye(layers[-1].shape[0], dtype=torch.float64)
        for layer in reversed(layers):
            reached = (reached @ layer.double() > 0.0).double()
        said[f"{key}-zeros"] = number(100.0 * zeros, 1)
        said[f"{key}-reach"] = number(100.0 * float(reached.mean()), 1)
        said[f"{key}-idle"] = number(100.0 * float((~layers[-1].any(dim=0)).double().mean()), 1)
    return said
