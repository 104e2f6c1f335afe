"""Lets nbval compare outputs that are stored without an execution count.

nbval takes such a cell for an accident. Here it is the rule: nbstripout removes every count, so
that running a page changes nothing that is stored.
"""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each stored output the count that nbval asks for."""
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and cell.get("outputs") and cell.execution_count is None:
            cell.execution_count = 0
