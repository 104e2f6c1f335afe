r"""Kernels: from the distance that a connection spans to its kernel value.

Distances (out, in) come from :mod:`spatialnb.priors.geometry` and lie in [0, 1] in 1-D index order;
kernel values have the same shape and are float64. On the 2-D pixel grid distances go up to the
square root of 2, where a linear kernel drops below its floor and an inverse one exceeds 1. Source
of the kernel shapes: log, v1 and v3.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spatialnb.registry import Registry, check_fields

if TYPE_CHECKING:
    from torch import Tensor


SMALL = 0.1
"""The log's threshold for small kernel values: "Sparsity = % of kernel values < 0.1" (v10)."""


class Kernel:
    """A function of distance. Subclasses are frozen dataclasses with a registered name."""

    def strength(self, distance: Tensor) -> Tensor:
        """Kernel values at these distances, with the same shape."""
        raise NotImplementedError

    def share_below(self, threshold: float) -> float:
        r"""Fraction of kernel values below `threshold`, in closed form.

        The distance of two independent positions, uniform on [0, 1], exceeds $d$ with probability
        $(1 - d)^2$; evenly spaced units approach this as layers grow.

        Raises
        ------
        NotImplementedError : no closed form; use the function :func:`share_below` on kernel values.
        """
        raise NotImplementedError(f"{type(self).__name__} has no closed form for share_below")

    def label(self) -> str:
        """A short name for tables and figures."""
        return kernels.name_of(self)


kernels: Registry[Kernel] = Registry(Kernel, "kernel")
"""All kernels by name."""
register = kernels.register
"""Class decorator: register a kernel; see :class:`~spatialnb.registry.Registry`."""


def _check_floor(kernel: Kernel, floor: float) -> None:
    if not 0.0 <= floor < 1.0:
        raise ValueError(f"{type(kernel).__name__}.floor: expected 0 <= floor < 1, got {floor}")


def _farther(distance: float) -> float:
    """P(distance of two uniform positions > d) = (1 - d)^2, with d clipped to [0, 1]."""
    return (1.0 - min(max(distance, 0.0), 1.0)) ** 2


@register("none")
@dataclass(frozen=True, kw_only=True)
class Uniform(Kernel):
    r"""A constant kernel: $K(d) = c$. With $c = 1$ this is the log's "none", the baseline."""

    value: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.value < 0.0:
            raise ValueError(f"Uniform.value: expected a kernel value >= 0, got {self.value}")

    def strength(self, distance: Tensor) -> Tensor:
        return distance.double().new_full(distance.shape, self.value)

    def share_below(self, threshold: float) -> float:
        return float(self.value < threshold)


@register("linear")
@dataclass(frozen=True, kw_only=True)
class Linear(Kernel):
    r"""Linear decay: $K(d) = f + (1 - f)(1 - d)$.

    Log, v3: floor f = 0.1. Its v1 states $1 - d$, that is f = 0, where connections from one end of
    a layer to the other have kernel value 0.
    """

    floor: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        _check_floor(self, self.floor)

    def strength(self, distance: Tensor) -> Tensor:
        return self.floor + (1.0 - self.floor) * (1.0 - distance.double())

    def share_below(self, threshold: float) -> float:
        if threshold > 1.0:
            return 1.0
        return _farther(1.0 - (threshold - self.floor) / (1.0 - self.floor))


@register("exponential")
@dataclass(frozen=True, kw_only=True)
class Exponential(Kernel):
    r"""Exponential decay: $K(d) = f + (1 - f) e^{-k d}$.

    Log, v3 (k = 3) and v10 (k up to 100), floor f = 0.05. The decay rate k has the unit 1/distance.
    """

    k: float = 3.0
    floor: float = 0.05

    def __post_init__(self) -> None:
        check_fields(self)
        _check_floor(self, self.floor)
        if self.k <= 0.0:
            raise ValueError(f"Exponential.k: expected a rate > 0, got {self.k}")

    def strength(self, distance: Tensor) -> Tensor:
        return self.floor + (1.0 - self.floor) * (-self.k * distance.double()).exp()

    def share_below(self, threshold: float) -> float:
        r"""$(1 - \ln((1 - f) / (\tau - f)) / k)^2$; $(1 - \ln 19 / k)^2$ at f = 0.05, τ = 0.1."""
        if threshold <= self.floor:
            return 0.0
        return _farther(math.log((1.0 - self.floor) / (threshold - self.floor)) / self.k)


