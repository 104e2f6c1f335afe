"""The protocol of a chapter's runs in words, computed from their configurations."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from spatialnb.config.run import Run
from spatialnb.datasets import Edition, edition
from spatialnb.priors.kernels import Uniform
from spatialnb.priors.schedules import Schedule, Static
from spatialnb.records.provenance import engine_of
from spatialnb.registry import encode
from spatialnb.report.display import Shown, details
from spatialnb.report.engines import USUAL
from spatialnb.report.formatting import seeds_text
from spatialnb.report.kernel_formulas import kernel_formula, schedule_formula
from spatialnb.study.results import Results

Say = Callable[[Run], str]
"""From a run to HTML; empty if there is nothing to say."""

MOST = 16
"""Up to this many arms are named with their settings; for more, only the settings are listed."""

ADAM = "β = (0.9, 0.999), ε = 10⁻⁸"
OPTIMIZERS: dict[str, str] = {
    "adam": f"Adam, {ADAM}, no weight decay",
    "adamw": f"AdamW, {ADAM}, decoupled weight decay {{decay:g}} of learned weights and biases",
    "sgd": "SGD with momentum 0.9 (no Nesterov momentum, no dampening), no weight decay",
    "madam": (
        "Madam: W ← W exp(−η sign(W) ĝ), biases b ← b − η ĝ, where ĝ is the gradient over the root "
        "of its mean square (β = 0.999, bias-corrected), clipped to ±10; |W| is clipped at 3 times "
        "the initial root mean square of its layer; no weight decay"
    ),
}
"""Descriptions of the optimisers, with their constants."""
ACTIONS = {
    "multiply": "W<sub>eff</sub> = K ∘ W",
    "normalise": "W<sub>eff</sub> = √2 K ∘ W / ‖W‖, where ‖W‖ is the norm of each unit's weights",
    "cap": "W<sub>eff</sub> = min(max(W, −K), K); a weight beyond its cap has no gradient",
    "soft_cap": "W<sub>eff</sub> = K tanh(W / K)",
    "cap_scaled_gradient": (
        "W<sub>eff</sub> = min(max(W, −K), K); a weight beyond its cap has no gradient, and the "
        "gradients of the others are multiplied by K"
    ),
}
"""How the kernel value K acts on a learned weight W."""
NETWORKS = {
    "convolutional": (
        "two 3 × 3 convolutions with 16 and 32 filters, each followed by 2 × 2 max pooling and "
        "ReLU; the result, flattened channel by channel, goes through fully connected layers, "
        "{widths}. A prior acts on these layers alone"
    ),
    "convolutional_pooled": (
        "3 × 3 convolutions with {filters} filters, each followed by 2 × 2 max pooling and ReLU; "
        "then the mean over pixels and a linear head, {head}. A prior acts on the head alone"
    ),
    "transformer": (
        "16 patches of 8 × 8, embedded in 64 dimensions, with learned position embeddings; "
        "{blocks} blocks, each of attention with 4 heads and an MLP with {hidden} hidden units and "
        "ReLU, both with a residual connection and with LayerNorm (ε = 10⁻⁵, learned scale and "
        "shift) before them; then LayerNorm, the mean over tokens and a linear head. All linear "
        "layers have biases. A prior acts on the MLPs' layers alone"
    ),
}
INITIAL = {
    "torch_default": "weights and biases uniform within ±1 / √(fan in)",
    "normal": "weights from N(0, {std:g}²), biases 0",
}
NETWORK_START = {
    "convolutional_pooled": (
        "weights of convolutions from N(0, 2 / fan in), of the head from N(0, 1 / fan in), biases 0"
    ),
    "transformer": (
        "both layers of each MLP from N(0, 2 / fan in), the other weights from N(0, 1 / fan in), "
        "position embeddings from N(0, 0.02²), biases 0"
    ),
}
"""Initial weights of networks whose initialisation is not that of the multilayer perceptron."""
FEWER = ("static", "set", "rigl", "granet")
"""Sparse methods that start with fewer, and correspondingly larger, weights."""
KEPT = {
    "random": "a random choice of connections",
    "band": "its shortest connections",
    "nearest": "each unit's nearest inputs",
    "window": "a square window of pixels around each unit",
}
"""What a sparse layer keeps, by initial mask."""
SPARSE_METHODS = {
    "set": "SET", "rigl": "RigL", "granet": "GraNet", "st3": "ST-3",
    "imp": "iterative magnitude pruning",
}  # fmt: skip
PRUNED_BY = {"kernel": "kernel value", "magnitude": "magnitude", "random": "chance"}
"""What decides which weights stay when a trained network is pruned."""
TEXT = (
    "TF-IDF (scikit-learn's <code>TfidfVectorizer</code>) of the {:,} most frequent words of the "
    "training split, ties broken alphabetically"
)
SCALINGS = {"unit": "[0, 1]", "centred": "[−1, 1]"}
STREAMS = {
    "the initial weights": "2s",
    "the order of images": "2s + 1",
    "the order of the second task": "2⁴⁰ + s",
    "masks and random weights": "2⁴¹ + s",
    "augmentation, dropout and other interventions": "2⁴² + s",
    "permuted units": "2⁴³ + s",
    "masks to compare with": "2⁴⁴ + s",
}
"""Seeds of the random generators of a run with seed s, by purpose."""
AGAIN = """\
from spatialnb import studies
from spatialnb.execution.trainer import train_one

