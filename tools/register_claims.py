"""Write book/registration.json: when each claim was written, and when its first record was made.

For every claim, it lists from the git history: the commits that wrote the claim and its present
rule, the commit that added the first records by which it can be judged, whether the claim is an
ancestor of these records, how many of its seeds could be judged before it was written, and its
amendments. The claims of a commit are read by importing the package at that commit, so renamed
modules and reformatted claims make no difference.

    python -m tools.register_claims

The file is committed, because a source archive has no history. Run this again after adding a claim
or a record; a test compares the file with the history.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from spatialnb import studies
from spatialnb.execution import planning
from spatialnb.studies import m2_spread
from spatialnb.study import metrics
from spatialnb.study.claims import Claim
from spatialnb.study.spread import SpreadClaim

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "book" / "registration.json"
KEPT = ROOT / "_build" / "register_claims-2"
STUDIES = "spatialnb/studies"
DECIDING = (
    "rule", "arm", "against", "each", "metric", "against_metric", "than", "margin", "low", "high",
    "as_share",
)  # fmt: skip
"""Fields of a claim on which its verdict depends under the first edition of the rules."""

READ = """
import importlib, json, pkgutil, sys
from spatialnb import studies
own = {study.id: study.claims for study in studies.STUDIES.values()}
for name in sorted(part.name for part in pkgutil.iter_modules(studies.__path__)):
    try:
        module = importlib.import_module("spatialnb.studies." + name)
    except ValueError:  # a study that refused itself: a later commit has its claims
        continue
    if hasattr(module, "STUDY"):  # also those without a page, and claims that are no Claim
        study = module.STUDY
        own[study.id] = study.claims or getattr(module, "CLAIMS", ())
claims = [
    {"chapter": chapter, "key": c.key, "words": c.words,
     **{name: getattr(c, name, None) for name in sys.argv[1:]}}
    for chapter, found in own.items() for c in found
]
json.dump(claims, sys.stdout)
"""

LOOKED = {
    "c2": "two seeds of a pilot of some arms",
    "c2e": "the dead units of three arms, with one seed each; no run with leaky ReLU",
    "c3": "two seeds of a pilot of some arms; the static k = 15 on the pixel grid did best in it",
    "c5": "one pair of other seeds (100 and 101) of the baseline, sharpening and some settings of "
    "the asymmetric network",
    **dict.fromkeys(
        ("c7", "c7c", "c7d"),
        "one or two seeds of five arms on test images, and one seed of five arms of c7a on "
        "held-out images",
    ),
    "c4b": "masked, pruned and regrown networks under AdamW, trained for two epochs with another "
    "seed (999) to check that they train; for the claims at a learning rate of 0.001, two seeds of "
    "GraNet there",
    "c4c": "the distance between the inputs of a unit after iterative magnitude pruning, with one "
    "other seed (999) and fewer epochs",
    "c7b": "four arms, trained for two epochs on 10,000 images with another seed (900) to check "
    "that they train",
    "c8": "six arms, trained for two epochs on 10,000 images with another seed (900) to check that "
    "they train",
    "c9": "one seed of dense, random and nearest first layers on test images, at untuned settings",
    "c7h": "c7c's convolutional network with other settings, and c7g's on held-out images",
    "c7f": "c7's twenty seeds of all arms but the scalar",
    "c9f": "one or two seeds of dense, nearest, permuted and random layers of 1,024 units, and one "
    "of a nearest layer of 256 units with 98 % zeros, on test images, at untuned settings",
}
"""Results that had been seen before a chapter's claims were written, as its page says."""

STATED = (
    "The commit gives no reason. This share is the same for every seed, so both rules ask the "
    "same: whether it is the printed number, within its rounding."
)
"""Why the claims about sparsity were amended."""

REASONS = {
    ("v10", "sparsity-15"): STATED,
    ("v10", "sparsity-10"): STATED,
    ("v11", "sparsity-100"): STATED,
}
"""Reasons for changes of a claim's deciding fields after it was first written."""

GRID = {
    "chapter": "c2c",
    "commit": "ca7f9cd",
    "change": "0.016 was added to the learning rates of the grid",
    "reason": "Two arms were best at 0.008, until then the largest. A best setting at the edge of "
    "a grid may not be the best. c2c claims nothing; it chooses the settings of c2d's arms.",
}
PLANE = {
    "chapter": "c3c",
    "commit": "2f19e0f",
    "change": "0.032 and 0.064 were added to the learning rates of the grid",
    "reason": "Three arms were best at 0.016, until then the largest. c3c claims nothing; it "
    "chooses the settings of c3d's arms.",
}
SECOND = {
    "chapter": "all",
    "commit": "",
    "change": "The second edition of the rules",
    "reason": "In the first, an estimate beyond the margin was enough to contradict 'equals', no "
    "verdict said that an arm does better than claimed or shares first place, and 'faster, by one "
    "to two epochs' was one claim instead of two. The second was written when all verdicts were "
    "known, so both editions' verdicts are kept.",
}


