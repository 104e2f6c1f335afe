"""The commands, as a user meets them."""

import collections
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import synthetic
from click.testing import CliRunner

from spatialnb import studies
from spatialnb.commands import rerun
from spatialnb.commands.cli import main
from spatialnb.datasets import published
from spatialnb.execution import estimate, recording, runs
from spatialnb.execution.accelerator import Accelerator
from spatialnb.execution.process_pool import ProcessPool
from spatialnb.records import provenance
from spatialnb.records import store as records_store
from spatialnb.records.store import Store
from spatialnb.studies import STUDIES
from spatialnb.study.parameters import PARAMETERS

PUBLISHED = records_store.published_folder()
ONE = synthetic.study(seeds=(0, 1, 2, 3))
COMMANDS = {
    "train": [
        *("STUDY...", "--seeds", "--epochs", "--dataset", "--set NAME=VALUE", "--definitions"),
        *("--quick", "--workers", "--no-pairs", "--alone", "--dry-run"),
    ],
    "run": ["STUDY...", "--set NAME=VALUE", "--definitions", "--out", "--dry-run", "--quick"],
    "compare": ["FOLDER", "--json"],
    "verify": ["[STUDY]...", "--sample", "--seed"],
    "publish": ["STUDY...", "--seeds", "--dry-run", "--into"],
    "new": ["CHAPTER TITLE", "--dataset", "--epochs", "--seeds", "--set"],
    "pin": ["STUDY..."],
    "status": ["--store", "--json"],
    "ledger": [
        "[STUDY]...",
        "--edition",
        "--margin",
        "--alpha",
        "--correction",
        "--seeds",
        "--json",
    ],
    "judge": [
        *("RESULTS CLAIMS", "--edition", "--margin", "--alpha", "--correction", "--seeds"),
        *("--json", "--csv"),
    ],
    "tables": ["[STUDY]...", "--store", "--alone", "--json"],
    "data": ["check"],
    "data check": ["--root"],
}


@pytest.fixture(autouse=True)
def _nothing_recorded(tmp_path, monkeypatch):
    """A working store and published records of the test's own."""
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path / "working"))
    (tmp_path / "published").mkdir()
    monkeypatch.setattr(records_store, "published_folder", lambda: tmp_path / "published")
    monkeypatch.setattr(estimate, "of", lambda *_, **__: None)  # tried in test_estimate.py


@pytest.fixture
def one_chapter(tmp_path, monkeypatch):
    """A report of one chapter, all recorded."""
    monkeypatch.setattr("spatialnb.studies.STUDIES", {"v01": ONE})
    store = Store(tmp_path / "published")
    found = synthetic.results(ONE)
    for kept in (*found.records.values(), *found.pairs.values()):
        for record in kept.values():
            store.add(record)
    return found


def call(*arguments):
    return CliRunner().invoke(main, arguments, prog_name="spatialnb")


def process(*arguments):
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "spatialnb", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        timeout=120,
    )


def as_json(result):
    """What a command printed, as JSON in the strict sense: no NaN."""
    assert result.exit_code == 0, result.output

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(result.output, parse_constant=refuse)


# ── Help ────────────────────────────────────────────────────────────────────────────────────────


def test_the_help_lists_the_commands_and_shows_examples():
    result = call("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command.split()[0]}  +[A-Z].*\.$", result.output, re.MULTILINE)
    assert "Examples:\n    spatialnb ledger " in result.output
    assert call("-h").output == result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_lists_what_it_takes(command):
    result = call(*command.split(), "--help")
    assert result.exit_code == 0
    usage, _, sentence = result.output.splitlines()[:3]
    assert usage.startswith(f"Usage: spatialnb {command} [OPTIONS]")
    assert re.match(r"  [A-Z]", sentence)
    for name in COMMANDS[command]:
        assert name in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines())


def test_python_can_run_the_package():
    result = process("--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: spatialnb [OPTIONS] COMMAND")
    assert result.stderr == ""


def test_the_version_is_the_packages():
    assert re.fullmatch(r"spatialnb, version \d+\.\d+\.\d+\S*\n", call("--version").output)


# ── Mistakes ────────────────────────────────────────────────────────────────────────────────────

