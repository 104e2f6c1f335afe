"""Decode JPEG files to pixels, and compute the statistics for standardisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatialnb.datasets.content import split_names
from spatialnb.extras import needed

CHUNK = 5_000  # images counted at a time, since counting converts them to wide integers


def jpeg_tensors(files: Mapping[str, bytes], size: tuple[int, int]) -> dict[str, Tensor]:
    """The tensors of an image folder, {train,test}/<class>/<name>.jpg.

    Labels number the classes in alphabetical order; samples are in the order of `split_names`.
    Decoding is a single loop, because threads are slower for images this small.

    Parameters
    ----------
    files : content by name.
    size : (height, width) that every image must have.

    Raises
    ------
    ValueError : a file is not a JPEG of that size.
    """
    image = needed("PIL.Image")  # here: only one data set has JPEG files
    labels = sorted({name.split("/")[1] for name in files})
    tensors = {}
    for split in ("train", "test"):
        names = split_names(files, split)
        x = np.empty((len(names), 3, *size), dtype=np.uint8)
        for row, name in zip(x, names, strict=True):
            row[:] = _decode(image, name, files[name], size).transpose(2, 0, 1)
        tensors[f"{split}.x"] = torch.from_numpy(x)
        tensors[f"{split}.y"] = torch.tensor([labels.index(name.split("/")[1]) for name in names])
    return image_tensors(tensors, channels=3)


def _decode(image: Any, name: str, content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode the pixels (height, width, 3) of a file with the module ``PIL.Image``."""
    height, width = size
    try:
        # Use the decoder directly: for images this small, parsing headers in Python takes as long.
        decoded = image.frombytes("RGB", (width, height), content, "jpeg", "RGB", "")
    except (OSError, ValueError) as error:
        raise ValueError(f"{name} is not a JPEG of {height}x{width} pixels ({error})") from error
    return np.frombuffer(decoded.tobytes(), dtype=np.uint8).reshape(height, width, 3)


def image_tensors(tensors: Mapping[str, Tensor], channels: int) -> dict[str, Tensor]:
    """Flatten the images of both splits channel by channel, and add their "mean" and "std".

    Both are (channels,) float32, over all pixels of the training split, in grey levels. A constant
    channel gets std 1.
    """
    flat = {split: tensors[f"{split}.x"].flatten(1).contiguous() for split in ("train", "test")}
    histogram = _histogram(flat["train"].numpy().reshape(len(flat["train"]), channels, -1))
    grey = np.arange(256)
    pixels = histogram.sum(axis=1)
    mean = histogram @ grey / pixels
    std = np.sqrt(histogram @ grey**2 / pixels - mean**2)
    std[(histogram > 0).sum(axis=1) == 1] = 1.0
    return {
        "train.x": flat["train"],
        "train.y": tensors["train.y"],
        "test.x": flat["test"],
        "test.y": tensors["test.y"],
        "mean": torch.from_numpy(mean.astype(np.float32)),
        "std": torch.from_numpy(std.astype(np.float32)),
    }


def _histogram(x: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each grey level occurs in each channel (channels, 256) of x (n, channels, pixels).

    Counts are integers, so the statistics do not depend on the order of summation.
    """
    counts = np.zeros((x.shape[1], 256), dtype=np.int64)
    for start in range(0, len(x), CHUNK):
        for channel in range(x.shape[1]):
            part = x[start : start + CHUNK, channel].reshape(-1)
            counts[channel] += np.bincount(part, minlength=256)
    return counts
