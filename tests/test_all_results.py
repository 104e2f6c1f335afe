"""Every result in one table and every claim in one document, for other tools."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from spatialnb import report, studies
from spatialnb.commands.cli import main
from spatialnb.config.run import LARGEST_SEED
from spatialnb.report.all_results import COLUMNS, all_results, units_table
from spatialnb.study import metrics
from tests import synthetic

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "new"
    ended = CliRunner().invoke(main, ["export", str(folder)])
    assert ended.exit_code == 0, ended.output
    assert ended.output.split() == [
        str(folder / name)
        for name in ("results.csv", "results.parquet", "claims.json", "claims.schema.json")
    ]
    return folder


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "results.csv")


def test_both_files_hold_the_same_table(folder: Path, table: pd.DataFrame) -> None:
    other = pd.read_parquet(folder / "results.parquet")
    assert list(table) == list(other) == list(COLUMNS)
    assert len(table) == len(other) > 100_000
    assert (table.value == other.value).all()
    assert (table.record == other.record).all()
    assert table.epoch.isna().sum() == other.epoch.isna().sum() > 0


@pytest.mark.parametrize("chapter", ["v05", "c2", "c4", "c5", "c6c"])
def test_means_over_the_rows_are_those_of_the_tables(table: pd.DataFrame, chapter: str) -> None:
    rows = table[table.chapter == chapter]
    results = studies.get(chapter).recorded()
    assert results is not None
    compared = 0
    for name in results.study.metrics:
        base, _, epoch = name.partition("@")
        chosen = rows[rows.metric == (name if (rows.metric == name).any() else base)]
        if not epoch or (rows.metric == name).any():
            last = chosen.groupby("record").epoch.transform("max")
            chosen = chosen[chosen.epoch.isna() | (chosen.epoch == last)]
        else:
            chosen = chosen[chosen.epoch == float(epoch)] if epoch.isdigit() else chosen[:0]
        shown = report.frame(results, name).set_index("arm")["mean"].dropna()
        found = chosen.groupby("arm").value.mean()
        for arm in shown.index.intersection(found.index):
            if metrics.metric(name).of_record is None:
                assert found[arm] == pytest.approx(shown[arm], rel=1e-9, abs=1e-12), (name, arm)
                compared += 1
    assert compared >= len(results.arms)


def test_every_run_on_record_of_a_page_stands_in_it(table: pd.DataFrame) -> None:
    wanted = {
        record.id
        for results in studies.recorded()
        for by_seed in results.records.values()
        for record in by_seed.values()
    }
    assert wanted == set(table[table.second_seed.isna()].record)
    assert not table.duplicated(["chapter", "arm", "seed", "second_seed", "epoch", "metric"]).any()
    assert np.isfinite(table.value).all()


def test_claims_are_those_of_the_ledger_and_as_the_schema_says(folder: Path) -> None:
    document = json.loads((folder / "claims.json").read_text("utf-8"))
    schema = json.loads((folder / document["$schema"]).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    findings = [*studies.ledger(), *studies.controls()]
    assert [(one["chapter"], one["key"], one["verdict"]) for one in document["claims"]] == [
        (found.claim.chapter, found.claim.key, found.verdict) for found in findings
    ]
    described = set(schema["properties"]["claims"]["items"]["properties"])
    assert set().union(*document["claims"]) == described
    document["claims"][0]["verdict"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_the_page_names_every_metric_with_its_unit(table: pd.DataFrame) -> None:
    text = units_table(studies.recorded()).text
    assert all(name in text for name in table.metric.unique())
    assert f"{len(all_results(studies.recorded())):,} rows" in text


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = CliRunner().invoke(main, ["export", str(tmp_path / "file" / "in")])
    assert ended.exit_code == 1
    assert "cannot be written: Not a directory" in ended.output


def test_the_manifest_names_what_the_book_makes() -> None:
    manifest = yaml.safe_load((ROOT / "codecheck.yml").read_text("utf-8"))
    assert manifest["version"] == "https://codecheck.org.uk/spec/config/1.0/"
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert manifest["paper"]["title"] == cited["title"]
    names = [one["file"] for one in manifest["manifest"]]
    assert names[:4] == [
        f"_build/html/results/{name}"
        for name in ("results.csv", "results.parquet", "claims.json", "claims.schema.json")
    ]


def test_a_seed_of_your_own_may_be_large() -> None:
    found = synthetic.results(synthetic.study(seeds=(0, 1), pairs=False, claims=()))
    records = {arm: {LARGEST_SEED: by_seed[1]} for arm, by_seed in found.records.items()}
    table = all_results([dataclasses.replace(found, records=records, pairs={})])
    assert set(table.seed) == {LARGEST_SEED}
