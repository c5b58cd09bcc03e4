"""The package's own source as syntax trees, for the tests that hold structure and style."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = {
    "gaelp_sim": "gaelp_sim",
    "cli": "gaelp_sim.cli",
    "migrations": "gaelp_sim.migrations",
    "scenarios": "gaelp_sim.scenarios",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One file: where it is, the module it installs as, its text and tree."""

    path: str
    module: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The part of the house: `store` for gaelp_sim.store.writer; the file's own name on the ground floor."""
        words = self.module.split(".")
        return words[1] if len(words) > 1 else ""

    def place(self, node: ast.AST) -> str:
        """file:line of a node."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@cache
def package_sources() -> tuple[Source, ...]:
    """Every file that is installed."""
    return tuple(source for folder in PLACES for source in _sources_under(folder))


@cache
def all_sources() -> tuple[Source, ...]:
    """Every Python file of the repository."""
    return package_sources() + tuple(source for folder in ("tests", "benchmarks") for source in _sources_under(folder))


def functions(source: Source) -> Iterator[Function]:
    """Every function and method of a file, inner ones too."""
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            yield node


def _sources_under(folder: str) -> Iterator[Source]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        relative = path.relative_to(ROOT)
        text = path.read_text(encoding="utf-8")
        yield Source(str(relative), _module_name(relative), text, ast.parse(text))


def _module_name(relative: Path) -> str:
    words = list(relative.with_suffix("").parts)
    words[0] = PLACES.get(words[0], words[0])
    if words[-1] == "__init__":
        words.pop()
    return ".".join(words)
