"""Write a new chapter: its study, its notebook and its entry in the table of contents.

Without a data set the chapter is a draft on a quick edition: it runs, builds and passes the tests
without changes. The tests that cover every chapter cover it as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spatialnb.commands import study_source
from spatialnb.config.run import Run
from spatialnb.datasets import edition
from spatialnb.records import store as records_store
from spatialnb.records.store import write_once
from spatialnb.report.formatting import slug
from spatialnb.studies import STUDIES
from spatialnb.study import parameters
from spatialnb.study.parameters import PARAMETERS, Parsed

ID = re.compile(r"v\d\d|c[1-9][a-z]?")
"""Pattern of a chapter's id: ``v12`` for your own chapters, ``c7`` or ``c7b`` in Part II."""

YOURS = "- caption: Your chapters\n  chapters:\n"
"""The part of the contents that lists your own chapters; added together with the first one."""

PROMPTS = {
    "code_prompt_show": "Parameters of this chapter",
    "code_prompt_hide": "Hide the parameters",
}
"""Labels of the folded parameters cell on a page."""

CELLS = (
    ("markdown", "# {heading}\n\n**Question.** What does the kernel change here?", ()),
    ("code", "{parameters}", ("parameters", "hide-input")),
    (
        "code",
        "from spatialnb import report\n"
        "from spatialnb.studies.{module} import STUDY\n"
        "from spatialnb.study import parameters\n\n"
        "results = STUDY.run(parameters.read(globals()))\n"
        "report.glue_numbers(results)\n"
        "report.glance(results)",
        ("hide-input",),
    ),
    ("markdown", "**What was done.** Say it here: data, network, arms.", ()),
    ("markdown", "## Accuracy", ()),
    ("code", "report.table(results)", ("hide-input",)),
    ("code", "report.dots(results)", ("hide-input",)),
    ("code", "report.curves(results)", ("hide-input",)),
    (
        "markdown",
        "The baseline reaches {{glue:text}}`{id}-none-accuracy`; {differences}.\n"
        "Numbers in the text come from the records, by keys that `report.numbers(results)` lists.",
        (),
    ),
    ("markdown", "## Verdicts", ()),
    ("code", "report.verdicts(results)", ("hide-input",)),
    ("markdown", "## What this does not show\n\n- Say it here.", ()),
    ("code", "report.compare(results)", ("remove-input",)),
)
"""A new chapter's notebook: kind, source and tags of each cell."""


def new(
    chapter: str, title: str, root: Path | None = None, given: Parsed | None = None
) -> list[Path]:
    """Write a new chapter into a checkout, and return its files, with the table of contents last.

    Parameters
    ----------
    chapter : its id, such as ``v12`` for a chapter of your own, or ``c7`` or ``c7b`` in Part II.
    title : its title, at most 60 characters.
    root : the checkout; by default the one that contains this package.
    given : the chapter's data set, epochs, seeds, other settings and arms, as for a re-run; without
        a data set the chapter is a draft on a quick edition.

    Raises
    ------
    ValueError : the id, the title or an arm is invalid, or the id is taken.
    FileNotFoundError : `root` is not a checkout of the book.
    FileExistsError : one of the files already exists; no file is written.
    """
    if not ID.fullmatch(chapter):
        raise ValueError(
            f"chapter {chapter!r}: expected v and two digits, such as v12, or c, "
            "a digit and perhaps a letter, such as c7 or c7b"
        )
    if chapter in STUDIES:
        raise ValueError(f"chapter {chapter!r} already exists: {STUDIES[chapter].title}")
    words = re.findall(r"[a-z0-9]+", title.lower())
    if not words or len(title) > 60 or not title.isprintable() or set(title) & set('"\\{{}}`<>$'):
        raise ValueError(
            f"title {title!r}: expected 1 to 60 characters with at least one letter or digit, and "
            'none of " \\ {{ }} ` < > $'
        )
    root = root or records_store.published_folder().parents[1]
    contents = root / "_toc.yml"
    if not contents.is_file():
        raise FileNotFoundError(f"no _toc.yml in {root}: run `spatialnb new` in a checkout")
    module = f"{chapter}_{'_'.join(words)}"
    named = {"id": chapter, "number": _number(chapter), "title": title, "module": module}
    given = given or Parsed()
    base, arms, seeds = _planned(given)
    source = study_source.module({"id": chapter, "title": title}, base, arms, seeds)
    files = {
        root / "spatialnb" / "studies" / f"{module}.py": source,
        root / "book" / f"{module}.ipynb": _notebook(named, base, arms, seeds),
    }
    for path in files:
        taken = [path, *path.parent.glob(f"{path.name.split('_')[0]}_*{path.suffix}")]
        if path.exists() or len(taken) > 1:
            raise FileExistsError(f"{taken[-1]} already exists; nothing was written")
    listed = _with_line(contents.read_text("utf-8"), f"  - file: book/{module}\n", chapter[0])
    for path, text in files.items():
        if not write_once(path, text):
            raise FileExistsError(f"{path} already exists")
    contents.write_text(listed, "utf-8")
    return [*files, contents]


