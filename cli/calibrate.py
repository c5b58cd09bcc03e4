"""`gaelp calibrate`: scenario parts from a public log, or from an ad account's export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import accounts, library, studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, say
from gaelp_sim.cli.params import ScenarioRef
from gaelp_sim.cli.progress import sharing
from gaelp_sim.cli.run import COMPILING
from gaelp_sim.errors import UsageError

LOGS = ("criteo_attribution", "criteo_search", "avazu", "open_bandit", "ipinyou", "generic")


@click.command(cls=GaelpCommand)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", required=True, type=click.Choice([*LOGS, *accounts.FORMATS]),
    help="How the file is written: a log's published schema, or whose export it is.",
)
@click.option("--mapping", metavar="M", help="generic: the YAML file that says what a log's columns mean (as of import).")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the YAML there.")
@click.option(
    "--scenario", type=ScenarioRef(),
    help="Accounts: also match this scenario's levers.  [default: curves and figures only]",
)
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Accounts: change a key of the scenario first.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME=CHANNEL",
    help="Accounts: take an export's channel or campaign for one of the scenario's; may be repeated.",
)
@click.option(
    "--worlds", "pilots", type=click.IntRange(2, 1_000), default=8, show_default=True, metavar="N",
    help="Accounts: pilot worlds that are matched.",
)
@click.option(
    "--people-max", type=click.IntRange(100, 10_000_000), default=10_000, show_default=True, metavar="N",
    help="Accounts: people in a pilot world at most; larger accounts are scaled.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), default=1, metavar="N", show_default=True,
    help="Accounts: processes that simulate; results don't depend on it.",
)
@click.pass_obj
def calibrate(settings: Settings, /, file: Path, form: str, out: Path | None, **asked: object) -> None:
    """Fit parts of a scenario to a log, or an ad account.

    Of a public log: curves of the day and week, delays from click to sale, and, in comments, click rates, prices and
    rates of sale, each with its 95 % interval. Bad rows are skipped and counted. Plain or gzipped; reading needs the
    extra [logs].

    Of an account's export by day: volumes, curves, click rates, prices and conversion rates of each channel; with
    --scenario, that scenario's levers as intervals, found by simulating. A cell that can't be read is an error. Either is
    YAML to be written over a scenario: gaelp run SCENARIO --with FILE.

    \b
    Example:
      gaelp calibrate account.csv --format google_ads --scenario quickstart --out fitted.yaml
    """
    if out is not None and out.exists():
        raise UsageError(f"{out}: it exists already; name another file, or remove it first")
    mapping = asked.pop("mapping")
    if form in accounts.FORMATS and mapping is None:
        found = _of_account(settings, file, form, asked)
    else:
        found = _of_log(settings, file, (form, mapping), asked)
    if settings.as_json:
        print_json(found)
        return
    if out is None:
        click.echo(found["fragment"], nl=False)
    else:
        try:
            out.write_text(found["fragment"], encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{out}: {error.strerror or error}; name a file in a folder that exists") from None
        say(settings, f"wrote {out}")
    for reason, told in found.get("skipped", {}).items():
        say(settings, f"skipped {told['rows']:,} rows: {reason} (first in line {told['line']:,})")
    for reason, count in found.get("left_out", {}).items():
        say(settings, f"left out {count:,} lines: {reason}")


def _of_log(settings: Settings, file: Path, written: tuple[str, Any], asked: dict[str, object]) -> library.Record:
    if asked["scenario"] is not None or asked["channels"] or asked["sets"]:
        kinds = ", ".join(accounts.FORMATS)
        raise UsageError(f"--scenario, --set and --channel are for accounts ({kinds}), not for {written[0]}")
    with sharing(settings, f"reading {file.name}"):
        return studies.calibrated(file, *written)


def _of_account(settings: Settings, file: Path, form: str, asked: dict[str, object]) -> library.Record:
    if asked["scenario"] is not None:
        library.when_compiling(lambda: say(settings, COMPILING))
    elif asked["sets"]:
        raise UsageError("--set changes a scenario; name one with --scenario")
    with sharing(settings, "simulating") as on_step:
        return accounts.fitted(file, accounts.Matching(form, **asked), on_step)  # type: ignore[arg-type]
