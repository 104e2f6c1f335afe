"""Sphinx extension: docstrings in the house style, as the reference shows them.

A section such as ``Parameters`` holds entries ``name : text`` with indented lines that go on. They
become a list; ``$...$`` becomes a formula.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

SECTIONS = ("Parameters", "Returns", "Raises")
ENTRY = re.compile(r"(\S.*?) : (.*)")
FORMULA = re.compile(r"(?<![\\`])\$([^$]+)\$")


def rewritten(lines: list[str]) -> list[str]:
    """The lines of a docstring, its sections as lists and its formulas as roles."""
    out: list[str] = []
    inside = False
    for place, line in enumerate(lines):
        below = lines[place + 1] if place + 1 < len(lines) else ""
        entry = ENTRY.fullmatch(line)
        if line in SECTIONS and set(below) == {"-"}:
            inside = True
            out += [f".. rubric:: {line}", ""]
        elif inside and set(line) == {"-"}:
            continue
        elif inside and entry:
            out.append(f"* ``{entry[1]}``: {entry[2]}")
        elif inside and line.startswith("    "):
            out.append(f"  {line.strip()}")
        else:
            inside = inside and not line.strip()
            out.append(line)
    return FORMULA.sub(r":math:`\1`", "\n".join(out)).split("\n")


def rewrite(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Called for every docstring that a page takes in."""
    lines[:] = rewritten(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
