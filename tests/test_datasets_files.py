"""Archives, honest and hostile, and the cache, on tiny data sets made here."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import shutil
import stat
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from spatialnb import datasets
from spatialnb.datasets import catalogue, loading, published
from spatialnb.datasets.torchvision_shim import import_torchvision

TOP = "CIFAR-10-images-master"
COUNTS = {"train/cat": 3, "train/dog": 3, "test/cat": 1, "test/dog": 1}


def jpeg(seed: int, size: int = 32) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def images() -> dict[str, bytes]:
    names = [f"{folder}/{n:04}.jpg" for folder, count in COUNTS.items() for n in range(count)]
    return {f"{TOP}/{name}": jpeg(seed) for seed, name in enumerate(names)}


def write_tar(path, files, *extra: tarfile.TarInfo) -> None:
    with tarfile.open(path, f"w:{path.suffix[1:].removeprefix('tar')}") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))


def write_zip(path, files) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root and cache where cifar10-jpeg is two classes of four images each."""
    tiny = replace(published.SOURCES["cifar10-jpeg"], counts=COUNTS)
    entry = replace(catalogue.EDITIONS["cifar10-jpeg"], sha256=None)
    monkeypatch.setitem(published.SOURCES, "cifar10-jpeg", tiny)
    monkeypatch.setitem(catalogue.EDITIONS, "cifar10-jpeg", entry)
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the editions that were decoded, in order."""
    calls: list[str] = []
    decode = loading._decode

    def counted(entry, found, contents):
        calls.append(entry.name)
        return decode(entry, found, contents)

    monkeypatch.setattr(loading, "_decode", counted)
    return calls


def load(root):
    return datasets.load("cifar10-jpeg", root)


def same(one, other) -> bool:
    return one.sha256 == other.sha256 and all(
        torch.equal(getattr(a, part), getattr(b, part))
        for a, b in ((one.train, other.train), (one.test, other.test))
        for part in ("x", "y")
    )


def test_a_folder_and_every_kind_of_archive_give_the_same_data(root):
    for name, content in images().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    folder = load(root)
    for suffix in (".zip", ".tar", ".tar.bz2", ".tar.gz", ".tar.xz"):
        write = write_zip if suffix == ".zip" else write_tar
        path = root / f"{TOP}{suffix}"
        write(path, dict(reversed(images().items())))
        assert same(load(root), folder), suffix
        path.unlink()


def test_samples_go_round_the_classes_in_alphabetical_order(root):
    write_tar(root / f"{TOP}.tar", images())
    data = load(root)
    assert data.train.y.tolist() == [0, 1, 0, 1, 0, 1]
    content = images()[f"{TOP}/train/dog/0000.jpg"]
    with Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image).transpose(2, 0, 1).reshape(-1)
    assert np.array_equal(data.train.x[1].numpy(), pixels)


def test_other_files_of_an_archive_are_ignored(root):
    write_tar(root / f"{TOP}.tar", images() | {f"{TOP}/README.md": b"x" * 50_000})
    assert len(load(root).train.y) == 6


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = "/etc/passwd"
    return info


@pytest.mark.parametrize("name", ["/tmp/evil.jpg", f"{TOP}/../../evil.jpg", "..\\evil.jpg", "C:x"])
@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_a_member_that_leads_out_of_the_archive_is_refused(root, name, suffix):
    write = write_zip if suffix == ".zip" else write_tar
    write(root / f"{TOP}{suffix}", images() | {name: b""})
    with pytest.raises(ValueError, match="whose path leads out of the archive's folder"):
        load(root)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_a_link_or_special_member_is_refused(root, kind):
    write_tar(root / f"{TOP}.tar", images(), special(f"{TOP}/train/cat/0009.jpg", kind))
    with pytest.raises(ValueError, match="is a link or a special file"):
        load(root)


def test_a_link_in_a_zip_is_refused(root):
    link = zipfile.ZipInfo(f"{TOP}/train/cat/0009.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = root / f"{TOP}.zip"
    write_zip(path, images())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="is a link or a special file"):
        load(root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{TOP}/train/cat/0000.jpg": bytes(30_000)}, "has 30,000 bytes, more than the 20,000"),
        ({f"{TOP}/train/cat/0003.jpg": jpeg(9)}, r"train/cat holds 4 files .* expected 3"),
        ({f"{TOP}/test/dog/0000.jpg": None}, r"test/dog holds 0 files .* expected 1"),
        ({f"{TOP}/train/dog/0001.jpg": b"not one"}, "train/dog/0001.jpg is not a JPEG of 32x32"),
        ({f"{TOP}/train/dog/0001.jpg": jpeg(1)[:200]}, "train/dog/0001.jpg is not a JPEG"),
        ({f"{TOP}/train/dog/0001.jpg": jpeg(1, size=64)}, "train/dog/0001.jpg is not a JPEG"),
        ({f"{TOP}/train/dog/0001.jpg": jpeg(1, size=16)}, "train/dog/0001.jpg is not a JPEG"),
        ({f"./{TOP}/train/dog/0001.jpg": jpeg(1)}, "is there twice"),
    ],
)
def test_an_archive_with_another_content_is_refused(root, change, message):
    files = {name: content for name, content in (images() | change).items() if content is not None}
    write_tar(root / f"{TOP}.tar", files)
    with pytest.raises(ValueError, match=message):
        load(root)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".tar"])
def test_an_archive_that_is_cut_off_is_refused(root, suffix):
    path = root / f"{TOP}{suffix}"
    (write_zip if suffix == ".zip" else write_tar)(path, images())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        ValueError, match=r"truncated, damaged or not an archive|copy is incomplete"
    ):
        load(root)


def test_content_other_than_the_published_is_refused(root, monkeypatch):
    entry = replace(catalogue.EDITIONS["cifar10-jpeg"], sha256="0" * 64)
    monkeypatch.setitem(catalogue.EDITIONS, "cifar10-jpeg", entry)
    write_tar(root / f"{TOP}.tar", images())
    with pytest.raises(ValueError, match=r"is not the edition 'cifar10-jpeg': .* expected 0000"):
        load(root)
    (row,) = (row for row in datasets.check(root) if row.edition == "cifar10-jpeg")
    assert not row.ok
    assert "is not the edition" in row.message


def test_a_second_load_reads_the_cache_and_gives_the_same(root, decoded):
    write_tar(root / f"{TOP}.tar", images())
    first = load(root)
    assert same(load(root), first)
    assert decoded == ["cifar10-jpeg"]


def test_changed_source_files_are_decoded_anew(root, decoded):
    write_tar(root / f"{TOP}.tar", images())
    first = load(root)
    write_tar(root / f"{TOP}.tar", images() | {f"{TOP}/train/cat/0000.jpg": jpeg(99)})
    assert not same(load(root), first)
    assert decoded == ["cifar10-jpeg"] * 2


def damage(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    return {
        "cut off": content[:middle],
        "empty": b"",
        "one byte other": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "digest changed": content.replace(b'"sha256":"', b'"sha256":"0', 1),
        "another thing": b"no tensors" * 100,
    }[how]


@pytest.mark.parametrize(
    "how", ["cut off", "empty", "one byte other", "digest changed", "another thing"]
)
def test_a_damaged_cache_is_noticed_and_rebuilt(root, decoded, how):
    write_tar(root / f"{TOP}.tar", images())
    first = load(root)
    (path,) = datasets.cache_root().glob("*.safetensors")
    content = path.read_bytes()
    assert damage(content, how) != content
    path.write_bytes(damage(content, how))
    assert same(load(root), first)
    assert same(load(root), first)
    assert decoded == ["cifar10-jpeg"] * 2


def test_text_from_archives_learns_its_words_from_the_training_split_alone(tmp_path, monkeypatch):
    tiny = replace(
        published.SOURCES["imdb"],
        counts={f"{s}/{c}": 1 for s in ("train", "test") for c in ("neg", "pos")},
    )
    entry = replace(catalogue.EDITIONS["imdb"], sha256=None, shape=(3,))
    monkeypatch.setitem(published.SOURCES, "imdb", tiny)
    monkeypatch.setitem(catalogue.EDITIONS, "imdb", entry)
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    files = {
        "aclImdb/train/neg/0_1.txt": b"dull dull plot a I",
        "aclImdb/train/pos/0_9.txt": b"Great plot, zebra! yarn \xc3\xa9t\xc3\xa9",
        "aclImdb/test/neg/0_1.txt": b"great unseen unseen unseen",
        "aclImdb/test/pos/0_9.txt": b"nothing known",
        "aclImdb/train/unsup/0_0.txt": b"unseen",
    }
    write_tar(tmp_path / "aclImdb_v1.tar.gz", files)
    data = datasets.load("imdb", tmp_path)
    # Kept: dull and plot (twice each), then great, the first in the alphabet of those seen once.
    idf = np.log(3 / 2) + 1  # of a word in one of the two training texts; plot, in both, has 1
    neg = np.array([2 * idf, 0, 1]) / np.hypot(2 * idf, 1)
    pos = np.array([0, idf, 1]) / np.hypot(idf, 1)
    expected = np.array([neg, pos])
    np.testing.assert_allclose(data.train.x.numpy(), expected, rtol=1e-6)  # float32
    np.testing.assert_array_equal(data.test.x.numpy(), [[0, 1, 0], [0, 0, 0]])
    assert data.train.y.tolist() == [0, 1]


def test_the_original_cifar10_is_read_by_torchvision(tmp_path, monkeypatch):
    vision = import_torchvision().datasets.CIFAR10
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = np.arange(2 * 3_072, dtype=np.uint8).reshape(2, 3_072)
    contents = {
        "data_batch_1": {"data": pixels, "labels": [3, 9]},
        "test_batch": {"data": pixels[:1], "labels": [7]},
        "batches.meta": {"label_names": ["airplane"] * 10},
    }
    md5 = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        md5[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(vision, "train_list", [["data_batch_1", md5["data_batch_1"]]])
    monkeypatch.setattr(vision, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(vision, "meta", vision.meta | {"md5": md5["batches.meta"]})
    source = replace(published.SOURCES["cifar10"], md5=md5)
    monkeypatch.setitem(published.SOURCES, "cifar10", source)
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    data = datasets.load("cifar10", tmp_path)
    assert np.array_equal(data.train.x.numpy(), pixels)  # the file is channel-major already
    assert data.train.y.tolist() == [3, 9]
    assert data.test.y.tolist() == [7]


# ── What people have on their disks ─────────────────────────────────────────────────────────────


def unpack(folder, files=None) -> None:
    for name, content in (files or images()).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_a_folder_that_was_unpacked_into_one_of_its_own_name_is_found(root):
    unpack(root / TOP)
    inner = load(root)
    unpack(root)
    assert same(load(root), inner)


def test_a_zip_that_was_made_on_windows_is_read(root):
    write_tar(root / f"{TOP}.tar", images())
    expected = load(root)
    (root / f"{TOP}.tar").unlink()
    with zipfile.ZipFile(root / f"{TOP}.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{TOP}\\train\\"), "")
        for name, content in images().items():
            archive.writestr(zipfile.ZipInfo(name.replace("/", "\\")), content)
    assert same(load(root), expected)


@pytest.mark.parametrize("broken", [b"", b"PK not an archive", None], ids=["empty", "text", "cut"])
def test_a_broken_archive_does_not_hide_the_good_folder_beside_it(broken, root, caplog, decoded):
    unpack(root)
    expected = load(root)
    archive = root / f"{TOP}.zip"
    write_zip(archive, images())
    archive.write_bytes(archive.read_bytes()[:-100] if broken is None else broken)
    assert same(load(root), expected)
    assert decoded == ["cifar10-jpeg"]  # once: what was decoded of the folder is still good
    (row,) = (row for row in datasets.check(root) if row.edition == "cifar10-jpeg")
    assert row.ok
    assert row.found == root / TOP
    assert f"{root / TOP} is used, because: {archive} cannot be read" in row.message
    shutil.rmtree(datasets.cache_root())
    load(root)
    assert f"{archive} cannot be read" in caplog.text


def test_where_archive_and_folder_are_broken_the_archive_is_named(root):
    unpack(root, dict(list(images().items())[:3]))
    (root / f"{TOP}.zip").write_bytes(b"no")
    with pytest.raises(ValueError, match=rf"{TOP}\.zip cannot be read"):
        load(root)


def test_the_unpacked_folder_itself_is_no_root_and_that_is_said(root):
    unpack(root)
    (row,) = (row for row in datasets.check(root / TOP) if row.edition == "cifar10-jpeg")
    assert f"{root / TOP} is the unpacked folder itself: name its parent folder" in row.message


@pytest.mark.parametrize(
    ("edition", "file", "said"),
    [
        ("mnist", "MNIST/raw/t10k-labels-idx1-ubyte.gz", "unpack them (gunzip) into {}/MNIST/raw"),
        ("mnist", "train-images-idx3-ubyte.gz", "unpack them (gunzip) into {}/MNIST/raw"),
        ("mnist", "train-images-idx3-ubyte", "move them into {}/MNIST/raw"),
        ("mnist", "MNIST/raw/train-images-idx3-ubyte", "{}/MNIST/raw lacks train-labels-idx1-"),
        ("cifar10", "cifar-10-python.tar.gz", "unpack them (tar -xf) into {}."),
    ],
)
def test_files_that_are_there_and_packed_or_elsewhere_are_mentioned(edition, file, said, tmp_path):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(b"")
    (row,) = (row for row in datasets.check(tmp_path) if row.edition == edition)
    assert said.format(tmp_path) in row.message


@pytest.mark.parametrize("how", ["the variable", "an argument"])
def test_a_root_that_was_named_and_is_not_there_is_not_made(how, tmp_path, monkeypatch):
    root = tmp_path / "mistyped"
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    if how == "the variable":
        monkeypatch.setenv("SPATIALNB_DATA", str(root))
    with pytest.raises(FileNotFoundError, match=f"there is no folder {root}: create it, or name"):
        datasets.load("imdb", root if how == "an argument" else None)
    assert not root.exists()


def test_the_decoded_pixels_have_a_digest_of_their_own_that_the_cache_keeps(root, monkeypatch):
    write_tar(root / f"{TOP}.tar", images())
    first = load(root)
    assert re.fullmatch("[0-9a-f]{64}", first.decoded)
    assert load(root).decoded == first.decoded
    monkeypatch.setattr(loading, "version", lambda name: "another")
    decode = loading._decode

    def otherwise(*given):
        tensors = decode(*given)
        return tensors | {"train.x": tensors["train.x"] ^ 1}

    monkeypatch.setattr(loading, "_decode", otherwise)
    again = load(root)
    assert (again.sha256, again.decoded == first.decoded) == (first.sha256, False)
    assert datasets.load("quick-digits").decoded == ""
