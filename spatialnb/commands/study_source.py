"""Python source of a new chapter's study: its arms as code, and the imports that code needs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from spatialnb.config.run import Run
from spatialnb.datasets import edition, editions
from spatialnb.report.formatting import check_slugs, slug

NEEDED = {
    "spatialnb.config.run": {"Run"},
    "spatialnb.study.claims": {"Claim"},
    "spatialnb.study.study": {"Quick", "Study"},
}
"""Imports of every study, by module."""

DRAFT = """\
# A draft: a small data set that needs no download and decides nothing. For the real one, say
# dataset="cifar10-jpeg" (or mnist), epochs=12 and seeds=tuple(range(20)); commit; then train.
"""
"""Comment above the base of a draft, that is, a chapter started without a data set."""

MODULE = '''\
"""{id}: {title}."""

{imports}

{remark}BASE = {base}

STUDY = Study(
    id="{id}",
    title="{title}",
    section="",
    question="What does the kernel change here?",
    changes="Nothing yet: a draft.",
    arms={{
        "none": BASE,
{arms}
    }},
    baseline="none",
    seeds={seeds},
    quick=Quick(dataset="{quick}", epochs=2, seeds=(0, 1)),
    # A claim and its rule are committed before the runs that decide it are made.
    claims=(
{claims}
    ),
)
'''
"""Template of a new chapter's study."""

ARM = """\
        {name}: replace(
            BASE,
{changes}
        ),"""
"""Template of an arm: the base with changed settings, one per line."""

CLAIM = """\
        Claim(
            chapter="{id}",
            key="{key}-beats-none",
            words={words},
            rule="beats",
            arm={name},
            against="none",
        ),"""
"""Template of a claim about an arm, for the author to change."""


def module(
    named: Mapping[str, str], base: Run, arms: Mapping[str, Run], seeds: Sequence[int]
) -> str:
    """The source of a study with these arms besides its base, ``none``.

    Parameters
    ----------
    named : the chapter's ``id`` and ``title``.
    base, arms, seeds : the study's base, its other arms and its seeds.

    Raises
    ------
    ValueError : two arms would share a key, or an arm uses a class that is not in the package.
    """
    check_slugs(["none", *arms])
    imports: dict[str, set[str]] = {name: set(names) for name, names in NEEDED.items()}
    lines = {}
    for name, run in arms.items():
        changed = [
            f"{' ' * 12}{field}={_source(getattr(run, field), imports)},"
            for field in (one.name for one in dataclasses.fields(run))
            if getattr(run, field) != getattr(base, field)
        ]
        lines[name] = ARM.format(name=_text(name), changes="\n".join(changed))
    claims = [
        CLAIM.format(
            **named, name=_text(name), key=key(name), words=_text(f"Arm {name} beats none.")
        )
        for name in arms
    ]
    quick = edition(base.dataset).quick
    return MODULE.format(
        **named,
        base=_source(base, imports),
        arms="\n".join(lines.values()),
        claims="\n".join(claims),
        imports=_imports(imports),
        remark=DRAFT if quick else "",
        seeds=_seeds(seeds),
        quick=quick_edition(base.dataset),
    )


def quick_edition(dataset: str) -> str:
    """The quick edition of the same kind as a data set: text, or images with as many channels."""
    known = edition(dataset)
    alike = [one for one in editions() if one.quick and one.kind == known.kind]
    if known.kind == "image":
        alike = [one for one in alike if one.shape[0] == known.shape[0]]
    if not alike:
        raise ValueError(f"there is no quick edition of the same kind as {dataset}")
    return alike[0].name


def key(arm: str) -> str:
    """An arm's name in the form used in a claim's key."""
    return slug(arm).replace("_", "-").strip("-")


def _source(value: Any, imports: dict[str, set[str]]) -> str:
    """A value as code, omitting fields at their defaults; adds the classes it uses to `imports`."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        if isinstance(value, tuple):
            parts = [_source(part, imports) for part in value]
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        return _text(value) if isinstance(value, str) else repr(value)
    kind = type(value)
    if not kind.__module__.startswith("spatialnb."):
        raise ValueError(
            f"{kind.__name__} is not in the package. A chapter of the book runs without your "
            "definition file, so first move the class into the package (a kernel: into "
            "spatialnb/priors/kernels.py)"
        )
    imports.setdefault(kind.__module__, set()).add(kind.__name__)
    said = [
        f"{field.name}={_source(getattr(value, field.name), imports)}"
        for field in dataclasses.fields(value)
        if field.name == "dataset" or getattr(value, field.name) != _default(field)
    ]
    return f"{kind.__name__}({', '.join(said)})"


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _imports(needed: Mapping[str, set[str]]) -> str:
    lines = [f"from {name} import {', '.join(sorted(needed[name]))}" for name in sorted(needed)]
    return "\n".join(["from dataclasses import replace", "", *lines])


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) > 3 and list(seeds) == list(range(len(seeds))):
        return f"tuple(range({len(seeds)}))"
    return repr(tuple(seeds))


def _text(value: str) -> str:
    """A string literal, in the kind of quotes that needs no escapes."""
    text = json.dumps(value, ensure_ascii=False)
    if '"' in value and "'" not in value:
        return "'" + text[1:-1].replace('\\"', '"') + "'"
    return text