@register("gaussian")
@dataclass(frozen=True, kw_only=True)
class Gaussian(Kernel):
    r"""Gaussian decay: $K(d) = f + (1 - f) e^{-d^2 / w}$. Log, v3: w = 0.18, f = 0.05.

    `width` is w, a squared distance (twice the variance of the Gaussian).
    """

    width: float = 0.18
    floor: float = 0.05

    def __post_init__(self) -> None:
        check_fields(self)
        _check_floor(self, self.floor)
        if self.width <= 0.0:
            raise ValueError(f"Gaussian.width: expected a width > 0, got {self.width}")

    def strength(self, distance: Tensor) -> Tensor:
        return self.floor + (1.0 - self.floor) * (-distance.double().square() / self.width).exp()

    def share_below(self, threshold: float) -> float:
        if threshold <= self.floor:
            return 0.0
        if threshold > 1.0:
            return 1.0
        ratio = math.log((1.0 - self.floor) / (threshold - self.floor))
        return _farther(math.sqrt(max(ratio, 0.0) * self.width))


@register("inverse")
@dataclass(frozen=True, kw_only=True)
class Inverse(Kernel):
    r"""Grows with distance: $K(d) = f + (1 - f) d$. Log, v3: floor f = 0.1."""

    floor: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        _check_floor(self, self.floor)

    def strength(self, distance: Tensor) -> Tensor:
        return self.floor + (1.0 - self.floor) * distance.double()

    def share_below(self, threshold: float) -> float:
        return 1.0 - _farther((threshold - self.floor) / (1.0 - self.floor))


@register("shuffled")
@dataclass(frozen=True, kw_only=True)
class Shuffled(Kernel):
    """Another kernel's values, randomly permuted: same values, no locality. Log, v6.

    The permutation depends only on the seed and on the layer's shape. It therefore stays the same
    while the kernel inside is annealed, and two layers of the same shape share it.
    """

    kernel: Kernel
    seed: int = 1000

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"Shuffled.seed: expected 0 to 2**63 - 1, got {self.seed}")
        if isinstance(self.kernel, Shuffled):
            raise ValueError("Shuffled.kernel: already shuffled; shuffle the kernel inside it once")

    def strength(self, distance: Tensor) -> Tensor:
        import torch  # here: describing a kernel does not need it

        strength = self.kernel.strength(distance)
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(strength.numel(), generator=generator, device="cpu")
        return strength.flatten()[order].reshape(strength.shape)

    def share_below(self, threshold: float) -> float:
        return self.kernel.share_below(threshold)

    def label(self) -> str:
        return f"shuffled {self.kernel.label()}"


@register("averaged")
@dataclass(frozen=True, kw_only=True)
class Averaged(Kernel):
    r"""A per-layer scalar: the power mean $(\overline{K^p})^{1/p}$ of another kernel's values.

    It keeps neither positions nor differences between weights. `power` is p: 1 for the mean, 2 for
    the root mean square, which preserves the root mean square of the initial effective weights.
    """

    kernel: Kernel
    power: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        if self.power not in (1, 2):
            raise ValueError(
                f"Averaged.power: expected 1 (mean) or 2 (root mean square), got {self.power}"
            )

    def strength(self, distance: Tensor) -> Tensor:
        strength = self.kernel.strength(distance)
        average = float(strength.pow(self.power).mean()) ** (1 / self.power)
        return strength.new_full(strength.shape, average)

    def label(self) -> str:
        return f"{'mean' if self.power == 1 else 'root mean square'} of {self.kernel.label()}"


