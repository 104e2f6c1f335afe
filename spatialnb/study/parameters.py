"""The parameters of a chapter: name, type, range and meaning of each.

A notebook's parameters cell, papermill's ``-p`` and the command line's ``--set`` are parsed here.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialnb.config import user_definitions
from spatialnb.config.run import LARGEST_SEED, Run
from spatialnb.priors.kernels import Kernel, kernels
from spatialnb.priors.schedules import Schedule, Static, schedules
from spatialnb.records.store import published_folder
from spatialnb.registry import check_name, decode, encode, unknown

MOST_SEEDS = 10_000
"""Maximum number of seeds."""
LARGEST = 1_000_000
"""Maximum number of epochs, samples per batch and units per layer."""
MOST_WIDTHS = 100
"""Maximum number of hidden layers."""
LONGEST_NAME = 60
"""Maximum length of an arm's name, in characters."""


PATHS = ("PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH")
"""Names that papermill adds to the parameters with ``--inject-paths``."""
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
"""A number that YAML 1.1 reads as text, because it requires a decimal point and a sign."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a chapter.

    Parameters
    ----------
    name : its name in notebooks and on the command line.
    kind : the allowed values, for messages and help.
    meaning : its effect.
    read : converts a value, or its text, to the form the study needs; raises ValueError.
    field : the setting of :class:`~spatialnb.config.run.Run` that it changes in every arm; empty if
        it changes no such setting.
    """

    name: str
    kind: str
    meaning: str
    read: Callable[[Any], Any]
    field: str = ""


def seeds(value: Any) -> tuple[int, ...]:
    """Seeds: a list, or a text such as ``[0, 1, 2]``, ``0-9`` or ``0,2,5-7``."""
    what = "seeds: expected whole numbers, each once, such as [0, 1, 2] or 0-9"
    if isinstance(value, str):
        inside = value.strip().removeprefix("[").removesuffix("]")
        value = []
        for part in inside.split(",") if inside.strip() else ():
            match = re.fullmatch(r"(\d{1,12})(?:-(\d{1,12}))?", part.strip(), re.ASCII)
            if match is None:
                raise ValueError(f"{what}, got {part.strip()!r}")
            low, high = int(match[1]), int(match[2] or match[1])
            if high < low or len(value) + high - low >= MOST_SEEDS:
                raise ValueError(
                    f"seeds: {part.strip()!r}: expected a range from low to high, at most "
                    f"{MOST_SEEDS} seeds"
                )
            value += range(low, high + 1)
    if type(value) is int:
        value = [value]  # papermill converts `-p seeds 3` to a number
    if isinstance(value, bool) or not hasattr(value, "__len__"):
        raise ValueError(f"{what}, got {value!r}")
    if not 0 < len(value) <= MOST_SEEDS:
        raise ValueError(f"seeds: expected 1 to {MOST_SEEDS} seeds, got {len(value)}")
    taken: set[int] = set()
    for seed in value:
        if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
            raise ValueError(
                f"seeds: expected whole numbers from 0 to {LARGEST_SEED}, got {seed!r}"
            )
        if seed in taken:
            raise ValueError(f"seeds: expected no repeats, but {seed} is listed twice")
        taken.add(seed)
    return tuple(value)


def _whole(name: str) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        value = _plain(value)
        if type(value) is not int or not 1 <= value <= LARGEST:
            raise ValueError(f"{name}: expected a whole number from 1 to {LARGEST}, got {value!r}")
        return value

    return read


def _rate(value: Any) -> float:
    value = _plain(value)
    if type(value) not in (int, float) or not 0.0 < value <= sys.float_info.max:
        raise ValueError(f"lr: expected a number > 0, such as 0.001, got {value!r}")
    return float(value)


def _edition(value: Any) -> str:
    check_name("dataset", value)
    return str(value)


def _widths(value: Any) -> tuple[int, ...]:
    value = _plain(value)
    if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
        raise ValueError(f"hidden: expected a list of widths, such as [256, 128], got {value!r}")
    value = list(itertools.islice(value, MOST_WIDTHS + 1))
    if len(value) > MOST_WIDTHS:
        raise ValueError(f"hidden: expected at most {MOST_WIDTHS} widths, got more")
    read = _whole("hidden")
    return tuple(read(width) for width in value)


def _files(value: Any) -> tuple[Path, ...]:
    value = [value] if isinstance(value, str | Path) and value != "[]" else _plain(value)
    if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
        raise ValueError(f"definitions: expected a list of Python files, got {value!r}")
    return tuple(Path(file) for file in value)


