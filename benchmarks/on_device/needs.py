"""Requirements of the measurement, checked before torch is imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys

PYTHON = (3, 11)
TORCH = (2, 6)
PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "PIL": "pillow",
    "safetensors": "safetensors",
    "filelock": "filelock",
    "lazy_loader": "lazy_loader",
    "platformdirs": "platformdirs",
    "tqdm": "tqdm",
}
"""Modules, and the packages that contain them; MNIST also needs torchvision."""
EDITIONS = {"cifar10-jpeg": ("PIL",), "mnist": ("torchvision",)}
"""Data sets, and the modules that read them; without MNIST, half of the log is left out."""


def missing(device: str, made_images: bool) -> list[str]:
    """Missing requirements in words, as far as they can be checked without torch."""
    found = []
    if sys.version_info < PYTHON:
        found.append(f"Python {'.'.join(map(str, PYTHON))} or newer (this is {sys.version[:6]})")
    absent = [
        name
        for module, name in PACKAGES.items()
        if importlib.util.find_spec(module) is None and not (made_images and module == "PIL")
    ]
    if absent:
        return [*found, f"packages: {', '.join(absent)}"]
    found += _wrong_torch(device)
    if not made_images and (said := absent_data("cifar10-jpeg")):
        found.append(said)
    return found


def _wrong_torch(device: str) -> list[str]:
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return []  # a custom build, which is checked when it is imported
    if tuple(map(int, version.split(".")[:2])) < TORCH:
        return [f"torch {'.'.join(map(str, TORCH))} or newer (this is {version})"]
    if device.startswith("cuda") and version.endswith("+cpu"):
        return [f"torch with CUDA (this is {version})"]
    return []


def absent_data(edition: str) -> str:
    """Why a data set cannot be read, in words; empty if it can."""
    from spatialnb.datasets.published import SOURCES
    from spatialnb.datasets.root import data_root

    for module in EDITIONS[edition]:
        if importlib.util.find_spec(module) is None:
            return f"{edition}, as {module} is not installed"
    try:
        root = data_root()
    except ValueError as error:
        return f"{edition} ({error})"
    source = SOURCES[edition]
    return "" if source.candidates(root) else f"{edition} in {root}: {source.wanted}"


def without_device(device: str) -> str:
    """Why torch cannot use the device, in words; empty if it can. Imports torch."""
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        return f"a CUDA device that torch {torch.__version__} can use"
    try:
        torch.ones(2, device=device).sum().item()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        return f"the device {device} ({str(error).splitlines()[0]})"
    return ""
