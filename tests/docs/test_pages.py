"""Commands that the pages of docs/ show exist, with their options."""

from __future__ import annotations

import shlex

import click
import pytest

from gaelp_sim.cli.tree import gaelp
from tests.docs.readme import Shown, console_blocks
from tests.source_tree import ROOT

SHOWN = [
    (page.name, shown)
    for page in sorted((ROOT / "docs").glob("*.md"))
    for block in console_blocks(page.read_text(encoding="utf-8"))
    for shown in block
]


def test_pages_show_commands() -> None:
    """Else the test below would tell nothing."""
    assert len(SHOWN) > 8


@pytest.mark.parametrize("page, shown", SHOWN, ids=[f"{page}: {shown.command}" for page, shown in SHOWN])
def test_commands_parse(page: str, shown: Shown) -> None:
    """The words after `gaelp` are a command, its arguments and options."""
    words = shlex.split(shown.command)
    assert words.pop(0) == "gaelp", page
    command: click.Command = gaelp
    context = click.Context(gaelp)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, (page, name)
        command = found
    command.make_context(shown.command, words)
