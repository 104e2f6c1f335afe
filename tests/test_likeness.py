"""What is kept of a trained network, and what the record of a pair is made from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spatialnb import datasets
from spatialnb.analysis import pair_measures
from spatialnb.config.asymmetric import Asymmetric
from spatialnb.config.run import Run
from spatialnb.execution.executor import ExecutorBackend
from spatialnb.execution.planning import pair_config, pair_id
from spatialnb.execution.runs import complete
from spatialnb.priors import parametrization
from spatialnb.priors.kernels import Exponential
from spatialnb.priors.schedules import Sharpen
from spatialnb.records.store import Store
from spatialnb.training import loop, networks

NONE = Run(dataset="quick-colours", hidden=(12, 9), epochs=2)
RUNS = {
    "none": NONE,
    "sharpening": replace(NONE, schedule=Sharpen(k_start=3, k_end=50)),
    "plane": replace(NONE, schedule=Sharpen(k_start=3, k_end=50), positions="plane"),
    "asymmetric": replace(NONE, asymmetric=Asymmetric()),
}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPATIALNB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("name", RUNS)
def test_a_network_comes_back_from_what_is_kept_of_it(name: str) -> None:
    run = RUNS[name]
    data = datasets.load(run.dataset)
    model = loop.train(run, data).model
    again = pair_measures.trained(run, pair_measures.keep(model))
    images = data.inputs(data.test, torch.arange(50))
    assert torch.equal(again(images), model(images))
    assert float(dict(networks.linear_layers(again))["0"].bias.detach().abs().max()) > 0.0


@pytest.mark.parametrize("name", RUNS)
def test_a_pair_is_aligned_once_and_its_lines_end_at_the_recorded_losses(
    name: str, tmp_path: Path
) -> None:
    first, second = RUNS[name], replace(RUNS[name], seed=1)
    store = Store(tmp_path)
    wanted = [(first, second, "alignment"), (first, second)]
    with ThreadPoolExecutor(1) as executor:
        found = complete(
            [],
            pairs=wanted,
            store=store,
            backend=ExecutorBackend(executor),
            progress=False,
        )
    assert store.ids("pair") == {pair_id(first, second), pair_id(first, second, "alignment")}
    record = found.pair(first, second, "alignment")
    assert record is not None
    assert record.config["measure"] == "alignment"
    for way, line in record.outcome["lines"].items():
        for end, run in ((0, first), (-1, second)):
            epochs = found.run(run).outcome["epochs"]
            assert line["loss"][end] == pytest.approx(epochs["test_loss"][-1], abs=1e-4), way
            # A prediction that hangs on the last bit may turn where neurons are added in order.
            assert line["accuracy"][end] == pytest.approx(epochs["test_accuracy"][-1], abs=5e-3)
    similar = found.pair(first, second)
    assert similar is not None
    expected = similar.outcome["effective"]["overall"]
    assert record.outcome["cosine"]["overall"] == pytest.approx(expected, abs=1e-6)
    again = complete([], pairs=wanted, store=store, train=False)
    assert again.pairs.keys() == found.pairs.keys()


def test_the_ids_of_pairs_of_similarity_stay_as_they_were() -> None:
    first, second = Run(), replace(Run(), seed=1)
    assert pair_id(first, second) == pair_id(first, second, "similarity") == "d087d6550a8b9543"
    assert pair_config(first, second)["measure"] == "similarity"


def test_weights_dealt_anew_stay_under_the_strengths_of_their_places() -> None:
    run = replace(NONE, schedule=Sharpen(k_start=3, k_end=50, kernel=Exponential(floor=1e-6)))
    model = pair_measures.trained(run, pair_measures.keep(pair_measures.untrained(run)))
    layer = dict(networks.linear_layers(model))["0"]
    learned = parametrization.learned_weight(layer).detach().clone()
    strength = layer.weight.detach() / learned
    dealt = pair_measures._dealt(model, 0)[0].weight
    again = dealt / strength
    assert not torch.equal(again, learned)
    torch.testing.assert_close(again.sort(dim=0).values, learned.sort(dim=0).values)


def test_places_are_those_of_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def note(*parts: object, seed: int) -> dict[str, object]:
        seen["places"] = parts[5]
        return {}

    monkeypatch.setattr(pair_measures.alignment, "compare", note)
    for name, axes in (("sharpening", 1), ("plane", 2)):
        run = RUNS[name]
        kept = pair_measures.keep(pair_measures.untrained(run))
        pair_measures.aligned(run, replace(run, seed=1), kept, kept)
        assert [tuple(place.shape) for place in seen["places"]] == [(12, axes), (9, axes)]