MISTAKES = [
    (["train"], 2, "Missing argument 'STUDY...'"),
    (["train", "v99"], 1, "unknown study 'v99'; known: c2, .*v01, v02"),
    (["train", "v01", "--seeds", "x"], 2, "seeds: expected whole numbers, .* 0-9, got 'x'"),
    (["train", "v01", "--seeds", ""], 2, "expected 1 to 10000 seeds, got 0"),
    (["train", "v01", "--seeds", "-1"], 2, "expected whole numbers, each once, .* got '-1'"),
    (["train", "v01", "--seeds", "1.5"], 2, "expected whole numbers, each once, .* got '1.5'"),
    (["train", "v01", "--seeds", "5-3"], 2, "'5-3': expected a range from low to high"),
    (["train", "v01", "--seeds", "0-99999"], 2, "at most 10000 seeds"),
    (["train", "v01", "--seeds", "0-4,3"], 2, "expected no repeats, but 3 is listed twice"),
    (["train", "v01", "--seeds", "9999999999"], 2, "from 0 to 2147483647, got 9999999999"),
    (["train", "v01", "--epochs", "0"], 2, "0 is not in the range x>=1"),
    (["train", "v01", "--epochs", "two"], 2, "'two' is not a valid integer"),
    (["train", "v01", "--workers", "0"], 2, "0 is not in the range x>=1"),
    (["train", "v01", "--dataset", "mnits"], 1, "unknown dataset 'mnits'; .*Did you mean 'mnist'"),
    (["train", "v01", "--dataset", "imdb"], 1, "study v01: unknown dataset 'imdb'; known: cifar10"),
    (["train", "v01", "--quick", "--dataset", "mnist"], 2, "--quick and --dataset exclude each"),
    (["train", "v01", "--sedes", "1"], 2, "No such option '?--sedes"),
    (["trian"], 2, "No such command 'trian'"),
    (["run", "v99"], 1, "unknown study 'v99'"),
    (["run", "v05", "--epochs", "0"], 1, "epochs: expected a whole number from 1"),
    (["run", "v05", "--set", "lr"], 2, "--set lr: expected NAME=VALUE, such as lr=0.001"),
    (["run", "v05", "--set", "lr=fast"], 1, "lr: expected a number > 0, such as 0.001, got 'fast'"),
    (["run", "v05", "--set", "lr=NaN"], 1, "lr: expected a number > 0, such as 0.001, got nan"),
    (["run", "v05", "--set", "epcohs=1"], 1, "unknown parameter 'epcohs'.* mean 'epochs'"),
    (["run", "v05", "--set", "epochs=2", "--epochs", "3"], 2, "epochs is given twice"),
    (["run", "v05", "--set", 'arms={"none": {"kind": "linear"}}'], 1, "arm 'none' already exists"),
    (["run", "v05", "--dataset", "imdb"], 1, "study v05: unknown dataset 'imdb'; known: cifar10"),
    (["run", "v05", "--set", "definitions=a.py"], 2, "name the file with --definitions instead"),
    (["run", "v05", "--definitions", "no.py"], 2, "File 'no.py' does not exist"),
    (["run", "v05", "--quick", "--dataset", "cifar10"], 2, "--quick and --dataset exclude each"),
    (["compare", "nowhere"], 2, "Directory 'nowhere' does not exist"),
    (["compare", "."], 1, r"no rerun.json in \.: expected a folder written by `spatialnb run`"),
    (["verify", "--sample", "0"], 2, "0 is not in the range x>=1"),
    (["verify"], 1, "none of these runs are recorded, so there is nothing to verify"),
    (["new", "v05", "Again"], 1, "chapter 'v05' already exists: CIFAR-10"),
    (["new", "5", "Again"], 1, "chapter '5': expected v and two digits, such as v12"),
    (["run", "v05", "--set", "lr=1e999"], 1, "lr: expected a number > 0, such as 0.001, got inf"),
    (["run", "v05", "--set", "seeds=0-999999999"], 1, "at most 10000 seeds"),
    (["run", "v05", "--set", "hidden=" + "[" * 5000], 1, "hidden: expected a list of widths"),
    (["run", "v05", "--set", f"hidden={[1] * 101}"], 1, "hidden: expected at most 100 widths"),
    (["run", "v05", "--set", 'arms={"a\\nb": {"kind": "linear"}}'], 1, "printable characters"),
    (["run", "v05", "--set", 'arms={"\u202eb": {"kind": "linear"}}'], 1, "printable characters"),
    (["run", "v05", "--set", 'arms={"../b": {"kind": "linear"}}'], 1, "without '/', got"),
    (["run", "../../etc/passwd"], 1, "unknown study '../../etc/passwd'"),
    (["train", "<script>"], 1, "unknown study '<script>'"),
    (["new", "../v12", "Up"], 1, "expected v and two digits"),
    (["new", "v12", "<b>"], 1, "title '<b>': expected 1 to 60 characters"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), MISTAKES, ids=lambda part: str(part))
