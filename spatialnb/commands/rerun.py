"""A chapter run again with parameters of one's own: plan, train, execute, leave the results.

Into the folder of a re-run go the executed notebook and a page of it, every table as CSV and JSON,
the new records, and ``rerun.json``, which says with what parameters each chapter was run.
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
"""What nbconvert's pages would ask the network for."""

STYLE = """<style>
body { max-width: 60rem; margin: 0 auto !important; padding: 1rem !important; }
.admonition { border-left: .25rem solid #b45309; padding: .1rem 1rem; }
.admonition-title { font-weight: bold; }
</style>"""
"""What the book's theme does for a page, as far as it is missed."""

MANIFEST = "rerun.json"
"""The file that says what a re-run was."""
RECORDS = "records"
"""Folder of copies of the new records."""
DEFINITIONS = "definitions"
"""Folder of copies of the reader's own files, so that a re-run can be read elsewhere."""

FORMAT = "spatialnb-rerun/1"
"""The manifest's format."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One chapter with its parameters, and the runs and pairs that it takes.

    `study` has the reader's own arms; `given` are the parameters, and `definitions` the reader's
    own files, which are loaded already.
    """

    study: Study
    given: Parsed
    definitions: Sequence[str]
    configs: Sequence[Run]
    pairs: Sequence[PairSpec]

    @property
    def notebook_parameters(self) -> dict[str, Any]:
        """What the notebook is handed, as JSON data."""
        files = {"definitions": self.definitions} if self.definitions else {}
        plain: dict[str, Any] = json.loads(json.dumps({**self.given, **files}, default=str))
        return plain


def plan(study: Study, given: Parsed, definitions: Sequence[str] = ()) -> Plan:
    """What a chapter takes with these parameters. ValueError where one does not fit."""
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
    """The chapter's notebook. FileNotFoundError where there is none, or no checkout of the book."""
    book = records_store.published_folder().parent
    for path in sorted(book.glob(f"{study.id}_*.ipynb")):
        return path
    if any(book.glob("*.ipynb")):
        raise FileNotFoundError(
            f"{study.id} has no chapter yet: its runs are still to be made and recorded, by "
            f"`spatialnb train {study.id}`"
        )
    raise FileNotFoundError(
        f"no notebook of {study.id} in {book}. The notebooks come with the repository, not with "
        "the installed package: run this in a checkout of it."
    )


def check_folder(studies: Sequence[Study], out: Path) -> None:
    """Make sure that the chapters can be run into `out`, before hours are spent on their runs.

    Raises
    ------
    ValueError : it lies in the book or in the folder of another re-run, holds other files under
        the names that would be written, or a manifest that cannot be read.
    OSError : it cannot be written.
    """
    for folder in (out, out / RECORDS, out / DEFINITIONS):
        records_store.refuse_inputs(folder, "--out")
    for parent in out.resolve().parents:
        if (parent / MANIFEST).is_file():
            raise ValueError(
                f"--out: {out} lies in {parent}, which is the folder of another re-run; choose one "
                "beside it"
            )
    _chapters(out / MANIFEST)
    for study in studies:
        target = out / notebook(study).name
        if target.exists() and not _is_executed(target):
            raise ValueError(
                f"--out: {target} is there already, and `spatialnb run` did not write it; move it, "
                "or choose another folder"
            )
    there = next(place for place in (out.resolve(), *out.resolve().parents) if place.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise PermissionError(f"--out: {there} cannot be written; choose another folder")


def _is_executed(path: Path) -> bool:
    """Whether a notebook is one that papermill wrote, and no link to another."""
    try:
        whole = json.loads(path.read_text("utf-8"))
        return not path.is_symlink() and "papermill" in whole["metadata"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def execute(planned: Plan, out: Path, store: Store, say: Callable[[str], None] = print) -> Results:
    """Run a chapter's notebook on recorded runs, and leave everything in `out`.

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
    import papermill  # slow to import, as the others here
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
            f"{target}: the kernel that runs the notebook died (killed, or out of memory). The "
            "runs are recorded, so the same command goes on from here"
        ) from error


@contextlib.contextmanager
def _environment(store: Store) -> Iterator[None]:
    """What the kernel inherits: the folders by their whole paths, since it works in another one."""
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
    """The results of a re-run's folder, from the records in it and the published ones.

    Chapter after chapter, each with its own definitions: two of them may give one name to different
    kernels, so look at one before you ask for the next.

    Raises
    ------
    FileNotFoundError : no re-run is there.
    ValueError : its manifest cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"no {MANIFEST} in {folder}: `spatialnb run` makes such a folder")
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
    """The parameters of every chapter in a manifest; none where there is no manifest."""
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
    """Raise ValueError unless it names a file beside others: what is named here is run."""
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
    """The executed notebook as one HTML file that needs no other."""
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
    """Formulas, which a page's Markdown has as words while it is exported, and then as MathML.

    The exporter hands each tag of a formula by itself to an HTML parser, which closes it.
    """

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def taken_out(self, text: str) -> str:
        """Markdown with a word for each formula."""
        text = re.sub(r"\$\$(.+?)\$\$", lambda m: self._word(m[1], "block"), text, flags=re.DOTALL)
        return re.sub(r"\$([^$\n]+)\$", lambda m: self._word(m[1], "inline"), text)

    def put_in(self, html: str) -> str:
        """A page with the formulas in the place of their words."""
        return re.sub(r"xformula\d+x", lambda match: self._found.get(match[0], match[0]), html)

    def _word(self, formula: str, display: str) -> str:
        from latex2mathml.converter import convert

        word = f"xformula{len(self._found)}x"
        self._found[word] = convert(formula.strip(), display=display)
        return word


def _glued(book: Any) -> dict[str, str]:
    """What the cells of an executed notebook have glued, by key."""
    said = {}
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                said[name] = next(iter(output.data.values()))
    return said


def _without_roles(text: str, said: Mapping[str, str]) -> str:
    """Markdown with the book's own marks replaced by what they stand for."""
    text = re.sub(
        r"\{glue:text\}`([^`]+)`", lambda match: said.get(match[1], match[1]).strip("'"), text
    )
    return re.sub(r"\{[a-z:]+\}`([^`<]+?)\s*(?:<[^`]*>)?`", r"\1", text)


def _keep_records(results: Results, out: Path, store: Store) -> None:
    """Copies of the records behind the results that are not published ones."""
    kept = [record for arm in results.records.values() for record in arm.values()]
    kept += [record for arm in results.pairs.values() for record in arm.values()]
    for record in kept:
        path = store.path(record.id, record.kind)
        if path is not None and not path.is_relative_to(records_store.published_folder()):
            target = out / RECORDS / f"{record.kind}s" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not (target.exists() and target.samefile(path)):  # the store may lie there
                shutil.copyfile(path, target)


def _copied(file: Path, folder: Path) -> str:
    """A copy of a file in a folder, and its name there.

    Another file of that name may be there, of another folder or as it was for another chapter: both
    are kept, and the later one's name has a part of its hash.
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