@register("scaled")
@dataclass(frozen=True, kw_only=True)
class Scaled(Kernel):
    r"""Another kernel, scaled to a layer's weights: $c K / \sqrt{\text{fan in}}$.

    The initial weights have a standard deviation of $\sqrt{2 / \text{fan in}}$, so as a cap this
    kernel binds equally in every layer. `factor` is c; the fan-in is the number of columns of the
    distances.
    """

    kernel: Kernel = field(default_factory=Uniform)
    factor: float = 3.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.factor <= 0.0:
            raise ValueError(f"Scaled.factor: expected a number > 0, got {self.factor}")

    def strength(self, distance: Tensor) -> Tensor:
        return self.kernel.strength(distance) * (self.factor / math.sqrt(distance.shape[1]))

    def label(self) -> str:
        return f"{self.factor:g} / √(fan in) times {self.kernel.label()}"


@register("thresholded")
@dataclass(frozen=True, kw_only=True)
class Thresholded(Kernel):
    r"""Another kernel with exact zeros: $K$ where $K \ge t$, and 0 otherwise. `least` is t.

    The log counts kernel values below 0.1 as sparsity. Here the effective weights at these values
    are exactly zero, and get no gradient. Sharpening increases their number.
    """

    kernel: Kernel
    least: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0.0 < self.least <= 1.0:
            raise ValueError(f"Thresholded.least: expected 0 < least <= 1, got {self.least}")

    def strength(self, distance: Tensor) -> Tensor:
        strength = self.kernel.strength(distance)
        return strength * (strength >= self.least)

    def share_below(self, threshold: float) -> float:
        return self.kernel.share_below(max(threshold, self.least))

    def label(self) -> str:
        return f"{self.kernel.label()}, 0 below {self.least:g}"


@register("blend")
@dataclass(frozen=True, kw_only=True)
class Blend(Kernel):
    r"""Interpolation between two kernels: $K = (1 - w) K_0 + w K_1$. Log, v4, for annealing."""

    start: Kernel
    end: Kernel
    weight: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0.0 <= self.weight <= 1.0:
            raise ValueError(f"Blend.weight: expected 0 <= weight <= 1, got {self.weight}")

    def strength(self, distance: Tensor) -> Tensor:
        # lerp is exact at both ends, so an annealed kernel reaches its end exactly.
        return self.start.strength(distance).lerp(self.end.strength(distance), self.weight)


def sharpened(kernel: Kernel, k: float) -> Kernel:
    """The same kernel with another decay rate k.

    A shuffled, averaged, scaled or thresholded kernel gets the new rate in the kernel inside it.

    Raises
    ------
    TypeError : the kernel has no rate k.
    """
    if isinstance(kernel, Shuffled | Averaged | Scaled | Thresholded):
        return dataclasses.replace(kernel, kernel=sharpened(kernel.kernel, k))
    if not any(part.name == "k" for part in dataclasses.fields(kernel)):  # type: ignore[arg-type]
        raise TypeError(f"{type(kernel).__name__} has no rate k to sharpen; use Exponential")
    return dataclasses.replace(kernel, k=float(k))  # type: ignore[type-var]


def share_below(strengths: Iterable[Tensor], threshold: float = 0.1) -> float:
    """Measured fraction of kernel values below a threshold, over all layers.

    This is the log's "sparsity" (v10: "% of kernel values < 0.1"): small values, not zeros.

    Parameters
    ----------
    strengths : the kernel values of each layer, (out, in); layers are weighted by connections.
    threshold : a kernel value.
    """
    below = total = 0
    for strength in strengths:
        below += int((strength < threshold).sum())
        total += strength.numel()
    if total == 0:
        raise ValueError("share_below: expected the kernel values of at least one layer")
    return below / total