run = studies.get({study!r}).configs(seeds=[{seed}])[{arm!r}][0]
train_one(run).record.outcome"""
"""Code that trains one run again."""
SAID = (
    "dataset", "train_size", "validation_size", "network", "hidden", "initialisation",
    "initial_std", "input_scaling", "activation", "augmentation", "dropout", "label_smoothing",
    "action", "schedule", "decay", "second", "optimizer", "learning_rate", "weight_decay",
    "learning_rate_decay", "folded", "positions", "permuted_pixels", "batch_size", "epochs", "seed",
    "sparse", "prune",
)  # fmt: skip
"""Fields of a run that are described in words; others are listed by name and value."""


def protocol(results: Results) -> Shown:
    """A collapsed list with everything that is needed to repeat a chapter's runs elsewhere.

    It gives the data, network, initial weights, the kernel and schedule of every arm as formulas,
    loss, optimiser with its constants, batches, random numbers, how to train one seed again, and
    which claims are corrected together. Settings that differ between arms are listed by arm.
    """
    study = results.study
    runs = {
        study.label(arm): next(iter(results.records[arm].values())).run
        for arm in results.arms
        if results.records[arm]
    }
    rows = {name: _by_arm(runs, say) for name, say in ROWS.items()}
    with_prior = {arm: run for arm, run in runs.items() if _has_prior(run) and run.folded is None}
    rows |= {"How it acts": _by_arm(with_prior, _action), "Other settings": _by_arm(runs, _others)}
    if any(run.sparse or run.prune for run in runs.values()):
        rows["Zeros"] = _by_arm(runs, _zeros)
    rows |= {
        "Random numbers": _random(runs.values()),
        "To repeat a run": _again(results),
        "Corrected together": _family(results),
    }
    filled = {name: text for name, text in rows.items() if text}
    items = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in filled.items())
    html = details("Protocol of these runs", f'<dl class="protocol">{items}</dl>')
    return Shown(html, "Protocol of these runs")


def _by_arm(runs: Mapping[str, Run], say: Say) -> str:
    """A text for all runs, or one per group of arms if they differ; empty if there is none."""
    said: dict[str, list[str]] = {} if runs else {"": []}
    for arm, run in runs.items():
        said.setdefault(say(run), []).append(arm)
    if len(said) == 1:
        return next(iter(said))
    items = []
    for text, arms in said.items():
        names = f"<em>{escape('; '.join(arms))}</em>: " if len(runs) <= MOST else ""
        items.append(f"<li>{names}{text or 'nothing else'}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _data(run: Run) -> str:
    data = edition(run.dataset)
    said = [f"{escape(data.name)}: {_images(run, data):,} training images"]
    if run.train_size is not None:
        said.append(f"the first of {data.train:,}")
    if run.validation_size is not None:
        said.append(
            f"the last {run.validation_size:,} held out to measure accuracy, test images not used"
        )
    else:
        said.append(f"{data.test:,} test images")
    if run.second is not None:
        other = edition(run.second.dataset)
        said.append(
            f"and {escape(other.name)}: {other.train:,} training and {other.test:,} test samples; "
            "each step takes a batch of both, and the smaller data set is repeated as needed"
        )
    return ", ".join(said)


def _images(run: Run, data: Edition) -> int:
    return run.train_size or data.train - (run.validation_size or 0)


def _inputs(run: Run) -> str:
    data = edition(run.dataset)
    said = TEXT.format(data.features) if data.kind == "text" else _pixels(run)
    if run.second is not None and edition(run.second.dataset).kind == "text":
        said += f"; texts as {TEXT.format(edition(run.second.dataset).features)}"
    return said


def _pixels(run: Run) -> str:
    scaled = (
        "standardised by channel, with the mean and standard deviation of the training split"
        if run.input_scaling is None
        else f"scaled to {SCALINGS[run.input_scaling]}"
    )
    augmented = (
        "; training images padded by 4 pixels, then cropped and flipped left to right at random"
        if run.augmentation
        else ""
    )
    return scaled + augmented


def _network(run: Run) -> str:
    data = edition(run.dataset)
    hidden = [str(width) for width in run.hidden]
    if run.second is not None:
        other = edition(run.second.dataset)
        shared = (
            "shared by both tasks, with the prior on them"
            if run.second.shared
            else "a separate set for each task"
        )
        return (
            f"an adapter for each task, {data.features}-{hidden[0]} and "
            f"{other.features}-{hidden[0]}; hidden layers {'-'.join(hidden)}, {shared}; a head for "
            f"each task, {hidden[-1]}-{data.classes} and {hidden[-1]}-{other.classes}; "
            "ReLU between layers"
        )
    ends = f"ReLU between layers{f', each with dropout {run.dropout:g}' if run.dropout else ''}"
    if run.activation is not None:
        ends = "leaky ReLU (slope 0.01 below 0) between layers"
    if run.network is None:
        return f"{'-'.join([str(data.features), *hidden, str(data.classes)])}, {ends}"
    features = 32 * (data.shape[1] // 4) * (data.shape[2] // 4) if len(data.shape) == 3 else 0
    widths = "-".join([str(features), *hidden, str(data.classes)])
    if run.network not in NETWORKS:
        return escape(f"{run.network}, {'-'.join(hidden)}")
    units = " and ".join(dict.fromkeys(hidden))
    return NETWORKS[run.network].format(
        widths=widths,
        blocks=len(hidden),
        hidden=units,
        filters=", ".join(hidden),
        head=f"{hidden[-1]}-{data.classes}",
    )


def _initial(run: Run) -> str:
    if run.network in NETWORK_START:
        return NETWORK_START[run.network]
    if run.sparse is not None and run.sparse.method in FEWER and run.sparse.fan_in is None:
        return (
            "weights from N(0, 2 / fan in), where the fan-in is what the zeros leave, averaged "
            "over the layer; biases 0"
        )
    if run.initialisation is None:
        return "weights from N(0, 2 / fan in), biases 0"
    form = INITIAL.get(run.initialisation, escape(run.initialisation))
    return form.format(std=run.initial_std or 0.0)


def _positions(run: Run) -> str:
    if run.positions is None:
        return "units of each layer evenly spaced on [0, 1], ends included; d = |x − y|"
    permuted = (
        ""
        if run.permuted_pixels is None
        else f", these positions then permuted among the pixels (seed {run.permuted_pixels})"
    )
    return (
        "pixels at their coordinates in the image, scaled to [0, 1]², all channels of a pixel at "
        f"the same position{permuted}; other units on a grid; d is the Euclidean distance"
    )


def _schedules(run: Run) -> list[Schedule]:
    return [run.schedule, *([run.second.schedule] if run.second is not None else [])]


def _has_prior(run: Run) -> bool:
    plain = all(one == Static(kernel=Uniform()) for one in _schedules(run))
    return not plain or run.action != "multiply"


def _prior(run: Run) -> str:
    """The schedule's formula, or a note that there is no prior."""
    if not _has_prior(run):
        return "no prior, K = 1"
    said = "; second task: K = ".join(schedule_formula(one) for one in _schedules(run))
    if run.folded is not None:
        parts = " + ".join(run.folded) or "nothing"
        return (
            f"no prior attached; the optimiser applies {parts} of K = {said}, to the weights alone"
        )
    return f"K = {said}"


