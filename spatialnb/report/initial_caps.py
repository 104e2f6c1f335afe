"""How many initial weights exceed their cap; a cap that no weight reaches has no effect."""

from __future__ import annotations

import math

import torch

from spatialnb.datasets import edition
from spatialnb.priors.actions import CAPS
from spatialnb.report.formatting import number, slug
from spatialnb.study.results import Results
from spatialnb.training import networks


def cap_numbers(results: Results) -> dict[str, str]:
    r"""Values to glue on the caps of multilayer perceptrons.

    Keys start with chapter and arm, such as ``v08-cap-exponential``: ``-least`` is the smallest
    cap. By layer, counted from 1, ``-std-1`` is the standard deviation
    $\sigma = \sqrt{2 / \text{fan in}}$ of the initial weights, and ``-start-1`` the percentage of
    them expected beyond their cap, the mean of $\mathrm{erfc}(K / (\sigma \sqrt 2))$ over the
    layer's connections.
    """
    data = edition(results.dataset)
    said = {}
    for arm, run in results.study.arms.items():
        if run.action not in CAPS or run.network is not None:
            continue
        key = f"{results.study.id}-{slug(arm)}"
        model = networks.initialise(run, data.shape, data.classes)
        kernel = run.schedule.at(0.0)
        caps = [kernel.strength(d) for d in networks.distances(run, model, data.shape)]
        said[f"{key}-least"] = number(min(float(cap.min()) for cap in caps), 3)
        for place, cap in enumerate(caps, 1):
            std = math.sqrt(2.0 / cap.shape[1])
            beyond = float(torch.erfc(cap / (std * math.sqrt(2.0))).mean())
            said[f"{key}-std-{place}"] = number(std, 3)
            said[f"{key}-start-{place}"] = number(100.0 * beyond, 1)
    return said
