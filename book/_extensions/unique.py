"""Sphinx extension: a name that pages refer to stands on one page alone.

Sphinx warns of a label that it reads twice, but pages are read by several processes, each of which
reads some: of two pages with one label the last one wins in silence, and links lead there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

NAMES = {
    "label": ("std", "anonlabels"),
    "term": ("std", "terms"),
    "equation": ("math", "objects"),
    "object": ("py", "objects"),
}
"""Where Sphinx keeps the names of each kind, each with its page first."""

Names = dict[str, set[tuple[str, str]]]
"""By page, the kind and the name of what it defines."""


def names(env: BuildEnvironment) -> Names:
    """What every page that has been read defines."""
    if not hasattr(env, "names_of_pages"):
        env.names_of_pages = {}  # type: ignore[attr-defined]
    found: Names = env.names_of_pages
    return found


def note(app: Sphinx, doctree: nodes.document) -> None:
    """Keep what the page defines that has just been read."""
    env = app.env
    names(env)[env.docname] = {
        (kind, name)
        for kind, (domain, part) in NAMES.items()
        for name, (page, *_) in env.domaindata.get(domain, {}).get(part, {}).items()
        if page == env.docname
    }


def merge(
    app: Sphinx, env: BuildEnvironment, pages: Iterable[str], other: BuildEnvironment
) -> None:
    """Take over what another process has read."""
    names(env).update({page: names(other)[page] for page in pages if page in names(other)})


def purge(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Forget a page that is read again, or is no more."""
    names(env).pop(page, None)


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of every name that two pages define."""
    first: dict[tuple[str, str], str] = {}
    for page in sorted(names(env)):
        for kind, name in sorted(names(env)[page]):
            other = first.setdefault((kind, name), page)
            if other != page:
                logging.getLogger(__name__).warning(
                    "the %s %r stands in %s too; rename one", kind, name, other, location=page
                )


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-read", note)
    app.connect("env-merge-info", merge)
    app.connect("env-purge-doc", purge)
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
