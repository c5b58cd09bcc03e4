"""`gaelp doctor`: whether this machine has what the program needs."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import click

from gaelp_sim import __version__
from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_records, say
from gaelp_sim.errors import GaelpError, RunNotFoundError

DISTRIBUTION = "gaelp-sim"
DISK_LEAST_BYTES = 1 << 30
NOT_FOR_USERS = ("bench", "lint", "test")
_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(\[[^\]]*\])?[^;]*(?:;.*extra == ['\"]([a-z]+)['\"])?")


class Check(NamedTuple):
    """One thing that was looked at."""

    check: str
    found: str
    passed: bool
    next: str = ""
    """What to do, or what is missed without it; empty where all is well"""


@click.command(cls=GaelpCommand)
@click.pass_context
def doctor(ctx: click.Context, /) -> None:
    """Check that this machine has what the program needs.

    It looks at Python, packages, the place for compiled loops, the store and the disk, and changes nothing. Extras that
    are not there are told with the way to get them, and are no fault. Ends with exit code 1 where something is wrong.

    \b
    Example:
      gaelp doctor
    """
    settings: Settings = ctx.obj
    checks = [*_program(), *_packages(), _compiled(), _store(settings.db_url), _disk()]
    print_records([check._asdict() for check in checks], settings, columns=Check._fields)
    wrong = [check.check for check in checks if not check.passed]
    if wrong:
        say(settings, f"{len(wrong)} of {len(checks)} checks failed: {', '.join(wrong)}")
        ctx.exit(1)
    say(settings, "all is well")


def _program() -> Iterator[Check]:
    yield Check("program", f"gaelp-sim {__version__}", True)
    yield Check("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", True)
    yield Check("cores", str(os.cpu_count() or 1), True)


def _packages() -> Iterator[Check]:
    """Those of the core, which must be there, then each extra."""
    found: dict[str, dict[str, str]] = {}
    for line in metadata.requires(DISTRIBUTION) or ():
        parts = _REQUIREMENT.match(line)
        assert parts is not None, line
        found.setdefault(parts[3] or "", {})[parts[1]] = f"{parts[1]}{parts[2] or ''}"
    for extra, asked in found.items():
        if extra in NOT_FOR_USERS:
            continue
        versions = {name: _version(name) for name in asked}
        told = ", ".join(f"{name} {version or 'is missing'}" for name, version in versions.items())
        missing = " ".join(shlex.quote(asked[name]) for name, version in versions.items() if not version)
        way = "make offline" if extra == "offline" else f"pip install {missing}"
        yield Check(f"extra {extra}" if extra else "core", told, bool(extra) or not missing, way if missing else "")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _compiled() -> Check:
    folder = library.compiled_loops_folder()
    if not folder:
        return Check("compiled loops", "nowhere to keep them", False, "make ~/.cache writable, or set XDG_CACHE_HOME")
    made = any(Path(folder).glob("**/*.nbi"))
    return Check("compiled loops", "made" if made else "not made yet: the first run takes about 15 seconds more", True)


def _store(db_url: str) -> Check:
    """Whether the store answers, and its schema is this program's."""
    try:
        there, wanted = library.schema_version(db_url), library.schema_head()
    except RunNotFoundError:
        return Check("store", "none yet", True, "gaelp run quickstart")
    except GaelpError as error:
        found, _, way = str(error).partition("; next: ")
        return Check("store", found, False, way)
    if there is None:
        return Check("store", "empty", True, "gaelp run quickstart")
    fits = there == wanted
    return Check("store", f"schema {there}, this program's {wanted}", fits, "" if fits else "gaelp db upgrade")


def _disk() -> Check:
    free = shutil.disk_usage(".").free
    return Check("disk", f"{free / 1e9:.1f} GB free here", free >= DISK_LEAST_BYTES,
                 "" if free >= DISK_LEAST_BYTES else "make room: a run of 10,000 people for 30 days takes some 100 MB")
