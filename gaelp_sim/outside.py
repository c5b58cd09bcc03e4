"""Code from outside, which its user names as `module:Name`: bidders, policies, user models, attribution models."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

WHERE = "the module in this folder or on PYTHONPATH"


def named(name: str) -> Any:
    """What `module:Name` names. A module that Python does not find is looked for in the current folder, too.

    Raises ImportError, AttributeError or ValueError where there is none, and whatever the module's own code raises.

    >>> named("math:gcd")(12, 18)
    6
    """
    module, _, attribute = name.partition(":")
    try:
        found = import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name != module.partition(".")[0] or os.getcwd() in sys.path:
            raise
        found = _from_here(module)
    return getattr(found, attribute)


def _from_here(module: str) -> Any:
    """Import with the current folder as the last place to look; what the module itself imports may lie there, too."""
    here = os.getcwd()
    sys.path.append(here)
    try:
        return import_module(module)
    finally:
        sys.path.remove(here)
