"""The catalogue of editions: shape and size of each data set, without loading it or torch."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One exact version of a data set. Numbers from different editions are never compared.

    Parameters
    ----------
    name : the argument of `load`.
    title : for tables.
    kind : "image" (uint8 pixels) or "text" (float32 TF-IDF).
    shape : of one input, (channels, height, width) or (features,).
    classes : the number of classes; labels are 0 to classes - 1.
    train, test : numbers of samples.
    quick : whether it is generated or shipped with a dependency, for trials; never evidence.
    sha256 : the expected content digest (`content.digest`), or None if unknown.
    """

    name: str
    title: str
    kind: Literal["image", "text"]
    shape: tuple[int, ...]
    classes: int
    train: int
    test: int
    quick: bool = False
    sha256: str | None = None

    @property
    def features(self) -> int:
        """Number of inputs of a network, with samples flattened."""
        return math.prod(self.shape)


EDITIONS = {
    entry.name: entry
    for entry in (
        Edition(
            name="mnist",
            title="MNIST",
            kind="image",
            shape=(1, 28, 28),
            classes=10,
            train=60_000,
            test=10_000,
            sha256="474311efcf1fd213e64768801dc6195673bffb8385179d6c55cd8748b9e2e8ca",
        ),
        # The digest of the original files is not pinned: torchvision checks their MD5s.
        Edition(
            name="cifar10",
            title="CIFAR-10",
            kind="image",
            shape=(3, 32, 32),
            classes=10,
            train=50_000,
            test=10_000,
        ),
        Edition(
            name="cifar10-jpeg",
            title="CIFAR-10, JPEG edition",
            kind="image",
            shape=(3, 32, 32),
            classes=10,
            train=50_000,
            test=10_000,
            sha256="f10d4c9e536a564f17fa5e8d68ba087d1235e60cd1f21700e11ff43f0647bbb0",
        ),
        Edition(
            name="imdb",
            title="IMDB",
            kind="text",
            shape=(5_000,),
            classes=2,
            train=25_000,
            test=25_000,
            sha256="73de4d569fe0a6f3ed42e88391a03580628313090244ad9ace49c9594780ae61",
        ),
        Edition(
            name="quick-digits",
            title="Quick: scikit-learn's digits",
            kind="image",
            shape=(1, 8, 8),
            classes=10,
            train=1_400,
            test=397,
            quick=True,
            sha256="5fe147d4c9700e253b712d4898323d43d2286021c9211716ef61a9f6dfaf4387",
        ),
        Edition(
            name="quick-colours",
            title="Quick: made colour images",
            kind="image",
            shape=(3, 8, 8),
            classes=10,
            train=1_500,
            test=500,
            quick=True,
            sha256="81e90012860b993f163aa93a24755f7e1d8f8a98a5ea907e91d4981110760f7c",
        ),
        Edition(
            name="quick-text",
            title="Quick: made text",
            kind="text",
            shape=(200,),
            classes=2,
            train=1_000,
            test=400,
            quick=True,
            sha256="c212e1e7fc4e5bc92c7a10f583f0ea4bc73d81ad52dbba01736a0eaeee213848",
        ),
    )
}


def editions() -> tuple[Edition, ...]:
    """Every edition, published ones first."""
    return tuple(EDITIONS.values())


def edition(name: str) -> Edition:
    """The edition of that name.

    Raises
    ------
    ValueError : no edition has that name; the message lists the known names.
    """
    if name in EDITIONS:
        return EDITIONS[name]
    near = difflib.get_close_matches(name, EDITIONS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown data set {name!r}; known: {', '.join(EDITIONS)}.{hint}")
