"""The store of finished runs."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatialnb.config.run import Run, digest
from spatialnb.records import store as records_store
from spatialnb.records.store import Record, RecordError, Store, default_store, read

PROPERTY = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def made(seed: int = 0, accuracy: float = 0.4912999868392944, **provenance: Any) -> Record:
    return Record(
        kind="run",
        config=Run(seed=seed).to_dict(),
        outcome={
            "status": "finished",
            "epochs": {
                "train_loss": [1.7352941176470589, 0.1 + 0.2],
                "test_loss": [1.5, 1e-17],
                "test_accuracy": [0.25, accuracy],
            },
            "final": {"sparsity": {"0": 0.0, "overall": 0.6470588235294118}},
        },
        provenance={
            "commit": "0" * 40,
            "seconds": 12.345,
            "processor": "Zufällig “9”",
            **provenance,
        },
    )


PAIR = Record(kind="pair", config={"runs": ["a", "b"]}, outcome={"raw": {"overall": 0.018}})


def left_over(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.rglob("*")
        if path.suffix != ".json" and path.is_file() and path.name != ".lock"
    )


# ── One file ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("record", [made(), PAIR], ids=["run", "pair"])
def test_a_record_comes_back_from_its_file_as_it_was(record: Record, tmp_path: Path) -> None:
    path = Store(tmp_path).add(record)
    assert read(path) == record
    assert path == tmp_path / f"{record.kind}s" / f"{record.id}.json"
    assert Store(tmp_path).find(record.id, record.kind) == record


def test_the_id_of_a_run_s_record_is_that_of_the_run() -> None:
    assert made(seed=4).id == made(seed=4).run.id == Run(seed=4).id


def test_a_record_reads_well() -> None:
    lines = made().to_json().splitlines()
    assert '      "test_loss": [1.5, 1e-17],' in lines
    assert lines[1] == '  "format": "spatialnb-record/1",'
    assert made().to_json().endswith("}\n")
    assert made().to_json().isascii()


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=8), plain, max_size=4)


@PROPERTY
@given(st.sampled_from(["run", "pair"]), objects, objects, objects)
def test_any_json_data_comes_back_bit_for_bit(
    kind: str, config: dict[str, Any], outcome: dict[str, Any], provenance: dict[str, Any]
) -> None:
    record = Record(kind=kind, config=config, outcome=outcome, provenance=provenance)
    back = Record.from_json(record.to_json())
    assert back == record
    assert back.to_json() == record.to_json()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_result_that_is_not_finite_is_not_written(number: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Store(tmp_path).add(made(accuracy=number))
    assert not list(tmp_path.rglob("*"))


# ── Damage is noticed and named ─────────────────────────────────────────────────────────────────


def refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RecordError, match=path.name.replace(".", r"\.") + ".*is not used"):
        read(path)


@PROPERTY
@given(data=st.data(), byte=st.integers(1, 255))
def test_any_byte_that_is_flipped_is_noticed(
    tmp_path: Path, data: st.DataObject, byte: int
) -> None:
    whole = bytearray(made().to_json().encode())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= byte
    refused(tmp_path / f"{made().id}.json", bytes(whole))


@pytest.mark.parametrize("old", [b" ", b"\n"])
@pytest.mark.parametrize("new", [b" ", b"\n", b"\r", b"\t", b"\r\n", b"  "])
def test_even_white_space_that_json_does_not_mind_is_noticed(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    if old != new:
        refused(tmp_path / f"{made().id}.json", made().to_json().encode().replace(old, new, 1))


def test_a_digit_that_no_double_shows_is_noticed(tmp_path: Path) -> None:
    text = made().to_json()
    assert float("0.30000000000000004") == float("0.30000000000000003")
    refused(
        tmp_path / f"{made().id}.json",
        text.replace("0.30000000000000004", "0.30000000000000003").encode(),
    )


@PROPERTY
@given(data=st.data())
def test_a_file_that_was_cut_off_or_lengthened_is_noticed(
    tmp_path: Path, data: st.DataObject
) -> None:
    whole = made().to_json().encode()
    path = tmp_path / f"{made().id}.json"
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    if end > start:
        refused(path, whole[:start] + whole[end:])
        refused(path, whole[:end] + whole[start:])


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 500, b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000]
)
def test_a_file_of_something_else_is_noticed(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path / f"{made().id}.json", content)


def test_two_files_that_were_swapped_are_noticed(tmp_path: Path) -> None:
    first, second = (Store(tmp_path).add(made(seed)) for seed in (1, 2))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    for path, held in ((first, made(2)), (second, made(1))):
        with pytest.raises(RecordError, match=f"{path.name}: contains the record {held.id}"):
            read(path)


def forged(**changes: Any) -> str:
    """A record's text with other entries and a checksum that fits them."""
    body = {key: value for key, value in json.loads(made().to_json()).items() if key != "sha256"}
    body.update(changes)
    return records_store._pretty({**body, "sha256": digest(body)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (forged(id="0" * 16), "its id 0000000000000000 is not that of its configuration"),
        (forged(config=Run(seed=9).to_dict()), "is not that of its configuration"),
        (forged(format="spatialnb-record/2"), "not a record of the format spatialnb-record/1"),
        (forged(kind="walk"), "expected the fields|kind"),
        (forged(extra=1), "expected the fields .* got .*'extra'"),
        (made().to_json().replace('"outcome"', '"result"'), "checksum does not match"),
        (made().to_json().replace('"sha256"', '"sha512"'), "checksum does not match"),
    ],
)
def test_a_text_that_is_not_its_record_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        Record.from_json(text)


