"""A chapter run again, compared, verified and published, on made records and small data."""

import contextlib
import csv
import dataclasses
import html
import io
import json
import math
import os
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import synthetic
import torch
from click.testing import CliRunner
from nbclient.exceptions import DeadKernelError
from synthetic import ARMS, results, run_record, study
from test_rerun_page import looked_at

from spatialnb import report
from spatialnb.commands import own_kernel, publish, rerun, verify
from spatialnb.commands.cli import main
from spatialnb.config import user_definitions
from spatialnb.config.run import Run
from spatialnb.execution import planning
from spatialnb.execution.in_process import InProcess
from spatialnb.priors.kernels import Linear, kernels
from spatialnb.records import answers
from spatialnb.records import store as records_store
from spatialnb.records.provenance import PACKAGE
from spatialnb.records.store import RecordError, Store
from spatialnb.studies import get
from spatialnb.study.parameters import parse

MARKUP = '<img src=x onerror="alert(1)">**x** [y](javascript:z) | `'
"""An arm's name that is HTML and Markdown."""

ONE = study(pairs=False, claims=(), reported=(), metrics=("accuracy", "sparsity"))


# ── Comparison ──────────────────────────────────────────────────────────────────────────────────


def outcomes(ours, theirs, metric="accuracy"):
    return {row.arm: row.outcome for row in report.compared(ours, theirs) if row.metric == metric}


def moved(found, by, seeds=None):
    """Results with other accuracies: every run `by` points better, at other seeds if they say."""
    change = dict(zip(found.seeds, seeds or found.seeds, strict=True))
    grid = found.study.configs(seeds=list(change.values()))
    return dataclasses.replace(
        found,
        seeds=tuple(change.values()),
        records={
            arm: {
                run.seed: run_record(
                    run, record.outcome["epochs"]["test_accuracy"][-1] + by / 100.0
                )
                for run, record in zip(grid[arm], kept.values(), strict=True)
            }
            for arm, kept in found.records.items()
        },
        pairs={},
    )


def test_the_same_runs_are_identical():
    found = results(ONE)
    assert set(outcomes(found, found).values()) == {"identical"}
    some = moved(results(ONE, seeds=[0, 1]), 0.0)
    assert set(outcomes(some, results(ONE)).values()) <= {"identical", "cannot tell", "same"}


@pytest.mark.parametrize(
    ("by", "outcome"), [(0.1, "same"), (-0.1, "same"), (3.0, "different"), (-3.0, "different")]
)
@pytest.mark.parametrize("seeds", [None, (10, 11, 12, 13, 14, 15)], ids=["same seeds", "new seeds"])
def test_runs_are_the_same_within_the_margin_and_different_beyond(by, outcome, seeds):
    found = results(ONE)
    assert set(outcomes(moved(found, by, seeds), found).values()) == {outcome}


def test_two_runs_more_cannot_tell_a_difference_that_is_near_the_margin():
    found = results(ONE)
    few = dataclasses.replace(moved(found, 0.5, (10, 11, 12, 13, 14, 15)), seeds=(10,))
    few = dataclasses.replace(
        few, records={arm: dict(list(kept.items())[:1]) for arm, kept in few.records.items()}
    )
    (row, *_) = report.compared(few, found)
    assert row.outcome == "cannot tell"
    assert row.reason == "1 new value(s), and a test needs two"


def test_a_share_that_no_seed_changes_is_compared_without_spread():
    found = results(ONE)
    assert set(outcomes(found, found, "sparsity").values()) == {"identical"}
    new = moved(found, 0.0, (10, 11, 12, 13, 14, 15))
    assert set(outcomes(new, found, "sparsity").values()) == {"same"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epochs": 30}, "epochs 30, not 5"),
        ({"dataset": "cifar10"}, "data cifar10, not mnist"),
        ({"settings": {"lr": 0.001}}, "lr 0.001, not 0.003"),
        ({"epochs": 3, "settings": {"lr": 0.001}}, "epochs 3, not 5; lr 0.001, not 0.003"),
    ],
)
def test_runs_of_other_settings_are_not_compared_and_the_reason_is_said(changes, reason):
    found = results(ONE)
    for row in report.compared(dataclasses.replace(found, **changes), found):
        assert (row.outcome, row.reason) == ("not comparable", reason)
        assert row.difference.n == 0
        assert row.rerun.n == row.published.n == 6


