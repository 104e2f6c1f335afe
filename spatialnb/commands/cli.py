"""The commands of the command line.

Slow imports are inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spatialnb import extras
from spatialnb.commands.backend_options import BackendOptions, backend_options, workers_option

if TYPE_CHECKING:
    from spatialnb.config.run import Run
    from spatialnb.execution.backend import Backend
    from spatialnb.execution.estimate import Estimate
    from spatialnb.execution.planning import PairSpec
    from spatialnb.records.store import Store
    from spatialnb.study.claims import Finding
    from spatialnb.study.parameters import Parsed
    from spatialnb.study.study import Study

EXAMPLES = """\b
Examples:
  spatialnb ledger                            every claim with its verdict
  spatialnb run v05 --quick                   a one-minute trial, no data needed
  spatialnb run v05 --epochs 30 --seeds 0-2   a chapter with other parameters
  spatialnb compare rerun                     compare that with the published runs
  spatialnb verify --sample 5                 train published runs again and compare
  spatialnb judge results.csv claims.toml     judge claims about your own experiment
  spatialnb status                            what is recorded, what is missing
  spatialnb data check                        which data sets are available
"""


YOURS = "Your chapters"
"""Title of the part that contains your own chapters."""


class Seeds(click.ParamType[tuple[int, ...]]):
    """Whole numbers as ``0-9``, ``3`` or ``0,2,5-7``."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse seeds in the order given; repeated ones are refused."""
        from spatialnb.study.parameters import PARAMETERS

        try:
            seeds: tuple[int, ...] = PARAMETERS["seeds"].read(value)
            return seeds
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _replace_what_cannot_be_shown() -> None:
    """Print ``?`` for a character that the terminal cannot encode, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _echo_json(rows: Any) -> None:
    """Print JSON; non-ASCII characters are escaped only if the terminal cannot encode them."""
    text = json.dumps(rows, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(rows, indent=2)
    click.echo(text)


class Group(click.Group):
    """A command group that reports errors as one sentence instead of a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        _replace_what_cannot_be_shown()
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors such as a missing file print their message and exit with code 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # BrokenPipeError: a reader such as head has closed the pipe; click exits quietly
        except KeyboardInterrupt:
            click.echo(
                "\nStopped. Finished runs are recorded; the same command continues.", err=True
            )
            ctx.exit(130)
        except ModuleNotFoundError as error:
            said = extras.sentence(error, f"spatialnb {ctx.invoked_subcommand}")
            if said is None or ctx.find_root().params.get("debug"):
                raise
            raise click.ClickException(said) from error
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

alone_option = click.option(
    "--alone",
    is_flag=True,
    help="Use only the records in --store, not those of the book.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

set_option = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Another parameter: lr, batch_size, hidden or arms. Can be repeated.",
)

definitions_option = click.option(
    "--definitions",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    multiple=True,
    help="Python file that registers user-defined kernels, schedules or actions.",
)


