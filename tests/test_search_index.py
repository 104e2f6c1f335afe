"""The search of the built book: its index holds words, and no numbers of tables."""

from __future__ import annotations

import json
from types import ModuleType

import extensions
import pytest


@pytest.fixture(scope="module")
def lighter() -> ModuleType:
    return extensions.load("lighter")


def test_numbers_of_tables_are_no_words_of_the_search(lighter: ModuleType) -> None:
    words = {"kernel": 1, "größe": [1, 2], "cifar10": 3, "c7f": 4, "v05": 5, "k15": 6}
    numbers = {"54": 1, "0003no52": [1, 2], "000adam31": 2, "7e1c09d41f": 3}
    index = {"docnames": ["book/v05"], "terms": {**words, **numbers}}
    found = lighter.without_numbers(f"Search.setIndex({json.dumps(index)})")
    assert json.loads(found.removeprefix("Search.setIndex(").removesuffix(")")) == {
        "docnames": ["book/v05"],
        "terms": words,
    }
    assert lighter.without_numbers(found) == found


def test_what_is_no_index_stays_as_it_is(lighter: ModuleType) -> None:
    assert lighter.without_numbers("var other = 1;") == "var other = 1;"
