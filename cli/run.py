"""`gaelp run` and `gaelp resume`: simulate into the store, and tell what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_fields, print_json, say, say_more
from gaelp_sim.cli.params import RunRef, ScenarioRef, crew_options
from gaelp_sim.cli.progress import watching
from gaelp_sim.cli.summary import estimate_lines, scenario_line, summary_lines
from gaelp_sim.errors import UsageError

PEOPLE_A_CELL = 10_000
SMALL_CELLS = f"cells of under {PEOPLE_A_CELL:,} people: where budgets bind, results move with their number (docs/cells.md)"
COMPILING = "compiling the simulator's loops, once on this machine: about 15 seconds"
NEXT_QUERY = 'gaelp query "SELECT stage, COUNT(*) FROM journeys GROUP BY 1"'


@dataclass(frozen=True)
class RunOptions:
    """What `gaelp run` was asked for."""

    scenario: str | None
    seed: int | None
    days: int | None
    sets: Sequence[str]
    fragments: Sequence[str]
    policy: str | None
    rivals: str | None
    rivals_from: str | None
    bidders: Sequence[str]
    worlds: int | None
    workers: int | None
    ray: str | None
    continue_ref: str | None
    label: str
    incremental: bool
    watch: bool
    lake: str | None
    dry_run: bool


@click.command(cls=GaelpCommand)
@click.argument("scenario", type=ScenarioRef(), required=False)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Seed of all luck.  [default: the scenario's]")
@click.option("--days", type=click.IntRange(1, 3650), metavar="DAYS", help="Days to simulate.  [default: the scenario's]")
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario; may be repeated.")
@click.option(
    "--with", "fragments", multiple=True, metavar="FILE",
    help="Write a fragment (as gaelp calibrate makes) over the scenario; may be repeated.",
)
@click.option(
    "--policy", metavar="P",
    help="How we bid: rule, silent, your own module:Class; or, to compare with, an oracle: one_step_lift, "
    "observable_planner, clairvoyant.  [default: rule; outside where the scenario has an agent]",
)
@click.option(
    "--rivals", type=click.Choice(["frozen", "learning"]),
    help="Whether rivals learn while they bid.  [default: the scenario's]",
)
@click.option(
    "--rivals-from", metavar="RUN|FILE", help="Meet rivals as a run left them, or as `gaelp rivals export` wrote them.",
)
@click.option(
    "--bidder", "bidders", multiple=True, metavar="NAME=M:C",
    help="Let your own module:Class bid for the rival NAME; may be repeated.",
)
@click.option("--worlds", type=click.IntRange(1, 10_000), metavar="N", help="Worlds.  [default: the scenario's]")
@crew_options
@click.option("--continue", "continue_ref", type=RunRef(), metavar="RUN", help="Go on with a finished run's people.")
@click.option("--name", "label", default="", metavar="TEXT", help="A label to find the run by.  [default: none]")
@click.option("--incremental", is_flag=True, help="Also simulate the world without our ads: the third CAC.")
@click.option("--watch", is_flag=True, help="Show each simulated day: a picture on a terminal, else a line.")
@click.option(
    "--lake", metavar="FOLDER|URL",
    help="Write touchpoints, decisions and journeys there as Parquet.  [default: into the database]",
)
@click.option("--dry-run", is_flag=True, help="Tell rows, disk and time it would take; write nothing.")
@click.pass_obj
def run(settings: Settings, /, **given: Any) -> None:
    """Simulate a scenario; every touch lands in SQL.

    SCENARIO is the bare name of a shipped one (gaelp scenarios list) or a path to a YAML file. With --continue it may be
    left out.

    \b
    Example:
      gaelp run parental_controls --days 7 --seed 3
    """
    options = RunOptions(**given)
    request = _request(options, settings)
    if options.dry_run:
        _print_estimate(request, settings)
        return
    say_more(settings, scenario_line(request.scenario.model_dump()))
    library.when_compiling(lambda: say(settings, COMPILING))
    with watching(settings, watch=options.watch) as on_progress:
        summary = library.simulated(request, on_progress=on_progress)
    _print_summary(summary.as_json(), settings)
    if 1 < request.scenario.cells > request.scenario.population.people / PEOPLE_A_CELL:
        say(settings, SMALL_CELLS)
    for number, person in enumerate(request.scenario.script):
        say(settings, f"scripted: {person.name} is person {request.scenario.population.people + number}")


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@crew_options
@click.option("--watch", is_flag=True, help="Show each simulated day: a picture on a terminal, else a line.")
@click.pass_obj
def resume(settings: Settings, /, run: str, *, workers: int | None, ray: str | None, watch: bool) -> None:
    """Finish an interrupted run.

    It goes on from its last commit point and ends with the rows that it would have had without the interruption. RUN is
    an id, a unique prefix of one, or @last (the default).

    \b
    Example:
      gaelp resume @last
    """
    told = library.run_record(settings.db_url, run)
    if told["status"] == "FINISHED" and told["policy"] != "imported":  # a log was never simulated: that is told below
        say(settings, "the run is finished already: nothing to do")
    library.when_compiling(lambda: say(settings, COMPILING))
    crew = library.crew_of(workers, ray)
    with watching(settings, watch=watch) as on_progress:
        summary = library.resumed(settings.db_url, run, crew=crew, on_progress=on_progress)
    _print_summary(summary.as_json(), settings)


def _request(options: RunOptions, settings: Settings) -> Any:
    if options.continue_ref is not None and options.seed is not None:
        raise UsageError("--seed and --continue don't go together: a continued run keeps its luck. Leave --seed out.")
    return library.run_request(
        scenario=_scenario(options, settings),
        db_url=settings.db_url,
        seed=options.seed,
        days=options.days,
        worlds=options.worlds,
        crew=library.crew_of(options.workers, options.ray),
        policy=options.policy,
        continue_ref=options.continue_ref,
        label=options.label,
        incremental=options.incremental,
        lake=options.lake,
        rivals_from=options.rivals_from,
        bidders=tuple(_seat(pair) for pair in options.bidders),
    )


def _seat(pair: str) -> tuple[str, str]:
    name, equals, ref = pair.partition("=")
    if not equals or ":" not in ref:
        raise UsageError(f"--bidder {pair}: it must be NAME=module:Class, NAME a rival of the scenario")
    return name, ref


def _scenario(options: RunOptions, settings: Settings) -> Any:
    sets = tuple(options.sets)
    if options.rivals is not None:
        sets += (f"rivals_learn={str(options.rivals == 'learning').lower()}",)
    if options.scenario is not None:
        return library.loaded_scenario(options.scenario, sets=sets, fragments=tuple(options.fragments))
    if options.fragments:
        raise UsageError("--with needs a SCENARIO to be written over: name it, with or without --continue RUN.")
    if options.continue_ref is not None:
        return library.stored_scenario(settings.db_url, options.continue_ref, sets=sets)
    raise UsageError("SCENARIO is missing: give a name (gaelp scenarios list) or a YAML file, or --continue RUN.")


def _print_estimate(request: Any, settings: Settings) -> None:
    estimate = library.estimated(request)
    fields = {"rows": estimate.rows, "disk_bytes": estimate.disk_bytes, "seconds": estimate.seconds}
    if settings.as_json:
        print_json(fields)
        return
    print_fields(estimate_lines(fields), settings)
    say(settings, "nothing was written; leave --dry-run out to simulate")


def _print_summary(summary: dict[str, Any], settings: Settings) -> None:
    if settings.as_json:
        print_json(summary)
        return
    for line in summary_lines(summary):
        click.echo(line)
    say(settings, f"next: {NEXT_QUERY}")
