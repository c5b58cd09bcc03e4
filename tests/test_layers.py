"""Imports point down the house, rooms on one floor never import each other, and no files import in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from gaelp_sim.compiled import LEAVES
from tests.source_tree import Source, package_sources

GROUND = ("", "errors", "units", "compiled", "draws", "events", "outside")
MIDDLE = (
    "population", "market", "response", "recsim", "identity", "attribution", "observe", "store", "calibrate",
)
FLOORS = (
    GROUND, ("scenario",), MIDDLE, ("world",), ("planning",), ("analyse",), ("env",), ("learn",), ("evaluate",),
    ("report",), ("front",), ("cli",),
)
LODGERS = {"migrations": "store", "scenarios": "scenario"}
"""Top-level folders that belong to a room: the store's migrations, the scenarios' files."""
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def _room(module: str) -> str:
    words = module.split(".")
    room = words[1] if len(words) > 1 else ""
    return LODGERS.get(room, room)


def _imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Modules of ours that are imported anywhere in the tree; for `from a import b` both a and a.b are candidates."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield f"{node.module}.{name.name}", node


def _offences(source: Source) -> Iterator[str]:
    home = _room(source.module)
    for target, node in _imports(source.tree):
        if not target.startswith("gaelp_sim"):
            continue
        room = _room(target)
        if home in FLOOR_OF and room in FLOOR_OF and room != home and FLOOR_OF[room] >= FLOOR_OF[home]:
            if home in GROUND and room in GROUND:
                continue
            yield f"{source.place(node)}: {home or 'gaelp_sim'} imports {target}, which is not below it"


@pytest.mark.parametrize("source", package_sources(), ids=lambda source: source.path)
def test_imports_point_down(source: Source) -> None:
    """A file imports only rooms on lower floors, or its own."""
    assert not list(_offences(source)), "move the noun down to events.py, or wire the two in world/"


@pytest.mark.parametrize("source", package_sources(), ids=lambda source: source.path)
def test_compiled_loops_read_from_no_leaf(source: Source) -> None:
    """Machine code of one room is kept while a leaf changes: so nothing in a leaf may be woven into it."""
    home, targets = _room(source.module), [target for target, _ in _imports(source.tree)]
    if home not in LEAVES and any(target.startswith("gaelp_sim.compiled") for target in targets):
        assert not [target for target in targets if target.startswith("gaelp_sim.") and _room(target) in LEAVES]


def test_every_room_has_a_floor() -> None:
    """A new room must be given its place in the order of floors."""
    rooms = {_room(source.module) for source in package_sources()}
    assert rooms <= set(FLOOR_OF) | set(LODGERS), "add the room to FLOORS in tests/test_layers.py and to ARCHITECTURE.md"


def test_no_circles() -> None:
    """No files import each other in a circle when they are loaded."""
    known = {source.module for source in package_sources()}
    graph = {source.module: _loaded_at_import(source, known) for source in package_sources()}
    assert _circle(graph) is None


def _loaded_at_import(source: Source, known: set[str]) -> set[str]:
    """Modules that the file loads while it is itself being imported: top-level statements, TYPE_CHECKING left out."""
    found: set[str] = set()
    for statement in source.tree.body:
        if isinstance(statement, ast.If | ast.FunctionDef | ast.ClassDef):
            continue
        for target, _ in _imports(statement):
            module = target if target in known else target.rpartition(".")[0]
            if module in known and module != source.module:
                found.add(module)
    return found


def _circle(graph: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str] | None:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        for target in sorted(graph[module]):
            if circle := visit(target, [*path, module]):
                return circle
        done.add(module)
        return None

    return next((circle for module in sorted(graph) if (circle := visit(module, []))), None)
