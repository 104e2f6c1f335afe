"""How to cite this: what CITATION.cff says is what the project's other files say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPORT = CITATION["preferred-citation"]


def test_what_the_format_asks_for_is_there() -> None:
    assert CITATION["cff-version"] == "1.2.0"
    assert all(CITATION[name] for name in ("message", "title", "authors"))
    assert all(REPORT[name] for name in ("type", "title", "authors"))


def test_version_licence_and_year_are_the_projects() -> None:
    assert CITATION["version"] == REPORT["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    assert set(CITATION["keywords"]) <= set(PROJECT["keywords"])
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert f"Copyright (c) {REPORT['year']} {CITATION['authors'][0]['name']}" in licence


def test_a_release_has_its_date_and_what_is_not_released_has_none() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    dates = dict(re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d{2}-\d{2})$", changes, re.MULTILINE))
    dated = CITATION.get("date-released")
    assert (str(dated) if dated else None) == dates.get(CITATION["version"])


def test_the_repository_is_named_where_the_project_names_it() -> None:
    named = PROJECT.get("urls", {})
    assert CITATION.get("repository-code") == named.get("Repository")
