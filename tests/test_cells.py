"""What pages in Markdown show as code is run, as their readers would run it, cell by cell."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from spatialnb import baked_copy

BOOK = Path(__file__).parents[1] / "book"
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?::[^\n]*\n)*(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(path.stem for path in BOOK.glob("*.md") if CELL.search(path.read_text("utf-8")))


def run(page: str) -> tuple[dict[str, Any], list[Any]]:
    """The names that a page's cells leave, and the value that each of them shows or None."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for code in CELL.findall((BOOK / f"{page}.md").read_text("utf-8")):
        body = ast.parse(code).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), page, "exec"), names)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), page, "eval"), names)
        shown.append(value)
    return names, shown


@pytest.fixture(scope="module", autouse=True)
def _torch_as_it_was() -> Any:
    yield
    torch.compiler.reset()


def test_the_pages_that_show_code_are_these() -> None:
    assert {"judge", "use_it"} <= set(PAGES)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "use_it"])
def test_every_cell_of_a_page_runs_without_a_warning(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BOOK)
    run(page)


def test_the_prior_on_a_network_of_your_own_does_what_its_page_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BOOK)
    names, shown = run("use_it")
    printed = capsys.readouterr().out
    learned = next(value for value in shown if isinstance(value, list))
    assert ("0.parametrizations.weight.original", (128, 64)) in learned
    assert True in [value for value in shown if isinstance(value, bool)]  # equal after remove
    assert float(re.search(r"([0-9.]+) % of \d+ test images", printed)[1]) > 75.0  # type: ignore[index]
    kept, same = [value for value in shown if isinstance(value, tuple)][-1]
    assert (sorted(kept), same) == (["0.bias", "0.weight", "2.bias", "2.weight"], True)
    assert re.findall(r"^(?:0|0\.5|1)\.?0? (True|False)$", printed, re.MULTILINE) == ["True"] * 3
    # What the larger loop has left is a model with a prior, and a checkpoint of it.
    x = names["x"]
    assert torch.equal(names["again"](x), names["model"](x))
    assert torch.allclose(baked_copy(names["model"])(x), names["compiled"](x), atol=1e-6)
