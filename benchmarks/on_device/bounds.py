"""Limits on the speed of a stack: the device's rates of copying and of matrix products."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def synchronised(device: str) -> None:
    """Wait until the device has finished all submitted work."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds(work: Callable[[], object], device: str, times: int = 7) -> float:
    """Median seconds of the work, after two warm-up repetitions."""
    found = []
    for _ in range(times + 2):
        synchronised(device)
        started = time.perf_counter()
        work()
        synchronised(device)
        found.append(time.perf_counter() - started)
    return statistics.median(found[2:])


def rates(device: str, small: bool) -> dict[str, float]:
    """Bytes per second of a copy (read plus write), operations per second of matrix products.

    Products are a square one, and that of the first layer with 100 runs of 10 seeds, batch 128.
    """
    import torch

    size, side, seeds = (2**24, 512, 2) if small else (2**29, 8192, 10)
    found = {"copy_bytes": 8.0 * size / _copying(size, device)}
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    x = torch.randn(seeds, 128, 3072, device=device)
    wide = torch.randn(seeds, 256 if small else 2560, 3072, device=device).transpose(1, 2)
    for name, precision in (("float32", "highest"), ("tf32", "high")):
        torch.set_float32_matmul_precision(precision)
        found[f"{name}_flops"] = 2.0 * side**3 / seconds(lambda: a @ b, device)
        operations = 2.0 * x.numel() * wide.shape[2]
        found[f"{name}_first_layer_flops"] = operations / seconds(
            lambda: torch.bmm(x, wide), device
        )
    torch.set_float32_matmul_precision("highest")
    return found


def _copying(size: int, device: str) -> float:
    """Seconds for copying `size` numbers; the memory is freed afterwards."""
    import torch

    source = torch.rand(size, device=device)
    target = torch.empty_like(source)
    return seconds(lambda: target.copy_(source), device)
