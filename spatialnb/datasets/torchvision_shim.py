"""Import torchvision, even with a torch that it was not compiled for."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from typing import Any

import torch

from spatialnb.extras import needed

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> Any:
    """Import the torchvision module.

    PyPI's Linux wheel of torchvision is built against CUDA. With a CPU-only torch its operator
    library cannot be loaded, and ``import torchvision`` fails because it refers to
    ``torchvision::nms`` and ``torchvision::qnms``, which are then missing (pytorch/vision issues
    8985, 9085). Reading data sets needs neither, so missing operators are declared by schema only.
    With a matching build the library loads, and nothing is declared.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is not None and spec.submodule_search_locations:
        _load_operators(spec.submodule_search_locations[0])
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", SCHEMA)
    return needed("torchvision")


def _load_operators(folder: str) -> None:
    """Load torchvision's operator library, as torchvision itself does first."""
    loader = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    library = importlib.machinery.FileFinder(folder, loader).find_spec("_C")
    if library is None or library.origin is None:
        return
    try:
        torch.ops.load_library(library.origin)  # type: ignore[no-untyped-call]
    except (ImportError, OSError):
        return  # built for another torch: the operators stay missing
