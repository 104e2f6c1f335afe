"""The published data sets, where they are at hand."""

from __future__ import annotations

import time

import pytest
import torch

from spatialnb import datasets
from spatialnb.datasets import loading, status


def test_mnist_is_the_original(real_data):
    data = datasets.load("mnist", real_data)
    assert data.train.x.shape == (60_000, 784)
    assert data.test.x.shape == (10_000, 784)
    assert data.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert torch.bincount(data.test.y).tolist()[:3] == [980, 1135, 1032]
    # The figures everybody uses, 0.1307 and 0.3081 of full scale, to their last printed digit.
    assert data.mean[0].item() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert data.std[0].item() / 255 == pytest.approx(0.3081, abs=5e-5)
    assert data.sha256 == datasets.edition("mnist").sha256


def test_cifar10_jpeg_has_its_images_classes_and_order(real_data):
    data = datasets.load("cifar10-jpeg", real_data)
    assert data.shape == (3, 32, 32)
    assert torch.bincount(data.train.y).tolist() == [5_000] * 10
    assert torch.bincount(data.test.y).tolist() == [1_000] * 10
    assert data.train.y[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert data.train.x[0].sum().item() == 456420
    assert data.test.x[-1].sum().item() == 384887
    assert data.sha256 == datasets.edition("cifar10-jpeg").sha256


def test_imdb_has_its_reviews_as_tf_idf(real_data):
    data = datasets.load("imdb", real_data)
    for split in (data.train, data.test):
        assert split.x.shape == (25_000, 5_000)
        assert split.x.dtype == torch.float32
        assert torch.bincount(split.y).tolist() == [12_500, 12_500]
        norms = split.x[:1_000].norm(dim=1)
        torch.testing.assert_close(norms, torch.ones(1_000))  # rows of unit length, in float32
    assert torch.count_nonzero(data.train.x) == 2_956_059
    assert data.sha256 == datasets.edition("imdb").sha256


def test_a_cached_load_neither_decodes_nor_takes_long(real_data, monkeypatch):
    datasets.load("cifar10-jpeg", real_data)
    monkeypatch.setattr(loading, "_decode", None)
    start = time.process_time()
    datasets.load("cifar10-jpeg", real_data)
    assert time.process_time() - start < 1.0  # seconds of processor time; measured 0.1


def test_check_finds_the_real_files_and_their_content(real_data, monkeypatch):
    mnist = datasets.edition("mnist")  # alone, because reading the others takes seconds
    monkeypatch.setattr(status, "editions", lambda: (mnist,))
    (row,) = datasets.check(real_data)
    assert row.ok, row.message
    assert row.found == real_data / "MNIST" / "raw"
    assert mnist.sha256 in row.message
