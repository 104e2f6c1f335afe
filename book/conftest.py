"""How nbval runs the pages: every stored output is compared.

nbval takes an output that is stored without an execution count for an accident. Here it is the
rule: nbstripout removes every count, so that running a page changes nothing that is stored.

Most cells have nothing stored. Those that no compared cell needs are slow tests: `make test-all`
runs them, and so does the build.
"""

import ast
import itertools

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a stored output the count that nbval asks for."""
    if item.cell.outputs and item.cell.execution_count is None:
        item.cell.execution_count = 0


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what no compared cell needs, going through each page from its end."""
    cells = [item for item in items if item.path.suffix == ".ipynb"]
    for _, page in itertools.groupby(cells, key=lambda item: item.path):
        wanted: set[str] = set()
        for item in reversed(list(page)):
            bound, used = names(item.cell.source)
            is_read = bound & wanted or (wanted and "parameters" in item.cell.metadata["tags"])
            if item.cell.outputs or is_read:
                wanted |= used
            else:
                item.add_marker("slow")


def names(source: str) -> tuple[set[str], set[str]]:
    """What a cell binds, and what it uses."""
    bound, used = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
    return bound, used