def test_a_key_that_stands_twice_is_noticed() -> None:
    text = made().to_json().replace('  "kind": "run",', '  "kind": "pair",\n  "kind": "run",')
    with pytest.raises(RecordError, match="was changed"):
        Record.from_json(text)


def test_a_damaged_record_is_an_error_for_the_store_and_is_never_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.add(made())
    path.write_text("{", encoding="utf-8")
    for use in (lambda: store.find(made().id), lambda: store.add(made())):
        with pytest.raises(RecordError, match=f"{path.name}: not JSON"):
            use()
    assert path.read_text(encoding="utf-8") == "{"


# ── First writer wins ───────────────────────────────────────────────────────────────────────────


def test_the_same_result_written_again_is_quiet_and_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.add(made(host="first"))
    before = path.read_bytes()
    assert store.add(made(host="second")) == path
    assert path.read_bytes() == before
    assert not store.conflicts()


def test_another_result_of_one_configuration_is_kept_beside_the_first_and_reported(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    path = store.add(made(accuracy=0.5))
    with pytest.raises(RecordError, match=r"two results for one configuration: .*conflict-.*kept"):
        store.add(made(accuracy=0.6))
    assert store.find(made().id) == made(accuracy=0.5)
    (other,) = store.conflicts()
    assert read(other) == made(accuracy=0.6)
    assert store.ids() == {made().id}
    assert path.parent == other.parent
    # The same other result again: the same report, and no third file.
    with pytest.raises(RecordError, match="two results"):
        store.add(made(accuracy=0.6))
    assert store.conflicts() == [other]


def test_of_many_writers_at_once_one_wins_and_no_result_is_lost(tmp_path: Path) -> None:
    store, start, quiet = Store(tmp_path), threading.Barrier(8), []

    def write(number: int) -> None:
        start.wait()
        try:
            store.add(made(accuracy=number / 8))
            quiet.append(number / 8)
        except RecordError:
            pass

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    found = [store.find(made().id), *(read(path) for path in store.conflicts())]
    results = [record.outcome["epochs"]["test_accuracy"][-1] for record in found if record]
    assert [results[0]] == quiet
    assert sorted(results) == [number / 8 for number in range(8)]
    assert not left_over(tmp_path)


# ── Nothing half-written ────────────────────────────────────────────────────────────────────────


def test_a_written_record_leaves_no_other_file_and_can_be_read_by_others(tmp_path: Path) -> None:
    path = Store(tmp_path).add(made())
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("step", ["fsync", "link", "chmod"])
def test_a_disk_that_fails_gives_an_error_and_leaves_nothing(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        Store(tmp_path).add(made())
    monkeypatch.undo()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    Store(tmp_path).add(made())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_store_that_may_not_be_written_gives_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs").chmod(0o555)
    with pytest.raises(PermissionError, match="runs"):
        Store(tmp_path).add(made())
    (tmp_path / "runs").chmod(0o755)
    assert not list((tmp_path / "runs").iterdir())


def test_a_store_below_a_file_gives_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder", encoding="utf-8")
    with pytest.raises(OSError, match="store"):
        Store(tmp_path / "store").add(made())
    assert (tmp_path / "store").read_text(encoding="utf-8") == "not a folder"


def test_what_a_killed_writer_left_is_not_taken_for_a_record(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / ".abc.part").write_text(made().to_json()[:50], encoding="utf-8")
    store = Store(tmp_path)
    assert store.ids() == set()
    assert store.conflicts() == []
    assert store.find(made().id) is None


# ── Several folders ─────────────────────────────────────────────────────────────────────────────


def test_a_published_record_is_found_and_not_written_again(tmp_path: Path) -> None:
    published = Store(tmp_path / "published").add(made(seed=1))
    store = Store(tmp_path / "working", tmp_path / "published")
    assert store.find(made(1).id) == made(1)
    assert store.add(made(seed=1)) == published
    assert not (tmp_path / "working").exists()
    store.add(made(seed=2))
    assert store.ids() == {made(1).id, made(2).id}
    assert (tmp_path / "working" / "runs" / f"{made(2).id}.json").is_file()


def test_a_result_that_differs_from_the_published_one_is_kept_in_the_working_store(
    tmp_path: Path,
) -> None:
    Store(tmp_path / "published").add(made(accuracy=0.5))
    store = Store(tmp_path / "working", tmp_path / "published")
    with pytest.raises(RecordError, match="two results"):
        store.add(made(accuracy=0.6))
    (other,) = store.conflicts()
    assert other.is_relative_to(tmp_path / "working")
    assert len(list((tmp_path / "published" / "runs").iterdir())) == 1
    assert store.find(made().id) == made(accuracy=0.5)


def test_runs_and_pairs_are_told_apart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(PAIR)
    assert store.ids("pair") == {PAIR.id}
    assert store.ids("run") == set()
    assert store.find(PAIR.id, "run") is None


def test_a_store_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "nowhere")
    assert store.ids() == set()
    assert store.find(made().id) is None
    assert not (tmp_path / "nowhere").exists()


def test_a_store_without_a_folder_is_refused() -> None:
    with pytest.raises(ValueError, match="a store needs at least one folder"):
        Store()


def test_the_default_store_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIALNB_STORE", str(tmp_path))
    assert default_store().folders == (tmp_path, records_store.published_folder())
    assert default_store((tmp_path / "own",)).folders[0] == tmp_path / "own"
    monkeypatch.delenv("SPATIALNB_STORE")
    assert default_store().folders[0].name == "records"


def test_a_run_that_failed_says_so() -> None:
    failed = Record(kind="run", config={}, outcome={"status": "failed", "failed_epoch": 0})
    assert failed.failed
    assert not made().failed
    assert not PAIR.failed


def test_a_full_disk_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(records_store.os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*one\.json'"):
        records_store.write_once(tmp_path / "one.json", "{}")
    assert list(tmp_path.iterdir()) == []


# ── File systems of all kinds ───────────────────────────────────────────────────────────────────


@pytest.fixture(params=["EPERM", "ENOTSUP", "ENOSYS", "EXDEV"])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links, as different ones say so."""

    def refused(*_: object) -> None:
        raise OSError(getattr(errno, request.param), "no links here")

    monkeypatch.setattr(os, "link", refused)


@pytest.mark.usefixtures("no_links")
def test_without_links_a_record_is_written_once_and_never_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.add(made(accuracy=0.5))
    before = path.read_bytes()
    assert not records_store.write_once(path, "another text")
    assert path.read_bytes() == before
    with pytest.raises(RecordError, match="two results"):
        store.add(made(accuracy=0.6))
    assert [read(other) for other in store.conflicts()] == [made(accuracy=0.6)]
    assert store.ids() == {made().id}
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.usefixtures("no_links")
def test_without_links_one_of_many_writers_wins_and_no_result_is_lost(tmp_path: Path) -> None:
    test_of_many_writers_at_once_one_wins_and_no_result_is_lost(tmp_path / "store")


def test_a_new_name_is_brought_to_the_disk_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = [], os.fsync

    def note(handle: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    Store(tmp_path).add(made())
    assert synced == [False, True]


def test_a_file_system_that_cannot_sync_a_folder_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def files_alone(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", files_alone)
    assert read(Store(tmp_path).add(made())) == made()


def test_a_store_is_looked_at_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left .* so nothing is trained.*--store") as caught:
        store.prepare()
    assert caught.value.errno == errno.ENOSPC
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_killed_writers_left_goes_after_a_day_and_nothing_else_does(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = store.add(made())
    old, new, other = (kept.parent / name for name in (".a.part", ".b.part", "mine.part"))
    for path in (old, new, other):
        path.write_text("half", encoding="utf-8")
    for path in (kept, old, other):
        os.utime(path, (0, 0))
    store.prepare()
    assert not old.exists()
    assert kept.exists()
    assert new.exists()
    assert other.exists()


# ── Contents that fit the checksum and nothing else ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({}, "status None: expected 'finished' or 'failed'"),
        ({"status": "done", "epochs": {}}, "status 'done'"),
        ({"status": "finished"}, "no epochs"),
        ({"status": "finished", "epochs": []}, "no epochs"),
        ({"status": "finished", "epochs": {"a": ["1"]}}, "a: expected a list of numbers"),
        ({"status": "finished", "epochs": {"a": [True]}}, "a: expected a list of numbers"),
        ({"status": "failed", "epochs": {}}, "without the epoch"),
    ],
)
def test_a_record_of_another_form_is_refused_and_named(
    outcome: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{made().id}.json"
    forged_one = Record(kind="run", config=made().config, outcome=outcome)
    path.write_text(forged_one.to_json(), encoding="utf-8")
    with pytest.raises(RecordError, match=f"{path.name}: .*{message}.*is not used"):
        read(path)


@pytest.mark.parametrize("name", ["config", "outcome", "provenance"])
@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_a_record_whose_parts_are_no_objects_is_refused(name: str, value: Any) -> None:
    with pytest.raises(RecordError, match=f"{name}: expected an object"):
        Record.from_json(forged(**{name: value}))


def test_a_record_in_the_folder_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    path = Store(tmp_path).add(PAIR)
    wrong = tmp_path / "runs" / path.name
    wrong.parent.mkdir()
    path.rename(wrong)
    with pytest.raises(RecordError, match="a pair among the runs"):
        Store(tmp_path).find(PAIR.id)