def _arms(value: Any) -> dict[str, Any]:
    value = _plain(value)
    if not isinstance(value, Mapping):
        raise ValueError(
            "arms: expected a kernel or a schedule by name, such as "
            f'{{"k = 5": {{"kind": "exponential", "k": 5}}}}, got {value!r}'
        )
    for name in value:
        check_arm(name)
    return {name: _with_numbers(arm) for name, arm in value.items()}


def _with_numbers(value: Any) -> Any:
    """Convert texts such as ``1e-3``, which papermill's YAML 1.1 does not parse, to numbers."""
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _with_numbers(part) for key, part in value.items()}
    return [_with_numbers(part) for part in value] if isinstance(value, list) else value


def check_arm(name: Any) -> None:
    """Raise ValueError unless `name` is usable as an arm's name in tables, files and messages.

    Invisible characters, such as line breaks and changes of text direction, could make a table
    misleading.
    """
    fits = isinstance(name, str) and name.strip() and len(name) <= LONGEST_NAME
    if not fits or "/" in name or not name.isprintable():
        raise ValueError(
            f"arms: expected names of 1 to {LONGEST_NAME} printable characters without '/', "
            f"got {str(name)[:99]!r}"
        )


PARAMETERS = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            name="seeds",
            kind="whole numbers, each once",
            meaning="one run per arm for each",
            read=seeds,
        ),
        Parameter(
            name="epochs",
            kind="whole number, at least 1",
            meaning="passes over the training images",
            read=_whole("epochs"),
        ),
        Parameter(name="dataset", kind="name", meaning="edition of the data set", read=_edition),
        Parameter(
            name="lr",
            kind="number > 0",
            meaning="learning rate of Adam",
            read=_rate,
            field="learning_rate",
        ),
        Parameter(
            name="batch_size",
            kind="whole number, at least 1",
            meaning="samples per step",
            read=_whole("batch_size"),
            field="batch_size",
        ),
        Parameter(
            name="hidden",
            kind="list of whole numbers",
            meaning="widths of the hidden layers",
            read=_widths,
            field="hidden",
        ),
        Parameter(
            name="arms",
            kind="kernels or schedules by name",
            meaning="more arms",
            read=_arms,
        ),
        Parameter(
            name="definitions",
            kind="list of Python files",
            meaning="they register your own kernels",
            read=_files,
        ),
    )
}
"""All parameters by name."""