def test_a_reason_is_printed_once_and_what_comes_out_otherwise_after_it():
    found = results(ONE)
    linear = {
        seed: run_record(record.run, record.outcome["epochs"]["test_accuracy"][-1] - 0.5)
        for seed, record in found.records["linear"].items()
    }
    other = dataclasses.replace(found, epochs=30, records={**found.records, "linear": linear})
    said = report.comparison_text(other, found, report.compared(other, found))
    assert said.count("not comparable: epochs 30, not 5") == 1
    (line,) = (line for line in said.splitlines() if line.endswith(": the sign differs"))
    size = r"[+−]\d+\.\d\d \[[+−]\d+\.\d\d, [+−]\d+\.\d\d\]"
    assert re.fullmatch(
        rf" +.*linear.*, test accuracy: {size}, yours {size}: the sign differs", line
    )
    assert "Difference from" in said


def test_claims_stand_side_by_side_with_both_verdicts():
    one = study()
    found = results(one)
    said = report.comparison_text(found, found, report.compared(found, found))
    assert "  Claims, published and yours:" in said
    for finding in found.findings():
        assert f"({finding.verdict}; yours {finding.verdict}): " in said
    nothing = {arm: {} for arm in found.records}
    few = dataclasses.replace(found, records=nothing, pairs=nothing)
    assert "yours:" not in report.comparison_text(few, found, [])


def test_an_arm_of_ones_own_is_not_compared():
    more = results(ONE.with_arms({"mine": Linear(floor=0.5)}))
    found = outcomes(more, results(ONE))
    assert found.pop("mine") == "not comparable"
    assert set(found.values()) == {"identical"}


def test_the_published_page_has_no_comparison():
    assert report.compare(results()) is None
    assert report.compare(results(seeds=[0, 1])) is None  # the first of the published seeds


def test_the_comparison_at_the_end_of_a_page_has_a_heading_a_rule_and_a_csv(monkeypatch):
    one = study()
    published = results(one)
    monkeypatch.setattr(type(one), "recorded", lambda self, store=None: published)
    shown = report.compare(results(one, epochs=7))
    assert "<h2>Comparison with the published runs</h2>" in shown.html
    assert "– not comparable" in shown.html
    assert "epochs 7, not 5" in shown.html
    assert "two one-sided tests" in shown.text
    assert 'download="v01-comparison.csv"' in shown.html
    assert synthetic.HOSTILE not in shown.html


