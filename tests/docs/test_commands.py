"""Every command has a line of help, an example that it understands, and a row in the README's table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from gaelp_sim.cli.tree import gaelp
from tests.docs.readme import command_table

HELP_CHARACTERS = 60


def _commands(group: click.Group, context: click.Context, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        full = f"{path} {name}".strip()
        yield full, command
        if isinstance(command, click.Group):
            yield from _commands(command, context, full)


COMMANDS = dict(_commands(gaelp, click.Context(gaelp)))
LEAVES = {name: command for name, command in COMMANDS.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("name", COMMANDS)
def test_one_line_of_help_and_an_example(name: str) -> None:
    """The first line is a sentence of at most 60 characters; an example follows."""
    text = COMMANDS[name].help or ""
    line = text.splitlines()[0]
    assert 0 < len(line) <= HELP_CHARACTERS
    assert line.endswith(".")
    assert "Example:\n" in text


@pytest.mark.parametrize("name", LEAVES)
def test_the_example_parses(name: str) -> None:
    """The example calls this very command with options and arguments that exist."""
    (example,) = re.findall(r"^ *(?:eval \"\$\()?(gaelp .*?)(?:\)\"| > .*)?$", LEAVES[name].help or "", re.MULTILINE)
    words = shlex.split(example)[1:]
    assert words[: len(name.split())] == name.split()
    # As below gaelp itself: a command remembers the help option that it was first asked with, and pages show -h.
    with click.Context(gaelp, **gaelp.context_settings) as parent:
        LEAVES[name].make_context(name, words[len(name.split()) :], parent=parent)


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_says_what_it_means(name: str) -> None:
    """No option without help."""
    assert [param.name for param in LEAVES[name].params if isinstance(param, click.Option) and not param.help] == []


def test_the_readme_lists_exactly_the_commands() -> None:
    """The README's table has a row for each command, with the command's own line of help, and no other."""
    assert command_table() == {name: (command.help or "").splitlines()[0].rstrip(".") for name, command in LEAVES.items()}