@main.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@click.option("--seeds", type=Seeds(), help="Such as 0-9 or 0,2,5.  [default: as published]")
@click.option("--epochs", type=click.IntRange(min=1), help="[default: as published]")
@click.option("--dataset", help="Edition of the data set, e.g. cifar10.  [default: as published]")
@set_option
@definitions_option
@click.option("--quick", is_flag=True, help="Small data, no download; decides no claim.")
@backend_options
@click.option("--no-pairs", is_flag=True, help="Skip the comparisons of pairs of networks.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and stop.")
@store_option
@alone_option
def train(
    studies: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    epochs: int | None,
    dataset: str | None,
    settings: tuple[str, ...],
    definitions: tuple[str, ...],
    quick: bool,
    options: BackendOptions,
    no_pairs: bool,
    dry_run: bool,
    store: Path | None,
    alone: bool,
) -> None:
    """Train the missing runs of STUDY (such as v05 or c2, or all).

    Recorded runs are looked up; one is trained again only if a new pair needs its weights. Stop
    with Ctrl-C; the same command continues where it stopped.
    """
    from spatialnb.execution import planning, runs
    from spatialnb.records.store import default_store
    from spatialnb.studies import select
    from spatialnb.study.study import by_seed

    if quick and dataset is not None:
        raise click.UsageError("--quick and --dataset exclude each other; leave out one of the two")
    records = default_store((store,) if store else (), alone=alone)
    named = _named(settings, {"seeds": seeds, "epochs": epochs, "dataset": dataset})
    files = {"definitions": definitions} if definitions else {}
    given = _parsed(seeds, {"epochs": epochs, "dataset": dataset, **named, **files})
    configs, pairs = [], []
    for study in select(studies):
        whole = study.with_arms(given.get("arms", {}))
        asked = given.without("arms")
        grid = whole.grid(study.quick.parameters | asked if quick else asked)
        configs += by_seed(grid)
        for arm in grid.values():
            pairs += [] if no_pairs else whole.pairs_of(arm)
    distinct = len({run.id for run in configs})
    missing = planning.missing(configs, records)
    unmeasured = {planning.pair_id(*pair) for pair in pairs} - records.ids("pair")
    with options.connected(needed=bool(missing or unmeasured)) as backend:
        click.echo(
            f"{distinct} runs, {distinct - len(missing)} recorded, {len(missing)} to train; "
            f"{len(unmeasured)} pairs to measure"
        )
        _say_if_unpublishable(select(studies), missing, more=bool(unmeasured) and not quick)
        estimate = None
        if missing or unmeasured:
            estimate = _say_time(missing, records, backend, pairs, dry_run=dry_run)
        if dry_run:
            return
        with _held(estimate):
            runs.complete(configs, pairs=pairs, store=records, backend=backend)
    click.echo(f"All {distinct} runs are recorded; new ones are in {records.folders[0]}")


@main.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@click.option("--seeds", type=Seeds(), help="Such as 0-9 or 0,2,5.  [default: as published]")
@click.option("--epochs", type=int, help="[default: as published]")
@click.option("--dataset", help="Edition of the data set, e.g. cifar10.  [default: as published]")
@set_option
@definitions_option
@click.option("--quick", is_flag=True, help="Small data, no download; decides no claim.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("rerun"),
    show_default=True,
    help="Folder for the notebook, its page, tables and new records.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, and stop.")
@backend_options
@store_option
def run(
    studies: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    epochs: int | None,
    dataset: str | None,
    settings: tuple[str, ...],
    definitions: tuple[str, ...],
    quick: bool,
    out: Path,
    dry_run: bool,
    options: BackendOptions,
    store: Path | None,
) -> None:
    """Run a chapter again with your own parameters.

    STUDY is a chapter such as v05 or c2, or all. Recorded runs are looked up, missing ones are
    trained, the notebook is executed. Stop with Ctrl-C; the same command continues where it
    stopped.
    """
    from spatialnb.commands import rerun
    from spatialnb.execution import planning, runs
    from spatialnb.records.store import default_store
    from spatialnb.report.formatting import setting_text
    from spatialnb.studies import select

    if quick and dataset is not None:
        raise click.UsageError("--quick and --dataset exclude each other; leave out one of the two")
    named = _named(settings, {"seeds": seeds, "epochs": epochs, "dataset": dataset})
    files = {"definitions": definitions} if definitions else {}
    given = _parsed(seeds, {"epochs": epochs, "dataset": dataset, **named, **files})
    records = default_store((store,) if store else ())
    plans = [
        rerun.plan(study, study.quick.parameters | given if quick else given, definitions)
        for study in select(studies)
    ]
    # Check first, so that nothing is trained for a page that cannot be made or written.
    extras.check("papermill", "nbconvert", "ipykernel", "latex2mathml", "pandas", "scipy")
    rerun.check_folder([planned.study for planned in plans], out)
    configs = [config for planned in plans for config in planned.configs]
    pairs = [pair for planned in plans for pair in planned.pairs]
    missing = planning.missing(configs, records)
    with options.connected(needed=bool(missing)) as backend:
        for planned in plans:
            ids = {config.id for config in planned.configs}
            todo = planning.missing(planned.configs, records)
            click.echo(
                f"{planned.study.id}  {planned.study.title}: {setting_text(planned.configs)}"
            )
            click.echo(f"     {len(ids)} runs, {len(ids) - len(todo)} recorded", nl=False)
            click.echo(f", {len(todo)} to train")
        _say_if_unpublishable([planned.study for planned in plans], missing)
        estimate = _say_time(missing, records, backend, pairs, chapters=len(plans), dry_run=dry_run)
        if dry_run:
            return
        with _held(estimate):
            runs.complete(configs, pairs=pairs, store=records, backend=backend)
            for planned in plans:
                rerun.execute(planned, out, records, click.echo)
    folder = shlex.quote(str(out))
    click.echo(f"To compare with the published runs: spatialnb compare {folder}")


