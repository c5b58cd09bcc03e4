"""Types of arguments and options: runs and scenarios that the shell can complete, and durations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from gaelp_sim.cli.command import Settings

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m)?$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


Function = TypeVar("Function", bound=Callable[..., Any])


def crew_options(command: Function) -> Function:
    """The options of commands whose work can be dealt out: how many workers, and where they are."""
    workers = click.option(
        "--workers", type=click.IntRange(1, 1024), metavar="N",
        help="Processes that share the work; results don't depend on it.  [default: 1; with --ray the cluster's cores]",
    )
    ray = click.option(
        "--ray", metavar="auto|ADDRESS",
        help="Work on a Ray cluster: this machine's (auto), or the one at HOST:PORT; extra [ray].",
    )
    return workers(ray(command))


class RunRef(click.ParamType[str]):
    """A run: its id, a unique prefix of it, or @last."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """@last, and the ids of the stored runs where the store can be read."""
        from gaelp_sim.cli import library

        names = ["@last"]
        try:
            names += [str(record["run_id"]) for record in library.run_records(_db_url(ctx))]
        except Exception:
            pass  # A completion that fails must stay silent: the user is in the middle of a line.
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class ScenarioRef(click.ParamType[str]):
    """A scenario: the bare name of a shipped one, or a path to a file."""

    name = "scenario"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names of the shipped scenarios, and files."""
        from gaelp_sim.cli import library

        found = [CompletionItem(name) for name in library.scenario_names() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


class Duration(click.ParamType[float]):
    """A duration such as 10s, 500ms or 2m, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds as float; a plain number is seconds."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.match(value)
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is no duration above 0; write 10s, 500ms or 2m.", param, ctx)
        return float(match[1]) * _SECONDS[match[2]]


def _db_url(ctx: click.Context) -> str:
    """The store named so far on the line, on whichever level."""
    level: click.Context | None = ctx
    while level is not None:
        if url := level.params.get("db_url"):
            return str(url)
        level = level.parent
    return Settings.of_environment().db_url