def test_a_mistake_ends_with_a_sentence_and_no_traceback(arguments, code, message, monkeypatch):
    monkeypatch.setattr(runs, "complete", None)  # nothing is trained
    result = call(*arguments)
    assert result.exit_code == code
    error = result.output.splitlines()[-1]
    assert error.startswith("Error: ")
    assert re.search(message, error)
    assert "Traceback" not in result.output
    assert result.output.count("Error: ") == 1


@pytest.mark.parametrize("command", [["train", "v01"], ["status"], ["ledger"], ["tables"]])
def test_a_store_that_is_a_file_or_lies_below_one_is_named(command, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    result = call(*command, "--store", str(file))
    assert result.exit_code == 2
    assert f"Directory '{file}' is a file" in result.output


@pytest.mark.parametrize("command", [["train", "v01", "--quick"], ["status"]])
def test_a_store_that_cannot_be_written_is_named_before_anything_is_trained(
    command, tmp_path, monkeypatch
):
    monkeypatch.setattr(runs, "complete", None)
    file = tmp_path / "file"
    file.write_text("")
    result = call(*command, "--store", str(file / "store"))
    assert result.exit_code == 1
    (error,) = result.output.splitlines()
    assert re.match(r"Error: .*Not a directory", error)
    assert str(file / "store") in error


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "swapped", "of strings"])
@pytest.mark.parametrize(
    "command",
    ["ledger", "tables", "status", "train v01 --workers 1", "verify v01", "publish v01"],
)
def test_a_damaged_record_is_named_and_no_traceback(command, damage, one_chapter, tmp_path):
    place = tmp_path / ("working" if command.startswith("publish") else "published")
    for kept in one_chapter.records.values():
        for record in kept.values():
            Store(place).add(record)
    path, other = (
        place / "runs" / f"{one_chapter.records['none'][seed].id}.json" for seed in (0, 1)
    )
    whole = path.read_bytes()
    if damage == "of strings":
        forged = records_store.read(path)
        forged.outcome["epochs"]["test_accuracy"] = ["0.9"] * 5
        path.write_text(forged.to_json())
    else:
        path.write_bytes(
            {
                "flipped": whole.replace(b"0.9", b"0.8", 1),
                "cut": whole[: len(whole) // 2],
                "emptied": b"",
                "swapped": other.read_bytes(),
            }[damage]
        )
    if command.startswith("publish"):
        for entry in (tmp_path / "published" / "runs").iterdir():
            entry.unlink()
    result = call(*command.split(), *(["--sample", "12"] if command.startswith("verify") else ()))
    assert isinstance(result.exception, SystemExit | None), result.exception
    if command != "status":  # which reads names alone
        assert result.exit_code == 1
        assert str(path) in result.output
        assert "not used" in result.output
    assert "Traceback" not in result.output


def test_only_debug_shows_the_traceback_of_an_error():
    assert isinstance(call("train", "v99").exception, SystemExit)
    loud = process("--debug", "train", "v99")
    assert (loud.returncode, loud.stdout) == (1, "")
    assert loud.stderr.startswith("Traceback")
    assert loud.stderr.splitlines()[-1].startswith("ValueError: unknown study 'v99'")


def test_ctrl_c_says_that_the_same_command_goes_on(monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "complete", stop)
    result = call("train", "v01", "--quick")
    assert result.exit_code == 130
    first, _, empty, last = result.output.splitlines()
    assert first == "4 runs, 0 recorded, 4 to train; 2 pairs to measure"
    assert empty == ""
    assert last == "Stopped. Finished runs are recorded; the same command continues."


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m spatialnb data check --root nowhere | true"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert result.stderr == ""


# ── Training ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def asked(monkeypatch):
    """What a command asks to be trained; nothing is."""
    calls = []

    def note(configs, **asked):
        calls.append({"configs": configs, **asked})

    monkeypatch.setattr(runs, "complete", note)
    return calls


def test_a_quick_chapter_is_trained_once_and_a_second_call_trains_nothing(tmp_path, monkeypatch):
    store = tmp_path / "quick"
    arguments = ["train", "v01", "--quick", "--epochs", "1", "--workers", "1", "--store", store]
    first = call(*map(str, arguments))
    assert first.exit_code == 0, first.output
    assert "4 runs, 0 recorded, 4 to train; 2 pairs to measure" in first.output
    assert f"All 4 runs are recorded; new ones are in {store}" in first.output
    kept = {path: path.read_bytes() for path in store.rglob("*.json")}
    kinds = collections.Counter(path.parent.name for path in kept)
    assert kinds == {"answers": 4 + 1, "pairs": 2, "runs": 4}  # of each run, and the true classes
    assert {
        run.outcome["status"] for run in map(records_store.read, kept) if run.kind == "run"
    } == {"finished"}

    monkeypatch.setattr(recording, "record_missing", None)
    second = call(*map(str, arguments))
    assert second.exit_code == 0, second.output
    assert "4 runs, 4 recorded, 0 to train; 0 pairs to measure" in second.output
    assert {path: path.read_bytes() for path in store.rglob("*.json")} == kept


def test_a_chapter_is_trained_with_its_published_parameters(asked):
    assert call("train", "v01").exit_code == 0
    (made,) = asked
    assert {run.seed for run in made["configs"]} == set(STUDIES["v01"].seeds)
    assert {(run.dataset, run.epochs) for run in made["configs"]} == {("mnist", 5)}
    assert len(made["pairs"]) == len(STUDIES["v01"].seeds)  # half of them for each of two arms
    assert made["backend"] == ProcessPool()


def test_seeds_epochs_data_and_workers_are_taken_over(asked, tmp_path):
    arguments = ["--seeds", "7,0-2", "--epochs", "2", "--dataset", "cifar10", "--workers", "3"]
    result = call("train", "v01", *arguments, "--no-pairs", "--store", str(tmp_path / "mine"))
    assert result.output.startswith("8 runs, 0 recorded, 8 to train; 0 pairs to measure\n")
    (made,) = asked
    assert [run.seed for run in made["configs"]] == [7, 7, 0, 0, 1, 1, 2, 2]  # seed by seed
    assert {(run.dataset, run.epochs) for run in made["configs"]} == {("cifar10", 2)}
    assert made["pairs"] == []
    assert made["backend"] == ProcessPool(workers=3)
    assert made["store"].folders == (tmp_path / "mine", tmp_path / "published")


def test_a_device_and_a_stack_are_taken_over(asked, monkeypatch):
    monkeypatch.setattr(Accelerator, "check", lambda self: None)
    assert call("train", "v01", "--seeds", "0").exit_code == 0
    assert call("train", "v01", "--seeds", "0", "--device", "cuda", "--stack", "9").exit_code == 0
    auto = ("--device", "cuda", "--stack", "auto", "--precision", "tf32")
    assert call("train", "v01", "--seeds", "0", *auto).exit_code == 0
    assert call("train", "v01", "--seeds", "0", "--workers", "2", "--stack", "9").exit_code == 0
    assert [made["backend"] for made in asked] == [
        ProcessPool(),
        Accelerator("cuda", stack=9),
        Accelerator("cuda", stack="auto", precision="tf32"),
        ProcessPool(workers=2, stack=9),
    ]


@pytest.mark.parametrize("command", [["train", "v01"], ["run", "v01", "--out", "{}/out"]])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--device", "nothing"], "device 'nothing' cannot be used here"),
        (["--cluster", "tcp://127.0.0.1:1"], "no Dask scheduler can be reached at tcp://127.0.0.1"),
        (["--cluster", "nowhere:x"], "cluster 'nowhere:x': "),
    ],
)
def test_a_place_that_cannot_train_is_said_before_what_there_is_to_train(
    command, options, said, asked, tmp_path, monkeypatch
):
    monkeypatch.setattr(rerun, "check_folder", lambda *_: None)
    result = call(*(word.format(tmp_path) for word in command), "--seeds", "0", *options)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {said}")
    assert not asked


