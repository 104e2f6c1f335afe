"""Faulty parameters of a chapter."""

from __future__ import annotations

from typing import Any

from spatialnb import studies
from spatialnb.commands import rerun
from spatialnb.study import parameters
from tools.faults.trying import Trial, fault, mutant

HOSTILE: list[Any] = [
    *("<script>alert(1)</script>", '<img src=x onerror="alert(1)">', "../../etc/passwd"),
    *("nan", "NaN", "Infinity", "-1e999", "1e999", "[1e5]", "-1", "0x10", "1_000", "٣"),
    *("0-999999999", "0-" + "9" * 400, "9" * 5000, "[0, 0]", "0,0", "[[1]]"),
    *("[" * 20_000, "{" * 20_000, "(" * 200, "'" * 99, "__import__('os').system('x')"),
    *("\0", "\u202e", "\ud800", "true", "null", "", '{"a": 1}', '{"\\n": {"kind": "linear"}}'),
    *(float("nan"), float("inf"), -1, 0, 10**30, True, None, b"x", object(), {1, 2}),
    *(range(10**9), [10**9] * 20_000, {"a": {}}, [[]], [None], ["0"]),
]


@fault(times=2000, few=500)
def given(trial: Trial) -> None:
    """Hostile or meaningless parameters of a chapter.

    There is a clear error, or a plan of reasonable size.
    """
    # Each parameter, and unknown names, get values of the wrong kind.
    study, chance = studies.get("v01"), trial.chance
    names = [name for name in parameters.PARAMETERS if name != "definitions"]  # executes code
    for _ in trial.tries():
        name, value = chance.choice([*names, "seed", "store"]), chance.choice(HOSTILE)
        if isinstance(value, str) and chance.random() < 0.5:
            damaged = mutant(value.encode("utf-8", "replace") + b" ", b"0-9,", chance)
            value = damaged.decode("utf-8", "replace")
        said = f"{name}={value!r:.80}"
        found = trial.read_or_refuse(
            lambda: rerun.plan(study, parameters.parse({name: value})),  # noqa: B023
            said,
            ValueError,
        )
        trial.expect(found is None or len(found.configs) < 10**6, f"{said}: a huge grid")