# ── A re-run ────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def standard_error(path):
    """What this process and those it starts say there goes into a file."""
    before = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The quick edition of v1 with other seeds, settings and an arm, as the command leaves it."""
    folder = tmp_path_factory.mktemp("a rerun")
    elsewhere = folder / "kernels" / "python3" / "kernel.json"  # of another Python, which fails
    elsewhere.parent.mkdir(parents=True)
    spec = {"argv": ["false", "{connection_file}"], "display_name": "Other", "language": "python"}
    elsewhere.write_text(json.dumps(spec))
    arguments = ["run", "v01", "--quick", "--seeds", "3-5", "--set", "lr=0.001", "--epochs", "1"]
    own = {"kind": "exponential", "k": 5}
    arguments += ["--set", f"arms={json.dumps({'k = 5': own, MARKUP: own})}", "--workers", "1"]
    arguments += ["--out", str(folder / "out"), "--store", str(folder / "store")]
    with pytest.MonkeyPatch.context() as patch, standard_error(folder / "said"):
        patch.setenv("JUPYTER_PATH", str(folder))
        first = CliRunner().invoke(main, arguments, prog_name="spatialnb")
    assert first.exit_code == 0, first.output
    return folder, arguments, first.output


def test_a_re_run_says_first_what_it_does_and_then_what_it_left(quick):
    folder, arguments, said = quick
    assert said.startswith(
        "v01  A linear kernel on MNIST: quick-digits, 1 epoch, 3 seeds (3 to 5), lr 0.001\n"
        "     9 runs, 0 recorded, 9 to train\n"
    )
    assert f"spatialnb compare '{folder / 'out'}'" in said  # as a shell takes it
    dry = CliRunner().invoke(main, [*arguments, "--dry-run"], prog_name="spatialnb")
    assert "9 runs, 9 recorded, 0 to train\nNothing to train." in dry.output


def test_a_re_run_leaves_a_notebook_a_page_and_tables_that_are_valid(quick):
    out = quick[0] / "out"
    names = {path.name for path in out.iterdir()}
    assert {"v01_linear_or_none.ipynb", "v01_linear_or_none.html", "rerun.json"} < names
    table = json.loads((out / "v01-accuracy.json").read_text())
    assert [row["arm"] for row in table] == ["none", "linear", "k = 5", MARKUP]
    assert {row["n"] for row in table} == {3}
    text = (out / "v01-accuracy.csv").read_text()
    assert text.startswith("chapter,arm,metric")
    for row, line in zip(table, csv.DictReader(io.StringIO(text)), strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == line
    claims = json.loads((out / "v01-claims.json").read_text())
    assert {row["verdict"] for row in claims} == {"not judged"}


def test_the_kernel_of_a_re_run_is_this_interpreter_and_ends_in_silence(quick):
    assert (quick[0] / "kernels").is_dir()
    said = (quick[0] / "said").read_text()
    assert "KeyboardInterrupt" not in said
    spec = own_kernel.OwnKernel(kernel_name="python3").kernel_spec
    assert spec.argv[:3] == [sys.executable, "-m", "ipykernel_launcher"]


def test_the_kernel_of_a_re_run_has_this_package_where_another_copy_would_be_imported(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(PACKAGE.parent), *sys.path])
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert own_kernel.OwnInterpreter().get_kernel_spec("python3").env == {}
    monkeypatch.setattr(sys, "path", [str(PACKAGE.parent), "/nowhere"])
    spec = own_kernel.OwnInterpreter().get_kernel_spec("python3")
    assert spec.env == {"PYTHONPATH": f"{PACKAGE.parent}:/mine"}


def test_a_kernel_that_dies_ends_a_re_run_with_a_sentence(quick, tmp_path, monkeypatch):
    def dies(*_, **__):
        raise DeadKernelError("Kernel died")

    monkeypatch.setattr("papermill.execute_notebook", dies)
    planned = rerun.plan(get("v01"), parse({"dataset": "quick-digits", "epochs": 1, "seeds": [3]}))
    planned = dataclasses.replace(planned, given=planned.given | parse({"lr": 0.001}))
    with pytest.raises(RuntimeError, match=r"the Jupyter kernel that runs the notebook died \("):
        rerun.execute(planned, tmp_path / "out", Store(quick[0] / "store"))


def test_the_kernel_of_a_re_run_has_whole_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPATIALNB_DATA", "data")
    monkeypatch.delenv("SPATIALNB_CACHE", raising=False)
    monkeypatch.delenv("SPATIALNB_STORE", raising=False)
    with rerun._environment(Store("st")):
        assert os.environ["SPATIALNB_DATA"] == str(tmp_path / "data")
        assert os.environ["SPATIALNB_STORE"] == str(tmp_path / "st")
        assert "SPATIALNB_CACHE" not in os.environ
    assert os.environ["SPATIALNB_DATA"] == "data"
    assert "SPATIALNB_STORE" not in os.environ


def test_the_page_of_a_re_run_stands_alone(quick):
    page = (quick[0] / "out" / "v01_linear_or_none.html").read_text()
    assert "Quick edition" in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "{glue:text}" not in page
    assert "$" not in re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    assert "application/papermill.record" not in page


class Tags(HTMLParser):
    """The tags of a page that could do something, as a browser would see them."""

    def __init__(self):
        super().__init__()
        self.live = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if any(name.startswith("on") for name in given if tag in ("img", "a")):
            self.live.append((tag, given))
        if str(given.get("href", "")).lower().startswith("javascript:") or given.get("src") == "x":
            self.live.append((tag, given))


def test_an_arm_named_in_html_and_markdown_puts_no_markup_into_the_page(quick):
    page = (quick[0] / "out" / "v01_linear_or_none.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert tags.live == []
    assert html.escape(MARKUP[:9]) in page  # it stands there, and as text


def test_the_page_of_a_re_run_looks_right_in_a_browser(quick):
    assert looked_at([quick[0] / "out" / "v01_linear_or_none.html"]) == []


def test_a_re_run_can_be_compared_wherever_its_folder_goes(quick, tmp_path):
    moved_to = shutil.copytree(quick[0] / "out", tmp_path / "elsewhere")
    (loaded,) = rerun.load(moved_to, get)
    assert loaded.seeds == (3, 4, 5)
    assert loaded.settings == {"lr": 0.001}
    assert loaded.study.added == ("k = 5", MARKUP)
    result = CliRunner().invoke(main, ["compare", str(moved_to), "--json"])
    rows = json.loads(result.stdout)
    assert {row["outcome"] for row in rows} == {"not comparable"}
    assert "data quick-digits, not mnist" in rows[0]["reason"]


EDGE = """
from dataclasses import dataclass
from spatialnb.priors.kernels import Kernel, register

