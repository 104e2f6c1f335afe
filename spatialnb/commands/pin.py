"""Pin what must not change in a chapter: the ids of its runs, its rules and its parameters.

Records are found by run id, and the rule of a claim is fixed before the runs that decide it. Both
are stored in ``tests/pinned.json``, which a test compares with the study. The first code cell of
the notebook repeats the study's parameters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatialnb.records.store import Store, published_folder
from spatialnb.studies import STUDIES
from spatialnb.study import parameters
from spatialnb.study.study import Study


def pin(study: Study, root: Path | None = None) -> list[Path]:
    """Store a chapter's ids, rules and parameters, and return the files that changed.

    Parameters
    ----------
    study : the chapter's study.
    root : the checkout; by default the one that contains this package.

    Raises
    ------
    ValueError : a pinned id or rule that has published records would change.
    FileNotFoundError : `root` is not a checkout of the book.
    """
    root = root or published_folder().parents[1]
    path = root / "tests" / "pinned.json"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}: run `spatialnb pin` in a checkout of the book")
    pinned = json.loads(path.read_text("utf-8"))
    ours: dict[str, dict[str, str]] = {
        "arms": {arm: run.id for arm, run in study.arms.items()},
        "claims": {claim.key: claim.rule for claim in study.claims},
    }
    _refuse_to_move(study.id, pinned.get(study.id, {}), ours)
    pinned[study.id] = ours
    order = [*STUDIES, *(name for name in pinned if name not in STUDIES)]
    whole = {name: pinned[name] for name in order if name in pinned}
    texts = {path: json.dumps(whole, indent=1, ensure_ascii=False) + "\n"}
    for notebook in sorted((root / "book").glob(f"{study.id}_*.ipynb")):
        texts[notebook] = _with_parameters(notebook, study)
    changed = [file for file, text in texts.items() if file.read_text("utf-8") != text]
    for file in changed:
        file.write_text(texts[file], "utf-8")
    return changed


def _refuse_to_move(
    chapter: str, old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise ValueError if ids or rules that have published records would change."""
    published = Store(published_folder()).ids()
    if published.isdisjoint(old.get("arms", {}).values()):
        return
    for part, what in (("arms", "arm"), ("claims", "claim")):
        for name, value in old[part].items():
            if new[part].get(name) != value:
                raise ValueError(
                    f"{chapter}, {what} {name!r}: pinned as {value}, but the study has "
                    f"{new[part].get(name, 'none')}, and runs of this chapter are published. Undo "
                    f"the change, or give the new {what} a new name"
                )


def _with_parameters(notebook: Path, study: Study) -> str:
    """The notebook with the study's parameters in the cell tagged ``parameters``."""
    import nbformat

    book: Any = nbformat.read(notebook, as_version=4)
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = parameters.cell(study.parameters)
    return str(nbformat.writes(book)) + "\n"
