"""A loaded data set: two splits as whole tensors, and the statistics to standardise them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

GREY_LEVELS = 255.0
"""The largest grey level of an image."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Inputs `x` (n, features), uint8 for images and float32 for text, and labels `y` (n,) int64.

    Samples are in the order of the source. If the source has one folder per class (cifar10-jpeg,
    imdb), the order cycles through the classes, so that the first samples are balanced.
    """

    x: Tensor
    y: Tensor

    def to(self, device: torch.device) -> Split:
        """The same split on a device."""
        return Split(x=self.x.to(device), y=self.y.to(device))


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One edition in memory.

    Parameters
    ----------
    name, title, quick, shape, classes : as in its `Edition`.
    train, test : the splits. Images are flattened channel by channel, (C, H, W) to features.
    mean, std : (features,) float32, of each channel over the training split, in grey levels
        0 to 255 for images; 0 and 1 for text.
    sha256 : digest of the content of the source files (`content.digest`), independent of the
        archive; for the quick editions, of the pixels or the generated documents. The same on every
        machine.
    decoded : SHA-256 of the decoded tensors, which may depend on the decoder's version; empty for
        the quick editions.
    """

    name: str
    title: str
    quick: bool
    train: Split
    test: Split
    shape: tuple[int, ...]
    classes: int
    mean: Tensor
    std: Tensor
    sha256: str
    decoded: str = ""

    def inputs(self, split: Split, index: Tensor) -> Tensor:
        """The samples `index` (b,) of `split` as network inputs, (b, features) float32.

        Images are standardised, (x - mean) / std; text is used as it is.
        """
        x = split.x.index_select(0, index)
        if x.is_floating_point():
            return x
        return x.float().sub_(self.mean).div_(self.std)

    def scaled(self, scaling: str | None) -> Dataset:
        """The same images, with inputs scaled to [0, 1] (``unit``) or [-1, 1] (``centred``).

        Raises
        ------
        ValueError : the data are not images.
        """
        if scaling is None:
            return self
        if self.train.x.is_floating_point():
            raise ValueError(f"input_scaling: {self.name} is not images; leave it out")
        shift, scale = {"unit": (0.0, GREY_LEVELS), "centred": (GREY_LEVELS / 2,) * 2}[scaling]
        mean, std = torch.full_like(self.mean, shift), torch.full_like(self.std, scale)
        return replace(self, mean=mean, std=std)

    def to(self, device: torch.device) -> Dataset:
        """The same data on a device; tensors that are already there are not copied."""
        return replace(
            self,
            train=self.train.to(device),
            test=self.test.to(device),
            mean=self.mean.to(device),
            std=self.std.to(device),
        )
