"""Disk cache of decoded tensors: one safetensors file per edition, checked on reading."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

FORMAT = "3"  # of the cached files; increased when their content changes


class Cached(NamedTuple):
    """Decoded tensors, the digest of their source files, and the digest of the tensors."""

    tensors: Mapping[str, Tensor]
    digest: str
    decoded: str


def decoded_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over decoded tensors, since versions of a decoder may give different pixels."""
    value = hashlib.sha256()
    for name in sorted(tensors):
        value.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)}\n".encode())
        value.update(tensors[name].contiguous().numpy().data)
    return value.hexdigest()


def read(path: Path, key: Mapping[str, str]) -> Cached | None:
    """Read the cached tensors at `path`, or return None.

    None if there is no file, if it was made under another `key`, or if it is damaged. The tensors
    are memory-mapped, so processes that read the same file share its memory.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            state = dict(stored.metadata() or {})
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        whole = state.pop("checksum", None) == _checksum(tensors, state)
    except (OSError, SafetensorError, TypeError, ValueError):  # TypeError: a dtype NumPy lacks
        return None
    digest, decoded = state.pop("sha256", ""), state.pop("decoded", "")
    fits = whole and state == {"format": FORMAT, **key}
    return Cached(tensors, digest, decoded) if fits else None


def write(path: Path, key: Mapping[str, str], tensors: Mapping[str, Tensor], digest: str) -> Cached:
    """Write tensors to the cache at `path`, completely or not at all, and return them.

    Only one process may write a path at a time.

    Raises
    ------
    OSError : the file cannot be written; an earlier file is kept.
    """
    decoded = decoded_digest(tensors)
    state = {"format": FORMAT, **key, "sha256": digest, "decoded": decoded}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    try:
        save_file(dict(tensors), temporary, state | {"checksum": _checksum(tensors, state)})
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:  # safetensors' own error for a full disk
        raise OSError(
            f"{path} cannot be written ({error}): free space, or choose another folder with the "
            "environment variable SPATIALNB_CACHE"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return Cached(tensors, digest, decoded)


def _checksum(tensors: Mapping[str, Tensor], state: Mapping[str, str]) -> str:
    """CRC-32 over everything in a cached file; detects accidents, not tampering."""
    shapes = [[name, str(tensors[name].dtype), tensors[name].shape] for name in sorted(tensors)]
    value = zlib.crc32(json.dumps([shapes, dict(sorted(state.items()))]).encode())
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].numpy().data, value)
    return f"{value:08x}"
