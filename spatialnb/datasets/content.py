"""Content of an edition, independent of how it is packed: its digest, and the sample order."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping


def split_names(names: Iterable[str], split: str) -> list[str]:
    """The names {split}/<class>/<file> in the order of samples, which cycles through the classes.

    First comes the first file of every class in alphabetical order, then the second of every class,
    and so on.
    """
    place: Counter[str] = Counter()
    placed = []
    for name in sorted(name for name in names if name.startswith(f"{split}/")):
        label = name.split("/")[1]
        placed.append((place[label], name))
        place[label] += 1
    return [name for _, name in sorted(placed)]


def digest(contents: Mapping[str, bytes]) -> str:
    """SHA-256 of the listing "<sha256 of a file>  <its name>", one line per file, sorted by name.

    It depends on names and bytes, not on packing. The same from a shell, inside the folder:
    ``find train test -name '*.jpg' | LC_ALL=C sort | xargs sha256sum | sha256sum``.
    """
    listing = hashlib.sha256()
    for name in sorted(contents):
        listing.update(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n".encode())
    return listing.hexdigest()
