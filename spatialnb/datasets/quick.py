"""Quick editions: small data sets that need no files or network, for trials. Never evidence.

The synthetic ones are computed from the raw 64-bit words of a PCG64 generator, which NumPy promises
not to change, with integer arithmetic, so that they are the same everywhere.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatialnb.datasets.catalogue import Edition
from spatialnb.datasets.content import digest
from spatialnb.datasets.images import image_tensors
from spatialnb.extras import needed

Made = tuple[dict[str, Tensor], str]  # tensors, and the digest of what they were made from


def digits(entry: Edition) -> Made:
    """scikit-learn's handwritten 8x8 digits: grey levels 0 to 16, times 15.

    The test split is the last 397, most of them by other writers than the first 1,400.
    """
    pixels, labels = needed("sklearn.datasets").load_digits(return_X_y=True)
    return _images(entry, (pixels * 15).astype(np.uint8), labels.astype(np.int64))


def colours(entry: Edition) -> Made:
    """Colour images: a pattern of 4x4 coloured tiles for each class, plus noise.

    Pixel = (tile + 4 · noise) / 5 with both uniform on 0 to 255, so most of the variance is noise.
    """
    samples = entry.train + entry.test
    channels, height, width = entry.shape
    tiles = _words(1, entry.classes * channels * 16).view(np.uint8)[::8]
    pattern = tiles.reshape(entry.classes, channels, 4, 4).astype(np.int64)
    pattern = pattern.repeat(height // 4, axis=2).repeat(width // 4, axis=3)
    labels = np.arange(samples) % entry.classes
    noise = _words(2, samples * entry.features // 8).view(np.uint8).reshape(samples, *entry.shape)
    pixels = (pattern[labels] + 4 * noise.astype(np.int64)) // 5
    return _images(entry, pixels.astype(np.uint8), labels)


def text(entry: Edition) -> Made:
    """Texts of 24 words from an artificial vocabulary of 256 words.

    One word in four comes from the class's half of the vocabulary, the others from all of it.
    """
    from spatialnb.datasets.text import text_tensors

    language = [a + b for a in SYLLABLES for b in SYLLABLES]
    samples = entry.train + entry.test
    words = _words(3, samples * 24).reshape(samples, 24) % 256
    labels = np.arange(samples) % entry.classes
    tilted = np.arange(24) % 4 == 0
    words = np.where(tilted, words // 2 + 128 * labels[:, None].astype(np.uint64), words)
    texts = [" ".join(language[int(word)] for word in row) for row in words]
    cut = entry.train
    tensors = text_tensors(
        {"train": texts[:cut], "test": texts[cut:]},
        {"train": labels[:cut].tolist(), "test": labels[cut:].tolist()},
        entry.features,
    )
    return tensors, digest({f"{number:04}.txt": text.encode() for number, text in enumerate(texts)})


SYLLABLES = (
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "ke",
    "li",
    "mo",
    "nu",
    "pa",
    "re",
    "si",
    "to",
    "vu",
    "za",
)
MAKERS = {"quick-digits": digits, "quick-colours": colours, "quick-text": text}


def _words(stream: int, count: int) -> NDArray[np.uint64]:
    """`count` random 64-bit words, little-endian on every machine."""
    return np.random.PCG64(stream).random_raw(count).astype("<u8")


def _images(entry: Edition, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Made:
    x, y = torch.from_numpy(pixels), torch.from_numpy(labels)
    tensors = {
        "train.x": x[: entry.train],
        "train.y": y[: entry.train],
        "test.x": x[entry.train :],
        "test.y": y[entry.train :],
    }
    content = {"pixels": pixels.tobytes(), "labels": labels.astype(np.uint8).tobytes()}
    return image_tensors(tensors, channels=entry.shape[0]), digest(content)