@register("test-rerun-edge")
@dataclass(frozen=True, kw_only=True)
class {name}(Kernel):
    def strength(self, distance):
        return 0.0 * distance.double() + {value}
"""


def test_two_chapters_of_one_folder_may_each_have_a_kernel_of_one_name(tmp_path):
    store, out = Store(tmp_path / "store"), tmp_path / "out"
    arms = {"edge": {"kind": "test-rerun-edge"}}
    for chapter, name, value in (("v01", "One", 0.5), ("v02", "Other", 0.25)):
        file = tmp_path / chapter / "kernel.py"
        file.parent.mkdir()
        file.write_text(EDGE.format(name=name, value=value))
        given = parse({"definitions": [file], "dataset": "quick-digits", "epochs": 1, "seeds": [0]})
        planned = rerun.plan(get(chapter), given | parse({"arms": arms}), [str(file)])
        found = get(chapter).run(given, store=store, backend=InProcess(), progress=False, arms=arms)
        rerun._keep_records(found, out, store)
        rerun._note(planned, out)
        user_definitions.forget(file)
    assert "test-rerun-edge" not in list(kernels)

    result = CliRunner().invoke(main, ["compare", str(out), "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {row["chapter"] for row in rows} == {"v01", "v02"}
    for file in (out / "definitions").iterdir():  # the command leaves the last one's
        user_definitions.forget(file)
    means = {}
    for loaded in rerun.load(out, get):
        (kernel,) = (loaded.study.arms["edge"].schedule.kernel,)
        means[loaded.study.id] = (type(kernel).__name__, float(kernel.strength(torch.ones(1))))
        assert len(loaded.samples("edge", "accuracy")) == 1
    assert means == {"v01": ("One", 0.5), "v02": ("Other", 0.25)}
    for file in (out / "definitions").iterdir():
        user_definitions.forget(file)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', '{"format": 3}'])
def test_a_manifest_that_is_none_is_named(text, tmp_path):
    (tmp_path / "rerun.json").write_text(text)
    with pytest.raises(ValueError, match=r"rerun.json is not the manifest of a re-run"):
        rerun.load(tmp_path, get)
    planned = rerun.plan(get("v01"), parse({"dataset": "quick-digits", "seeds": (0,)}))
    with pytest.raises(ValueError, match=r"rerun.json is not the manifest of a re-run"):
        rerun.execute(planned, tmp_path, Store(tmp_path / "store"))


@pytest.mark.parametrize(
    "file", ["../../evil.py", "/tmp/evil.py", "a/evil.py", "evil", "..\\evil.py", 3, None, []]
)
def test_a_manifest_names_no_file_outside_its_folder(file, tmp_path):
    evil = tmp_path / "evil.py"
    evil.write_text("raise SystemExit('it was run')")
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    given = {"definitions": [str(evil) if file == "/tmp/evil.py" else file]}
    text = json.dumps({"format": rerun.FORMAT, "chapters": {"v01": given}})
    (folder / "rerun.json").write_text(text)
    with pytest.raises(ValueError, match=r"not the manifest of a re-run: definitions: expected"):
        rerun.load(folder, get)


@pytest.mark.parametrize("chapter", ["../v01", "/etc/passwd", "v99", "<b>", ""])
def test_a_manifest_of_no_chapter_is_refused(chapter, tmp_path):
    text = json.dumps({"format": rerun.FORMAT, "chapters": {chapter: {}}})
    (tmp_path / "rerun.json").write_text(text)
    with pytest.raises(ValueError, match="unknown study"):
        rerun.load(tmp_path, get)


def test_the_time_is_estimated_from_runs_like_them(tmp_path):
    store = Store(tmp_path)
    run = Run(dataset="mnist", epochs=5)
    assert planning.minutes([], store, 2) == (0.0, 0.0)
    assert all(map(math.isnan, planning.minutes([run], store, 2)))
    for seed, seconds in enumerate((10.0, 20.0, 90.0)):
        made = run_record(dataclasses.replace(run, seed=seed))
        store.add(dataclasses.replace(made, provenance={"seconds": seconds}))
    (tmp_path / "runs" / "0000000000000000.json").write_text("damaged")
    wanted = [dataclasses.replace(run, seed=seed, epochs=30) for seed in range(5, 9)]
    assert planning.seconds(wanted, store) == [30 * 4.0] * 4
    least, most = planning.minutes(wanted, store, 2)
    assert least == pytest.approx(2 * 30 * 2.0 / 60.0)
    assert most == pytest.approx(2 * 30 * 18.0 / 60.0)
    assert planning.minutes(wanted[:3], store, 2) == (least, most)  # the second takes two rounds
    assert planning.minutes(wanted, store, 2, load=1.0) == (least, most)
    assert planning.minutes(wanted, store, 2, load=9.0)[1] == pytest.approx(2 * 30 * 4.0 * 10 / 60)


def test_runs_that_are_trained_again_for_a_pair_take_their_time(tmp_path):
    store = Store(tmp_path)
    first, second = (Run(dataset="mnist", seed=seed) for seed in (0, 1))
    assert planning.with_pairs([], [(first, second)], store) == [first, second]
    assert planning.with_pairs([first], [(first, second)], store) == [first, second]
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / f"{planning.pair_id(first, second)}.json").touch()
    assert planning.with_pairs([first], [(first, second)], store) == [first]


# ── Where a re-run may go ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of one chapter, and a package beside it."""
    chapter = tmp_path / "book" / rerun.notebook(get("v01")).name
    (tmp_path / "book" / "records").mkdir(parents=True)
    shutil.copy(rerun.notebook(get("v01")), chapter)
    monkeypatch.setattr(records_store, "book_folder", lambda: tmp_path / "book")
    return tmp_path / "book"