def test_training_takes_the_parameters_that_a_re_run_takes(asked, tmp_path):
    own = tmp_path / "mine.py"
    own.write_text("read = True")
    arms = json.dumps({"k = 5": {"kind": "exponential", "k": 5}})
    options = ["--set", "lr=0.001", "--set", f"arms={arms}", "--definitions", str(own)]
    result = call("train", "v01", "--seeds", "0", *options)
    assert result.exit_code == 0, result.output
    (made,) = asked
    assert {run.learning_rate for run in made["configs"]} == {0.001}
    assert len(made["configs"]) == 3
    assert call("train", "v01", "--set", "epochs=2", "--epochs", "3").exit_code == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "cuda", "--workers", "2"], "leave out one of the two"),
        (["--device", "cuda", "--cluster", "tcp://x:1"], "leave out either them or the cluster"),
        (["--stack", "9", "--cluster", "tcp://x:1"], "leave out either them or the cluster"),
        (["--precision", "tf32"], "add --device cuda --stack auto"),
        (["--precision", "tf32", "--device", "cuda"], "add --device cuda --stack auto"),
        (["--stack", "0"], "at least 1, or auto, got '0'"),
        (["--stack", "most"], "at least 1, or auto, got 'most'"),
        (["--stack", "auto"], "add --device cuda, or give a number of runs"),
    ],
)
def test_places_that_exclude_each_other_are_a_mistake(options, message, asked):
    result = call("train", "v01", "--seeds", "0", *options)
    assert result.exit_code == 2
    assert message in result.output
    assert not asked


