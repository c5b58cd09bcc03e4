"""`gaelp completion`: the script that teaches a shell our commands, runs and scenarios."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json
from gaelp_sim.errors import UsageError


@click.command(cls=GaelpCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def completion(settings: Settings, /, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      eval "$(gaelp completion bash)"
    """
    script = _script(shell)
    if settings.as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)


def _script(shell: str) -> str:
    from gaelp_sim.cli.tree import COMPLETION_VARIABLE, gaelp

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"{shell} has no completion here; take bash, zsh or fish.")
    return kind(gaelp, {}, "gaelp", COMPLETION_VARIABLE).source()
