"""Where a record comes from: the commit, whether anybody can find it, and the code's hash."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from spatialnb.records import provenance

LEFT_BY_TOOLS = (
    ".DS_Store",
    "priors/.kernels.py.swp",
    "priors/._kernels.py",
    "priors/.ipynb_checkpoints/kernels-checkpoint.py",
    "priors/kernels.py~",
    "notes.txt",
)


class Checkout:
    """A package in a checkout of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.package = root, root / "lib"
        self.kernels = self.package / "priors" / "kernels.py"
        self.kernels.parent.mkdir(parents=True)
        self.kernels.write_text("", "utf-8")
        (self.package / "__init__.py").write_text("", "utf-8")

    def git(self, *words: str) -> str:
        name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        line = ["git", *name, "-C", str(self.root), *words]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        self.git("init", "--quiet")
        self.git("add", "lib")
        self.git("commit", "--quiet", "-m", "Of this one")
        return self.git("rev-parse", "HEAD")


def forget() -> None:
    provenance.commit.cache_clear()
    provenance.code.cache_clear()
    provenance._checkout.cache_clear()


def commit() -> str:
    forget()
    return provenance.commit()


def doubt() -> str:
    forget()
    return provenance.doubt()


def code() -> str:
    forget()
    return provenance.code()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    monkeypatch.setattr(provenance, "PACKAGE", made.package)
    yield made
    forget()


def test_the_commit_of_a_checkout_that_an_installed_copy_lies_in_is_not_taken(
    checkout: Checkout,
) -> None:
    checkout.git("init", "--quiet")
    checkout.git("commit", "--quiet", "--allow-empty", "-m", "Of another project")
    assert commit() == "unknown"
    assert doubt().endswith(f"{checkout.package} is not in a git checkout of this project")
    head = checkout.commit()
    assert (commit(), doubt()) == (head, "")


@pytest.mark.parametrize("change", ["edited", "deleted", "new", "a new stub"])
def test_code_that_is_not_as_it_was_committed_is_named(checkout: Checkout, change: str) -> None:
    head = checkout.commit()
    path = {
        "new": checkout.package / "priors" / "more.py",
        "a new stub": checkout.package / "__init__.pyi",
    }.get(change, checkout.kernels)
    if change == "deleted":
        path.unlink()
    else:
        path.write_text("edited", "utf-8")
    assert commit() == head + "+"
    named = path.relative_to(checkout.root)
    assert doubt() == f"the code has uncommitted changes: {named}"


@pytest.mark.parametrize("name", LEFT_BY_TOOLS)
def test_what_tools_leave_beside_the_code_is_no_code(checkout: Checkout, name: str) -> None:
    head, before = checkout.commit(), code()
    path = checkout.package / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("left", "utf-8")
    assert (commit(), code()) == (head, before)
    assert doubt() == ""


def test_a_checkout_in_a_hidden_folder_has_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Checkout(tmp_path / ".cache" / "checkout")
    monkeypatch.setattr(provenance, "PACKAGE", made.package)
    head, before = made.commit(), code()
    made.kernels.write_text("edited", "utf-8")
    assert commit() == head + "+"
    assert code() != before
    forget()


def test_a_checkout_of_another_user_is_unknown_and_what_to_do_is_said(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.commit()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert commit() == "unknown"
    assert f"git config --global --add safe.directory {checkout.root}" in doubt()


def test_without_git_the_commit_is_unknown(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.commit()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert commit() == "unknown"
    assert doubt() == "the commit of the code is not known: git is not installed"


def test_what_gives_other_bits_is_recorded() -> None:
    found = provenance.describe({"mnist": "a"}, 1.0, decoded={"mnist": "b"})
    assert found["instruction_set"] == torch.backends.cpu.get_cpu_capability()
    assert found["data"] == {"edition": "mnist", "sha256": "a"}  # as in older records
    assert found["decoded"] == {"mnist": "b"}
    assert "decoded" not in provenance.describe({"quick-digits": "a"}, 1.0)