@pytest.fixture
def nothing_is_trained(monkeypatch):
    def trained(*_, **__):
        raise AssertionError("something was trained")

    monkeypatch.setattr("spatialnb.execution.runs.complete", trained)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", ["", "records", "mine", "records/runs/mine", "../link", "up/.."])
@pytest.mark.parametrize("option", ["--out", "--store", "SPATIALNB_STORE"])
def test_nothing_is_written_among_the_sources_of_the_book(
    option, place, book, monkeypatch, nothing_is_trained
):
    (book.parent / "link").symlink_to(book)
    (book / "up").mkdir()
    where = book / place
    before = files(book)
    monkeypatch.setenv("SPATIALNB_STORE", str(where if option == "SPATIALNB_STORE" else "/none"))
    options = [] if option == "SPATIALNB_STORE" else [option, str(where)]
    if option != "--out":
        options += ["--out", str(book.parent / "out")]
    if option == "--out":
        options += ["--store", str(book.parent / "store")]
    done = CliRunner().invoke(main, ["run", "v01", "--quick", *options])
    assert done.exit_code == 1, done.output
    assert done.output.startswith(f"Error: {option}: {where} lies in {book}")
    assert files(book) == before


def test_a_re_run_does_not_go_into_the_folder_of_another(book, tmp_path, nothing_is_trained):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "rerun.json").write_text("{}")
    with pytest.raises(ValueError, match=r"lies in .*one, which is the folder of another re-run"):
        rerun.check_folder([get("v01")], tmp_path / "one" / "records" / "two")


def test_a_notebook_that_no_re_run_wrote_is_not_overwritten(book, tmp_path):
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / rerun.notebook(get("v01")).name
    shutil.copy(rerun.notebook(get("v01")), mine)
    with pytest.raises(ValueError, match=f"{mine} already exists and was not written by"):
        rerun.check_folder([get("v01")], tmp_path / "out")
    whole = json.loads(mine.read_text())
    mine.write_text(json.dumps({**whole, "metadata": {"papermill": {}}}))
    rerun.check_folder([get("v01")], tmp_path / "out")
    kept = mine.rename(tmp_path / "kept.ipynb")
    mine.symlink_to(kept)
    with pytest.raises(ValueError, match="already exists"):
        rerun.check_folder([get("v01")], tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_trained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="file cannot be written; choose another folder"):
        rerun.check_folder([get("v01")], tmp_path / "file" / "out")


def test_the_store_may_lie_where_a_re_run_keeps_its_records(tmp_path):
    store = Store(tmp_path / "out" / "records")
    found = results(ONE)
    for kept in found.records.values():
        for record in kept.values():
            store.add(record)
    before = files(tmp_path)
    rerun._keep_records(found, tmp_path / "out", store)
    assert files(tmp_path) == before


