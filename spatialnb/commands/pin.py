"""What of a chapter must stay: the ids of its runs, the rules of its claims, its parameters.

An id names records, and a rule is written down before the runs that decide it. Both stand in
``tests/pinned.json``, where a test compares them with the study; the notebook's first cell repeats
the study's parameters.
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
    """Write a chapter's ids, rules and parameters down, and return the files that changed.

    Parameters
    ----------
    study : of a chapter.
    root : the checkout; that of this package without it.

    Raises
    ------
    ValueError : what is pinned already would change, and has published records.
    FileNotFoundError : `root` is no checkout of the book.
    """
    root = root or published_folder().parents[1]
    path = root / "tests" / "pinned.json"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}: pin a chapter in a checkout")
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
    """Raise ValueError where ids or rules would change after records were published under them."""
    published = Store(published_folder()).ids()
    if published.isdisjoint(old.get("arms", {}).values()):
        return
    for part, what in (("arms", "arm"), ("claims", "claim")):
        for name, value in old[part].items():
            if new[part].get(name) != value:
                raise ValueError(
                    f"{chapter}, {what} {name!r}: pinned is {value}, the study has "
                    f"{new[part].get(name, 'none')}, and runs of this chapter are published. Undo "
                    f"the change, or give the new {what} a name of its own"
                )


def _with_parameters(notebook: Path, study: Study) -> str:
    """The notebook with the study's parameters in the cell that is tagged so."""
    import nbformat

    book: Any = nbformat.read(notebook, as_version=4)
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = parameters.cell(study.parameters)
    return str(nbformat.writes(book)) + "\n"
