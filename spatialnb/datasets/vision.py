"""MNIST and the original CIFAR-10, through torchvision."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from spatialnb.datasets.images import image_tensors
from spatialnb.datasets.torchvision_shim import import_torchvision


def download(name: str, root: Path) -> None:
    """Downloads "mnist" or "cifar10" into `root`, or unpacks the archive that lies there.

    Raises
    ------
    RuntimeError, OSError : no mirror could be reached, or a file has another MD5.
    """
    datasets = import_torchvision().datasets
    {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}[name](root, download=True)


def mnist(found: Path) -> dict[str, Tensor]:
    """The tensors of MNIST, from the folder of its four IDX files, checked before."""
    import_torchvision()
    from torchvision.datasets.mnist import read_image_file, read_label_file

    tensors = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        tensors[f"{split}.x"] = read_image_file(str(found / f"{stem}-images-idx3-ubyte"))
        tensors[f"{split}.y"] = read_label_file(str(found / f"{stem}-labels-idx1-ubyte"))
    return image_tensors(tensors, channels=1)


def cifar10(found: Path) -> dict[str, Tensor]:
    """The tensors of CIFAR-10, from the folder of its batches.

    torchvision checks their MD5s before it reads them, which matters: they are pickles.
    """
    datasets = import_torchvision().datasets
    tensors = {}
    for split in ("train", "test"):
        data = datasets.CIFAR10(found.parent, train=split == "train")
        tensors[f"{split}.x"] = torch.from_numpy(data.data).permute(0, 3, 1, 2)
        tensors[f"{split}.y"] = torch.tensor(data.targets)
    return image_tensors(tensors, channels=3)