def _say_if_nothing_is_published(store: Store) -> None:
    """Warn if the published records are missing, since nothing can then be judged."""
    if not store.folders[-1].is_dir():
        click.echo(
            f"There are no published records in {store.folders[-1]}: they come with the "
            "repository, not with the installed package. Run this command in a checkout",
            err=True,
        )


def _named(settings: tuple[str, ...], options: dict[str, Any]) -> dict[str, str]:
    """The values of ``--set NAME=VALUE`` by name; a name already given as an option is refused."""
    named: dict[str, str] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--set {text}: expected NAME=VALUE, such as lr=0.001")
        if name == "definitions":
            raise click.UsageError(f"--set {text}: name the file with --definitions instead")
        if name in named or options.get(name) is not None:
            raise click.UsageError(f"--set {text}: {name} is given twice")
        named[name] = value
    return named


def _parsed(seeds: tuple[int, ...] | None, others: dict[str, Any]) -> Parsed:
    """Parse the parameters that were given; ``--seeds`` is already parsed."""
    from spatialnb.study.parameters import Parsed, parse

    given = parse({name: value for name, value in others.items() if value is not None})
    return given if seeds is None else Parsed({"seeds": seeds}) | given


def _say_if_unpublishable(
    studies: Iterable[Study], todo: Iterable[Run], more: bool = False
) -> None:
    """Warn before training if `publish` would refuse the runs, and say why."""
    from spatialnb.study.study import unpublishable

    if said := unpublishable(studies, todo, more):
        click.echo(said, err=True)


def _say_time(
    missing: list[Run],
    records: Store,
    backend: Backend,
    pairs: Sequence[PairSpec] = (),
    *,
    chapters: int = 0,
    dry_run: bool = False,
) -> Estimate | None:
    """Print how long training and measuring pairs will take, and return the estimate.

    Parameters
    ----------
    missing : the runs to train.
    records : where they are recorded.
    backend : where they are trained.
    pairs : the pairs to compare, recorded or not.
    chapters : how many notebooks are executed afterwards.
    dry_run : whether nothing is trained; if so, also print what can be stacked.
    """
    from spatialnb.execution.planning import pair_id, with_pairs
    from spatialnb.execution.stacking import divided

    there = records.ids("pair")
    unmeasured = [pair for pair in pairs if pair_id(*pair) not in there]
    todo = with_pairs(missing, unmeasured, records)
    if not todo:
        click.echo("Nothing to train.")
        return None
    runs_text = f"{len(missing)} runs to train"
    if len(todo) > len(missing):
        runs_text += (
            f", and {len(todo) - len(missing)} to train again, because pairs need their weights"
        )
    if backend.stacks and dry_run:
        click.echo(divided(todo, {run.id for pair in unmeasured for run in pair[:2]})[2])
    found = _estimate(todo, unmeasured, backend, chapters)
    said = found.said() if found else _by_records(todo, records, backend)
    click.echo(f"{runs_text}: {said}")
    if dry_run and found and backend.device == "cpu" and not backend.stacks:
        _say_time_on_cuda(todo, unmeasured, chapters)
    return found


