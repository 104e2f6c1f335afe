"""What several tests need: the real data where there is some, and a cache of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what axe finds in the dark, besides contrast, as slow: it is what it finds in light."""
    shown = getattr(item, "callspec", None)
    if item.name.startswith("test_axe") and shown and shown.params["theme"] == "dark":
        item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded data sets of this run of the tests, so that the user's own cache is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPATIALNB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The data root that holds the published data sets; tests that need it are skipped without."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("SPATIALNB_DATA", beside)).expanduser()
    if not (root / "MNIST").is_dir():
        pytest.skip("real data not found: set SPATIALNB_DATA to the folder that holds MNIST/")
    return root