def git(*arguments: str) -> str:
    """Run git in the project, and return its output."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


@functools.cache
def order() -> dict[str, int]:
    """All commits with their positions in the history, parents first."""
    commits = git("rev-list", "--topo-order", "--reverse", "HEAD").split()
    return {commit: place for place, commit in enumerate(commits)}


def is_ancestor(one: str, other: str) -> bool:
    """Whether one commit is an ancestor of the other."""
    found = subprocess.run(["git", "merge-base", "--is-ancestor", one, other], cwd=ROOT)
    return found.returncode == 0


def added_records() -> dict[str, str]:
    """The commit that added each published record, by ``runs/<id>``."""
    text = git(
        "log", "--topo-order", "--reverse", "--diff-filter=A", "--name-only", "--no-renames",
        "--format=commit %H", "--", "book/records/runs", "book/records/pairs",
    )  # fmt: skip
    found: dict[str, str] = {}
    commit = ""
    for line in text.splitlines():
        if line.startswith("commit "):
            commit = line.split()[1]
        elif line:
            found.setdefault("/".join(Path(line).with_suffix("").parts[-2:]), commit)
    return found


def second_edition() -> str:
    """The commit that wrote the second edition of the rules, which added their module."""
    found = git("log", "--diff-filter=A", "--format=%H", "--", "spatialnb/study/rules.py").split()
    return found[-1]


def claims_at(commit: str) -> list[dict[str, Any]]:
    """The claims of the package at this commit, cached by the package's content."""
    kept = KEPT / f"{git('rev-parse', f'{commit}:spatialnb').strip()}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(_read_claims(commit)), encoding="utf-8")
    claims: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))
    return claims


def _read_claims(commit: str) -> list[dict[str, Any]]:
    archive = subprocess.run(
        ["git", "archive", commit, "spatialnb"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        found = subprocess.run(
            [sys.executable, "-c", READ, *DECIDING],
            cwd=folder,
            env={"PYTHONPATH": folder, "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    claims: list[dict[str, Any]] = json.loads(found)
    return claims


def writing_commits() -> list[str]:
    """Commits that changed a study, parents first."""
    commits = set(git("log", "--format=%H", "--", STUDIES).split())
    return sorted(commits, key=lambda commit: order()[commit])


def history() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """By claim, every state of its deciding fields with the commit that introduced it."""
    states: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for commit in writing_commits():
        for claim in claims_at(commit):
            key = (claim["chapter"], claim["key"])
            fields = {name: claim[name] for name in DECIDING}
            known = states.setdefault(key, [])
            if not known or known[-1]["fields"] != fields:
                known.append({"commit": commit, "fields": fields})
    return states


def first_records(states: set[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """By claim, for each of its seeds the commit with which the claim could first be judged."""
    added, place = added_records(), order()
    found = {}
    for study in studies.STUDIES.values():
        grid = study.configs()
        for claim in study.claims or of_spread(study.id):
            key = (study.id, claim.key)
            if key not in states:
                continue
            of_pairs = isinstance(claim, Claim) and any(
                metrics.metric(name).kind == "pair" for name in claim.metrics
            )
            own = claim.arms if isinstance(claim, Claim) else (claim.arm, claim.against)
            arms = [grid[arm] for arm in own]
            if of_pairs:
                names = [
                    [f"pairs/{planning.pair_id(*pair)}" for pair in study.pairs_of(arm)]
                    for arm in arms
                ]
            else:
                names = [[f"runs/{run.id}" for run in arm] for arm in arms]
            commits = [
                max((added[name] for name in together), key=place.__getitem__)
                for together in zip(*names, strict=True)
                if all(name in added for name in together)
            ]
            found[key] = sorted(commits, key=place.__getitem__)
    return found


def of_spread(study: str) -> tuple[SpreadClaim, ...]:
    """A study's claims about spread; empty for most studies."""
    return m2_spread.CLAIMS if study == m2_spread.STUDY.id else ()


def _commit(commit: str) -> dict[str, str]:
    when, subject = git("show", "-s", "--format=%aI%n%s", commit).splitlines()
    return {"commit": commit, "date": when, "subject": subject}


def registration() -> dict[str, Any]:
    """The content of the file."""
    states = history()
    decided = first_records(set(states))
    rows = []
    for (chapter, key), commits in decided.items():
        known = states[chapter, key]
        written, amended = known[0]["commit"], known[1:]
        first = commits[0] if commits else None
        rows.append(
            {
                "chapter": chapter,
                "key": key,
                "written": _commit(written),
                "with_its_present_rule": _commit(known[-1]["commit"]),
                "first_record": _commit(first) if first else None,
                "written_before": bool(first) and written != first and is_ancestor(written, first),
                "seeds": len(commits),
                "seeds_recorded_before": sum(not is_ancestor(written, one) for one in commits),
                "looked_at_before": LOOKED.get(chapter),
                "amendments": [
                    {
                        **_commit(state["commit"]),
                        "before": _changed(earlier["fields"], state["fields"]),
                        "after": _changed(state["fields"], earlier["fields"]),
                        "before_its_first_record": bool(first)
                        and state["commit"] != first
                        and is_ancestor(state["commit"], first),
                        "reason": REASONS.get((chapter, key), ""),
                    }
                    for earlier, state in zip(known, amended, strict=False)
                ],
            }
        )
    return {
        "claims": rows,
        "amendments": [
            {**one, **_commit(git("rev-parse", one["commit"] or second_edition()).strip())}
            for one in (GRID, PLANE, SECOND)
        ],
    }


def _changed(fields: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != others[name]}


def main() -> None:
    """Write the file."""
    text = json.dumps(registration(), indent=1, ensure_ascii=False) + "\n"
    OUT.write_text(text, encoding="utf-8")
    print(f"{OUT.relative_to(ROOT)}: {len(json.loads(text)['claims'])} claims")


if __name__ == "__main__":
    main()
