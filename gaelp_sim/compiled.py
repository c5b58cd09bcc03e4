"""Functions compiled to machine code: the loops over people that numpy could only do in many passes.

A compiled function is plain Python over arrays and numbers, compiled by numba on its first call on a machine and kept in
a cache; `.py_func` is the Python it was made from. No fast-math: results are those of IEEE arithmetic, in the order
written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from numba import config, njit
from numba.core import event

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE = Path(__file__).parent
_FRONT = "compiled-"
LEAVES = frozenset({
    "analyse", "attribution", "calibrate", "cli", "env", "evaluate", "front", "learn", "migrations", "planning", "report",
    "scenarios", "store",
})
"""Rooms that no compiled loop of another room reads from: a change there leaves the others' machine code as it is."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on its first call on this machine; later processes take it from the cache."""
    return _made(function, {})


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A small step of compiled loops, woven into each caller: bundles of arrays are then not handed over at each turn."""
    return _made(function, {"inline": "always"})


def tell_when_compiling(tell: Callable[[], None]) -> None:
    """Call `tell` once, when the first function has to be compiled because the cache does not hold it."""
    event.register("numba:compile", _Once(tell))  # type: ignore[no-untyped-call]


def kept_in() -> str:
    """The folder that holds the world's machine code; empty where none can be written."""
    return _cache_folder("")


class _Once(event.Listener):
    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell: Callable[[], None] | None = tell

    def on_start(self, event: Any) -> None:
        tell, self.tell = self.tell, None
        if tell is not None:
            tell()

    def on_end(self, event: Any) -> None:
        """Nothing to say at the end."""


def _made(function: Callable[P, R], options: dict[str, Any]) -> Callable[P, R]:
    settings: Any = config
    folder = _cache_folder(_leaf_of(function.__module__))
    before, settings.CACHE_DIR = settings.CACHE_DIR, folder or settings.CACHE_DIR
    try:
        made: Callable[P, R] = njit(cache=bool(folder), error_model="numpy", **options)(function)
    finally:
        settings.CACHE_DIR = before
    return made


def _leaf_of(module: str) -> str:
    """The leaf that a module stands in; empty for all others."""
    room = module.removeprefix(_PACKAGE.name + ".").partition(".")[0]
    return room if room in LEAVES else ""


@cache
def _cache_folder(leaf: str) -> str:
    """Where machine code is kept: a folder for exactly the sources it can come from; empty where nothing can be written.

    numba looks only at the file of the function itself, but what is woven in comes from other files too: from any room
    but the leaves, or from all of them for the functions of a leaf.
    """
    stamps = sorted((str(path.relative_to(_PACKAGE)), *_stamp(path)) for path in _sources(leaf))
    front = f"{_FRONT}{leaf or 'world'}-"
    name = front + hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gaelp-sim"
    for parent in (_PACKAGE / "__pycache__", home):
        folder = parent / name
        if os.access(folder, os.W_OK):
            return str(folder)
        try:
            folder.mkdir(parents=True)
        except OSError:
            continue
        for older in parent.glob(front + "*"):
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)
        return str(folder)
    return ""


def _sources(leaf: str) -> Iterator[Path]:
    yield from _PACKAGE.glob("*.py")
    for room in _PACKAGE.iterdir():
        if room.is_dir() and (leaf or room.name not in LEAVES):
            yield from room.rglob("*.py")


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size

