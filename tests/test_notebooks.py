"""The notebooks as they are stored, and each chapter's quick edition, which trains for real."""

from __future__ import annotations

import ast
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from spatialnb.config.run import Run
from spatialnb.execution import runs
from spatialnb.execution.in_process import InProcess
from spatialnb.records.store import Record, Store, published_folder
from spatialnb.studies import STUDIES
from spatialnb.study import parameters

BOOK = Path(__file__).parents[1] / "book"
NOTEBOOKS = sorted(BOOK.glob("[!.]*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.stem.split("_")[0] in STUDIES]

COMPARED = {"keep_output", "nbval-check-output"}
"""Tags of a cell whose output is stored: the first for nbstripout, the second for nbval."""

any_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
any_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tags(cell: Any) -> set[str]:
    return set(cell.metadata.get("tags", []))


def test_the_studies_whose_runs_are_recorded_are_the_chapters() -> None:
    there = Store(published_folder()).ids()
    recorded = [
        study.id
        for study in STUDIES.values()
        if all(run.id in there for runs in study.configs().values() for run in runs)
    ]
    drafts = [study.id for study in STUDIES.values() if study.dataset == study.quick.dataset]
    assert sorted(path.stem.split("_")[0] for path in CHAPTERS) == sorted([*recorded, *drafts]), (
        "a chapter's runs are published before its page is: spatialnb train, then publish"
    )


@any_notebook
def test_a_notebook_is_valid_and_asks_for_the_kernel_that_everybody_has(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


@any_notebook
def test_a_notebook_is_stored_as_nbstripout_leaves_it(path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "nbstripout", "--verify", "--keep-id", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}\nRun `make format`."


@any_notebook
def test_only_compared_cells_keep_their_output(path: Path) -> None:
    for cell in code_cells(path):
        marks = tags(cell) & COMPARED
        assert marks in (set(), COMPARED), f"a compared cell has both tags {COMPARED}: {cell.id}"
        assert bool(cell.outputs) == bool(marks), f"cell {cell.id} of {path.name} has " + (
            "no output to compare" if marks else "an output, and is not a compared cell"
        )


@any_notebook
def test_a_notebook_asks_and_the_package_does(path: Path) -> None:
    doing = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.For | ast.While
    for cell in code_cells(path):
        found = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, doing)]
        assert not found, (
            f"{path.name} defines or loops: {ast.unparse(found[0])!r} belongs in spatialnb"
        )


@any_notebook
def test_a_chapter_has_one_cell_of_parameters_and_no_page_has_two(path: Path) -> None:
    cells = [cell for cell in code_cells(path) if "parameters" in tags(cell)]
    assert len(cells) == 1 if path in CHAPTERS else len(cells) <= 1


@any_chapter
def test_the_parameters_are_the_studys_and_every_one_is_read(path: Path) -> None:
    (declared,) = [cell for cell in code_cells(path) if "parameters" in tags(cell)]
    assert declared.source == parameters.cell(STUDIES[path.stem.split("_")[0]].parameters)
    assert any("STUDY.run(parameters.read(globals()))" in cell.source for cell in code_cells(path))


@any_chapter
def test_a_page_has_the_title_and_the_question_of_its_study(path: Path) -> None:
    study = STUDIES[path.stem.split("_")[0]]
    top = " ".join(read(path).cells[0].source.split())
    title, _, asked = top.partition(" **Question.** ")
    assert re.sub(r"^# (v\d+ · )?| \[\w+\]\{\.chapter-id\}$", "", title) == study.title
    assert asked.startswith(study.question)


@any_chapter
def test_a_chapter_ends_with_the_comparison_that_a_re_run_shows(path: Path) -> None:
    assert code_cells(path)[-1].source == "report.compare(results)"


def test_a_parameter_that_papermill_injects_and_nothing_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError, match="unknown parameter 'epcohs'"):
        papermill.execute_notebook(
            CHAPTERS[0],
            tmp_path / "output.ipynb",
            parameters={"epcohs": 30},
            kernel_name="python3",
            cwd=BOOK,
            progress_bar=False,
        )


def execute(path: Path, folder: Path, **given: Any) -> set[str]:
    """Execute a chapter with a store in `folder`; the ids of the runs that are then in it."""
    seeds = str(list(given["seeds"]))  # text, as papermill's command line hands lists on
    papermill.execute_notebook(
        path,
        folder / "output.ipynb",
        parameters={**given, "seeds": seeds},
        kernel_name="python3",
        cwd=BOOK,
        progress_bar=False,
    )
    outputs = [out for cell in code_cells(folder / "output.ipynb") for out in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error"]
    return {path.stem for path in (folder / "store" / "runs").glob("*.json")}


def at_one_rate(run: Run) -> Run:
    """What is the same in runs whose learning rate is all that differs: they run the same code."""
    return replace(run, learning_rate=1.0)


@any_chapter
def test_the_quick_edition_of_a_chapter_trains_and_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One epoch, trained here: most of the time of a quick edition is that of starting workers.

    Iterative magnitude pruning needs one in each round.
    """
    study = STUDIES[path.stem.split("_")[0]]
    epochs = math.lcm(*(run.sparse.rounds or 1 for run in study.arms.values() if run.sparse))
    given = {"dataset": study.quick.dataset, "epochs": epochs, "seeds": study.quick.seeds}
    grid = study.configs(**given)
    wanted = {run.id: run for arm in grid.values() for run in arm}
    assert len(wanted) == len({*study.arms, *study.borrowed_arms}) * len(study.quick.seeds)
    trained = {at_one_rate(run): run for run in reversed(wanted.values())}
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path / "store"))
    store = Store(tmp_path / "store")
    runs.complete(
        list(trained.values()),
        pairs=[pair for arm in grid.values() for pair in study.pairs_of(arm)],
        store=store,
        backend=InProcess(),
        progress=False,
    )
    for run in wanted.values():
        outcome = store.get(trained[at_one_rate(run)].id).outcome
        if store.find(run.id) is None:
            store.add(Record(kind="run", config=run.to_dict(), outcome=outcome))

    assert execute(path, tmp_path, **given) == wanted.keys()


@pytest.mark.slow
@any_chapter
def test_a_notebook_trains_its_whole_quick_edition_itself(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = STUDIES[path.stem.split("_")[0]]
    quick = study.quick
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path / "store"))
    trained = execute(path, tmp_path, dataset=quick.dataset, epochs=quick.epochs, seeds=quick.seeds)
    assert len(trained) == len({*study.arms, *study.borrowed_arms}) * len(quick.seeds)