class Parsed(Mapping[str, Any]):
    """Parsed parameters by name, in the form a study needs. They are not parsed again.

    Parameters
    ----------
    values : outputs of :attr:`Parameter.read`; use :func:`parse` for anything else.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Parsed({self._values})"

    def __or__(self, other: Parsed) -> Parsed:
        """Merge two; for a name in both, the second value is used."""
        return Parsed({**self, **other})

    def without(self, *names: str) -> Parsed:
        """The parameters without these names."""
        return Parsed({name: value for name, value in self.items() if name not in names})


def parse(given: Mapping[str, Any]) -> Parsed:
    """Parse parameters into the form a study needs; this also loads definition files.

    Raises
    ------
    ValueError : an unknown name or an invalid value; the message says what is allowed.
    """
    for name in given:
        if name not in PARAMETERS:
            raise ValueError(unknown("parameter", name, PARAMETERS))
    values = {name: PARAMETERS[name].read(value) for name, value in given.items()}
    for file in values.pop("definitions", ()):
        user_definitions.load(file)
    return Parsed(values)


def read(namespace: Mapping[str, Any]) -> Parsed:
    """Read the parameters of a notebook from its ``globals()``.

    Every name that papermill injects must be a parameter; a name that nothing reads would be
    ignored silently.

    Raises
    ------
    ValueError : as for :func:`parse`; or papermill would overwrite the chapter that it reads.
    """
    for cell in namespace.get("In", ()):
        if cell.startswith("# Parameters\n"):
            names = [
                target.id
                for node in ast.parse(cell).body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            ]
            for name in names:
                if name not in (*PARAMETERS, *PATHS):
                    raise ValueError(unknown("parameter", name, PARAMETERS))
            _refuse_overwritten(*(str(namespace.get(name, "")) for name in PATHS))
    return parse({name: namespace[name] for name in PARAMETERS if name in namespace})


def _refuse_overwritten(source: str, target: str) -> None:
    """Raise ValueError if papermill executes a chapter in place.

    Parameters
    ----------
    source, target : papermill's input and output paths, or empty; papermill passes them only with
        ``--inject-paths``. Without them, a chapter being executed is recognised by its metadata.
    """
    chapters = [] if source else published_folder().parent.glob("[!.]*.ipynb")
    written = [Path(target)] if source and source == target else []
    written += [path for path in chapters if _is_being_executed(path)]
    if written:
        raise ValueError(
            f"papermill overwrites {written[0]}, the chapter that it reads. Name another file for "
            "its output. To restore the chapter, use `git checkout`"
        )


def _is_being_executed(path: Path) -> bool:
    text = path.read_bytes()
    if b'"injected-parameters"' not in text:
        return False
    try:
        marks = json.loads(text)["metadata"]["papermill"]
        return bool(marks["start_time"] and not marks["end_time"])
    except (ValueError, KeyError, TypeError):
        return False


def cell(published: Mapping[str, Any]) -> str:
    """The source of a notebook's parameters cell, with a study's published values."""
    lines = ["# Other values: see spatialnb run --help, or papermill -p epochs 10 -p seeds 0-4"]
    for name, value in published.items():
        parameter = PARAMETERS[name]
        lines.append(f"{name} = {_source(name, value)}  # {parameter.kind}: {parameter.meaning}")
    return "\n".join(lines)


def _source(name: str, value: Any) -> str:
    if name == "seeds" and len(value) > 1 and value == tuple(range(value[0], value[-1] + 1)):
        start = f"{value[0]}, " if value[0] else ""
        return f"list(range({start}{value[-1] + 1}))"
    text = json.dumps(list(value) if isinstance(value, tuple) else value)
    return text


def arm(name: str, given: Any, base: Run) -> Run:
    """The run, at seed 0, of a user-defined arm: `base` with another kernel or other settings.

    Parameters
    ----------
    name : the arm's name, for messages.
    given : a kernel, a schedule, a complete run, or plain data: a kernel or schedule as an object
        with its ``kind``, or settings of a run by name, such as ``action`` and ``schedule`` (which
        may be a kernel).
    base : the run that provides all other settings.

    Raises
    ------
    ValueError : `given` is none of these, or a setting is invalid.
    """
    where = f"arm {name!r}"
    if isinstance(given, Run):
        return given
    if isinstance(given, Mapping) and "kind" in given:
        kind = given["kind"]
        if not isinstance(kind, str):
            raise ValueError(f"{where}: expected the name of a kernel or schedule, got {kind!r}")
        _refuse_settings(given, where)
        if kind in set(schedules):
            given = decode(Schedule, given, where)
        elif kind in set(kernels):
            given = decode(Kernel, given, where)
        else:
            known = {**dict.fromkeys(kernels), **dict.fromkeys(schedules)}
            raise ValueError(f"{where}: " + unknown("kernel or schedule", kind, known))
    if isinstance(given, Kernel):
        given = Static(kernel=given)
    if isinstance(given, Schedule):
        given = {"schedule": given}
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: expected a kernel, a schedule, or settings, got {given!r}")
    plain = base.to_dict()
    changed = {
        key: encode(value) if isinstance(value, Schedule) else value for key, value in given.items()
    }
    schedule = changed.get("schedule")
    if isinstance(schedule, Mapping) and schedule.get("kind") in list(kernels):
        changed["schedule"] = {"kind": "static", "kernel": schedule}
    fixed = {"schema", "recipe", "seed", "epochs", "dataset"} & set(changed)
    if fixed:
        raise ValueError(
            f"{where}: {sorted(fixed)[0]} is the same for all arms of a chapter; leave it out"
        )
    try:
        return Run.from_dict({**plain, **changed})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _refuse_settings(given: Mapping[str, Any], where: str) -> None:
    """Raise ValueError if settings of the run are given as settings of a kernel or schedule."""
    kind = given["kind"]
    registry: Any = schedules if kind in set(schedules) else kernels
    if kind not in set(registry):
        return
    own = {field.name for field in dataclasses.fields(registry.get(kind))} | {"kind"}
    settings = {field.name for field in dataclasses.fields(Run)} - own
    misplaced = sorted(settings & set(given))
    if misplaced:
        name = misplaced[0]
        example = {
            name: given[name],
            "schedule": {key: part for key, part in given.items() if key not in settings},
        }
        raise ValueError(
            f"{where}: {name} is a setting of the run, not of {kind!r}; write it next to the "
            f"schedule: {json.dumps(example, default=str)}"
        )


def _plain(value: Any) -> Any:
    """Parse a text as JSON or a Python literal, since papermill passes lists as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        try:
            return ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return value