# ── Verification ────────────────────────────────────────────────────────────────────────────────


def a_store(folder, one):
    store = Store(folder)
    for kept in results(one).records.values():
        for record in kept.values():
            store.add(record)
    return store


def test_a_sample_is_of_recorded_runs_each_once_and_a_seed_fixes_it(tmp_path):
    store = a_store(tmp_path, ONE)
    chosen = verify.sample([ONE], store, 5, seed=1)
    assert len({run.id for _, run in chosen}) == 5
    assert chosen == verify.sample([ONE], store, 5, seed=1)
    assert len(verify.sample([ONE], store, 100)) == 18
    with pytest.raises(ValueError, match="none of these runs are recorded"):
        verify.sample([ONE], Store(tmp_path / "empty"), 5)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [(0.0, "identical"), (1e-4, "within the spread"), (0.2, "different")],
)
def test_a_run_trained_again_is_identical_or_within_the_spread_or_not(
    change, outcome, tmp_path, monkeypatch
):
    store = a_store(tmp_path / "published", ONE)

    def again(configs, *, store, backend):
        made = {}
        for run in configs:
            old = Store(tmp_path / "published").find(run.id)
            epochs = json.loads(json.dumps(old.outcome["epochs"]))
            epochs["test_accuracy"][-1] += change
            made[run.id] = dataclasses.replace(old, outcome={**old.outcome, "epochs": epochs})
        return verify.runs.Completed(runs=made, pairs={})

    monkeypatch.setattr(verify.runs, "complete", again)
    chosen = verify.sample([ONE], store, 3, seed=0)
    found = list(verify.verify(chosen, store, [ONE], tmp_path / "again"))
    assert {one.outcome for one in found} == {outcome}
    assert re.match(r"9\d\.\d\d recorded, \d+\.\d\d now; the arm has 9\d\.", found[0].says())


def test_other_instructions_and_other_pixels_are_said_where_a_run_comes_out_otherwise():
    run = results(ONE).records["none"][0]
    old = {"processor": "A", "instruction_set": "AVX2", "decoded": {"mnist": "1" * 64}}
    old["engine"] = "stacked"
    new = {"processor": "A", "instruction_set": "AVX512", "decoded": {"mnist": "2" * 64}}
    found = verify.Verified(
        arm="v01/none",
        recorded=dataclasses.replace(run, provenance=old),
        again=dataclasses.replace(run, provenance=new),
        outcome="different",
        mean=90.0,
        sd=1.0,
    )
    assert found.says().endswith(
        "(recorded with instruction set AVX2, now AVX512; engine stacked, now loop; decoded mnist "
        "11111111, now 22222222)"
    )
    older = dataclasses.replace(found, recorded=dataclasses.replace(run, provenance={}))
    assert "recorded with" not in older.says()


def test_verify_trains_for_real_and_finds_a_changed_record(tmp_path, monkeypatch):
    arms = {
        name: dataclasses.replace(run, dataset="quick-digits", epochs=1)
        for name, run in ARMS.items()
    }
    one = dataclasses.replace(ONE, arms=arms, labels={}, seeds=(0, 1))
    published = tmp_path / "published"
    monkeypatch.setattr(records_store, "published_folder", lambda: published)
    monkeypatch.setattr("spatialnb.studies.STUDIES", {"v01": one})
    one.run(store=Store(published), backend=InProcess(), progress=False)
    arguments = ["verify", "v01", "--sample", "2", "--seed", "0", "--workers", "1"]
    good = CliRunner().invoke(main, arguments)
    assert good.exit_code == 0, good.output
    assert good.output.count("identical ") == 2
    for path in (published / "runs").iterdir():
        record = records_store.read(path)
        record.outcome["epochs"]["test_accuracy"][-1] = 0.5
        path.write_text(record.to_json())
    bad = CliRunner().invoke(main, arguments)
    assert bad.exit_code == 1
    assert "2 of 2 differ by more than the seeds do" in bad.output


