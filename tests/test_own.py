"""Kernels, schedules and actions of a reader's own: from a file, into workers, under one name."""

import pickle
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest
import torch

from spatialnb.config import user_definitions
from spatialnb.config.run import Decay, Run
from spatialnb.execution import runs
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.priors import actions, kernels, schedules
from spatialnb.priors.kernels import Kernel, Shuffled
from spatialnb.priors.schedules import Static
from spatialnb.records.store import RecordError, Store
from spatialnb.registry import check_fields
from spatialnb.training import fingerprint

STEP = """
from dataclasses import dataclass
import torch
from spatialnb import kernels
from spatialnb.registry import check_fields

@kernels.register("{name}")
@dataclass(frozen=True, kw_only=True)
class Step(kernels.Kernel):
    width: float = 0.25

    def __post_init__(self):
        check_fields(self)

    def strength(self, distance):
        return torch.where(distance <= self.width, {inside}, 0.1).double()
"""


@pytest.fixture(autouse=True)
def _nothing_stays_registered(monkeypatch):
    monkeypatch.setattr(kernels.kernels, "_kinds", dict(kernels.kernels._kinds))
    monkeypatch.setattr(schedules.schedules, "_kinds", dict(schedules.schedules._kinds))
    monkeypatch.setattr(actions.actions, "_functions", dict(actions.actions._functions))


@pytest.fixture
def step(tmp_path):
    """A file with a kernel, loaded."""
    path = tmp_path / "my_kernels.py"
    path.write_text(STEP.format(name="own-step", inside=1.0))
    user_definitions.load(path)
    return path


def a_run(**changes):
    kernel = kernels.kernels.get("own-step")()
    base = Run(dataset="quick-colours", hidden=(12,), epochs=1, schedule=Static(kernel=kernel))
    return replace(base, **changes)


def test_a_file_registers_a_kernel_that_takes_part_in_the_id(step):
    run = a_run()
    assert run.to_dict()["schedule"]["kernel"] == {"kind": "own-step", "width": 0.25}
    other = kernels.kernels.get("own-step")(width=0.5)
    assert a_run(schedule=Static(kernel=other)).id != run.id
    assert Run.from_dict(run.to_dict()) == run


def test_a_file_may_be_loaded_again(step):
    user_definitions.load(step)
    assert [(what, name) for what, name, _ in user_definitions.kinds()] == [("kernel", "own-step")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            STEP.format(name="linear", inside=1.0),
            "kernel name 'linear' is taken by spatialnb.priors.ker",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_its_mistake(source, message, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(ValueError, match=rf"definitions: {path}: .*{message}"):
        user_definitions.load(path)
    assert user_definitions.kinds() == []


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"definitions: no file .*nowhere\.py"):
        user_definitions.load(tmp_path / "nowhere.py")


def test_two_files_cannot_give_one_name_to_two_kernels(step, tmp_path):
    other = tmp_path / "others.py"
    other.write_text(STEP.format(name="own-step", inside=0.5))
    with pytest.raises(ValueError, match="kernel name 'own-step' is taken"):
        user_definitions.load(other)


def test_two_files_of_one_name_are_two_modules(step, tmp_path):
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / step.name
    other.write_text(STEP.format(name="other-step", inside=0.5))
    user_definitions.load(other)
    copy = tmp_path / "b" / "renamed.py"
    copy.write_bytes(step.read_bytes())
    user_definitions.load(copy)  # as where a re-run that was just made is read
    kinds = {name: kind for _, name, kind in user_definitions.kinds()}
    assert sorted(kinds) == ["other-step", "own-step"]
    assert len({kind.__module__ for kind in kinds.values()}) == 2
    assert sorted(name for _, name, _ in pickle.loads(user_definitions.packed())) == sorted(kinds)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("import neighbour", "'neighbour', a"),
        ("from neighbour import x", "'neighbour', a"),
        ("def later():\n    from parts.more import x", "'parts', a"),
        ("from . import neighbour", "a"),
    ],
)
@pytest.mark.parametrize("called_in", ["its folder", "another"])
def test_a_file_that_imports_its_neighbour_is_refused_wherever_it_is_loaded(
    line, named, called_in, tmp_path, monkeypatch
):
    (tmp_path / "neighbour.py").write_text("x = 1")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "more.py").write_text("x = 1")
    path = tmp_path / "mine.py"
    path.write_text(line)
    first = str(tmp_path) if called_in == "its folder" else "/nowhere"  # as python -m puts it
    monkeypatch.setattr(sys, "path", [first, *sys.path[1:]])
    with pytest.raises(ValueError, match=rf"mine.py imports {named} file beside it\. The notebook"):
        user_definitions.load(path)