def _action(run: Run) -> str:
    return ACTIONS.get(run.action, escape(run.action))


def _zeros(run: Run) -> str:
    said = []
    if (sparse := run.sparse) is not None:
        where = "the first layer" if sparse.layers == "first" else "every layer"
        said.append(f"{100 * sparse.zeros:g} % zeros in {where}")
        if sparse.method == "static":
            said[0] += f", which keeps {KEPT[sparse.places]}"
        else:
            start = KEPT[sparse.places]
            first = f", at first with {start}" if sparse.method in ("set", "rigl") else ""
            said[0] += f", by {SPARSE_METHODS.get(sparse.method, escape(sparse.method))}{first}"
        if sparse.rounds:
            said[0] += f", in {sparse.rounds} rounds"
        if sparse.rewind:
            said[0] += f", rewound to epoch {sparse.rewind}"
    if (prune := run.prune) is not None:
        levels = ", ".join(f"{100 * zeros:g}" for zeros in prune.zeros)
        by = ", ".join(PRUNED_BY[one] for one in prune.by)
        said.append(
            f"copies of the trained network with {levels} % zeros; weights kept by: {escape(by)}"
        )
    return "; ".join(said) or "no zeros"


def _loss(run: Run) -> str:
    said = "mean cross-entropy of the batch"
    if run.second is not None:
        said += ", summed over the two tasks"
    if run.label_smoothing:
        said += f", labels smoothed by {run.label_smoothing:g}"
    if run.decay is not None:
        size = "|W|" if run.decay.keep_sign else "W"
        said += (
            f", plus {run.decay.weight:g} Σ ({size} − T)² over all weights but not biases; "
            f"T = {kernel_formula(run.decay.target)}"
        )
    return said