def test_a_run_of_other_bits_says_how_far_it_is_away_and_what_is_another_build():
    old = results(ONE).records["none"][0]
    versions = {"torch": "2.6.0", "numpy": "2.0.0"}
    one = verify.Verified(
        arm="v01/none",
        recorded=dataclasses.replace(old, provenance={"versions": versions, "processor": "A"}),
        again=dataclasses.replace(
            old, provenance={"versions": {**versions, "torch": "2.13.0"}, "processor": "B"}
        ),
        outcome="within the spread",
        mean=100.0 * old.outcome["epochs"]["test_accuracy"][-1] - 0.1,
        sd=0.2,
    )
    assert ": 0.5 sd away (3 allowed)" in one.says()
    assert "(recorded with torch 2.6.0, now 2.13.0; processor A, now B)" in one.says()


def test_a_failed_run_goes_through_verify_compare_and_publish_as_failed(tmp_path, monkeypatch):
    found = results(ONE, failed=[("linear", 1)])
    failed = found.records["linear"][1]
    working, published = Store(tmp_path / "working"), Store(tmp_path / "published")
    monkeypatch.setattr(records_store, "published_folder", lambda: tmp_path / "published")
    clean = {"commit": "a" * 40}
    for kept in found.records.values():
        for record in kept.values():
            working.add(dataclasses.replace(record, provenance=clean))
    checked = publish.candidates([ONE], working)
    assert failed.id in {record.id for record in checked.good}
    publish.publish(checked.good, working)
    assert published.find(failed.id).failed

    whole = moved(results(ONE), 0.0)
    (row,) = [row for row in report.compared(whole, found) if row.arm == "linear"][:1]
    assert row.published.n == 5  # never averaged over silently
    assert found.failed("linear") == [1]

    def again(configs, *, store, backend):
        return verify.runs.Completed(runs={run.id: run_record(run) for run in configs}, pairs={})

    monkeypatch.setattr(verify.runs, "complete", again)
    chosen = [("v01/linear", failed.run)]
    (one,) = verify.verify(chosen, published, [ONE], tmp_path / "again")
    assert one.outcome == "different"
    assert one.says().startswith("failed recorded, 97.00 now; the arm has")


# ── Publishing ──────────────────────────────────────────────────────────────────────────────────

CLEAN = {"commit": "a" * 40, "data": {"edition": "mnist", "sha256": None}}


@pytest.fixture
def two_stores(tmp_path, monkeypatch):
    monkeypatch.setattr(records_store, "published_folder", lambda: tmp_path / "published")
    return Store(tmp_path / "working", tmp_path / "published")


def made(run, **provenance):
    return dataclasses.replace(run_record(run), provenance={**CLEAN, **provenance})


def mnist():
    from spatialnb.datasets import edition

    return {"edition": "mnist", "sha256": edition("mnist").sha256}


def test_records_are_moved_and_stand_in_one_place(two_stores):
    wanted = ONE.configs(seeds=[0])["none"][0]
    path = two_stores.add(made(wanted, data=mnist()))
    checked = publish.candidates([ONE], two_stores)
    assert [record.id for record in checked.good] == [wanted.id]
    (moved_to,) = publish.publish(checked.good, two_stores)
    assert not path.exists()
    assert moved_to.parent == two_stores.folders[1] / "runs"
    assert publish.candidates([ONE], two_stores).good == []


@pytest.mark.parametrize(
    ("run", "provenance", "reason"),
    [
        (ARMS["none"], {"commit": "unknown"}, "made from the commit 'unknown'"),
        (ARMS["none"], {"commit": "a" * 40 + "+"}, "commit the package before"),
        (
            ARMS["none"],
            {"data": {"edition": "mnist", "sha256": "0" * 64}},
            "files of mnist that differ",
        ),
        (Run(dataset="quick-digits"), {}, "a quick edition of the data, which decides no claim"),
    ],
)
def test_a_record_with_a_doubtful_origin_is_refused(run, provenance, reason):
    assert reason in publish.objection(made(run, **{"data": mnist(), **provenance}))


def test_a_refused_record_stays_where_it_is(two_stores, monkeypatch):
    monkeypatch.setattr("spatialnb.studies.STUDIES", {"v01": ONE})
    good, bad = ONE.configs(seeds=[0, 1])["none"]
    two_stores.add(made(good, data=mnist()))
    kept = two_stores.add(made(bad, data=mnist(), commit="unknown"))
    arguments = ["publish", "v01", "--store", str(two_stores.folders[0])]
    dry = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert "1 records would move" in dry.output
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert f"refused: run {bad.id}: made from the commit 'unknown'" in result.output
    assert "1 records moved into" in result.output
    assert kept.exists()