def test_a_file_may_import_what_is_installed_and_what_stands_beside_it_besides(
    tmp_path, monkeypatch
):
    path = tmp_path / "mine.py"
    path.write_text(
        "import json, numpy, spatialnb\nfrom spatialnb import kernels\nimport installed"
    )
    for folder in (tmp_path, tmp_path / "site"):
        folder.mkdir(exist_ok=True)
        (folder / "installed.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path[1:], str(tmp_path / "site")])
    user_definitions.load(path)


def test_what_is_packed_can_be_unpacked_where_nothing_of_it_can_be_imported(step):
    code = (
        "import sys, pickle; from spatialnb.config import user_definitions; "
        "from spatialnb.priors import kernels; "
        "user_definitions.unpack(sys.stdin.buffer.read()); "
        "print(kernels.kernels.get('own-step')(width=0.5))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], input=user_definitions.packed(), capture_output=True
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stdout.decode().strip() == "Step(width=0.5)"


def test_without_kinds_of_ones_own_nothing_is_packed():
    assert pickle.loads(user_definitions.packed()) == []


def test_a_worker_trains_with_a_kernel_of_a_notebook(tmp_path):
    # As a notebook defines it: in a module that no other process can import.
    @kernels.register("own-bump")
    @dataclass(frozen=True, kw_only=True)
    class Bump(Kernel):
        top: float = 0.5

        def __post_init__(self):
            check_fields(self)

        def strength(self, distance):
            return torch.where(distance < self.top, 1.0, 0.2).double()

    Bump.__module__ = "__main__"
    run = a_run_with(Bump())
    done = runs.complete(
        [run], store=Store(tmp_path), backend=ProcessPool(workers=1), progress=False
    )
    assert done.run(run).outcome["status"] == "finished"
    assert done.run(run).provenance["definition"] == fingerprint.definition(run)


def a_run_with(kernel):
    return Run(dataset="quick-colours", hidden=(12,), epochs=1, schedule=Static(kernel=kernel))


def test_a_formula_that_changed_under_its_old_name_is_refused(step, tmp_path):
    store = Store(tmp_path / "store")
    run = a_run()
    runs.complete([run], store=store, backend=ProcessPool(workers=1), progress=False)
    step.write_text(STEP.format(name="own-step", inside=0.9))
    user_definitions.load(step)
    with pytest.raises(
        RecordError, match=r"a definition of your kernel.* Give the new definition a n"
    ):
        runs.complete([a_run()], store=store, progress=False, train=False)


@pytest.mark.parametrize("where", ["schedule", "shuffled", "decay", "action"])
def test_ones_own_part_is_noticed_wherever_it_stands(where, step):
    kernel = kernels.kernels.get("own-step")()

    @actions.register("own-halve")
    def halve(weight, strength):
        return weight * strength / 2.0

    plain = Run(dataset="quick-colours")
    runs_with = {
        "schedule": replace(plain, schedule=Static(kernel=kernel)),
        "shuffled": replace(plain, schedule=Static(kernel=Shuffled(kernel=kernel))),
        "decay": replace(plain, decay=Decay(target=kernel)),
        "action": replace(plain, action="own-halve"),
    }
    assert fingerprint.definition(runs_with[where]) is not None
    assert fingerprint.definition(plain) is None
    assert fingerprint.same_definition(plain, None)
    assert not fingerprint.same_definition(runs_with[where], None)
    assert fingerprint.same_definition(runs_with[where], fingerprint.definition(runs_with[where]))
