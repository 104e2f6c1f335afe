"""Load an edition: find or download its files, and decode them once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from spatialnb.datasets import cache, images, quick, vision
from spatialnb.datasets.catalogue import Edition, edition
from spatialnb.datasets.dataset import Dataset, Split
from spatialnb.datasets.fetch import fetch
from spatialnb.datasets.published import SOURCES, missing, read_first
from spatialnb.datasets.root import cache_root, data_root
from spatialnb.datasets.sources import fingerprint

LOG = logging.getLogger(__name__)

# Libraries that decode files. Another version may give different numbers, so the cache names it.
DECODERS = {
    "mnist": "torchvision",
    "cifar10": "torchvision",
    "cifar10-jpeg": "pillow",
    "imdb": "scikit-learn",
}


def load(name: str, root: str | Path | None = None) -> Dataset:
    """Load a data set; all processes of a machine share one copy, a memory-mapped cache file.

    Parameters
    ----------
    name : of an `Edition`.
    root : the data root, by default `data_root()`. Missing files are downloaded.

    Raises
    ------
    ValueError : no edition has that name, or its files are damaged or not the published ones.
    FileNotFoundError : its files are missing and cannot be downloaded; the message says which
        file to put where.
    """
    entry = edition(name)
    if entry.quick:
        return _dataset(entry, *quick.MAKERS[name](entry))
    return _dataset(entry, *_decoded(entry, data_root(root)))


def _decoded(entry: Edition, root: Path) -> cache.Cached:
    """The tensors and digests of an edition, from the cache, or decoded and then cached.

    If several processes need them at the same time, one decodes and the others wait.
    """
    folder = cache_root()
    path = folder / f"{entry.name}.safetensors"
    if cached := _cached(entry, SOURCES[entry.name].candidates(root), path):
        return cached
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{entry.name}.lock"):
        candidates = _candidates(entry, root)
        if cached := _cached(entry, candidates, path):
            return cached
        found, contents, digest, warning = read_first(entry, candidates)
        if warning:
            LOG.warning("%s", warning)
        LOG.info("decoding %s from %s", entry.name, found)
        tensors = _decode(entry, found, contents)
        return cache.write(path, _key(entry, found), tensors, digest)


def _cached(entry: Edition, candidates: Sequence[Path], path: Path) -> cache.Cached | None:
    """The cached tensors if they were made from one of these candidates, else None."""
    for found in candidates:
        if cached := cache.read(path, _key(entry, found)):
            return cached
    return None


def _candidates(entry: Edition, root: Path) -> list[Path]:
    source = SOURCES[entry.name]
    found = source.candidates(root)
    if not found:
        fetch(entry, root)
        found = source.candidates(root)
    if not found:
        raise FileNotFoundError(missing(entry, root, " although it was downloaded"))
    return found


def _key(entry: Edition, found: Path) -> dict[str, str]:
    decoder = DECODERS[entry.name]
    return {
        "edition": entry.name,
        "decoder": f"{decoder} {version(decoder)}",
        "source": fingerprint(SOURCES[entry.name], found),
    }


def _decode(entry: Edition, found: Path, contents: Mapping[str, bytes]) -> dict[str, Tensor]:
    match entry.name:
        case "mnist":
            return vision.mnist(found)
        case "cifar10":
            return vision.cifar10(found)
        case "cifar10-jpeg":
            return images.jpeg_tensors(contents, (entry.shape[1], entry.shape[2]))
        case _:
            from spatialnb.datasets.text import review_tensors  # scikit-learn is slow to import

            return review_tensors(contents, entry.features)


def _dataset(
    entry: Edition, tensors: Mapping[str, Tensor], digest: str, decoded: str = ""
) -> Dataset:
    if entry.kind == "image":
        pixels = entry.features // entry.shape[0]
        mean, std = (tensors[name].repeat_interleave(pixels) for name in ("mean", "std"))
    else:
        mean, std = torch.zeros(entry.features), torch.ones(entry.features)
    return Dataset(
        name=entry.name,
        title=entry.title,
        quick=entry.quick,
        train=Split(x=tensors["train.x"], y=tensors["train.y"]),
        test=Split(x=tensors["test.x"], y=tensors["test.y"]),
        shape=entry.shape,
        classes=entry.classes,
        mean=mean,
        std=std,
        sha256=digest,
        decoded=decoded,
    )
