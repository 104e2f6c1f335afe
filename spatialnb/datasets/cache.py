"""Decoded tensors kept on disk, one safetensors file an edition, noticed when stale or damaged."""

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

FORMAT = "3"  # of the cached files; raised when what they hold changes


class Cached(NamedTuple):
    """Decoded tensors, the digest of the files they were decoded from, and their own."""

    tensors: Mapping[str, Tensor]
    digest: str
    decoded: str


def decoded_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over decoded tensors: two versions of a decoder may give other pixels of one file."""
    value = hashlib.sha256()
    for name in sorted(tensors):
        value.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)}\n".encode())
        value.update(tensors[name].contiguous().numpy().data)
    return value.hexdigest()


def read(path: Path, key: Mapping[str, str]) -> Cached | None:
    """What is cached at `path`, or None.

    None if there are none, they were made from something else than `key` says, or they are not what
    was written. The tensors are mapped from the file, so processes that read the same one share its
    memory.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            state = dict(stored.metadata() or {})
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        whole = state.pop("checksum", None) == _checksum(tensors, state)
    except (OSError, SafetensorError, TypeError, ValueError):  # the third: numbers NumPy lacks
        return None
    digest, decoded = state.pop("sha256", ""), state.pop("decoded", "")
    fits = whole and state == {"format": FORMAT, **key}
    return Cached(tensors, digest, decoded) if fits else None


def write(path: Path, key: Mapping[str, str], tensors: Mapping[str, Tensor], digest: str) -> Cached:
    """Caches tensors at `path`: all of them or none, whenever it is interrupted.

    One process at a time writes one path. Returns what is cached.

    Raises
    ------
    OSError : it cannot be written; what was there before stays.
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
    except (OSError, SafetensorError) as error:  # the second is a full disk, in its own words
        raise OSError(
            f"{path} cannot be written ({error}): make room, or choose another folder by the "
            "environment variable SPATIALNB_CACHE"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return Cached(tensors, digest, decoded)


def _checksum(tensors: Mapping[str, Tensor], state: Mapping[str, str]) -> str:
    """CRC-32 over everything a cached file says. It is against accidents, not against people."""
    shapes = [[name, str(tensors[name].dtype), tensors[name].shape] for name in sorted(tensors)]
    value = zlib.crc32(json.dumps([shapes, dict(sorted(state.items()))]).encode())
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].numpy().data, value)
    return f"{value:08x}"
