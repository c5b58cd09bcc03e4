"""Fragments: parts of a scenario in a file of their own, written over another scenario before it is checked.

Mappings are merged key by key, items of a list with names by their names; every other list, and an interval, is replaced.
"""

from __future__ import annotations

from gaelp_sim.scenario.lifting import MARK
from gaelp_sim.scenario.problems import nearest
from gaelp_sim.scenario.scalars import shown
from gaelp_sim.scenario.yaml_nodes import Node, error_at, read_yaml


def apply_fragment(root: Node, text: str, file_name: str) -> None:
    """Write a fragment's text over a read scenario, in place.

    Raises ScenarioError `file:line:column: key: what is wrong` for what is not strict YAML, and for an item that the
    scenario's list does not name; wrong values are found when the scenario is checked, with their places in the fragment.
    """
    fragment = read_yaml(text, file_name)
    if not isinstance(fragment.content, dict):
        raise error_at(file_name, fragment.place, "fragment", "a fragment is a mapping of keys, such as `curves: ...`")
    _mark(fragment, file_name)
    _merge(root, fragment, "")


def _mark(node: Node, file_name: str) -> None:
    """Let places name the fragment's file: they stand among nodes of another one."""
    if isinstance(node.place, tuple):
        node.place = f"{file_name}:{node.place[0]}:{node.place[1]}"
    if isinstance(node.key_place, tuple):
        node.key_place = f"{file_name}:{node.key_place[0]}:{node.key_place[1]}"
    for child in node.children():
        _mark(child, file_name)


def _merge(into: Node, part: Node, key: str) -> None:
    for name, child in part.content.items() if isinstance(part.content, dict) else ():
        here = into.child(name)
        path = f"{key}.{name}".lstrip(".")
        if here is not None and _is_open(here) and _is_open(child):
            _merge(here, child, path)
        elif here is not None and _named(here) and _named(child):
            _merge_items(here, child, path)
        else:
            into.put(name, child)


def _merge_items(into: Node, part: Node, key: str) -> None:
    known = {str(item.content): place for item, place in ((one.child("name"), one) for one in into.children()) if item}
    for item in part.children():
        name = item.child("name")
        assert name is not None
        if str(name.content) not in known:
            message = f"the scenario has no item {shown(name.content)} here{nearest(str(name.content), known)}"
            raise error_at("", name.place, f"{key}.name", message)
        _merge(known[str(name.content)], item, f"{key}.{name.content}")


def _is_open(node: Node) -> bool:
    """A mapping that is no interval."""
    return isinstance(node.content, dict) and MARK not in node.content


def _named(node: Node) -> bool:
    """A list whose items all have names."""
    items = node.children()
    return isinstance(node.content, list) and bool(items) and all(
        isinstance(name.content if (name := item.child("name")) else None, str) for item in items
    )
