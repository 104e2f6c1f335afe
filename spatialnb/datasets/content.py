"""The content of an edition apart from how it was packed: its digest, and the order of samples."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping


def split_names(names: Iterable[str], split: str) -> list[str]:
    """The names {split}/<class>/<file> in the order of samples, round the classes.

    First the first file of every class in
    alphabetical order, then the second of every class, and so on.
    """
    place: Counter[str] = Counter()
    placed = []
    for name in sorted(name for name in names if name.startswith(f"{split}/")):
        label = name.split("/")[1]
        placed.append((place[label], name))
        place[label] += 1
    return [name for _, name in sorted(placed)]


def digest(contents: Mapping[str, bytes]) -> str:
    """SHA-256 of the listing "<sha256 of a file>  <its name>", one line a file, sorted by name.

    It sees names and bytes and not how they were packed. The same from a shell, inside the folder:
    ``find train test -name '*.jpg' | LC_ALL=C sort | xargs sha256sum | sha256sum``.
    """
    listing = hashlib.sha256()
    for name in sorted(contents):
        listing.update(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n".encode())
    return listing.hexdigest()