def test_runs_that_chapters_share_are_counted_once(asked):
    result = call("train", "v10", "v11", "v05", "v10", "--seeds", "0")
    assert result.output.startswith("15 runs, 0 recorded, 15 to train; 0 pairs to measure\n")
    every = {run.id for study in STUDIES.values() for run in (*study.arms.values(),)}
    every |= {run.id for study in STUDIES.values() for run in study.borrowed_arms.values()}
    expected = f"{len(every)} runs, 0 recorded"
    assert call("train", "all", "--seeds", "0").output.startswith(expected)


@pytest.mark.parametrize(
    ("command", "values"),
    [
        (["train", "v01", "v02", "--seeds", "0-1", "--epochs", "2", "--no-pairs"], "seeds epochs"),
        (
            ["run", "v01", "v03", "--quick", "--dry-run", "--seeds", "0-1", "--set", "lr=0.001"],
            "seeds lr",
        ),
        (["publish", "v01", "v02", "--seeds", "0-1", "--dry-run"], "seeds"),
    ],
)
def test_what_a_command_is_given_is_parsed_once_for_all_chapters(
    command, values, asked, monkeypatch
):
    parsed = []

    def counting(parameter):
        def read(value):
            parsed.append(parameter.name)
            return parameter.read(value)

        return dataclasses.replace(parameter, read=read)

    monkeypatch.setattr(rerun, "check_folder", lambda *_: None)
    for name, parameter in list(PARAMETERS.items()):
        monkeypatch.setitem(PARAMETERS, name, counting(parameter))
    result = call(*command)
    assert result.exit_code == 0, result.output
    assert parsed == values.split()


@pytest.mark.parametrize(
    ("command", "warned"),
    [
        (["train", "v01", "--seeds", "0"], True),
        (["run", "v01"], True),
        (["train", "v01", "--quick"], False),
        (["train", "v01", "--seeds", "0", "--epochs", "2", "--no-pairs"], False),
        (["run", "v01", "--quick"], False),
    ],
)
@pytest.mark.parametrize("doubt", ["the code has uncommitted changes: a.py", ""])
def test_records_that_cannot_be_published_are_announced_before_anything_is_trained(
    command, warned, doubt, monkeypatch, asked
):
    monkeypatch.setattr(provenance, "doubt", lambda: doubt)
    monkeypatch.setattr(rerun, "check_folder", lambda *_: None)
    monkeypatch.setattr(rerun, "execute", lambda *_: None)
    result = call(*command)
    assert result.exit_code == 0, result.output
    assert len(asked) == 1
    assert (f"cannot be published: {doubt}. " in result.stderr) == (warned and bool(doubt))


def test_new_records_go_to_the_folder_of_the_variable(asked, tmp_path):
    result = call("train", "v01", "--quick")
    assert result.output.endswith(f"new ones are in {tmp_path / 'working'}\n")


# ── Status ──────────────────────────────────────────────────────────────────────────────────────


def test_the_status_has_a_line_a_chapter(one_chapter):
    head, *lines = call("status").output.splitlines()
    names = "planned  recorded  missing  stale  pairs missing  minutes  title"
    assert head == f"chapter   {names}"
    assert [line.split()[:7] for line in lines] == [["v01", "12", "12", "0", "0", "0", "0.0"]]
    assert lines[0].endswith("  Linear or none")


def test_the_status_counts_what_is_missing_and_what_is_recorded(one_chapter, tmp_path):
    records_of = one_chapter.records["linear"]
    (tmp_path / "published" / "runs" / f"{records_of[1].id}.json").unlink()
    (tmp_path / "published" / "pairs" / f"{one_chapter.pairs['none'][2, 3].id}.json").unlink()
    (row,) = as_json(call("status", "--json"))
    assert row == {
        "chapter": "v01",
        "title": "Linear or none",
        "planned": 12,
        "recorded": 11,
        "missing": 1,
        "stale": 0,
        "stale_recipes": {},
        "minutes": None,
        "pairs": 6,
        "pairs_missing": 1,
    }


