"""The commands.

Nothing heavy is imported before a command needs it, so ``--help`` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

EXAMPLES = """\b
Examples:
  spatialnb status                       what is recorded, what is missing
  spatialnb train v01 --seeds 0-4        train what is missing of five seeds
  spatialnb train v01 --quick            a minute's try, no data needed
  spatialnb ledger                       every claim with its verdict
  spatialnb data check                   which data sets are at hand
"""


class Seeds(click.ParamType[tuple[int, ...]]):
    """Whole numbers as ``0-9``, ``3`` or ``0,2,5-7``."""

    name = "seeds"
    most = 10_000

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The seeds of a text, in its order; repeated ones are refused."""
        if isinstance(value, tuple):
            return value
        seeds: list[int] = []
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                self.fail(f"{value!r}: expected whole numbers such as 0-9 or 0,2,5", param, ctx)
            low, high = int(first), int(last if dash else first)
            if high < low or high - low >= self.most:
                self.fail(
                    f"{part!r}: expected a range from low to high, at most {self.most} seeds",
                    param,
                    ctx,
                )
            seeds += range(low, high + 1)
        repeated = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if repeated:
            self.fail(f"{value!r}: seed {repeated[0]} stands there more than once", param, ctx)
        return tuple(seeds)


class Group(click.Group):
    """A group whose users see what is wrong in a sentence, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a mistake or a missing file ends with exit code 1 and its message."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # the last where the reader, such as head, has seen enough: click ends quietly
        except KeyboardInterrupt:
            click.echo(
                "\nStopped. What is finished is recorded; the same command goes on.", err=True
            )
            ctx.exit(130)
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            if ctx.find_root().params.get("debug"):
                raise
            raise click.ClickException(str(error)) from error


@click.group(cls=Group, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spatialnb")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def main(debug: bool) -> None:
    """Spatial weight priors for neural networks: an executable research report."""


store_option = click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for new records.  [default: $SPATIALNB_STORE, or the user's data folder]",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@main.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@click.option("--seeds", type=Seeds(), help="Such as 0-9 or 0,2,5.  [default: the published ones]")
@click.option("--epochs", type=click.IntRange(min=1), help="[default: the published number]")
@click.option(
    "--dataset", help="Edition of the data set, e.g. cifar10.  [default: the published one]"
)
@click.option("--quick", is_flag=True, help="Small data that need no download; decides no claim.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes of one thread each.  [default: one a core]",
)
@click.option("--no-pairs", is_flag=True, help="Leave out the similarity of pairs of networks.")
@store_option
def train(
    studies: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    epochs: int | None,
    dataset: str | None,
    quick: bool,
    workers: int | None,
    no_pairs: bool,
    store: Path | None,
) -> None:
    """Train what is missing of the runs of STUDY (v01 to v11, or all).

    Recorded runs are looked up; one is trained again only where a new pair needs its weights. Stop
    it with Ctrl-C; the same command goes on where it stopped.
    """
    from spatialnb import runs
    from spatialnb.records import default_store
    from spatialnb.studies import select

    if quick and dataset is not None:
        raise click.UsageError("--quick brings its own data set; leave out one of the two")
    chosen = select(studies)
    where = default_store((store,) if store else ())
    configs, pairs = [], []
    for study in chosen:
        if quick:
            asked = study.quick
            grid = study.configs(seeds or asked.seeds, epochs or asked.epochs, asked.dataset)
        else:
            grid = study.configs(seeds, epochs, dataset)
        for arm in grid.values():
            configs += arm
            pairs += [] if no_pairs else study.couples(arm)
    distinct = len({run.id for run in configs})
    todo = runs.missing(configs, where)
    unmeasured = {runs.pair_id(*pair) for pair in pairs} - where.ids("pair")
    click.echo(
        f"{distinct} runs, {distinct - len(todo)} recorded, {len(todo)} to train; "
        f"{len(unmeasured)} pairs to measure"
    )
    runs.complete(configs, pairs=pairs, store=where, workers=workers)
    click.echo(f"All {distinct} runs are recorded; new ones are in {where.folders[0]}")


@main.command()
@store_option
@json_option
def status(store: Path | None, as_json: bool) -> None:
    """What is recorded and what is missing, a chapter a line."""
    from spatialnb.records import default_store
    from spatialnb.runs import pair_id
    from spatialnb.studies import STUDIES

    where = default_store((store,) if store else ())
    there = where.ids()
    pairs_there = where.ids("pair")
    rows = []
    for study in STUDIES.values():
        grid = study.configs().values()
        runs = {run.id for arm in grid for run in arm}
        pairs = {pair_id(*pair) for arm in grid for pair in study.couples(arm)}
        rows.append(
            {
                "chapter": study.id,
                "title": study.title,
                "runs": len(runs),
                "recorded": len(runs & there),
                "missing": len(runs - there),
                "pairs": len(pairs),
                "pairs_missing": len(pairs - pairs_there),
            }
        )
    conflicts = where.conflicts()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo(
            f"{'chapter':8}{'runs':>6}{'recorded':>10}{'missing':>9}{'pairs missing':>15}  title"
        )
        for row in rows:
            click.echo(
                f"{row['chapter']:8}{row['runs']:>6}{row['recorded']:>10}{row['missing']:>9}"
                f"{row['pairs_missing']:>15}  {row['title']}"
            )
    for path in conflicts:
        click.echo(f"another result for a recorded configuration: {path}", err=True)


@main.command()
@store_option
@json_option
def ledger(store: Path | None, as_json: bool) -> None:
    """Every claim of the report with its verdict."""
    from spatialnb import report, studies
    from spatialnb.records import default_store

    findings = studies.ledger(default_store((store,) if store else ()))
    rows = report.ledger_rows(findings)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['chapter']}  {row['verdict']:13} {row['claim']}")
        if row["low"] is not None:
            size = f"{row['estimate']:.3g} [{row['low']:.3g}, {row['high']:.3g}] {row['unit']}"
            said = "" if row["reported"] is None else f", reported {row['reported']:g}"
            click.echo(f"{'':20}{size.rstrip()}, n = {row['n']}{said}")
    for text in (f"{count} {verdict}" for verdict, count in report.tally(findings).items()):
        click.echo(text.replace("ledger-", "").replace("-", " "))


@main.command()
@store_option
@json_option
def tables(store: Path | None, as_json: bool) -> None:
    """Every cell that the report prints, with ours beside it."""
    import pandas as pd

    from spatialnb import report, studies
    from spatialnb.records import default_store

    where = default_store((store,) if store else ())
    rows = [
        row
        for study in studies.STUDIES.values()
        for row in report.table_rows(study, studies.recorded(study, where))
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    columns = ["chapter", "arm", "metric", "reported", "mean", "sd", "n"]
    data = pd.DataFrame(rows)[columns].astype({"mean": float, "sd": float})
    click.echo(data.to_string(index=False, na_rep="-", float_format="{:.4g}".format))


@main.group()
def data() -> None:
    """The data sets."""


@data.command("check")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data sets.  [default: $SPATIALNB_DATA, or the user's cache folder]",
)
def data_check(root: Path | None) -> None:
    """Say which data sets are at hand, and where a missing one belongs.

    Exit code 1 where a file is there and is not what it should be.
    """
    from spatialnb import datasets

    rows = datasets.check(root)
    for row in rows:
        state = "ok" if row.ok else "missing" if row.found is None else "damaged"
        click.echo(f"{row.edition:16}{state}")
        for line in (row.found, row.message):
            if line:
                click.echo(f"    {line}")
    if any(row.found and not row.ok for row in rows):
        raise click.exceptions.Exit(1)
