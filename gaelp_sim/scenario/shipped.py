"""The scenarios that ship with the package, found by bare name: from a checkout or an installed wheel, in any folder."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from gaelp_sim.errors import ScenarioError


@cache
def _folder() -> Path:
    return Path(str(resources.files("gaelp_sim.scenarios")))


@cache
def shipped_names() -> tuple[str, ...]:
    """Names of the shipped scenarios, in alphabetical order."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def shipped_path(name: str) -> Path:
    """The file of a shipped scenario.

    Raises ScenarioError when none has that name.
    """
    if name not in shipped_names():
        raise ScenarioError(f"{name}: no shipped scenario of that name; `gaelp scenarios list` shows them")
    return _folder() / f"{name}.yaml"