def test_the_status_of_an_empty_store_misses_every_run_of_every_chapter():
    rows = as_json(call("status", "--json"))
    assert [row["chapter"] for row in rows] == list(STUDIES)
    assert all(row["missing"] == row["planned"] and not row["recorded"] for row in rows)
    assert len(call("status").output.splitlines()) == 1 + len(STUDIES)


def test_runs_of_an_earlier_recipe_are_stale(one_chapter, monkeypatch):
    monkeypatch.setattr("spatialnb.config.run.RECIPE", 2)
    (row,) = as_json(call("status", "--json"))
    assert (row["recorded"], row["missing"], row["stale"]) == (0, 12, 12)
    assert row["stale_recipes"] == {"1": 12}
    said = call("status").output.splitlines()[-1]
    assert said.startswith("v01: 12 of its 12 runs are not recorded; 12 recorded under recipe 1 ")
    assert "because recipe 2 gives different numbers" in said
    assert said.endswith("`spatialnb train v01` trains them.")


def test_a_second_result_of_one_configuration_is_told_and_json_stays_json(one_chapter, tmp_path):
    record = one_chapter.records["none"][0]
    path = tmp_path / "published" / "runs" / f"{record.id}.conflict-01234567.json"
    path.write_text("{}")
    result = call("status", "--json")
    assert result.exit_code == 0
    assert f"a second result for a recorded configuration: {path}" in result.stderr
    assert json.loads(result.stdout)[0]["recorded"] == 12


# ── Ledger ──────────────────────────────────────────────────────────────────────────────────────

EVERY_CLAIM = [
    (claim.chapter, claim.words)
    for study in STUDIES.values()
    if study.section
    for claim in study.claims
]
NEEDED = {"chapter", "claim", "reported", "estimate", "low", "high", "n", "verdict"}


def test_the_ledger_has_every_claim_of_every_chapter_once():
    rows = as_json(call("ledger", "--json"))
    assert [(row["chapter"], row["claim"]) for row in rows] == EVERY_CLAIM
    assert all(set(row) > NEEDED for row in rows)
    assert {row["verdict"] for row in rows} == {"not judged"}
    assert {row["reason"] for row in rows} == {"its runs are not all recorded yet"}


def test_the_ledger_gives_estimate_interval_and_verdict(one_chapter):
    first, second = as_json(call("ledger", "--json"))
    assert first["verdict"] == "holds"
    assert first["low"] < first["estimate"] < first["high"]
    assert (first["reported"], first["n"], second["reported"], second["n"]) == (-0.13, 4, None, 2)
    lines = call("ledger").output.splitlines()
    assert lines[0] == "v01  holds         Linear beats none."
    assert re.fullmatch(r" {20}0\.\d+ \[0\.\d+, 0\.\d+\] points, n = 4, reported -0\.13", lines[1])
    assert re.fullmatch(r" {20}\S+ \[\S+, \S+\], n = 2", lines[3])
    counts = [
        "2 claims",
        "2 holds",
        "0 exceeded",
        "0 tied",
        "0 contradicted",
        "0 undecided",
        "0 not judged",
    ]
    assert lines[4:-1] == counts
    assert lines[-1].startswith("2 verdicts rest on fewer than 5 seeds or pairs (n = 2 to")


@pytest.mark.parametrize("charset", ["latin-1", "cp1252"])
@pytest.mark.parametrize("command", [["ledger"], ["tables"], ["--help"]])
def test_what_a_terminal_cannot_show_is_replaced(command, charset, one_chapter):
    result = CliRunner(charset=charset).invoke(main, command)
    assert result.exit_code == 0, result.exception
    assert len(result.output) > 100


def test_json_is_the_same_data_on_every_terminal(one_chapter):
    plain, latin = (
        CliRunner(charset=name).invoke(main, ["ledger", "--json"]) for name in ("utf-8", "latin-1")
    )
    assert json.loads(latin.stdout) == json.loads(plain.stdout)


@pytest.mark.parametrize("command", ["ledger", "tables", "status", "verify"])
def test_without_the_repository_it_is_said_where_the_records_are(command, one_chapter, tmp_path):
    assert "no published records" not in call("ledger").stderr
    shutil.rmtree(tmp_path / "published")
    result = call(command)
    said = f"There are no published records in {tmp_path / 'published'}: they come with the repo"
    assert result.stderr.count(said) == 1
    if command != "verify":
        assert result.exit_code == 0, result.output