def _estimate(
    todo: list[Run], pairs: Sequence[PairSpec], backend: Backend, chapters: int
) -> Estimate | None:
    """The estimate for this machine; None if another one trains, or a run cannot be tried here."""
    from spatialnb.execution import estimate

    try:
        return estimate.of(todo, pairs, backend, chapters=chapters)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # e.g. user-defined code that needs the data; training will report the error


def _by_records(todo: list[Run], records: Store, backend: Backend) -> str:
    """An estimate from similar recorded runs, on whichever machine they were trained."""
    from spatialnb.execution.estimate import span
    from spatialnb.execution.planning import minutes

    least, most = (60.0 * one for one in minutes(todo, records, backend.parallelism))
    if most != most:  # NaN
        return "no estimate, because no similar run is recorded"
    return f"about {span(least, most)}, from the speed of recorded runs"


def _say_time_on_cuda(todo: list[Run], pairs: Sequence[PairSpec], chapters: int) -> None:
    """Print the estimate for an available CUDA device, with runs in stacks."""
    import torch

    from spatialnb.execution.accelerator import Accelerator

    if not torch.cuda.is_available():
        return
    found = _estimate(todo, pairs, Accelerator("cuda", stack="auto"), chapters)
    if found:
        name = torch.cuda.get_device_name("cuda")
        click.echo(f"With --device cuda --stack auto, on {name}: {found.said()}")


@contextlib.contextmanager
def _held(estimate: Estimate | None) -> Iterator[None]:
    """Compare the time taken inside with its estimate, and print the result."""
    started = time.monotonic()
    yield
    if estimate is not None:
        click.echo(estimate.held(time.monotonic() - started))


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def compare(folder: Path, as_json: bool) -> None:
    """Compare the re-run in FOLDER with the published runs, arm by arm.

    Python files in FOLDER/definitions are executed, because they define the kernels of the re-run.
    """
    from spatialnb import report, studies
    from spatialnb.commands import rerun
    from spatialnb.records.store import Store, published_folder

    rows = []
    _say_if_nothing_is_published(Store(published_folder()))
    for results in rerun.load(folder, studies.get):
        published = results.study.without_added().recorded()
        if published is None:
            click.echo(f"{results.study.id}: nothing is published to compare with", err=True)
            continue
        compared = report.compared(results, published)
        rows += report.comparison_rows(results, compared)
        if not as_json:
            click.echo(report.comparison_text(results, published, compared))
    if as_json:
        _echo_json(rows)


