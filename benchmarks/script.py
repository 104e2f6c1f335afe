"""Compare a training worker with a typical training script and with PyTorch Lightning.

    python benchmarks/script.py [--rounds 5] [--epochs 3] [--json FILE]

All three train the log's network with the exponential kernel on the first 20,000 training images of
CIFAR-10 with Adam and batch size 128, and evaluate it on all test images after every epoch, with
one thread each. ``script`` uses torchvision's data set with its transforms, a ``DataLoader``, and a
module that multiplies by the kernel in ``forward``; ``lightning`` uses the same module and loaders
with a ``Trainer``, if it is installed (``pip install pytorch-lightning``). First, each trains for
some epochs, and the accuracies are printed. Then, in every round, each trains for one epoch in
turn; ratios are taken within a round, and medians are printed. CIFAR-10 is required
(``spatialnb data check``).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import itertools
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear
from torch.utils.data import DataLoader, Subset

from spatialnb import Exponential, Run, Static, datasets
from spatialnb.datasets import Dataset, Split
from spatialnb.datasets.torchvision_shim import import_torchvision
from spatialnb.records import provenance
from spatialnb.training import loop

IMAGES, BATCH, RATE = 20_000, 128, 3e-3
WIDTHS = (3072, 256, 128, 10)
RUN = Run(train_size=IMAGES, batch_size=BATCH, schedule=Static(kernel=Exponential()))


class SpatialLinear(nn.Module):
    """A linear layer that multiplies its weights by a kernel of the distance."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, into))
        self.bias = nn.Parameter(torch.zeros(out))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        x_in, x_out = torch.linspace(0, 1, into), torch.linspace(0, 1, out)
        distance = (x_out[:, None] - x_in[None, :]).abs()
        self.register_buffer("kernel", torch.exp(-3.0 * distance).clamp(min=0.05))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.kernel, self.bias)


def network() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for into, out in itertools.pairwise(WIDTHS):
        layers += [SpatialLinear(into, out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def loaders(data: Dataset) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Batches of the same training and test images, as from torchvision's CIFAR-10."""
    vision = import_torchvision()
    transform = vision.transforms.Compose(
        [
            vision.transforms.ToTensor(),
            vision.transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )

    def dataset(split: Split) -> Any:
        made = vision.datasets.CIFAR10.__new__(vision.datasets.CIFAR10)  # without its files
        made.data = split.x.reshape(-1, 3, 32, 32).permute(0, 2, 3, 1).contiguous().numpy()
        made.targets = split.y.tolist()
        made.transform, made.target_transform = transform, None
        return made

    train = Subset(dataset(data.train), range(IMAGES))
    return DataLoader(train, BATCH, shuffle=True), DataLoader(dataset(data.test), 2000)


def script(data: Dataset, epochs: int) -> float:
    """Train like a typical script; return the final test accuracy."""
    train, test = loaders(data)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(epochs):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            loss = cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        model.eval()
        right = 0
        with torch.no_grad():
            for images, labels in test:
                right += int((model(images).argmax(dim=1) == labels).sum())
    return right / len(data.test.y)


def lightning(data: Dataset, epochs: int) -> float:
    """Train with Lightning's Trainer; return the final test accuracy."""
    import pytorch_lightning as pl

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()
            self.accuracy = 0.0
            self.right = 0

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            return cross_entropy(self.model(batch[0]), batch[1])

        def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
            self.right += int((self.model(batch[0]).argmax(dim=1) == batch[1]).sum())

        def on_validation_epoch_end(self) -> None:
            self.accuracy, self.right = self.right / len(data.test.y), 0

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=RATE)

    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    module = Module()
    trainer.fit(module, *loaders(data))
    return module.accuracy


def ours(data: Dataset, epochs: int) -> float:
    """Train with this package; return the final test accuracy."""
    outcome = loop.train(Run(**{**vars(RUN), "epochs": epochs}), data).outcome
    accuracy: float = outcome["epochs"]["test_accuracy"][-1]
    return accuracy


def main() -> None:
    """Measure all three, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds  [default: 5]")
    parser.add_argument(
        "--epochs", type=int, default=3, help="epochs for the accuracies  [default: 3]"
    )
    parser.add_argument("--json", type=Path, help="file to which the figures are also written")
    options = parser.parse_args()
    if min(options.rounds, options.epochs) < 1:
        parser.error("--rounds and --epochs: expected at least 1")
    try:
        data = datasets.load(RUN.dataset)
    except FileNotFoundError as error:
        print(f"skipped: {error}")
        return
    torch.set_num_threads(1)
    ways: dict[str, Callable[[Dataset, int], float]] = {"worker": ours, "script": script}
    if importlib.util.find_spec("pytorch_lightning"):
        ways["lightning"] = lightning
    reached = {name: way(data, options.epochs) for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way(data, 1)
            seconds[name].append(time.perf_counter() - started)
    figures = {
        name: {
            "seconds": statistics.median(times),
            "ratio": statistics.median(
                mine / worker for mine, worker in zip(times, seconds["worker"], strict=True)
            ),
            "accuracy": reached[name],
        }
        for name, times in seconds.items()
    }
    print(f"medians of {options.rounds} rounds; accuracy after {options.epochs} epochs")
    print(f"{'':12}{'s an epoch':>12}{'over worker':>13}{'accuracy':>10}")
    for name, row in figures.items():
        print(f"{name:12}{row['seconds']:>12.2f}{row['ratio']:>13.2f}{row['accuracy']:>10.1%}")
    if "lightning" not in ways:
        print("lightning: left out, because pytorch-lightning is not installed")
    if options.json:
        whole = {"rounds": options.rounds, "epochs": options.epochs, "rows": figures}
        whole |= {"processor": provenance.processor(), "versions": provenance.versions()}
        if "lightning" in ways:
            whole["lightning"] = importlib.metadata.version("pytorch-lightning")
        options.json.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