def test_the_ledger_reads_where_nothing_is_judged():
    lines = call("ledger").output.splitlines()
    assert len(lines) == len(EVERY_CLAIM) + 7
    assert lines[0].startswith("v01  not judged    ")
    assert lines[-1] == f"{len(EVERY_CLAIM)} not judged"


def test_the_claims_of_part_ii_are_a_ledger_of_their_own():
    rows = as_json(call("ledger", "--controls", "--json"))
    part_ii = [study for study in STUDIES.values() if study.id[0] == "c"]
    assert [row["claim"] for row in rows] == [
        claim.words for study in part_ii for claim in study.claims
    ]


def test_a_chapter_with_seeds_to_come_shows_what_is_there_and_judges_nothing(one_chapter, tmp_path):
    (tmp_path / "published" / "runs" / f"{one_chapter.records['linear'][3].id}.json").unlink()
    first, second = as_json(call("ledger", "--json"))
    assert (first["verdict"], first["n"], second["n"]) == ("not judged", 2, 1)
    assert first["reason"] == "only 2 of the 4 planned seeds"
    assert call("ledger").output.splitlines()[1].endswith("points, n = 2, reported -0.13")
    assert [row["n"] for row in as_json(call("tables", "--json"))] == [2, 2, 1]


def test_a_claim_with_a_single_sample_is_listed_without_an_interval(one_chapter, monkeypatch):
    few = synthetic.study(seeds=(0, 1))  # one pair
    monkeypatch.setattr("spatialnb.studies.STUDIES", {"v01": few})
    result = call("ledger")
    assert result.exit_code == 0, result.output
    assert "v01  not judged    Networks are no more alike" in result.output
    assert as_json(call("ledger", "--json"))[1]["n"] == 1


def test_the_published_ledger_is_json_with_estimates_inside_their_intervals():
    rows = as_json(call("ledger", "--json", "--store", str(PUBLISHED)))
    assert [(row["chapter"], row["claim"]) for row in rows] == EVERY_CLAIM
    verdicts = {"holds", "exceeded", "tied", "contradicted", "undecided", "not judged"}
    assert {row["verdict"] for row in rows} <= verdicts
    for row in rows:
        if row["verdict"] != "not judged" or row["n"] > 1:
            assert row["low"] <= row["estimate"] <= row["high"]


@pytest.fixture
def own_chapter(one_chapter, monkeypatch):
    """Beside the chapter of the log one that the log does not have, on three of its seeds."""
    own = synthetic.study(
        id="v12",
        title="My own",
        section="",
        reported=(),
        seeds=(0, 1, 2),
        pairs=False,
        metrics=("accuracy",),
        claims=(dataclasses.replace(synthetic.CLAIMS[0], chapter="v12", reported=None),),
    )
    monkeypatch.setattr("spatialnb.studies.STUDIES", {"v01": ONE, "v12": own})
    return own


def test_the_book_s_own_studies_are_no_chapters_of_yours():
    by_part = {name: {study.id for study in studies.part(name)} for name in ("I", "II", "yours")}
    yours = {name for name in by_part["yours"] if re.fullmatch(r"v(0\d|1[01])|[cm]\d\w?", name)}
    assert not yours
    assert not by_part["I"] & by_part["II"]


def test_chapters_of_your_own_are_a_part_of_their_own(own_chapter):
    lines = call("ledger").output.splitlines()
    start = lines.index("Your chapters")
    assert not [line for line in lines[:start] if "v12" in line]
    assert lines[start + 1].startswith("v12  holds         Linear beats none.")
    assert (
        "1 verdict rests on fewer than 5 seeds or pairs (n = 3): take it as provisional"
        in lines[-1]
    )
    assert [row["chapter"] for row in as_json(call("ledger", "--json"))] == ["v01", "v01", "v12"]

    lines = call("tables").output.splitlines()
    start = lines.index("Your chapters")
    assert not [line for line in lines[:start] if "v12" in line]
    assert [line.split()[:2] for line in lines[start + 2 :]] == [
        ["v12", arm] for arm in own_chapter.arms
    ]
    rows = [row for row in as_json(call("tables", "--json")) if row["chapter"] == "v12"]
    assert {row["reported"] for row in rows} == {None}
    assert {row["n"] for row in rows} == {3}


