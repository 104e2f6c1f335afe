"""All of v1 to v11 with twenty seeds, as stacks on the device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.on_device import bounds
from benchmarks.on_device.figures import Figures

SEEDS = 20


def runs_of_the_log() -> dict[str, list[Any]]:
    """The runs of every arm of v1 to v11, by study and arm; one that stands in two is in both."""
    from spatialnb.studies import part

    return {
        f"{study.id}/{arm}": [replace(run, seed=seed) for seed in range(SEEDS)]
        for study in part("I")
        for arm, run in study.arms.items()
    }


def train(figures: Figures, arms: dict[str, list[Any]], sets: dict[str, Any], options: Any) -> None:
    """Train what stacks know of these arms, until the time is used up, and keep what it took."""
    from spatialnb.training import batched
    from spatialnb.training.stack import memory, sharing

    every = {run.id: run for runs in arms.values() for run in runs}
    known = [run for run in every.values() if sharing.stackable(run)]
    here = [run for run in known if run.dataset in sets]
    cuda = options.device.startswith("cuda")
    groups = []
    for group in sharing.stacks(here, len(here) or 1):
        most = memory.fitting(group[0], memory.free_bytes(options.device)) if cuda else len(group)
        groups += sharing.stacks(group, most)
    epochs = sum(run.epochs for run in here)
    done: dict[str, Any] = {}
    took, trained = 0.0, 0
    for group in sorted(groups, key=_images):
        share = sum(map(_images_of, group)) / max(1, sum(_images_of(every[one]) for one in done))
        if figures.left < 20.0 + 1.5 * took * (share if done else 0.0):
            figures.add("left_out", f"the log: {len(group)} runs of {_said(group[0])}")
            continue
        started = time.perf_counter()
        found = batched.train(group, sets[group[0].dataset], options=options)
        bounds.synchronised(options.device)
        seconds = time.perf_counter() - started
        took += seconds
        trained += sum(run.epochs for run in group)
        done |= {run.id: one.outcome for run, one in zip(group, found, strict=True)}
        figures.add(
            "the_log_stacks",
            {"of": _said(group[0]), "runs": len(group), "seconds": seconds, **found[0].made},
        )
        figures.keep(
            "the_log",
            {
                "runs": len(every),
                "not_stacked": _why_not(every.values()),
                "stackable": len(known),
                "data_there": len(here),
                "trained": len(done),
                "epochs_trained": trained,
                "seconds": took,
                "seconds_for_all_stackable": took
                * sum(map(_images_of, known))
                / sum(_images_of(every[one]) for one in done),
                "extrapolated": len(done) < len(known),
                "epochs_of_all": epochs,
            },
        )
    figures.keep("the_log_beside_the_published", beside(arms, done))


def beside(arms: dict[str, list[Any]], done: dict[str, Any]) -> dict[str, Any]:
    """The mean test accuracy of each arm, in per cent, beside that of the published runs."""
    from spatialnb.records.store import Store, published_folder

    published = Store(published_folder())
    rows = {}
    for name, runs in arms.items():
        both = [
            (100 * _last(done[run.id]), 100 * _last(record.outcome))
            for run in runs
            if run.id in done
            and done[run.id]["status"] == "finished"
            and (record := published.find(run.id)) is not None
            and not record.failed
        ]
        if len(both) > 1:
            ours, theirs = zip(*both, strict=True)
            differences = [a - b for a, b in both]
            rows[name] = {
                "n": len(both),
                "ours": round(statistics.mean(ours), 3),
                "published": round(statistics.mean(theirs), 3),
                "difference": round(statistics.mean(differences), 3),
                "standard_error": round(statistics.stdev(differences) / len(both) ** 0.5, 3),
            }
    largest = max((abs(row["difference"]) for row in rows.values()), default=None)
    return {"arms": len(rows), "largest_difference": largest, "by_arm": rows}


def _last(outcome: dict[str, Any]) -> float:
    return float(outcome["epochs"]["test_accuracy"][-1])


def _images_of(run: Any) -> int:
    """Images that a run is trained on, over all epochs."""
    from spatialnb.datasets import edition

    return int(run.epochs * (run.train_size or edition(run.dataset).train))


def _images(group: Sequence[Any]) -> int:
    return -sum(map(_images_of, group))


def _said(run: Any) -> str:
    parts = [run.dataset, run.action, *(["decay"] if run.decay else []), f"{run.epochs} epochs"]
    return ", ".join(parts)


def _why_not(runs: Any) -> dict[str, int]:
    """How many runs are left to the loop, by the setting that stacks do not know."""
    from spatialnb.training.stack import sharing

    found: dict[str, int] = {}
    for run in runs:
        for setting in sharing.unknown_settings(run):
            found[setting] = found.get(setting, 0) + 1
    return found
