"""The summary of a network's weights, and how it is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spatialnb.analysis import weight_summary
from spatialnb.config.run import Run
from spatialnb.execution import trainer, weight_records
from spatialnb.priors.geometry import layer_distance
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Static
from spatialnb.records import weight_cache
from spatialnb.records.store import MissingError, RecordError, Store, published_folder, read
from spatialnb.training import loop, networks

RUN = Run(dataset="quick-colours", hidden=(12,), epochs=2, schedule=Static(kernel=Exponential()))


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPATIALNB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that holds the run."""
    found = Store(tmp_path)
    found.add(trainer.train_one(RUN)[0])
    return found


def test_a_kernels_own_strengths_come_back_by_distance() -> None:
    distance = layer_distance(256, 3072)
    strength = Exponential().strength(distance)
    layer = weight_summary.summarise({"0": -torch.ones_like(strength)}, {"0": -strength})["0"]
    assert layer["learned"] == [1.0] * weight_summary.BINS
    middles = (torch.arange(weight_summary.BINS, dtype=torch.float64) + 0.5) / weight_summary.BINS
    # In a bin of 1/32 a kernel of rate 3 is all but a line; in the last, nearer places are more.
    assert layer["effective"] == pytest.approx(Exponential().strength(middles).tolist(), rel=1e-2)
    assert sum(layer["connections"]) == 256 * 3072
    assert layer["shape"] == [256, 3072]


def test_a_picture_holds_means_of_blocks_with_four_digits() -> None:
    weight = torch.rand(64, 192, generator=torch.Generator().manual_seed(0)) - 0.5
    picture = weight_summary.summarise({"0": weight}, {"0": weight})["0"]["picture"]
    assert (len(picture), len(picture[0])) == (weight_summary.ROWS, weight_summary.COLUMNS)
    assert picture[3][5] == float(f"{weight[6:8, 10:12].abs().double().mean():.4g}")


def test_a_small_layer_is_shown_neuron_by_neuron_and_an_empty_bin_is_zero() -> None:
    weight = torch.tensor([[1.0, -2.0]])
    layer = weight_summary.summarise({"0": weight}, {"0": weight})["0"]
    assert layer["picture"] == [[1.0, 2.0]]
    assert [place for place, count in enumerate(layer["connections"]) if count] == [16]
    assert layer["learned"][16] == 1.5
    assert sum(layer["learned"]) == 1.5


def test_the_recorded_summary_is_that_of_the_trained_network(store: Store) -> None:
    record = weight_records.record_weights(RUN, store)
    effective = networks.effective_weights(loop.train(RUN).model)
    again = weight_summary.summarise(effective, effective)
    assert record.config["run"] == RUN.id
    for name, layer in record.outcome.items():
        assert layer["effective"] == again[name]["effective"]
        assert layer["picture"] == again[name]["picture"]
        assert all(
            raw >= acting for raw, acting in zip(layer["learned"], layer["effective"], strict=True)
        )
    assert record.provenance.keys() >= {"commit", "versions", "processor"}
    assert not weight_cache.path_of(RUN.id).exists()


def test_weights_are_recorded_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record = weight_records.record_weights(RUN, store)
    monkeypatch.setattr(weight_records, "train_one", None)
    assert weight_records.record_weights(RUN, store) == record
    assert weight_summary.weights_of(RUN, store) == record


def test_a_run_that_is_not_recorded_has_no_weights_to_record(store: Store) -> None:
    with pytest.raises(MissingError, match="is not recorded; make it with `spatialnb train`"):
        weight_records.record_weights(replace(RUN, seed=5), store)


def test_a_run_that_does_not_come_out_as_recorded_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = trainer.train_one(RUN).record
    store.add(replace(record, outcome={**record.outcome, "final": {}}))
    with pytest.raises(RecordError, match="again here gives a different outcome"):
        weight_records.record_weights(RUN, store)
    assert store.ids("weight") == set()


def test_a_failed_run_is_refused(tmp_path: Path) -> None:
    store, wild = Store(tmp_path), replace(RUN, learning_rate=1e30)
    store.add(trainer.train_one(wild)[0])
    with pytest.raises(ValueError, match="failed; weights are recorded only for finished runs"):
        weight_records.record_weights(wild, store)


PUBLISHED = sorted((published_folder() / "weights").glob("*.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_weights_are_of_a_published_run(path: Path) -> None:
    record = read(path)
    run = Store(published_folder()).find(record.config["run"])
    assert run is not None
    assert weight_summary.weights_of(run.run, Store(published_folder())) == record
    assert "+" not in record.provenance["commit"]
