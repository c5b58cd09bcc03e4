"""`--set key.path=value`: change a read scenario before it is checked; list items answer to their names."""

from __future__ import annotations

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.parts import Part
from gaelp_sim.scenario.problems import Path, key_text, nearest, part_at
from gaelp_sim.scenario.scalars import plain_scalar, shown
from gaelp_sim.scenario.yaml_nodes import KEY_CHARACTERS_MAX, Content, Node, error_at, read_yaml

CHARACTERS_MAX = 2_000


def apply_option(root: Node, option: str) -> None:
    """Write the value of one option `key.path=value` into the nodes, in place.

    List items are named by their `name`, or counted from 0. The value is a YAML scalar, or a list or mapping in brackets.
    Raises ScenarioError `--set key=value: key: what is wrong` when the path leads nowhere.
    """
    shown_option = f"--set {option}"
    keys, equals, text = option.partition("=")
    rest = keys.strip()
    if not equals or not rest or rest.endswith(".") or len(option) > CHARACTERS_MAX:
        raise error_at("", shown_option, "option", "write it as key.path=value, for example population.people=500")
    walk = _Walk(root, shown_option)
    step, rest = walk.step(rest)
    while rest:
        walk.enter(step)
        step, rest = walk.step(rest)
    walk.node.put(step, Node(shown_option, _content(text, shown_option), shown_option))


def _content(text: str, option: str) -> Content:
    """The option's value: brackets and quotes are read as strict YAML, everything else as one plain scalar."""
    stripped = text.strip()
    if stripped[:1] not in ("[", "{", '"', "'"):
        return plain_scalar(stripped)
    node = read_yaml(stripped, option)
    _mark(node, option)
    return node.content


def _mark(node: Node, option: str) -> None:
    node.place, node.key_place = option, option
    for child in node.children():
        _mark(child, option)


class _Walk:
    """A walk from the top towards the value that an option names, making the mappings that the file leaves out."""

    def __init__(self, root: Node, option: str) -> None:
        self.root = root
        self.node = root
        self.option = option
        self.path: Path = ()

    def refuse(self, message: str) -> ScenarioError:
        return error_at("", self.option, key_text(self.root, self.path), message)

    def step(self, rest: str) -> tuple[str | int, str]:
        """The next step of the path, and what is left of the path after it."""
        content = self.node.content
        if isinstance(content, list):
            return self.item(content, rest)
        if content is not None and not isinstance(content, dict):
            raise self.refuse(f"{shown(content)} has no key {shown(rest.partition('.')[0])}")
        key, _, after = rest.partition(".")
        part = part_at(self.path)
        if part is not None and key not in part.model_fields:
            raise self.refuse(f"unknown key {shown(key)}{nearest(key, part.model_fields)}")
        if not key or len(key) > KEY_CHARACTERS_MAX:
            raise self.refuse(f"{shown(key)} is not a key")
        return key, after

    def item(self, items: list[Node], rest: str) -> tuple[int, str]:
        """The position of the item that the path begins with: the longest fitting name, or a count from 0."""
        names = _names(items)
        fitting = [name for name in names if rest == name or rest.startswith(f"{name}.")]
        if fitting:
            name = max(fitting, key=len)
            return names[name], rest[len(name) + 1 :]
        word, _, after = rest.partition(".")
        if word.isascii() and word.isdigit() and len(word) < 9 and int(word) < len(items):
            return int(word), after
        hint = nearest(word, names) if names else f"; it has {len(items)} items, counted from 0"
        raise self.refuse(f"no item {shown(word)}{hint}")

    def enter(self, step: str | int) -> None:
        """Go one step down; a part that is missing begins with its defaults, one that is null begins empty."""
        child = self.node.child(step)
        if child is None or child.content is None:
            child = _nodes(self.default(step), self.option) if child is None else Node(self.option, {}, self.option)
            self.node.put(step, child)
        self.node = child
        self.path += (step,)

    def default(self, step: str | int) -> object:
        """The default of the part or list that the file leaves out; empty where it has none."""
        part = part_at(self.path)
        field = part.model_fields.get(str(step)) if part else None
        default = field.get_default(call_default_factory=True) if field and not field.is_required() else None
        if isinstance(default, Part):
            return default.model_dump(mode="json")
        return default if isinstance(default, list) else {}


def _nodes(value: object, option: str) -> Node:
    """Plain values as nodes that stand at an option."""
    if isinstance(value, dict):
        return Node(option, {key: _nodes(part, option) for key, part in value.items()}, option)
    if isinstance(value, list):
        return Node(option, [_nodes(part, option) for part in value], option)
    assert value is None or isinstance(value, (str, int, float))
    return Node(option, value, option)


def _names(items: list[Node]) -> dict[str, int]:
    """Names of a list's items with their positions; items without a text name are left out."""
    named: dict[str, int] = {}
    for position, item in enumerate(items):
        name = item.child("name")
        if name is not None and isinstance(name.content, str) and name.content:
            named.setdefault(name.content, position)
    return named