def _optimizer(run: Run) -> str:
    form = OPTIMIZERS.get(run.optimizer, escape(run.optimizer))
    return form.format(decay=run.weight_decay or 0.0)


def _rate(run: Run) -> str:
    if run.learning_rate_decay is None:
        return f"{run.learning_rate:g}, constant"
    rounds = run.sparse.rounds if run.sparse else None
    anew = f", restarted in each of {rounds} rounds" if rounds else ""
    return (
        f"{run.learning_rate:g}, decays to 0 step by step ({escape(run.learning_rate_decay)})"
        f"{anew}, for weights and biases alike"
    )


def _batches(run: Run) -> str:
    """Batch size and order; with two tasks, those of the larger data set."""
    sizes = [_images(run, edition(run.dataset))]
    if run.second is not None:
        sizes.append(edition(run.second.dataset).train)
    last = max(sizes) % run.batch_size
    kept = f"; the last batch of an epoch has {last} and is kept" if last else ""
    return f"of {run.batch_size}, in a new random order every epoch{kept}"


def _epochs(run: Run) -> str:
    if run.epochs == 1:
        return "1, at progress p = 1"
    last = run.epochs - 1
    return (
        f"{run.epochs}, counted from 0 to {last} as in the log; a kernel that changes is set "
        f"before each epoch, at progress p = epoch / {last}; accuracy is measured after the last"
    )


ROWS: Mapping[str, Say] = {
    "Data": _data,
    "Inputs": _inputs,
    "Network": _network,
    "Initial weights": _initial,
    "Positions": _positions,
    "Kernel": _prior,
    "How it acts": lambda run: "",
    "Zeros": lambda run: "",
    "Loss": _loss,
    "Optimiser": _optimizer,
    "Learning rate": _rate,
    "Batches": _batches,
    "Epochs": _epochs,
}
"""Functions that describe a run, by the name of their row."""


def _others(run: Run) -> str:
    """Settings that no row describes, by name and value."""
    found = {
        field.name: getattr(run, field.name)
        for field in dataclasses.fields(run)
        if field.name not in SAID and getattr(run, field.name) is not None
    }
    return escape("; ".join(f"{name}: {_value(value)}" for name, value in found.items()))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes"
    plain = encode(value) if dataclasses.is_dataclass(value) else value
    if not isinstance(plain, Mapping):
        return json.dumps(plain, ensure_ascii=False)
    return ", ".join(
        f"{name} {json.dumps(part)}" for name, part in plain.items() if part is not None
    )


def _random(runs: Iterable[Run]) -> str:
    runs = list(runs)
    used = ["the initial weights", "the order of images"]
    if any(run.second is not None for run in runs):
        used.append("the order of the second task")
    if any(run.sparse is not None or run.prune is not None for run in runs):
        used.append("masks and random weights")
    if any(run.augmentation or run.dropout or run.interventions for run in runs):
        used.append("augmentation, dropout and other interventions")
    if any(run.permuted_units for run in runs):
        used.append("permuted units")
    if any(run.mask_locality for run in runs):
        used.append("masks to compare with")
    streams = ", ".join(f"{STREAMS[name]} for {name}" for name in used)
    return (
        f"torch generators on the CPU. A run with seed s seeds them with {streams}. Layers are "
        "drawn from first to last; an epoch's order is one <code>torch.randperm</code>. All arms "
        "with the same seed share these random numbers."
    )


def _again(results: Results) -> str:
    if not (results.published or results.interim):
        return ""
    study, seed = results.study, results.seeds[-1]
    code = AGAIN.format(study=study.id, seed=seed, arm=study.baseline)
    record = results.records[study.baseline].get(seed)
    made = USUAL if record is None else engine_of(record.provenance)
    same = (
        "The outcome equals that of this record, bit for bit on the same kind of machine and build "
        "of torch."
        if made == USUAL
        else f"That run was trained by {escape(made)}, which rounds differently; over many epochs, "
        "the difference amounts to that of another run of the same kind."
    )
    return (
        f"for example the arm <em>{escape(study.label(study.baseline))}</em> with seed {seed} of "
        f"{seeds_text(results.seeds)}:<pre>{escape(code)}</pre>"
        "The run's record is <code>run.id</code> in <code>book/records/runs/</code>. "
        f"{same}"
    )


def _family(results: Results) -> str:
    claims = [claim for claim in results.study.claims if claim.rule == "beats"]
    if not claims:
        return ""
    comparisons = sum(len(claim.comparisons) for claim in claims)
    keys = ", ".join(claim.key for claim in claims)
    return (
        f"the {comparisons} comparisons behind the chapter's claims that one arm beats another, by "
        f"Holm's method: {escape(keys)}"
    )
