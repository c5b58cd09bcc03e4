"""`gaelp checkpoints`: what lies in a folder of training."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import schooling
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.output import print_fields, print_records, say

COLUMNS = ("checkpoint", "scenario", "epoch", "engine_version", "sound")


@click.group(cls=GaelpGroup)
def checkpoints() -> None:
    """List, show and verify learned policies.

    \b
    Example:
      gaelp checkpoints list ppo
    """


@checkpoints.command("list")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def list_checkpoints(settings: Settings, /, folder: Path) -> None:
    """List the checkpoints in a folder.

    \b
    Example:
      gaelp checkpoints list ppo
    """
    print_records(schooling.checkpoints_in(folder), settings, columns=COLUMNS)


@checkpoints.command("show")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def show(settings: Settings, /, folder: Path) -> None:
    """Show a checkpoint's manifest.

    \b
    Example:
      gaelp checkpoints show ppo/best
    """
    print_fields(schooling.manifest_of(folder), settings)


@checkpoints.command("verify")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def verify(settings: Settings, /, folder: Path) -> None:
    """Check that a checkpoint is whole and can be used here.

    \b
    Example:
      gaelp checkpoints verify ppo/best
    """
    schooling.verified(folder)
    say(settings, f"{folder}: sound")