def test_a_damaged_record_is_not_published(two_stores):
    wanted = ONE.configs(seeds=[0])["none"][0]
    path = two_stores.add(made(wanted, data=mnist()))
    path.write_text(path.read_text().replace('"finished"', '"finishde"'))
    with pytest.raises(RecordError, match="its checksum does not match"):
        publish.candidates([ONE], two_stores)


def test_a_pair_is_published_with_its_runs(two_stores):
    one = study()
    first, second = one.configs(seeds=[0, 1])["none"]
    pair = synthetic.pair_record(first, second)
    two_stores.add(dataclasses.replace(pair, provenance=CLEAN))
    assert [record.kind for record in publish.candidates([one], two_stores).good] == ["pair"]


@pytest.mark.parametrize("held_out", [None, 100])
def test_answers_to_test_images_are_published_and_those_to_held_out_ones_are_not(
    two_stores, held_out
):
    arms = {name: dataclasses.replace(run, validation_size=held_out) for name, run in ARMS.items()}
    one = study(arms=arms, pairs=False, claims=(), reported=(), metrics=("train_loss",))
    wanted = one.configs(seeds=[0])["none"][0]
    record = made(wanted, data=mnist())
    two_stores.add(record)
    two_stores.add(answers.record_of(wanted, {"mnist": [1, 2, 3]}, record.provenance))
    kinds = [found.kind for found in publish.candidates([one], two_stores).good]
    assert kinds == (["run"] if held_out else ["run", "answer"])


def test_a_notebook_is_found_by_its_chapter():
    assert rerun.notebook(get("v05")) == Path(
        records_store.published_folder().parent, "v05_cifar10.ipynb"
    )


def test_a_study_whose_runs_are_still_to_be_made_has_no_chapter() -> None:
    with pytest.raises(
        FileNotFoundError, match=r"v99 has no chapter yet\. .*`spatialnb train v99`"
    ):
        rerun.notebook(synthetic.study(id="v99"))


STACKED = {
    "engine": "stacked",
    "device": "NVIDIA H100",
    "stack": {"runs": 9, "adam": "compiled", "graph": True, "precision": "tf32"},
}


def test_runs_of_another_engine_have_a_store_of_their_own_whose_tables_say_so(
    two_stores, monkeypatch, tmp_path
):
    one = study(pairs=False, claims=(), reported=(), metrics=("accuracy",), seeds=(0, 1))
    monkeypatch.setattr("spatialnb.studies.STUDIES", {"v01": one})
    working, published = map(Store, two_stores.folders)
    for every in one.configs().values():
        for run in every:
            published.add(made(run, data=mnist()))
            theirs = made(run, data=mnist(), **(STACKED if run.seed else {}))
            working.add(theirs)
    working.add(answers.record_of(theirs.run, {"mnist": [1, 2, 3]}, theirs.provenance))
    shared = tmp_path / "shared"
    arguments = ["publish", "v01", "--store", str(two_stores.folders[0])]

    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 1
    said = "trained by stacks on NVIDIA H100 with TF32 products, but the book accepts only"
    assert refused.output.count(said) == 1  # the runs are there already; these answers are not
    assert "--into FOLDER" in refused.output

    moved = CliRunner().invoke(main, [*arguments, "--into", str(shared)])
    assert moved.exit_code == 0, moved.output
    assert len(list(shared.glob("runs/*.json"))) == 2 * len(one.arms)

    shown = CliRunner().invoke(main, ["tables", "v01", "--alone", "--store", str(shared)])
    assert shown.output.endswith(
        "Trained: 3 by stacks on NVIDIA H100 with TF32 products, 3 by the loop on a processor. "
        "Another engine or device rounds differently.\n"
    )
    usual = CliRunner().invoke(main, ["tables", "v01", "--store", str(shared)])
    assert "Trained:" not in usual.output  # the book's own come first


def test_a_comparison_and_a_table_say_what_trained_the_runs():
    found = results(ONE)
    one = found.records["none"][0]
    other = dataclasses.replace(one, provenance={**one.provenance, "device": "NVIDIA H100"})
    records = {**found.records, "none": {**found.records["none"], 0: other}}
    ours = dataclasses.replace(found, records=records)
    said = "1 by the loop on NVIDIA H100"
    assert said in report.table(ours).text
    assert "Trained:" not in report.table(found).text
    assert said in report.comparison_text(ours, found, report.compared(ours, found))
