"""The shape shared by all commands: settings that every one accepts, groups that load a command only when it is called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import click

DB_URL_DEFAULT = "sqlite:///gaelp.db"
SHARED = ("db_url", "as_json", "quiet", "verbose", "no_color")


@dataclass(frozen=True)
class Settings:
    """What the user said about store and output, on whichever level of the command line."""

    db_url: str
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False

    @classmethod
    def of_environment(cls) -> Settings:
        """The settings before any option is read: GAELP_DB and NO_COLOR of the environment, else the defaults."""
        return cls(
            db_url=os.environ.get("GAELP_DB") or DB_URL_DEFAULT,
            no_color=bool(os.environ.get("NO_COLOR")),
        )

    def overlaid(self, given: Mapping[str, Any]) -> Settings:
        """These settings with the options in `given` laid over; options that were not given are None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def shared_options() -> list[click.Parameter]:
    """The options that every command and group accepts; each is None where it was not given."""
    flag: dict[str, Any] = {"is_flag": True, "default": None}
    return [
        click.Option(
            ["--db", "db_url"],
            metavar="URL",
            help=f"Store, as SQLAlchemy URL.  [env: GAELP_DB; default: {DB_URL_DEFAULT}]",
        ),
        click.Option(["--json", "as_json"], help="Print the result as JSON on stdout.", **flag),
        click.Option(["-q", "--quiet"], help="Say nothing on stderr but errors.", **flag),
        click.Option(["-v", "--verbose"], help="Say more on stderr.", **flag),
        click.Option(["--no-color"], help="Use no colours.  [env: NO_COLOR]", **flag),
    ]


class _TakesSettings(click.Command):
    """Adds the shared options and turns them into `ctx.obj`, a Settings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Lay this level's shared options over those of the level above, then run."""
        settings = ctx.obj or Settings.of_environment()
        ctx.obj = settings.overlaid({name: ctx.params.pop(name) for name in SHARED})
        if ctx.obj.no_color:
            ctx.color = False
            os.environ["NO_COLOR"] = "1"
        return super().invoke(ctx)


class GaelpCommand(_TakesSettings):
    """One command; its help is a line of at most 60 characters and an example."""


class GaelpGroup(_TakesSettings, click.Group):
    """Commands under one noun, listed in the order of their definition."""

    command_class = GaelpCommand

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of definition, which is the order of use."""
        return list(self.commands)


@dataclass(frozen=True)
class Lazy:
    """Where a command lives and its one line of help, so that `--help` need not import it."""

    target: str
    """`module:attribute`."""
    help: str


class LazyGroup(GaelpGroup):
    """The root group: commands are imported when called; their help lines stand in a table."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, without importing anything."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None where there is no such name."""
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name].target.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but the names to suggest come from the table."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as unknown:
            raise click.NoSuchCommand(unknown.command_name, possibilities=self.lazy, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table of help lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.lazy.items()])