@main.command()
@click.argument("studies", metavar="[STUDY]...", nargs=-1)
@click.option("--sample", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seed", type=int, help="Seed of the sample.  [default: a new one each time]")
@workers_option
def verify(studies: tuple[str, ...], sample: int, seed: int | None, workers: int | None) -> None:
    """Train a sample of published runs again.

    The sample is random, and the results are compared with the records. The exit code is 1 if a run
    is neither identical nor within the spread over seeds.
    """
    import tempfile

    from spatialnb.commands import verify
    from spatialnb.execution.process_pool import ProcessPool
    from spatialnb.records.store import Store, published_folder
    from spatialnb.studies import select

    chosen = select(studies or ("all",))
    published = Store(published_folder())
    _say_if_nothing_is_published(published)
    picked = verify.sample(chosen, published, sample, seed)
    backend = ProcessPool(workers=workers)
    estimate = _say_time([config for _, config in picked], published, backend)
    different = 0
    with _held(estimate), tempfile.TemporaryDirectory() as folder:
        for one in verify.verify(picked, published, chosen, Path(folder), backend):
            different += one.outcome == "different"
            click.echo(f"{one.outcome:18} {one.arm}, seed {one.recorded.run.seed}", nl=False)
            if one.outcome != "identical":
                click.echo(f": {one.says()}", nl=False)
            click.echo()
    if different:
        click.echo(f"{different} of {len(picked)} differ by more than the seeds do", err=True)
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Print what would be done, and stop.")
@workers_option
@store_option
def answers(
    studies: tuple[str, ...], dry_run: bool, workers: int | None, store: Path | None
) -> None:
    """Add the predicted classes of recorded runs.

    The runs of STUDY are trained again. Only older runs need this; new runs record their answers
    (the predicted class of every test image) right away. The exit code is 1 if a run is not
    reproduced bit for bit; its answers are then not recorded.
    """
    from spatialnb.commands import answers
    from spatialnb.execution.process_pool import ProcessPool
    from spatialnb.records.store import default_store
    from spatialnb.studies import select

    where = default_store((store,) if store else ())
    chosen = answers.without(select(studies), where)
    click.echo(f"{len(chosen)} recorded runs have no answers")
    backend = ProcessPool(workers=workers)
    if dry_run or not chosen:
        return
    _say_if_unpublishable((), (), more=True)
    with _held(_say_time(chosen, where, backend)):
        done = answers.add(chosen, where, backend)
    click.echo(
        f"{done.identical} of {len(chosen)} were reproduced bit for bit; their answers are in "
        f"{where.folders[0]}"
    )
    if done.different:
        ids = ", ".join(run.id for run in done.different)
        click.echo(f"{len(done.different)} were not, and have no answers: {ids}", err=True)
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@click.option("--seeds", type=Seeds(), help="Such as 0-9.  [default: as published]")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and stop.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="A separate folder instead of the book, for runs of any engine and device.",
)
@store_option
def publish(
    studies: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    dry_run: bool,
    into: Path | None,
    store: Path | None,
) -> None:
    """Move recorded runs into the book, after checks.

    The runs of STUDY are moved from your store into the book. With --into they go to another
    folder; `spatialnb tables --alone --store FOLDER` shows them, and says what trained them. The
    exit code is 1 if a record is refused; the others are moved nevertheless.
    """
    from spatialnb.commands import publish
    from spatialnb.records.store import default_store, refuse_inputs
    from spatialnb.studies import select

    where = default_store((store,) if store else ())
    if into is not None:
        refuse_inputs(into, "--into")
    checked = publish.candidates(select(studies), where, _parsed(seeds, {}), into)
    target = into or where.folders[-1]
    for record, reason in checked.bad:
        click.echo(f"refused: {record.kind} {record.id}: {reason}", err=True)
    if not checked.good:
        click.echo(f"Nothing to publish in {where.folders[0]}")
    elif dry_run:
        click.echo(f"{len(checked.good)} records would move into {_near(target)}")
    else:
        publish.publish(checked.good, where, into)
        click.echo(f"{len(checked.good)} records moved into {_near(target)}; commit them")
    if checked.bad:
        raise click.exceptions.Exit(1)


