"""Train all of v1 to v11 with twenty seeds, as stacks on the device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.on_device import bounds
from benchmarks.on_device.figures import Figures

SEEDS = 20
EPOCH = 50_000
"""Training images of CIFAR-10 per epoch."""
ON_PROCESSOR = 4
"""Number of runs in a stack on a CPU."""


def runs_of_the_log() -> dict[str, list[Any]]:
    """The runs of all arms of v1 to v11, by study and arm; shared runs are repeated."""
    from spatialnb.studies import part

    return {
        f"{study.id}/{arm}": [replace(run, seed=seed) for seed in range(SEEDS)]
        for study in part("I")
        for arm, run in study.arms.items()
    }


def train(figures: Figures, arms: dict[str, list[Any]], sets: dict[str, Any], options: Any) -> None:
    """Train the runs of these arms that stacks support, while there is time; record the time."""
    from spatialnb.training import batched
    from spatialnb.training.stack import memory, sharing

    every = {run.id: run for runs in arms.values() for run in runs}
    known = [run for run in every.values() if sharing.stackable(run)]
    groups = []
    for group in sharing.stacks((run for run in known if run.dataset in sets), len(known) or 1):
        most = ON_PROCESSOR
        if options.device.startswith("cuda"):
            most = memory.fitting(group[0], memory.free_bytes(options.device))
        groups += sharing.stacks(group, most)
    done: dict[str, Any] = {}
    took = 0.0
    for whole in sorted(groups, key=_images, reverse=True):
        group = _part(whole, figures, took, _images([every[one] for one in done]))
        if len(group) < len(whole):
            figures.add("left_out", f"the log: {len(whole) - len(group)} runs of {_said(whole[0])}")
        if not group:
            continue
        started = time.perf_counter()
        found = batched.train(group, sets[group[0].dataset], options=options)
        bounds.synchronised(options.device)
        seconds = time.perf_counter() - started
        took += seconds
        done |= {run.id: one.outcome for run, one in zip(group, found, strict=True)}
        figures.add(
            "the_log_stacks",
            {"of": _said(group[0]), "seconds": seconds, **found[0].made},
        )
        trained = [every[one] for one in done]
        figures.keep(
            "the_log",
            {
                "runs": len(every),
                "not_stacked": _why_not(every.values()),
                "stackable": len(known),
                "trained": len(done),
                "epochs_trained": sum(run.epochs for run in trained),
                "seconds": took,
                "seconds_for_all_stackable": took * _images(known) / _images(trained),
                "extrapolated": len(done) < len(known),
            },
        )
    figures.keep("the_log_beside_the_published", beside(arms, done))


def _part(group: Sequence[Any], figures: Figures, took: float, images: int) -> Sequence[Any]:
    """The part of a stack for which there is time, halved until it fits; empty if none fits.

    The prediction uses the seconds per image of the log's runs so far; before the first one, those
    of the timed stacks.
    """
    from spatialnb.training.stack import sharing

    timed = [
        row["epoch_s"] / row["runs"] / EPOCH
        for row in figures.found.get("stacks", [])
        if "epoch_s" in row
    ]
    an_image = max(took / images if images else 0.0, min(timed, default=0.0))
    while 20.0 + 2.0 * an_image * _images(group) > figures.left:
        if len(group) < 2:
            return []
        group = sharing.stacks(group, len(group) // 2)[0]
    return group


def beside(arms: dict[str, list[Any]], done: dict[str, Any]) -> dict[str, Any]:
    """Compare the mean test accuracy of each arm, in percent, with that of the published runs."""
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


def _images(runs: Iterable[Any]) -> int:
    """Total number of training images over all runs and epochs."""
    from spatialnb.datasets import edition

    return sum(run.epochs * (run.train_size or edition(run.dataset).train) for run in runs)


def _said(run: Any) -> str:
    parts = [run.dataset, run.action, *(["decay"] if run.decay else []), f"{run.epochs} epochs"]
    return ", ".join(parts)


def _why_not(runs: Any) -> dict[str, int]:
    """Numbers of runs that stacks do not support, by the unsupported setting."""
    from spatialnb.training.stack import sharing

    found: dict[str, int] = {}
    for run in runs:
        for setting in sharing.unknown_settings(run):
            found[setting] = found.get(setting, 0) + 1
    return found
