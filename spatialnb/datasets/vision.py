"""MNIST and the original CIFAR-10, through torchvision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from spatialnb.datasets.images import image_tensors
from spatialnb.datasets.torchvision_shim import import_torchvision


def download(name: str, root: Path, folder: str) -> None:
    """Download "mnist" or "cifar10" into `root`, or unpack an archive that is already there.

    torchvision writes under the final names, so files of an unfinished download are removed.

    Parameters
    ----------
    folder : the folder for the files, below `root`.

    Raises
    ------
    RuntimeError, OSError : no mirror could be reached, or a file has another MD5.
    """
    datasets = import_torchvision().datasets
    maker = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}[name]

    def there() -> set[Path]:
        paths = {*(root / folder).rglob("*"), root / datasets.CIFAR10.filename}
        return {path for path in paths if path.is_file()}

    before = there()
    try:
        maker(root, download=True)
    except BaseException:
        for path in there() - before:
            path.unlink(missing_ok=True)
        raise


def mnist(found: Path) -> dict[str, Tensor]:
    """The tensors of MNIST, from the folder of its four IDX files, whose MD5s are checked before.

    Raises
    ------
    ValueError : a file does not match its header, or images and labels differ in number.
    """
    import_torchvision()
    from torchvision.datasets.mnist import read_image_file, read_label_file

    tensors = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        images, labels = found / f"{stem}-images-idx3-ubyte", found / f"{stem}-labels-idx1-ubyte"
        x, y = _idx(images, read_image_file), _idx(labels, read_label_file)
        if x.dtype != torch.uint8 or tuple(x.shape[1:]) != (28, 28) or len(x) != len(y):
            raise ValueError(
                f"{images} holds {x.dtype} of the shape {tuple(x.shape)} and {labels.name} "
                f"{len(y)} labels; expected bytes, 28x28 pixels per image, and a label for each"
            )
        if len(y) == 0 or not 0 <= int(y.min()) <= int(y.max()) <= 9:
            raise ValueError(f"{labels}: expected labels from 0 to 9")
        tensors[f"{split}.x"], tensors[f"{split}.y"] = x, y
    return image_tensors(tensors, channels=1)


def _idx(path: Path, read: Callable[[str], Tensor]) -> Tensor:
    """Read a file with torchvision, which raises errors of any kind for a wrong header."""
    try:
        return read(str(path))
    except Exception as error:
        raise ValueError(
            f"{path} is not a complete IDX file ({type(error).__name__}: {error}); delete it, so "
            "that it is downloaded again"
        ) from error


def cifar10(found: Path) -> dict[str, Tensor]:
    """The tensors of CIFAR-10, from the folder of its batches.

    The batches are pickles, which can execute code; no other data files here can. Before they are
    read, every file's MD5 is compared with the one in `published`, and torchvision compares it
    again. No practical second-preimage attack on MD5 is known.
    """
    datasets = import_torchvision().datasets
    tensors = {}
    for split in ("train", "test"):
        data = datasets.CIFAR10(found.parent, train=split == "train")
        tensors[f"{split}.x"] = torch.from_numpy(data.data).permute(0, 3, 1, 2)
        tensors[f"{split}.y"] = torch.tensor(data.targets)
    return image_tensors(tensors, channels=3)