def test_a_family_of_claims_stays_as_it_is_with_a_chapter_of_your_own(own_chapter, monkeypatch):
    both = as_json(call("ledger", "--json", "--correction", "ledger"))
    monkeypatch.setattr("spatialnb.studies.STUDIES", {"v01": ONE})
    assert as_json(call("ledger", "--json", "--correction", "ledger")) == both[:2]


def test_the_ledger_and_the_tables_of_chapters_that_are_named(own_chapter):
    assert "Your chapters" not in call("ledger", "v12").output
    assert [row["chapter"] for row in as_json(call("ledger", "v12", "--json"))] == ["v12"]
    rows = as_json(call("tables", "v01", "--json"))
    assert len({(row["arm"], row["metric"]) for row in rows}) == len(rows) == 6
    assert [row["reported"] for row in rows].count(None) == 3
    assert "unknown study 'v13'" in call("ledger", "v13").output
    assert "exclude each other" in call("ledger", "v12", "--controls").output


def test_seeds_that_a_chapter_of_your_own_does_not_have_leave_its_claims_unjudged(own_chapter):
    rows = as_json(call("ledger", "--json", "--seeds", "0,3"))
    assert [row["verdict"] == "not judged" for row in rows] == [False, True, True]


# ── Tables ──────────────────────────────────────────────────────────────────────────────────────


def test_the_tables_have_every_cell_of_the_report_once():
    rows = as_json(call("tables", "--json"))
    cells = [(row["chapter"], row["arm"], row["metric"], row["reported"]) for row in rows]
    assert cells == [
        (study.id, cell.arm, cell.metric, cell.value)
        for study in STUDIES.values()
        for cell in study.reported
    ]
    assert len({cell[:3] for cell in cells}) == len(cells)
    needed = {"chapter", "arm", "metric", "reported", "mean", "sd", "low", "high", "n"}
    assert all(needed <= set(row) for row in rows)
    assert {row["mean"] for row in rows} == {None}


def test_the_tables_have_ours_beside_the_reported(one_chapter):
    rows = as_json(call("tables", "--json"))
    assert [(row["arm"], row["metric"], row["reported"], row["n"]) for row in rows] == [
        ("none", "accuracy", 97.69, 4),
        ("linear", "accuracy", 97.56, 4),
        ("linear", "similarity", 0.007, 2),
    ]
    assert all(row["low"] < row["mean"] < row["high"] for row in rows)
    head, first, *_ = call("tables").output.splitlines()
    assert head.split() == ["chapter", "arm", "metric", "reported", "mean", "sd", "n"]
    assert first.split()[:4] == ["v01", "none", "accuracy", "97.69"]


def test_tables_without_records_show_dashes():
    lines = call("tables").output.splitlines()
    assert len(lines) == 1 + sum(len(study.reported) for study in STUDIES.values())
    assert lines[1].split() == ["v01", "none", "accuracy", "97.69", "-", "-", "0"]


# ── Data ────────────────────────────────────────────────────────────────────────────────────────


def test_missing_data_are_no_error_and_the_check_says_which_file_goes_where(tmp_path):
    root = tmp_path / "root"
    result = call("data", "check", "--root", str(root))
    assert result.exit_code == 0, result.output
    states = dict(re.findall(r"^(\S+) +(ok|missing|damaged)$", result.output, re.MULTILINE))
    assert states == {
        **dict.fromkeys(published.SOURCES, "missing"),
        **dict.fromkeys(["quick-digits", "quick-colours", "quick-text"], "ok"),
    }
    for source in published.SOURCES.values():
        assert f"Put into {root}: {source.wanted}" in result.output
    assert not root.exists(), "a check downloads nothing"


def test_a_damaged_file_is_an_error_and_named(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in published.SOURCES["mnist"].md5:
        (folder / name).write_bytes(b"cut off")
    result = call("data", "check", "--root", str(tmp_path))
    assert result.exit_code == 1
    assert re.search(r"^mnist +damaged$", result.output, re.MULTILINE)
    assert f"{folder}" in result.output
    assert "is not the published file: its MD5 is" in result.output
    assert re.search(r"^imdb +missing$", result.output, re.MULTILINE), "the others are checked too"


def test_the_check_looks_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SPATIALNB_DATA", str(tmp_path / "mine"))
    assert f"is not in {tmp_path / 'mine'}" in call("data", "check").output


def test_a_root_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    result = call("data", "check", "--root", str(file))
    assert result.exit_code == 2
    assert f"Directory '{file}' is a file" in result.output
