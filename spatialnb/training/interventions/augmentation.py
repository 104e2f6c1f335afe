"""Random shifts and horizontal flips of training images, as is usual for CIFAR-10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from spatialnb.config.intervention import Intervention
from spatialnb.config.run import Run

PADDING = 4
"""Pixels of padding at each side before an image is cropped. He et al. 2016."""


@dataclass(frozen=True, kw_only=True)
class CropAndFlip(Intervention):
    """Pads every training image with zeros, crops it at random and flips it with probability 0.5.

    Zero refers to the network's inputs: for standardised images, it is the mean of the channel.
    Test images are not changed.
    """

    @classmethod
    def asked_by(cls, run: Run) -> CropAndFlip | None:
        return None if run.augmentation is None else cls()

    def augment(self, x: Tensor) -> Tensor:
        return crop_and_flip(x, self.training.data.shape, self.training.generator)


def crop_and_flip(x: Tensor, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Shift each image of a batch (batch, features) by up to 4 pixels, and flip some of them.

    Parameters
    ----------
    x : images, flattened channel by channel.
    shape : of one image, (channels, height, width).
    generator : the only source of randomness, on the CPU.

    Raises
    ------
    ValueError : `shape` is not that of an image.
    """
    if len(shape) != 3:
        raise ValueError(f"augmentation: only images can be cropped, got inputs {tuple(shape)}")
    channels, height, width = shape
    count = len(x)
    offsets = torch.randint(0, 2 * PADDING + 1, (2, count, 1), generator=generator)
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    padded = pad(x.view(count, channels, height, width), (PADDING,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # by offset, without a copy
    top, left = offsets[..., 0].to(x.device)
    moved = windows[torch.arange(count, device=x.device), :, top, left]
    moved = torch.where(mirrored[..., None, None].to(x.device), moved.flip(3), moved)
    return moved.reshape(count, -1)
