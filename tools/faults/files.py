"""Damaged, forged or hostile files, for every parser of the package."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import struct
from pathlib import Path
from unittest import mock

import torch
from PIL import Image

from spatialnb import studies
from spatialnb.commands import rerun
from spatialnb.config.run import Run
from spatialnb.datasets import archive, cache, images, vision
from spatialnb.records import weight_cache
from spatialnb.records.store import Record, RecordError, Store, read
from spatialnb.study import metrics
from tools.faults.trying import Trial, fault, made, mutant, scrambled


@fault(times=20_000, few=500)
def record_bytes(trial: Trial) -> None:
    """A record that is damaged, truncated, emptied or swapped with another.

    It is refused, with its name and what to do.
    """
    # Bytes are flipped, cut, emptied, doubled, spliced or swapped with another's.
    store = Store(trial.folder)
    path, others = store.add(made(1)), [store.add(made(seed)).read_bytes() for seed in (2, 3)]
    whole = path.read_bytes()
    for _ in trial.tries():
        damaged = whole
        while damaged == whole:
            other = trial.chance.choice([*others, b"", b"\0" * 700])
            damaged = mutant(whole, other, trial.chance)
        path.write_bytes(damaged)
        try:
            read(path)
            trial.wrong.append(f"not noticed: {damaged!r}")
        except RecordError as error:
            trial.expect(str(path) in str(error) and "not used" in str(error), f"{error}")


@fault(times=10_000, few=300)
def forged_record(trial: Trial) -> None:
    """A record with scrambled content and a valid checksum.

    It is refused, or its numbers can be read.
    """
    # If the record can be read, its numbers and its run must be there, or give a clear error.
    whole = made(1)
    for _ in trial.tries():
        config = whole.config if trial.chance.random() < 0.7 else None
        while not isinstance(config, dict):  # only an object has an id
            config = scrambled(whole.config, trial.chance)
        outcome = scrambled(whole.outcome, trial.chance)
        forged = Record(kind="run", config=config, outcome=outcome)
        path = trial.folder / f"{forged.id}.json"
        path.write_text(forged.to_json(), "utf-8")
        metric = trial.chance.choice(("accuracy", "train_loss", "sparsity"))

        def use() -> Record:
            found = read(path)  # noqa: B023
            with contextlib.suppress(ValueError):  # the record does not have this metric
                metrics.measure(found, metric)  # noqa: B023
            with contextlib.suppress(ValueError):  # the run is of another version
                assert isinstance(found.run, Run)
            return found

        trial.read_or_refuse(use, forged.to_json(), RecordError)
        path.unlink()


@fault(times=800, few=150)
def manifest(trial: Trial) -> None:
    """A damaged or scrambled manifest of a re-run.

    There is one clear error, unless it is still a valid manifest.
    """
    # Half of the tries damage bytes, the others scramble the content.
    given = {"seeds": [0, 1], "epochs": 2, "lr": 0.01, "dataset": "quick-digits"}
    given["arms"] = {"k = 5": {"kind": "exponential", "k": 5}}
    whole = {"format": rerun.FORMAT, "chapters": {"v01": given, "v03": {"definitions": ["a.py"]}}}
    text = json.dumps(whole, indent=2).encode()
    for number in trial.tries():
        damaged = mutant(text, b'{"format": "spatialnb-rerun/1"}' * 3, trial.chance)
        if number % 2:
            damaged = json.dumps(scrambled(whole, trial.chance)).encode()
        (trial.folder / rerun.MANIFEST).write_bytes(damaged)
        trial.read_or_refuse(
            lambda: list(rerun.load(trial.folder, studies.get)), repr(damaged), ValueError, OSError
        )


@fault(times=10_000, few=300)
def archives(trial: Trial) -> None:
    """A tar or zip archive with damaged bytes.

    There is a clear error, or its files are read and left to the checksum. Nothing is unpacked.
    """
    folder, wholes = trial.folder / "top", {}
    folder.mkdir()
    for name in "abcdef":
        (folder / name).write_bytes(trial.chance.randbytes(300))
    for kind in ("tar", "gztar", "xztar", "bztar", "zip"):
        made_at = Path(shutil.make_archive(str(trial.folder / "one"), kind, trial.folder, "top"))
        wholes[made_at] = made_at.read_bytes()
    shutil.rmtree(folder)
    for _ in trial.tries():
        path = trial.chance.choice(list(wholes))
        other = wholes[trial.chance.choice(list(wholes))]
        path.write_bytes(mutant(wholes[path], other, trial.chance))
        trial.read_or_refuse(
            lambda: [member.read() for member in archive.members(path)],  # noqa: B023
            path.name,
            ValueError,
        )
        trial.expect({*trial.folder.iterdir()} == {*wholes}, "something was unpacked")


@fault(times=4000, few=100)
def idx(trial: Trial) -> None:
    """An IDX file with a wrong header or damaged bytes, without its MD5 check.

    There is a clear error, or there are as many images as labels.
    """
    # One of the four files of a small MNIST.
    chance, good = trial.chance, {}
    for stem, count in (("train", 6), ("t10k", 3)):
        pixels, labels = chance.randbytes(count * 784), bytes(n % 10 for n in range(count))
        good[f"{stem}-images-idx3-ubyte"] = struct.pack(">IIII", 2051, count, 28, 28) + pixels
        good[f"{stem}-labels-idx1-ubyte"] = struct.pack(">II", 2049, count) + labels
    for _ in trial.tries():
        for name, content in good.items():
            (trial.folder / name).write_bytes(content)
        name, other = chance.choice(list(good)), good[chance.choice(list(good))]
        damaged = mutant(good[name], other, chance)
        if chance.random() < 0.5:  # the header alone
            head = bytearray(good[name][:16])
            head[chance.randrange(len(head))] = chance.randrange(256)
            damaged = bytes(head) + good[name][16:]
        (trial.folder / name).write_bytes(damaged)
        found = trial.read_or_refuse(
            lambda: vision.mnist(trial.folder), repr(damaged[:20]), ValueError
        )
        for split in ("train", "test") if found else ():
            same = len(found[f"{split}.x"]) == len(found[f"{split}.y"])
            trial.expect(same, f"{split}: images and labels differ in number")


@fault(times=10_000, few=300)
def jpegs(trial: Trial) -> None:
    """A JPEG file with damaged bytes, without its checksum.

    There is a clear error, or an image of the right size.
    """
    whole, big = io.BytesIO(), io.BytesIO()
    Image.frombytes("RGB", (32, 32), trial.chance.randbytes(3072)).save(whole, "JPEG")
    Image.new("RGB", (64, 48)).save(big, "JPEG")
    for _ in trial.tries():
        other = trial.chance.choice((big.getvalue(), b"GIF89a" * 20))
        damaged = mutant(whole.getvalue(), other, trial.chance)
        found = trial.read_or_refuse(
            lambda: images._decode(Image, "x.jpg", damaged, (32, 32)),  # noqa: B023
            "jpeg",
            ValueError,
        )
        trial.expect(found is None or found.shape == (32, 32, 3), "another shape")


@fault(times=4000, few=200)
def caches(trial: Trial) -> None:
    """A decoded data set, or the cached weights of a run, with damaged bytes.

    It is not used, and is made again.
    """
    key = {"edition": "x", "source": "y"}
    tensors = {"train.x": torch.arange(600, dtype=torch.uint8), "mean": torch.ones(3)}
    decoded, weighed = trial.folder / "x.safetensors", trial.folder / "a.kept"
    cache.write(decoded, key, tensors, "0" * 64)
    weights = {name: weight_cache.packed(name, {"0": torch.rand(9, 9)}) for name in ("a", "b")}
    weighed.write_bytes(weights["a"])
    places = {
        decoded: (decoded.read_bytes(), weights["a"], lambda: cache.read(decoded, key)),
        weighed: (weights["a"], weights["b"], lambda: weight_cache.read("a")),
    }
    with mock.patch.object(weight_cache, "path_of", lambda name: trial.folder / f"{name}.kept"):
        for _, _, use in places.values():
            trial.expect(use() is not None, "a whole file that is not read")
        for number in trial.tries():
            path = list(places)[number % 2]
            whole, other, use = places[path]
            damaged = mutant(whole, other, trial.chance)
            path.write_bytes(damaged)
            found = trial.read_or_refuse(use, path.name)
            trial.expect(damaged == whole or found is None, f"{path.name}: damaged, and used")
    trial.counts.clear()