def _planned(given: Parsed) -> tuple[Run, dict[str, Run], tuple[int, ...]]:
    """The base, the other arms and the seeds of a chapter with these parameters."""
    draft = "dataset" not in given
    fields = {PARAMETERS[name].field or name: value for name, value in given.items()}
    asked: dict[str, Any] = {"dataset": "quick-colours", "epochs": 2} if draft else {}
    asked |= {name: value for name, value in fields.items() if name not in ("seeds", "arms")}
    base = Run(**asked)
    edition(base.dataset)
    named = given.get("arms") or {"exponential": {"kind": "exponential", "k": 3.0}}
    if "none" in named:
        raise ValueError(
            "arms: 'none' is reserved for the baseline without a prior; choose another name"
        )
    arms = {name: parameters.arm(name, arm, base) for name, arm in named.items()}
    return base, arms, given.get("seeds", tuple(range(2 if draft else 20)))


def _notebook(
    named: dict[str, str], base: Run, arms: Mapping[str, Run], seeds: Sequence[int]
) -> str:
    """A chapter's notebook from the template, without outputs."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    published = {
        "seeds": tuple(seeds),
        "epochs": base.epochs,
        "dataset": base.dataset,
        **_same(base, arms),
        "arms": {},
        "definitions": (),
    }
    differences = ",\n".join(
        f"{arm} changes that by {{glue:text}}`{named['id']}-{slug(arm)}-minus-none` points"
        for arm in arms
    )
    heading = (
        "{title} [{id}]{{.chapter-id}}" if named["id"].startswith("c") else "{number} · {title}"
    )
    filled = {
        **named,
        "heading": heading.format(**named),
        "parameters": parameters.cell(published),
        "differences": differences,
    }
    cells = []
    for place, (kind, source, tags) in enumerate(CELLS):
        make: Any = new_code_cell if kind == "code" else new_markdown_cell
        cell = make(source.format(**filled), id=f"{named['id']}-{place:02}")
        if tags:
            cell.metadata["tags"] = list(tags)
        if "parameters" in tags:
            cell.metadata["mystnb"] = PROMPTS
        cells.append(cell)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return str(nbformat.writes(new_notebook(cells=cells, metadata=metadata))) + "\n"


def _same(base: Run, arms: Mapping[str, Run]) -> dict[str, Any]:
    """The parameters that have the same value in all arms, so that the chapter can take them."""
    runs = [base, *arms.values()]
    return {
        name: getattr(base, part.field)
        for name, part in PARAMETERS.items()
        if part.field and len({getattr(run, part.field) for run in runs}) == 1
    }


def _number(chapter: str) -> str:
    """An id as it appears in a title: ``v5`` for ``v05``."""
    return f"v{int(chapter[1:])}" if chapter.startswith("v") else chapter


def _with_line(contents: str, line: str, part: str) -> str:
    """The table of contents with a new line.

    A ``c`` chapter is added after the last chapter of Part II, a ``v`` chapter at the end of "Your
    chapters", a separate part after Part II.
    """
    if part == "v" and YOURS in contents:
        start = contents.index(YOURS) + len(YOURS)
        listed = re.compile(r"(?:  .*\n)*").match(contents, start)
        assert listed is not None  # it also matches the empty string
        return contents[: listed.end()] + line + contents[listed.end() :]
    chapters = list(re.finditer(r"^    - file: book/c\d\w?_.*\n", contents, re.MULTILINE))
    if not chapters:
        raise ValueError("_toc.yml lists no chapter 'book/c..._...' after which to put the new one")
    end = chapters[-1].end()
    if part == "c":
        return f"{contents[:end]}  {line}{contents[end:]}"
    rest = re.compile(r"(?:  .*\n)*").match(contents, end)  # of Part II
    assert rest is not None  # it also matches the empty string
    return contents[: rest.end()] + YOURS + line + contents[rest.end() :]
