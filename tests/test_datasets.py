"""The catalogue, the quick editions, and what is said when data are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from spatialnb import datasets
from spatialnb.datasets import cache, catalogue, fetch, published
from spatialnb.records.store import default_store

QUICK = [entry.name for entry in datasets.editions() if entry.quick]
DOWNLOADED = [entry.name for entry in datasets.editions() if not entry.quick]


def refuse(*_arguments, **_options):
    raise URLError("no network")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.retrieve", refuse)
    monkeypatch.setattr(fetch.vision, "download", refuse)


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"'cifar-10'; known: mnist, .*mean 'cifar10'\?"):
        datasets.load("cifar-10")


def test_editions_are_listed_without_importing_torch():
    code = (
        "import sys; from spatialnb import datasets; names = datasets.editions(); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_data_root_prefers_the_argument_to_the_variable_to_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SPATIALNB_DATA", str(tmp_path))
    assert datasets.data_root("elsewhere") == Path("elsewhere")
    assert datasets.data_root() == tmp_path
    monkeypatch.delenv("SPATIALNB_DATA")
    assert datasets.data_root().parts[-2:] == ("spatialnb", "data")


@pytest.mark.parametrize("name", QUICK)
def test_quick_editions_are_what_the_catalogue_says(name):
    entry, data = datasets.edition(name), datasets.load(name)
    assert data.quick
    assert data.sha256 == entry.sha256  # pinned: another number means another data set
    assert data.train.x.shape == (entry.train, entry.features)
    assert data.test.x.shape == (entry.test, entry.features)
    for split in (data.train, data.test):
        assert split.x.dtype == (torch.uint8 if entry.kind == "image" else torch.float32)
        assert split.y.dtype == torch.int64
        assert split.y.unique().tolist() == list(range(entry.classes))


@pytest.mark.parametrize("name", QUICK)
def test_quick_editions_are_learnable_above_chance_and_not_solved(name):
    data = datasets.load(name)
    train = data.inputs(data.train, torch.arange(len(data.train.y)))
    test = data.inputs(data.test, torch.arange(len(data.test.y)))
    model = LogisticRegression(C=1.0 if data.classes == 2 else 0.01, max_iter=1_000)
    score = model.fit(train, data.train.y).score(test, data.test.y)
    assert 0.75 < score < 0.97  # measured 0.87 to 0.90; chance is 0.1, or 0.5 for text


def test_image_inputs_are_standardised_per_channel():
    data = datasets.load("quick-colours")
    x = data.inputs(data.train, torch.arange(len(data.train.y))).double()
    channels = x.view(len(x), 3, -1)
    # 96,000 pixels a channel in float32: rounding of mean and std is below 1e-5.
    torch.testing.assert_close(channels.mean((0, 2)), torch.zeros(3).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        channels.std((0, 2), correction=0), torch.ones(3).double(), atol=1e-5, rtol=0
    )


def test_inputs_leave_the_split_as_it_is():
    data = datasets.load("quick-text")
    before = data.train.x.clone()
    data.inputs(data.train, torch.tensor([3, 1])).add_(1.0)
    assert torch.equal(data.train.x, before)


@pytest.mark.parametrize("name", DOWNLOADED)
@pytest.mark.usefixtures("offline")
def test_without_a_network_the_error_says_which_file_to_put_where(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"URLError: .*no network") as caught:
        datasets.load(name, tmp_path)
    message = str(caught.value)
    assert f"Put into {tmp_path}: " in message
    assert published.SOURCES[name].wanted in message
    assert "SPATIALNB_DATA" in message


def test_a_root_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(fetch.os, "access", lambda path, mode: False)
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        datasets.load("imdb", tmp_path)


def test_check_says_what_is_missing_and_downloads_nothing(tmp_path):
    rows = {row.edition: row for row in datasets.check(tmp_path)}
    assert list(rows) == list(catalogue.EDITIONS)
    assert not rows["imdb"].ok
    assert "aclImdb_v1.tar.gz" in rows["imdb"].message
    assert rows["quick-text"].ok
    assert list(tmp_path.iterdir()) == []


def test_check_reports_a_file_that_is_not_the_published_one(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in published.SOURCES["mnist"].md5:
        (folder / name).write_bytes(b"cut off")
    row = datasets.check(tmp_path)[0]
    assert not row.ok
    assert "is not the published file: its MD5 is" in row.message
    with pytest.raises(ValueError, match="is not the published file"):
        datasets.load("mnist", tmp_path)


def test_torchvision_imports_beside_this_build_of_torch():
    code = (
        "from spatialnb.datasets.torchvision_shim import import_torchvision as load; "
        "assert load() is load(); load().models.resnet18()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_shim_declares_nothing_that_is_there():
    # Declaring an operator twice is an error, so a second declaration would show.
    code = (
        "import torch; from spatialnb.datasets import torchvision_shim as shim; "
        "[torch.library.define(f'torchvision::{name}', shim.SCHEMA) for name in ('nms', 'qnms')]; "
        "shim._load_operators = lambda folder: None; shim.import_torchvision()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SHARED = """
import re, sys
from pathlib import Path
from spatialnb.datasets import cache

def own():  # kB that no other process can share
    return int(re.search(r"Anonymous:\\s+(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1])

before = own()
tensors, *_ = cache.read(Path(sys.argv[1]), {})
assert tensors["x"].sum() == 0
print(own() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say what is shared")
def test_what_is_read_from_the_cache_is_one_copy_for_all_processes(tmp_path):
    size = 64_000_000
    path = tmp_path / "x.safetensors"
    cache.write(path, {}, {"x": torch.zeros(size, dtype=torch.uint8)}, "")
    command = [sys.executable, "-c", SHARED, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert 1024 * int(said) < size / 8  # measured a hundredth


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("SPATIALNB_DATA", datasets.data_root),
        ("SPATIALNB_CACHE", datasets.cache_root),
        ("SPATIALNB_STORE", lambda: default_store().folders[0]),
    ],
)
def test_a_relative_folder_of_the_environment_is_taken_where_it_was_meant_or_refused(
    variable, folder, tmp_path, monkeypatch
):
    (tmp_path / "called").mkdir()
    (tmp_path / "works").mkdir()
    monkeypatch.setenv("PWD", str(tmp_path / "called"))
    monkeypatch.chdir(tmp_path / "called")
    monkeypatch.setenv(variable, "mine")
    assert folder() == Path("mine")
    monkeypatch.chdir(tmp_path / "works")  # as the kernel of a notebook does
    with pytest.raises(ValueError, match=f"{variable} is 'mine', but .* {tmp_path}/called/mine"):
        folder()
    monkeypatch.setenv(variable, str(tmp_path / "mine"))
    assert folder() == tmp_path / "mine"
    monkeypatch.setenv(variable, "~/mine")
    assert folder() == Path.home() / "mine"
