"""`gaelp scenarios`: the files that say who lives where, who bids and what it is worth."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.lines import error_line
from gaelp_sim.cli.output import print_fields, print_json, print_records
from gaelp_sim.cli.params import ScenarioRef
from gaelp_sim.errors import ScenarioError, StoreWriteError

LIST_COLUMNS = ("name", "description")


@click.group(cls=GaelpGroup)
def scenarios() -> None:
    """List, show, check and start scenario files.

    \b
    Example:
      gaelp scenarios list
    """


@scenarios.command("list")
@click.pass_obj
def list_scenarios(settings: Settings, /) -> None:
    """List the shipped scenarios.

    \b
    Example:
      gaelp scenarios list
    """
    print_records(library.scenario_records(), settings, columns=LIST_COLUMNS)


@scenarios.command("show")
@click.argument("scenario", type=ScenarioRef())
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key first; may be repeated.")
@click.option("--with", "fragments", multiple=True, metavar="FILE", help="Write a fragment over it first; may be repeated.")
@click.pass_obj
def show_scenario(settings: Settings, /, scenario: str, *, sets: tuple[str, ...], fragments: tuple[str, ...]) -> None:
    """Print a scenario in full, every default filled in.

    \b
    Example:
      gaelp scenarios show quickstart --set days=3
    """
    loaded = library.loaded_scenario(scenario, sets=sets, fragments=fragments)
    if settings.as_json:
        print_json(library.scenario_fields(loaded))
    else:
        click.echo(library.scenario_yaml(loaded), nl=False)


@scenarios.command("schema")
@click.pass_obj
def print_schema(settings: Settings, /) -> None:
    """Print the JSON schema of scenario files.

    Editors with yaml-language-server read it; `gaelp scenarios new` writes the line that names it.

    \b
    Example:
      gaelp scenarios schema > scenario.schema.json
    """
    print_json(library.scenario_schema())


@scenarios.command("validate")
@click.argument("files", nargs=-1, required=True, type=ScenarioRef())
@click.pass_obj
@click.pass_context
def validate_scenarios(ctx: click.Context, settings: Settings, /, files: tuple[str, ...]) -> None:
    """Check scenario files; says file:line:column of a mistake.

    All files are checked; ends with exit code 2 where one is wrong.

    \b
    Example:
      gaelp scenarios validate my_scenario.yaml
    """
    findings = [_finding(name) for name in files]
    if settings.as_json:
        print_json([{"file": name, "valid": problem is None, "problem": problem} for name, problem in findings])
    for name, problem in findings:
        if problem is not None:
            click.echo(error_line(problem), err=True)
        elif not settings.as_json:
            click.echo(f"{name}: ok")
    if any(problem is not None for _, problem in findings):
        ctx.exit(ScenarioError.exit_code)


@scenarios.command("new")
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="File to write.  [default: NAME.yaml]",
)
@click.pass_obj
def new_scenario(settings: Settings, /, name: str, *, output: Path | None) -> None:
    """Write a small commented scenario to start from.

    \b
    Example:
      gaelp scenarios new my_market
    """
    path = output or Path(f"{name}.yaml")
    text = library.new_scenario_text(name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise StoreWriteError(f"{path} is there already; choose another NAME, or another file with -o.") from None
    except OSError as problem:
        raise StoreWriteError(f"{path} can't be written: {problem.strerror}. Choose another file with -o.") from None
    print_fields({"written": str(path)}, settings)


def _finding(name: str) -> tuple[str, str | None]:
    try:
        library.loaded_scenario(name)
    except ScenarioError as problem:
        return name, str(problem)
    return name, None
