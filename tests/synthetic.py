"""A study with made records: nothing is trained."""

import random

from spatialnb.config.run import Run
from spatialnb.priors.actions import CAPS
from spatialnb.priors.kernels import Inverse, Linear
from spatialnb.priors.schedules import Static
from spatialnb.records.store import Record
from spatialnb.study.claims import Claim
from spatialnb.study.results import Results
from spatialnb.study.study import Quick, Reported, Study

HOSTILE = '<img src=x onerror="alert(1)"> & co'

ARMS = {
    "none": Run(dataset="mnist", epochs=5),
    "linear": Run(dataset="mnist", epochs=5, schedule=Static(kernel=Linear(floor=0.0))),
    "inverse": Run(dataset="mnist", epochs=5, schedule=Static(kernel=Inverse())),
}

CLAIMS = (
    Claim(
        chapter="v01",
        key="linear-wins",
        words="Linear beats none.",
        rule="beats",
        arm="linear",
        against="none",
        reported=-0.13,
    ),
    Claim(
        chapter="v01",
        key="not-alike",
        words="Networks are no more alike than chance has it.",
        rule="equals",
        arm="linear",
        metric="similarity",
        against="linear",
        against_metric="similarity_permuted",
        margin=0.05,
        unit="",
    ),
)


def study(**changes):
    base = {
        "id": "v01",
        "title": "Linear or none",
        "question": "Does locality cost accuracy?",
        "section": "v1 - Linear vs None Kernel",
        "changes": "The first one.",
        "arms": ARMS,
        "labels": {"inverse": HOSTILE},
        "baseline": "none",
        "quick": Quick(dataset="quick-digits"),
        "reported": (
            Reported(arm="none", metric="accuracy", value=97.69),
            Reported(arm="linear", metric="accuracy", value=97.56, sd=0.3),
            Reported(arm="linear", metric="similarity", value=0.007),
        ),
        "claims": CLAIMS,
        "metrics": ("accuracy", "similarity"),
        "seeds": (0, 1, 2, 3, 4, 5),
        "pairs": True,
    }
    return Study(**{**base, **changes})


def validation_record(run, final):
    """A finished run that held images out."""
    quantities = {"train_loss": 1.0, "validation_loss": 1.0, "validation_accuracy": final}
    outcome = {
        "status": "finished",
        "epochs": {name: [value] * run.epochs for name, value in quantities.items()},
        "final": {"sparsity": {"overall": 0.0}},
    }
    return Record(kind="run", config=run.to_dict(), outcome=outcome, provenance={"seconds": 1.0})


def run_record(run, final=0.97, **epochs):
    """A finished run whose accuracy rises evenly to `final`."""
    rising = [final - 0.01 * (run.epochs - 1 - epoch) for epoch in range(run.epochs)]
    prune = {} if run.prune is None else {"pruned": pruned(run.prune, final)}
    zeros = {} if run.sparse is None else {"zeros": run.sparse.zeros}
    permuted = {} if run.permuted_units is None else {"permuted_accuracy": final - 0.2}
    on = "validation" if run.validation_size else "test"
    quantities = {f"{on}_accuracy": rising, "train_loss": rising[::-1], f"{on}_loss": rising[::-1]}
    if run.action in CAPS:
        quantities["cap_share"] = rising
    kinds = ("angle", "angle_from_start", "norm", "sign_flips")
    for asked, prefix in ((run.rotation, ""), (run.learned_rotation, "learned_")):
        if asked:
            names = (f"{prefix}{kind}:{layer}" for kind in kinds for layer in (0, 2, 4))
            quantities |= dict.fromkeys(names, rising)
    measures = ("input_distance", "plane_overlap", "plane_overlap_best")
    if run.mask_locality:
        quantities |= dict.fromkeys(measures, rising)
        at_random = {"random": dict.fromkeys(measures, 1.0)}
        zeros["mask_nulls"] = at_random | {"popular": at_random["random"]}
    if run.sparse is not None and run.sparse.rounds is not None:
        quantities["zeros"] = rising
    if run.second is not None:
        quantities["test_accuracy:second"] = rising
    if run.dead_neurons:
        quantities |= {f"dead:{layer}": rising for layer in (1, 2)}
    return Record(
        kind="run",
        config=run.to_dict(),
        outcome={
            "status": "finished",
            "epochs": {**quantities, **epochs},
            "final": {"sparsity": {"0": 0.7, "2": 0.5, "overall": 0.647}, **zeros, **permuted},
            **prune,
        },
    )


def pruned(prune, dense):
    """Accuracies that fall with the share of zeros, and come back in part with one more epoch."""
    levels = [
        {
            "by": by,
            "level": level,
            "zeros": level,
            "accuracy": dense * (1 - level),
            "tuned_accuracy": dense * (1 - 0.1 * level),
        }
        for by in prune.by
        for level in prune.zeros
    ]
    return {"tuned_accuracy": dense + 0.001, "levels": levels}


def failed_record(run):
    outcome = {"status": "failed", "failed_epoch": 1, "epochs": {"test_accuracy": [0.1]}}
    return Record(kind="run", config=run.to_dict(), outcome=outcome)


def pair_record(first, second, raw=0.02):
    return Record(
        kind="pair",
        config={"schema": 1, "recipe": 1, "measure": "similarity", "runs": [first.id, second.id]},
        outcome={
            "raw": {"overall": raw, "0": raw / 2},
            "effective": {"overall": 0.1},
            "initial": {"raw": 0.001, "effective": 0.09},
            "centred": {"raw": 0.003, "effective": 0.004},
            "permuted": {"raw": 0.002, "effective": 0.08, "raw_sd": 0.001, "times": 20},
        },
    )


def results(one=None, failed=(), **changes):
    """Results of made records, `failed` being (arm, seed); linear is 0.4 points above none."""
    one = one or study()
    chance = random.Random(1)
    grid = one.configs(**changes)
    level = {arm: 0.97 + 0.004 * place for place, arm in enumerate(grid)}
    noise = {seed: chance.gauss(0.0, 0.001) for seed in range(20)}
    first = grid[one.baseline]
    return Results(
        study=one,
        dataset=first[0].dataset,
        epochs=first[0].epochs,
        seeds=tuple(run.seed for run in first),
        records={
            arm: {
                run.seed: failed_record(run)
                if (arm, run.seed) in failed
                else run_record(run, level[arm] + noise[run.seed] + chance.gauss(0.0, 0.0005))
                for run in runs
            }
            for arm, runs in grid.items()
        },
        pairs={
            arm: {
                (a.seed, b.seed): pair_record(a, b, chance.gauss(0.02, 0.003))
                for a, b, _ in one.pairs_of(runs)
            }
            for arm, runs in grid.items()
        },
    )
