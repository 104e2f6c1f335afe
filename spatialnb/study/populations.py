r"""What a verdict generalises to: other seeds, other test images, or both.

A comparison is a matrix $d_{si}$ of seeds s and images i: how much more often, in points, `arm` is
right on the image than `against`. It is modelled as $d_{si} = \mu + a_s + b_i + e_{si}$ with random
seed and image effects, and its mean is the difference of the accuracies. By the balanced analysis
of variance, the variance of that mean is

- over seeds, with these images: $MS_s / SN$, which is the usual interval over seeds;
- over images, with these networks: $MS_i / SN$;
- over both: $(MS_s + MS_i - MS_e) / SN$, with Satterthwaite's degrees of freedom.

MS are the mean squares of seeds, of images and of the residual; S and N are the numbers of seeds
and images. For such a balanced table, the variance components equal those of restricted maximum
likelihood if these are positive.

Sources: Cornfield and Tukey 1956, average values of mean squares in factorials; Satterthwaite 1946,
an approximate distribution of estimates of variance components; Owen 2007, the pigeonhole
bootstrap.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spatialnb.study.inference import Estimate

Population = Literal["seeds", "images", "both"]
"""What a verdict generalises to."""


def estimate(points: NDArray[np.float64], population: Population) -> Estimate:
    """The mean of a table of seeds (rows) and images (columns), with its error for a population.

    Parameters
    ----------
    points : (S, N), the difference on every image for every seed, in points.
    population : what is treated as random.

    Returns
    -------
    The mean with its standard error and degrees of freedom; `n` is the number of seeds.

    Raises
    ------
    ValueError : fewer than two seeds or two images.
    """
    seeds, images = points.shape
    if seeds < 2 or images < 2:
        raise ValueError(f"expected at least two seeds and two images, got {seeds} and {images}")
    by_seed, by_image = points.mean(axis=1), points.mean(axis=0)
    mean = float(by_seed.mean())
    of_seeds = images * float(by_seed.var(ddof=1))
    of_images = seeds * float(by_image.var(ddof=1))
    freedom = {"seeds": seeds - 1, "images": images - 1, "rest": (seeds - 1) * (images - 1)}
    if population == "seeds":
        squares = {"seeds": of_seeds}
    elif population == "images":
        squares = {"images": of_images}
    else:
        rest = points - by_seed[:, None] - by_image + mean
        of_rest = float(np.square(rest).sum()) / freedom["rest"]
        squares = {"seeds": of_seeds, "images": of_images, "rest": -of_rest}
        if sum(squares.values()) < max(of_seeds, of_images):  # a variance estimate is negative
            name, most = max(("seeds", of_seeds), ("images", of_images), key=lambda two: two[1])
            squares = {name: most}
    total = sum(squares.values())
    spread = sum(square**2 / freedom[name] for name, square in squares.items())
    return Estimate(
        mean=mean,
        se=math.sqrt(total / (seeds * images)),
        df=total**2 / spread if spread else float(seeds - 1),
        n=seeds,
        sd=float(by_seed.std(ddof=1)),
    )
