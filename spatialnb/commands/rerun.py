"""Run a chapter again with your own parameters: plan, train, execute, save the results.

The folder of a re-run holds the executed notebook, the same as an HTML page, every table as CSV and
JSON, the new records, and ``rerun.json``, which lists the parameters of each chapter.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialnb.config import user_definitions
from spatialnb.config.run import Run
from spatialnb.datasets.root import CACHE_VARIABLE, DATA_VARIABLE, from_environment
from spatialnb.execution.planning import PairSpec
from spatialnb.records import store as records_store
from spatialnb.records.store import Store
from spatialnb.study import parameters
from spatialnb.study.parameters import Parsed
from spatialnb.study.results import Results
from spatialnb.study.study import Study

NETWORK = ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url")
"""Settings of nbconvert that would make a page load files from the network."""

STYLE = """<style>
body { max-width: 60rem; margin: 0 auto !important; padding: 1rem !important; }
.admonition { border-left: .25rem solid #b45309; padding: .1rem 1rem; }
.admonition-title { font-weight: bold; }
</style>"""
"""The part of the book's theme that an exported page needs."""

MANIFEST = "rerun.json"
"""File that lists the parameters of every chapter in a re-run."""
RECORDS = "records"
"""Folder with copies of the new records."""
DEFINITIONS = "definitions"
"""Folder with copies of the user's definition files, so that a re-run can be read elsewhere."""

FORMAT = "spatialnb-rerun/1"
"""Format of the manifest."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One chapter with its parameters, and the runs and pairs it needs.

    `study` includes the user's own arms; `given` are the parameters, and `definitions` the user's
    definition files, which are already loaded.
    """

    study: Study
    given: Parsed
    definitions: Sequence[str]
    configs: Sequence[Run]
    pairs: Sequence[PairSpec]

    @property
    def notebook_parameters(self) -> dict[str, Any]:
        """The parameters passed to the notebook, as JSON data."""
        files = {"definitions": self.definitions} if self.definitions else {}
        plain: dict[str, Any] = json.loads(json.dumps({**self.given, **files}, default=str))
        return plain


def plan(study: Study, given: Parsed, definitions: Sequence[str] = ()) -> Plan:
    """The runs and pairs that a chapter needs with these parameters.

    Raises
    ------
    ValueError : a parameter does not fit the chapter.
    """
    whole = study.with_arms(given.get("arms", {}))
    grid = whole.grid(given.without("arms"))
    return Plan(
        study=whole,
        given=given,
        definitions=definitions,
        configs=[run for arm in grid.values() for run in arm],
        pairs=[pair for arm in grid.values() for pair in whole.pairs_of(arm)],
    )


def notebook(study: Study) -> Path:
    """The chapter's notebook; FileNotFoundError if there is none, or outside a checkout."""
    book = records_store.published_folder().parent
    for path in sorted(book.glob(f"{study.id}_*.ipynb")):
        return path
    if any(book.glob("*.ipynb")):
        raise FileNotFoundError(
            f"{study.id} has no chapter yet. First train and record its runs: "
            f"`spatialnb train {study.id}`"
        )
    raise FileNotFoundError(
        f"no notebook of {study.id} in {book}. The notebooks come with the repository, not with "
        "the installed package: run this command in a checkout."
    )


def check_folder(studies: Sequence[Study], out: Path) -> None:
    """Check that the results can be written into `out`, before hours are spent on training.

    Raises
    ------
    ValueError : `out` lies in the book or in the folder of another re-run, contains other files
        with the names that would be written, or contains a manifest that cannot be read.
    OSError : `out` cannot be written.
    """
    for folder in (out, out / RECORDS, out / DEFINITIONS):
        records_store.refuse_inputs(folder, "--out")
    for parent in out.resolve().parents:
        if (parent / MANIFEST).is_file():
            raise ValueError(
                f"--out: {out} lies in {parent}, which is the folder of another re-run; choose a "
                "folder outside it"
            )
    _chapters(out / MANIFEST)
    for study in studies:
        target = out / notebook(study).name
        if target.exists() and not _is_executed(target):
            raise ValueError(
                f"--out: {target} already exists and was not written by `spatialnb run`; move it, "
                "or choose another folder"
            )
    there = next(place for place in (out.resolve(), *out.resolve().parents) if place.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise PermissionError(f"--out: {there} cannot be written; choose another folder")


def _is_executed(path: Path) -> bool:
    """Whether papermill wrote this notebook, and it is not a symbolic link."""
    try:
        whole = json.loads(path.read_text("utf-8"))
        return not path.is_symlink() and "papermill" in whole["metadata"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def execute(planned: Plan, out: Path, store: Store, say: Callable[[str], None] = print) -> Results:
    """Execute a chapter's notebook on recorded runs, and save all results in `out`.

    Raises
    ------
    RuntimeError : the notebook failed; the message is its last error.
    ValueError, OSError : as for :func:`check_folder`.
    """
    study, source = planned.study, notebook(planned.study)
    check_folder([study], out)
    out.mkdir(parents=True, exist_ok=True)
    results = study.run(planned.given.without("arms"), store=store, train=False, progress=False)
    target = out / source.name
    _run_notebook(planned, source, target, store)
    say(f"{target}")
    say(f"{_page(target, study)}")
    for path in _tables(results, out):
        say(f"{path}")
    _keep_records(results, out, store)
    _note(planned, out)
    return results


def _run_notebook(planned: Plan, source: Path, target: Path, store: Store) -> None:
    import papermill  # slow to import, like the other imports inside functions here
    from nbclient.exceptions import DeadKernelError

    from spatialnb.commands import own_kernel

    try:
        with _environment(store):
            papermill.execute_notebook(
                source,
                target,
                parameters=planned.notebook_parameters,
                kernel_name=own_kernel.NAME,
                kernel_manager_class=own_kernel.OwnKernel,
                cwd=source.parent,
                progress_bar=False,
            )
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(f"{target}: {error.ename}: {error.evalue}") from error
    except DeadKernelError as error:
        raise RuntimeError(
            f"{target}: the Jupyter kernel that runs the notebook died (killed, or out of memory). "
            "The runs are recorded, so the same command continues from here"
        ) from error


@contextlib.contextmanager
def _environment(store: Store) -> Iterator[None]:
    """Pass folders to the kernel as absolute paths, since it runs in another folder."""
    named = {name: from_environment(name) for name in (DATA_VARIABLE, CACHE_VARIABLE)}
    named[records_store.STORE_VARIABLE] = store.folders[0]
    before = {name: os.environ.get(name) for name in named}
    os.environ.update({name: str(path.resolve()) for name, path in named.items() if path})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def load(folder: Path, known: Callable[[str], Study]) -> Iterator[Results]:
    """The results of a re-run, from the records in its folder and the published ones.

    Yields one chapter at a time, with its own definitions loaded. Two chapters may use one name for
    different kernels, so finish with one result before taking the next.

    Raises
    ------
    FileNotFoundError : the folder holds no re-run.
    ValueError : its manifest cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"no {MANIFEST} in {folder}: expected a folder written by `spatialnb run`"
        )
    store = Store(folder / RECORDS, records_store.published_folder())
    settings = {}
    for name, given in sorted(_chapters(path).items()):
        files = [folder / DEFINITIONS / file for file in given.get("definitions", ())]
        settings[name] = {**given, "definitions": files}
    return _results([(known(name), given) for name, given in settings.items()], store)


def _results(
    settings: Sequence[tuple[Study, Mapping[str, Any]]], store: Store
) -> Iterator[Results]:
    loaded: list[Path] = []
    for study, given in settings:
        for file in loaded:
            user_definitions.forget(file)
        loaded = given["definitions"]
        yield study.run(parameters.parse(given), store=store, train=False, progress=False)


def _chapters(path: Path) -> dict[str, dict[str, Any]]:
    """The parameters of every chapter in a manifest; empty if there is no manifest."""
    if not path.is_file():
        return {}
    try:
        whole = json.loads(path.read_text("utf-8"))
        if whole["format"] != FORMAT:
            raise ValueError(f"its format is {whole['format']!r}, not {FORMAT!r}")
        chapters = {name: dict(given) for name, given in whole["chapters"].items()}
        for given in chapters.values():
            for file in given.get("definitions", ()):
                _plain_name(file)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not the manifest of a re-run: {error}") from error
    return chapters


def _plain_name(file: Any) -> None:
    """Raise ValueError unless this is the plain name of a Python file, since it is executed."""
    if not isinstance(file, str) or not file.endswith(".py") or set(file) & set("/\\:\0"):
        raise ValueError(
            f"definitions: expected names of Python files in {DEFINITIONS}/, got {file!r}"
        )


def _tables(results: Results, out: Path) -> list[Path]:
    from spatialnb import report
    from spatialnb.report.formatting import slug
    from spatialnb.report.html_tables import as_json

    study = results.study
    frames = {name: report.frame(results, name) for name in study.metrics}
    written = []
    stems = {f"{study.id}-{slug(name)}": frame for name, frame in frames.items()}
    for stem, frame in {**stems, f"{study.id}-runs": report.runs_frame(results)}.items():
        frame.to_csv(out / f"{stem}.csv", index=False)
        (out / f"{stem}.json").write_text(as_json(frame), "utf-8")
        written += [out / f"{stem}.csv", out / f"{stem}.json"]
    claims = out / f"{study.id}-claims.json"
    rows = report.ledger_rows(results.findings())
    claims.write_text(json.dumps(rows, indent=2, ensure_ascii=False), "utf-8")
    return [*written, claims]


def _page(path: Path, study: Study) -> Path:
    """Export the executed notebook as one self-contained HTML file."""
    import nbformat
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    book = nbformat.read(path, as_version=4)
    said, formulas = _glued(book), Formulas()
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _without_roles(formulas.taken_out(cell.source), said)
        else:
            cell.outputs = [
                part for part in cell.outputs if "scrapbook" not in part.get("metadata", ())
            ]
    hidden = ["hide-input", "remove-input", "remove-cell", "parameters"]
    settings = Config(
        TagRemovePreprocessor={"enabled": True, "remove_input_tags": hidden},
        HTMLExporter={
            "embed_images": True,
            "exclude_input_prompt": True,
            "exclude_output_prompt": True,
            **dict.fromkeys(NETWORK, ""),
        },
    )
    exporter = HTMLExporter(config=settings)
    name = f"{study.id} · {study.title}, run again"
    html, _ = exporter.from_notebook_node(book, resources={"metadata": {"name": name}})
    target = path.with_suffix(".html")
    target.write_text(formulas.put_in(html.replace("</head>", f"{STYLE}</head>", 1)), "utf-8")
    return target


class Formulas:
    """Placeholders for formulas during the export; afterwards they are replaced by MathML.

    The exporter passes each tag of a formula separately to an HTML parser, which would close it.
    """

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def taken_out(self, text: str) -> str:
        """Replace each formula in a Markdown text by a placeholder."""
        text = re.sub(r"\$\$(.+?)\$\$", lambda m: self._word(m[1], "block"), text, flags=re.DOTALL)
        return re.sub(r"\$([^$\n]+)\$", lambda m: self._word(m[1], "inline"), text)

    def put_in(self, html: str) -> str:
        """Replace the placeholders in a page by their formulas."""
        return re.sub(r"xformula\d+x", lambda match: self._found.get(match[0], match[0]), html)

    def _word(self, formula: str, display: str) -> str:
        from latex2mathml.converter import convert

        word = f"xformula{len(self._found)}x"
        self._found[word] = convert(formula.strip(), display=display)
        return word


def _glued(book: Any) -> dict[str, str]:
    """The values glued by the cells of an executed notebook, by key."""
    said = {}
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                said[name] = next(iter(output.data.values()))
    return said


def _without_roles(text: str, said: Mapping[str, str]) -> str:
    """Markdown with the book's MyST roles replaced by the text they stand for."""
    text = re.sub(
        r"\{glue:text\}`([^`]+)`", lambda match: said.get(match[1], match[1]).strip("'"), text
    )
    return re.sub(r"\{[a-z:]+\}`([^`<]+?)\s*(?:<[^`]*>)?`", r"\1", text)


def _keep_records(results: Results, out: Path, store: Store) -> None:
    """Copy the unpublished records behind the results."""
    kept = [record for arm in results.records.values() for record in arm.values()]
    kept += [record for arm in results.pairs.values() for record in arm.values()]
    for record in kept:
        path = store.path(record.id, record.kind)
        if path is not None and not path.is_relative_to(records_store.published_folder()):
            target = out / RECORDS / f"{record.kind}s" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not (target.exists() and target.samefile(path)):  # the store may be this folder
                shutil.copyfile(path, target)


def _copied(file: Path, folder: Path) -> str:
    """Copy a file into a folder, and return the name of the copy.

    If the folder already contains a different file of that name (from another folder, or an
    earlier version used by another chapter), both are kept; the new name includes part of its hash.
    """
    folder.mkdir(exist_ok=True)
    content = file.read_bytes()
    mark = hashlib.sha256(content).hexdigest()[:8]
    for name in (file.name, f"{file.stem}-{mark}{file.suffix}"):
        target = folder / name
        if not target.exists() or target.read_bytes() == content:
            break
    target.write_bytes(content)
    return name


def _note(planned: Plan, out: Path) -> None:
    """Write the chapter's parameters into the manifest."""
    path = out / MANIFEST
    chapters = _chapters(path)
    given = planned.notebook_parameters
    if planned.definitions:
        given["definitions"] = [
            _copied(Path(file), out / DEFINITIONS) for file in planned.definitions
        ]
    chapters[planned.study.id] = given
    text = json.dumps({"format": FORMAT, "chapters": chapters}, indent=2, ensure_ascii=False)
    partial = path.with_suffix(".part")
    partial.write_text(text + "\n", "utf-8")
    partial.replace(path)