def _near(path: Path) -> Path:
    """The path relative to the current folder, if it lies inside."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@main.command()
@click.argument("chapter")
@click.argument("title")
@click.option("--dataset", help="Such as mnist or cifar10-jpeg.  [default: a draft on a quick one]")
@click.option("--epochs", type=click.IntRange(min=1), help="[default: 12; in a draft 2]")
@click.option("--seeds", type=Seeds(), help="Such as 0-9.  [default: 0-19; in a draft 0-1]")
@set_option
def new(
    chapter: str,
    title: str,
    dataset: str | None,
    epochs: int | None,
    seeds: tuple[int, ...] | None,
    settings: tuple[str, ...],
) -> None:
    """Write a new chapter.

    For example: spatialnb new v12 "Locality in two dimensions". It takes the same settings as
    `spatialnb run`. With the arms of a trial (--set arms=...) the study starts with these arms and
    a claim about each. Their kernels must be in the package.
    """
    from spatialnb.commands import scaffold

    named = _named(settings, {"seeds": seeds, "epochs": epochs, "dataset": dataset})
    given = _parsed(seeds, {"epochs": epochs, "dataset": dataset, **named})
    for path in scaffold.new(chapter, title, given=given):
        click.echo(f"{_near(path)}")
    short = f"make page PAGE={chapter}"
    if dataset is None:
        click.echo(f"The draft runs as it is: {short}. For the next steps, see book/extend.md")
    else:
        click.echo(
            f"Now state the question and the claims, then: spatialnb pin {chapter}; commit; "
            f"spatialnb train {chapter}; {short}. See book/extend.md"
        )


@main.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
def pin(studies: tuple[str, ...]) -> None:
    """Pin the run ids, rules and parameters of STUDY.

    The ids of the arms' runs and the rules of the claims go into tests/pinned.json, the parameters
    into the notebook. Pins that have published records cannot be changed.
    """
    from spatialnb.commands import pin
    from spatialnb.studies import select

    for study in select(studies):
        for path in pin.pin(study):
            click.echo(f"{_near(path)}: written")
        click.echo(f"{study.id}: {len(study.arms)} arms and {len(study.claims)} claims are pinned")


@main.command()
@store_option
@json_option
def status(store: Path | None, as_json: bool) -> None:
    """Show what is recorded and what is missing, one chapter per line.

    Stale runs were recorded under an earlier recipe number and must be trained again; they are
    listed below the table, with what to do.
    """
    from spatialnb.execution import planning
    from spatialnb.execution.cores import cores
    from spatialnb.records.store import default_store
    from spatialnb.studies import STUDIES

    where = default_store((store,) if store else (), only_read=True)
    _say_if_nothing_is_published(where)
    there, pairs_there = where.ids(), where.ids("pair")
    grids = {study.id: study.configs() for study in STUDIES.values()}
    every = {run.id: run for grid in grids.values() for arm in grid.values() for run in arm}
    left = [run_id for run_id in every if run_id not in there]
    times = dict(
        zip(left, planning.seconds([every[run_id] for run_id in left], where), strict=True)
    )
    rows, why = [], []
    for study in STUDIES.values():
        grid = grids[study.id].values()
        planned = {config.id: config for arm in grid for config in arm}
        missing = [config for run_id, config in planned.items() if run_id in times]
        pairs = {planning.pair_id(*pair) for arm in grid for pair in study.pairs_of(arm)}
        stale = planning.stale(missing, there)
        time = sum(times[config.id] for config in missing) / cores() / 60.0
        if stale:
            whole = list(planned.values())
            why.append(f"{study.id}: {planning.why_missing(study.id, whole, there)}")
        rows.append(
            {
                "chapter": study.id,
                "title": study.title,
                "planned": len(planned),
                "recorded": len(planned) - len(missing),
                "missing": len(missing),
                "stale": sum(stale.values()),
                "stale_recipes": stale,
                "pairs": len(pairs),
                "pairs_missing": len(pairs - pairs_there),
                "minutes": round(time, 1) if time == time else None,
            }
        )
    if as_json:
        _echo_json(rows)
    else:
        head = ("planned", "recorded", "missing", "stale", "pairs missing", "minutes")
        click.echo("chapter " + "".join(f"{name:>{len(name) + 2}}" for name in head) + "  title")
        for row in rows:
            cells = [row[name.replace(" ", "_")] for name in head]
            shown = ["?" if cell is None else f"{cell}" for cell in cells]
            line = zip(head, shown, strict=True)
            click.echo(
                f"{row['chapter']:8}"
                + "".join(f"{cell:>{len(name) + 2}}" for name, cell in line)
                + f"  {row['title']}"
            )
        for said in why:
            click.echo(said)
    for path in where.conflicts():
        click.echo(f"a second result for a recorded configuration: {path}", err=True)


edition_option = click.option(
    "--edition",
    type=int,
    default=2,
    show_default=True,
    help="Edition of the rules, 1 or 2; the second amends the first.",
)

alpha_option = click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="Significance level of every test."
)


@main.command()
@click.argument("chosen", metavar="[STUDY]...", nargs=-1)
@click.option("--controls", is_flag=True, help="Show the claims of Part II (controls) instead.")
@edition_option
@click.option(
    "--margin",
    type=float,
    help="Difference in points of accuracy that does not matter.  [default: each claim's]",
)
@alpha_option
@click.option(
    "--correction",
    default="chapter",
    show_default=True,
    help="For multiple comparisons: none, chapter or ledger (Holm), fdr (over the ledger).",
)
@click.option(
    "--seeds", type=Seeds(), help="Such as 0-4; a chapter uses those it has.  [default: all]"
)
@click.option(
    "--population",
    default="seeds",
    show_default=True,
    help="What verdicts generalise to: seeds, images or both.",
)
@store_option
@alone_option
@json_option
def ledger(
    chosen: tuple[str, ...],
    controls: bool,
    edition: int,
    margin: float | None,
    alpha: float,
    correction: str,
    seeds: tuple[int, ...] | None,
    population: str,
    store: Path | None,
    alone: bool,
    as_json: bool,
) -> None:
    """Show every claim of the log with its verdict.

    Claims are judged again from the records. Claims of your own chapters follow in a separate part.
    With STUDY (such as v05 or c2), only the claims of these chapters are shown. The default is the
    published rules; the options choose another margin, level, correction or set of seeds, or the
    rules of the first edition.
    """
    from spatialnb import report, studies
    from spatialnb.records.store import default_store
    from spatialnb.study.judging import Settings

    if chosen and controls:
        raise click.UsageError("--controls and STUDY exclude each other; leave out one of the two")
    settings = Settings(
        edition=edition,
        margin=margin,
        alpha=alpha,
        correction=correction,  # type: ignore[arg-type]
        seeds=seeds,
        population=population,  # type: ignore[arg-type]
    )
    where = default_store((store,) if store else (), only_read=True, alone=alone)
    _say_if_nothing_is_published(where)
    if chosen:
        parts = {"": studies.judge(studies.select(chosen), settings, where)}
    elif controls:
        parts = {"": studies.controls(where, settings)}
    else:
        parts = {"": studies.ledger(where, settings)}
        if studies.part("yours"):
            parts[YOURS] = studies.yours(where, settings)
    if as_json:
        _echo_json([row for findings in parts.values() for row in report.ledger_rows(findings)])
        return
    for name, findings in parts.items():
        if name:
            click.echo(f"\n{name}")
        _echo_findings(findings)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@store_option
@alone_option
def export(folder: Path, store: Path | None, alone: bool) -> None:
    """Export all results and verdicts into FOLDER.

    All results go into one table, and all claims with their verdicts into another file. The table
    is results.csv, and also results.parquet if pyarrow is installed; claims.json comes with its
    schema. Existing files with these names are overwritten.
    """
    from spatialnb import studies
    from spatialnb.records.store import default_store
    from spatialnb.report.all_results import write_all

    where = default_store((store,) if store else (), only_read=True, alone=alone)
    _say_if_nothing_is_published(where)
    parts = {"I": studies.ledger(where), "II": studies.controls(where)}
    try:
        written = write_all(folder, studies.recorded(where), parts)
    except OSError as error:
        raise click.ClickException(
            f"{folder} cannot be written: {error.strerror or error}"
        ) from error
    for path in written:
        click.echo(path)


def _echo_findings(findings: Sequence[Finding]) -> None:
    """Print two lines per claim, a count of the verdicts, and a warning if n is small."""
    from spatialnb import report

    for finding, row in zip(findings, report.ledger_rows(findings), strict=True):
        first = finding.first or "no such claim"
        amended = f"  (first edition: {first})" if finding.amended else ""
        click.echo(f"{row['chapter']}  {row['verdict']:13} {row['claim']}{amended}")
        if row["low"] is not None:
            estimate, low, high = (
                round(row[name], 4) + 0.0 for name in ("estimate", "low", "high")
            )
            size = f"{estimate:.3g} [{low:.3g}, {high:.3g}] {row['unit']}"
            said = "" if row["reported"] is None else f", reported {row['reported']:g}"
            click.echo(f"{'':20}{size.rstrip()}, n = {row['n']}{said}")
    for text in (f"{count} {verdict}" for verdict, count in report.tally(findings).items()):
        click.echo(text.replace("ledger-", "").replace("-", " "))
    if warning := report.few_seeds(findings):
        click.echo(warning)


@main.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("claims", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@edition_option
@click.option(
    "--margin", type=float, help="Difference that does not matter.  [default: each claim's]"
)
@alpha_option
@click.option(
    "--correction",
    default="chapter",
    show_default=True,
    help="For multiple comparisons: none, chapter (Holm, over the file or each of its chapters), "
    "ledger (Holm, over all), fdr (over all).",
)
@click.option("--seeds", type=Seeds(), help="Such as 0-4.  [default: all]")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def judge(
    results: Path,
    claims: Path,
    edition: int,
    margin: float | None,
    alpha: float,
    correction: str,
    seeds: tuple[int, ...] | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Judge claims about your own experiment.

    RESULTS is a CSV file and CLAIMS a TOML file. RESULTS has one row per run: seed, arm, and one or
    more metrics. CLAIMS has a table [[claim]] for each claim: key, rule, arm, against, metric,
    margin. The experiment need not use kernels.
    """
    from spatialnb import report
    from spatialnb.study import experiment
    from spatialnb.study.judging import Settings

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other; leave out one of the two")
    settings = Settings(
        edition=edition,
        margin=margin,
        alpha=alpha,
        correction=correction,  # type: ignore[arg-type]
        seeds=seeds,
    )
    measured = experiment.read_results(results)
    stated = experiment.read_claims(claims, measured, margin)
    findings = experiment.findings(stated, measured, settings)
    rows = report.judged_rows(findings)
    if as_json:
        _echo_json(rows)
    elif as_csv:
        import pandas as pd

        click.echo(pd.DataFrame(rows).to_csv(index=False), nl=False)
    else:
        click.echo(report.judged_text(findings))


