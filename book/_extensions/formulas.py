r"""Sphinx extension: formulas are set while the book is built, so that no page brings MathJax.

MathJax itself does it, in V8 instead of a browser. A formula becomes an SVG picture that carries
its glyphs, as fonts of its own are what a browser may refuse to a page opened from disk, and beside
it, for those who listen, the same formula as MathML. What TeX does not know, such as ``\frak{``,
breaks the build.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from py_mini_racer import MiniRacer
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

PARTS = (
    "startup",
    "core",
    "adaptors/liteDOM",
    "input/tex-base",
    "input/tex/extensions/ams",
    "output/svg",
    "output/svg/fonts/tex",
)
SETTINGS = """
var window = globalThis;
var MathJax = {
  startup: {typeset: false, document: ""},
  tex: {packages: ["base", "ams"]},
  svg: {fontCache: "local"},
};
"""
METHODS = """
MathJax.startup.getComponents();
MathJax.startup.makeMethods();
function set(tex, display) {
  const drawn = MathJax.startup.adaptor.outerHTML(MathJax.tex2svg(tex, {display}));
  return JSON.stringify([drawn, MathJax.tex2mml(tex, {display})]);
}
"""

logger = logging.getLogger(__name__)


@cache
def engine(process: int) -> MiniRacer:
    """MathJax in V8; each process that writes pages needs one of its own."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the book needs sphinx-mathjax-offline: pip install -e '.[book]'")
    folder = Path(package.origin).parent / "static" / "mathjax"
    made = MiniRacer()
    for script in (
        SETTINGS,
        *((folder / f"{part}.js").read_text("utf-8") for part in PARTS),
        METHODS,
    ):
        made.eval(f"{script};0")
    return made


def typeset(tex: str, display: bool) -> tuple[str, str]:
    """A formula as HTML, and what is wrong with it, if anything."""
    call = f"set({json.dumps(tex)}, {json.dumps(display)})"
    drawn, spoken = json.loads(str(engine(os.getpid()).eval(call)))
    wrong = re.search(r'data-mjx-error="([^"]*)"', spoken)
    spoken = re.sub(r">\s+<", "><", spoken).strip()
    drawn = drawn.replace(' role="img"', ' aria-hidden="true"', 1)
    if display:  # scrolls where it is wider than the page, so keys must reach it
        drawn = drawn.replace("<mjx-container ", '<mjx-container tabindex="0" ', 1)
    html = drawn.replace(
        "</mjx-container>", f"<mjx-assistive-mml>{spoken}</mjx-assistive-mml></mjx-container>"
    )
    return html, wrong[1] if wrong else ""


def write(self: HTML5Translator, node: nodes.Element, tex: str, display: bool) -> None:
    """Put a formula into the page."""
    html, wrong = typeset(tex, display)
    if wrong:
        logger.warning("formula %r: %s", tex, wrong, location=node)
    self.body.append(html)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line of text."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    write(self, node, node.astext(), display=False)
    self.body.append("</span>")
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula in lines of its own."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    tex = node.astext()
    if "\\\\" in tex and not node["nowrap"]:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    write(self, node, tex, display=True)
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx; ``html_math_renderer`` of the settings chooses it."""
    app.add_html_math_renderer("formulas", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
