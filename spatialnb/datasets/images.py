"""JPEG files to pixels, and the statistics that standardise them."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spatialnb.datasets.content import split_names

CHUNK = 5_000  # images summed at a time, so that the wide integers stay small


def jpeg_tensors(files: Mapping[str, bytes], size: tuple[int, int]) -> dict[str, Tensor]:
    """The tensors of an image folder, {train,test}/<class>/<name>.jpg.

    Labels count the classes in alphabetical order; samples are in the order of `split_names`.
    Decoding is one loop: for images this small, threads wait for each other and take longer.

    Parameters
    ----------
    files : content by name.
    size : (height, width) that every image must have.

    Raises
    ------
    ValueError : a file is not an RGB JPEG of that size.
    """
    labels = sorted({name.split("/")[1] for name in files})
    tensors = {}
    for split in ("train", "test"):
        names = split_names(files, split)
        x = np.empty((len(names), 3, *size), dtype=np.uint8)
        for row, name in zip(x, names, strict=True):
            row[:] = _decode(name, files[name], size).transpose(2, 0, 1)
        tensors[f"{split}.x"] = torch.from_numpy(x)
        tensors[f"{split}.y"] = torch.tensor([labels.index(name.split("/")[1]) for name in names])
    return image_tensors(tensors, channels=3)


def _decode(name: str, content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if image.mode == "RGB" and (image.height, image.width) == size:
                return np.asarray(image)
            got = f"is {image.mode} of {image.height}x{image.width}"
    except (OSError, SyntaxError) as error:
        got = f"cannot be decoded ({error})"
    raise ValueError(f"{name} {got}, expected a JPEG, RGB of {size[0]}x{size[1]} pixels")


def image_tensors(tensors: dict[str, Tensor], channels: int) -> dict[str, Tensor]:
    """The same splits with images flattened channel by channel, and their "mean" and "std".

    Both are (channels,) float32, over all pixels of the training split, in grey levels. A channel
    that never varies gets std 1.
    """
    for split in ("train", "test"):
        tensors[f"{split}.x"] = tensors[f"{split}.x"].flatten(1).contiguous()
    x = tensors["train.x"].view(len(tensors["train.x"]), channels, -1)
    total = torch.zeros(channels, dtype=torch.int64)
    squares = torch.zeros(channels, dtype=torch.int64)
    for part in torch.split(
        x, CHUNK
    ):  # whole numbers, so that the result does not depend on the order
        wide = part.long()
        total += wide.sum((0, 2))
        squares += wide.square().sum((0, 2))
    pixels = x.shape[0] * x.shape[2]
    mean = total.double() / pixels
    std = (squares.double() / pixels - mean.square()).sqrt()
    std[total.square() == squares * pixels] = 1.0
    return tensors | {"mean": mean.float(), "std": std.float()}
