"""Data that are hostile, broken or cut off: a clear error, nothing kept, the good cache whole."""

from __future__ import annotations

import bz2
import hashlib
import http.server
import io
import os
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spatialnb import datasets
from spatialnb.datasets import archive, cache, catalogue, loading, published, vision
from spatialnb.datasets.text import review_tensors
from spatialnb.datasets.torchvision_shim import import_torchvision

TEXTS = {
    f"aclImdb/{split}/{label}/0_{n}.txt": f"{label} word{n}".encode()
    for split in ("train", "test")
    for n, label in enumerate(("neg", "pos"))
}


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


GOOD = packed(TEXTS)
SERVED = {"good": GOOD, "half": GOOD, "other": packed({**TEXTS, "aclImdb/x": b"1"}), "text": b"no"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves what the first part of the path says; ``half`` of it and then hangs up."""

    def do_GET(self) -> None:
        what = self.path.split("/")[1]
        body = SERVED[what]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if what == "half" else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root where IMDB is four short reviews."""
    counts = dict.fromkeys(published.IMDB_FOLDERS, 1)
    monkeypatch.setitem(
        published.SOURCES, "imdb", replace(published.SOURCES["imdb"], counts=counts, md5=None)
    )
    entry = replace(catalogue.EDITIONS["imdb"], sha256=None, shape=(3,))
    monkeypatch.setitem(catalogue.EDITIONS, "imdb", entry)
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def from_(server: str, what: str, monkeypatch: pytest.MonkeyPatch, md5: str | None) -> None:
    source = replace(published.SOURCES["imdb"], url=f"{server}/{what}/aclImdb_v1.tar.gz", md5=md5)
    monkeypatch.setitem(published.SOURCES, "imdb", source)


MD5 = hashlib.md5(GOOD).hexdigest()


def test_a_whole_download_is_kept_and_read(
    server: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_(server, "good", monkeypatch, MD5)
    assert len(datasets.load("imdb", root).train.y) == 2
    assert [path.name for path in root.iterdir()] == ["aclImdb_v1.tar.gz"]


@pytest.mark.parametrize(
    ("what", "md5"),
    [("half", MD5), ("half", None), ("other", MD5), ("text", MD5), ("text", None)],
    ids=["half, known", "half", "other, known", "text, known", "text"],  # the sum changes each time
)
def test_a_download_that_stops_half_way_or_is_another_file_leaves_nothing(
    what: str, md5: str | None, server: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_(server, what, monkeypatch, md5)
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded .*Put into"):
        datasets.load("imdb", root)
    assert list(root.rglob("*")) == []
    assert not list(datasets.cache_root().glob("*.safetensors"))
    from_(server, "good", monkeypatch, MD5)  # and the next one succeeds
    assert len(datasets.load("imdb", root).train.y) == 2


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
@pytest.mark.parametrize("what", ["half", "other"])
def test_nothing_stays_of_a_download_that_torchvision_did_not_finish(
    name: str, what: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = import_torchvision().datasets
    monkeypatch.setattr(made.MNIST, "mirrors", [f"{server}/{what}/"])
    monkeypatch.setattr(made.CIFAR10, "url", f"{server}/{what}/{made.CIFAR10.filename}")
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    mine = tmp_path / "data" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"was there before")
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded .*Put into"):
        datasets.load(name, tmp_path / "data")
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == [mine]


def test_a_hostile_file_in_place_of_the_good_one_leaves_the_good_cache_as_it_was(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "aclImdb_v1.tar.gz"
    path.write_bytes(GOOD)
    state = path.stat()
    first = datasets.load("imdb", root)
    (kept,) = datasets.cache_root().glob("*.safetensors")
    before = kept.read_bytes()
    for bad in (b"", GOOD[:50], SERVED["text"], packed({**TEXTS, "/etc/passwd": b""})):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"aclImdb"):
            datasets.load("imdb", root)
        assert kept.read_bytes() == before
    path.write_bytes(GOOD)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    monkeypatch.setattr(loading, "_decode", None)  # from the cache
    assert torch.equal(datasets.load("imdb", root).train.x, first.train.x)


def test_a_missing_class_is_named(root: Path) -> None:
    some = {name: content for name, content in TEXTS.items() if "test/pos" not in name}
    (root / "aclImdb_v1.tar.gz").write_bytes(packed(some))
    with pytest.raises(ValueError, match=r"aclImdb/test/pos holds 0 files .* expected 1"):
        datasets.load("imdb", root)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1251"])
def test_a_review_in_another_encoding_is_named(encoding: str) -> None:
    files = {name.removeprefix("aclImdb/"): content for name, content in TEXTS.items()}
    text = "где é" if encoding == "cp1251" else "café é"
    files["train/pos/0_1.txt"] = text.encode(encoding, "ignore")
    with pytest.raises(ValueError, match=r"train/pos/0_1\.txt is not UTF-8 text"):
        review_tensors(files, 3)


# ── Bombs ───────────────────────────────────────────────────────────────────────────────────────


def read_all(path: Path) -> int:
    return sum(len(member.read()) for member in archive.members(path))


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(packed({f"a/{n}": bytes(100_000) for n in range(20)}))
    assert path.stat().st_size < 20_000
    assert read_all(path) == 2_000_000
    monkeypatch.setattr(archive, "MOST_BYTES", 1_000_000)
    with pytest.raises(ValueError, match=r"a\.tar\.gz declares more than 1,000,000 bytes"):
        read_all(path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("a", bytes(2_000_000))
    with pytest.raises(ValueError, match=r"b\.zip declares more than"):
        read_all(tmp_path / "b.zip")


def test_an_archive_of_very_many_members_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 5)
    (tmp_path / "a.tar.gz").write_bytes(packed({f"a/{n}": b"" for n in range(6)}))
    with pytest.raises(ValueError, match="or 5 members"):
        read_all(tmp_path / "a.tar.gz")


def test_a_zip_that_holds_more_than_it_announces_is_not_inflated(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("a.txt", bytes(50_000_000))
    lying = stream.getvalue().replace(struct.pack("<I", 50_000_000), struct.pack("<I", 100))
    path = tmp_path / "a.zip"
    path.write_bytes(lying)
    (member,) = archive.members(path)
    assert member.size == 100
    with pytest.raises(ValueError, match=r"a\.zip cannot be read"):
        member.read()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_a_method_that_inflates_before_it_looks_is_refused(
    method: int, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as bomb:
        bomb.writestr("a.txt", bytes(10_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 2000
    with pytest.raises(ValueError, match=r"a\.zip contains 'a\.txt', compressed by method 1"):
        read_all(tmp_path / "a.zip")


HOLES = [
    {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
    {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"},
    {"GNU.sparse.size": "9"},
]


@pytest.mark.parametrize("said", HOLES, ids=["1.0", "0.1", "0.0"])
def test_an_endless_list_of_holes_is_not_read(said: dict[str, str], tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = said
    head = info.tobuf(tarfile.PAX_FORMAT)
    (tmp_path / "a.tar.bz2").write_bytes(bz2.compress(head + b"999999999\n" + b"0\n" * 1_000_000))
    assert (tmp_path / "a.tar.bz2").stat().st_size < 2000
    with pytest.raises(ValueError, match=r"a\.tar\.bz2 cannot be read .*a sparse file"):
        read_all(tmp_path / "a.tar.bz2")


def test_an_old_file_with_holes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ValueError, match=r"a\.tar cannot be read .*a sparse file"):
        read_all(tmp_path / "a.tar")


def test_a_path_of_the_greatest_length_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(packed({"a/" * 2000 + "b": b"12345"}))
    assert read_all(tmp_path / "a.tar.gz") == 5


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [2**33, 2**21, 2**14, -5])
def test_a_header_that_announces_gigabytes_is_not_read(
    kind: bytes, size: int, tmp_path: Path
) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, max(size, 0)
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        head[124:136] = b"\xff" * 11 + bytes([256 + size])
        head[148:156] = b" " * 8
        head[148:156] = f"{sum(head):06o}\0 ".encode()
    (tmp_path / "a.tar").write_bytes(bytes(head) + bytes(1024))
    with pytest.raises(ValueError, match=r"a\.tar cannot be read"):
        read_all(tmp_path / "a.tar")


# ── MNIST's files ───────────────────────────────────────────────────────────────────────────────


def idx(folder: Path, **changes: bytes) -> Path:
    for stem in ("train", "t10k"):
        images = struct.pack(">IIII", 2051, 2, 28, 28) + bytes(range(256)) * 6 + bytes(32)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(images)
        labels = struct.pack(">II", 2049, 2) + bytes([3, 9])
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(labels)
    for name, content in changes.items():
        (folder / name.replace("_", "-")).write_bytes(content)
    return folder


def test_whole_idx_files_are_read(tmp_path: Path) -> None:
    assert vision.mnist(idx(tmp_path))["train.y"].tolist() == [3, 9]


PIXELS = bytes(2 * 784)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train_images_idx3_ubyte", b""),
        ("train_images_idx3_ubyte", struct.pack(">IIII", 2051, 2**31 - 1, 28, 28) + PIXELS),
        ("train_images_idx3_ubyte", struct.pack(">IIII", 2051, 2**32 - 1, 2**31, 2**31)),
        ("train_images_idx3_ubyte", struct.pack(">IIII", 2051, 1, 56, 28) + PIXELS),
        ("train_images_idx3_ubyte", struct.pack(">IIII", 0x0D03, 2, 28, 28) + PIXELS * 4),
        ("train_images_idx3_ubyte", struct.pack(">II", 2049, 2 * 784) + PIXELS),
        ("t10k_labels_idx1_ubyte", struct.pack(">II", 2049, 3) + bytes(3)),
        ("t10k_labels_idx1_ubyte", struct.pack(">II", 2049, 2) + bytes([3, 10])),
        ("t10k_labels_idx1_ubyte", struct.pack(">II", 2049, 0)),
        ("t10k_labels_idx1_ubyte", b"\x80\x05cposix\nsystem\n."),
    ],
)
def test_an_idx_file_whose_header_lies_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"idx\d-ubyte"):
        vision.mnist(idx(tmp_path, **{name: content}))


def test_no_batch_of_the_original_cifar10_is_unpickled_before_its_checksum_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    ran = tmp_path / "ran"
    evil = f"cposix\nsystem\n(S'touch {ran}'\ntR.".encode()
    for name in published.SOURCES["cifar10"].md5:
        (folder / name).write_bytes(evil)
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="is not the published file: its MD5 is"):
        datasets.load("cifar10", tmp_path / "data")
    assert not ran.exists()


def test_a_loose_file_of_terabytes_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in published.SOURCES["mnist"].md5:
        with (folder / name).open("wb") as file:
            file.truncate(2**40)  # a hole: it takes no room
    monkeypatch.setenv("SPATIALNB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="is not the published file"):
        datasets.load("mnist", tmp_path / "data")


# ── The cache ───────────────────────────────────────────────────────────────────────────────────


def test_a_cache_that_cannot_be_written_is_named_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.safetensors"
    cache.write(path, {"a": "b"}, {"t": torch.zeros(3)}, "0")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"x\.safetensors cannot be written .*free space"):
        cache.write(path, {"a": "b"}, {"t": torch.ones(3)}, "0")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_cache_that_is_something_else_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"t": torch.zeros(3, dtype=torch.bfloat16)}, path, {"checksum": "0"})
    assert cache.read(path, {}) is None  # numbers that NumPy does not have
    tensors, state = {"t": torch.zeros(3)}, {"format": "0"}
    save_file(tensors, path, {**state, "checksum": cache._checksum(tensors, state)})
    assert cache.read(path, {}) is None  # of another version, with a checksum that fits
    (tmp_path / "y.safetensors").mkdir()
    assert cache.read(tmp_path / "y.safetensors", {}) is None