@main.command()
@click.argument("chosen", metavar="[STUDY]...", nargs=-1)
@store_option
@alone_option
@json_option
def tables(chosen: tuple[str, ...], store: Path | None, alone: bool, as_json: bool) -> None:
    """Show every number in the log's tables beside ours.

    Results of your own chapters follow in a separate part. With STUDY (such as v05 or c2), every
    arm and metric of these chapters is shown, and nothing else.
    """
    import pandas as pd

    from spatialnb import report, studies
    from spatialnb.records.store import default_store

    where = default_store((store,) if store else (), only_read=True, alone=alone)
    _say_if_nothing_is_published(where)
    if chosen:
        parts = {"": (studies.select(chosen), True)}
    else:
        parts = {"": (studies.part("I"), False), YOURS: (studies.part("yours"), True)}
    found = {
        name: [(study, study.recorded(where)) for study in listed]
        for name, (listed, _) in parts.items()
    }
    rows = {
        name: [
            row
            for study, results in found[name]
            for row in report.table_rows(study, results, whole=whole)
        ]
        for name, (_, whole) in parts.items()
    }
    if as_json:
        _echo_json([row for part in rows.values() for row in part])
        return
    columns = ["chapter", "arm", "metric", "reported", "mean", "sd", "n"]
    floats = {"reported": float, "mean": float, "sd": float}
    for name, part in rows.items():
        if name and part:
            click.echo(f"\n{name}")
        if part or not name:
            data = pd.DataFrame(part, columns=[*columns, "low", "high"])[columns].astype(floats)
            click.echo(data.to_string(index=False, na_rep="-", float_format="{:.4g}".format))
    if made := report.made_by_results(*(one for part in found.values() for _, one in part)):
        click.echo(made)


@main.group()
def data() -> None:
    """Find and check the data sets."""


@data.command("check")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data sets.  [default: $SPATIALNB_DATA, or the user's cache folder]",
)
def data_check(root: Path | None) -> None:
    """Show which data sets are available, and where to put a missing one.

    The exit code is 1 if a file exists but its content is wrong.
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
