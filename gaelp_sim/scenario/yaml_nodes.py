"""Strict YAML within limits: no anchors, aliases, tags, merge or duplicate keys; every node has its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.scalars import Scalar, one_line, plain_scalar, shown

try:
    from yaml.cyaml import CParser
except ImportError:  # PyYAML without libyaml: the same events, some 20 times slower
    CParser = None

BYTES_MAX = 524_288
"""With the limits below this keeps the worst refusal near 50 ms (libyaml alone reads 1 MiB of escapes in 60 ms)."""
DEPTH_MAX = 24
EVENTS_MAX = 10_000
ITEMS_MAX = 1_000
KEYS_MAX = 60
KEY_CHARACTERS_MAX = 100

Place: TypeAlias = "tuple[int, int] | str"
"""(line, column), both from 1; or the text of the `--set` option that gave the value."""


Content: TypeAlias = "Scalar | list[Node] | dict[str, Node]"


@dataclass(slots=True)
class Node:
    """A scalar, list or mapping with the place where its value begins, and its key's place inside a mapping."""

    place: Place
    content: Content
    key_place: Place | None = None

    def child(self, step: str | int) -> Node | None:
        """The value of a key or the item at a position, or None."""
        if isinstance(self.content, dict):
            return self.content.get(str(step))
        if isinstance(self.content, list) and isinstance(step, int) and 0 <= step < len(self.content):
            return self.content[step]
        return None

    def children(self) -> list[Node]:
        """The values of a mapping or the items of a list; none for a scalar."""
        if isinstance(self.content, dict):
            return list(self.content.values())
        return self.content if isinstance(self.content, list) else []

    def put(self, step: str | int, value: Node) -> None:
        """Set the value of a key, or the item at a position that exists; null becomes a mapping first."""
        if isinstance(self.content, list):
            self.content[int(step)] = value
        elif isinstance(self.content, dict):
            self.content[str(step)] = value
        else:
            self.content = {str(step): value}

    def plain(self) -> object:
        """The value as dicts, lists and scalars, without places."""
        if isinstance(self.content, dict):
            return {key: child.plain() for key, child in self.content.items()}
        if isinstance(self.content, list):
            return [child.plain() for child in self.content]
        return self.content


def error_at(file_name: str, place: Place, key: str, message: str) -> ScenarioError:
    """The one-line error `file:line:column: key: message`; for an option, `--set key=value: key: message`."""
    where = f"{one_line(file_name)}:{place[0]}:{place[1]}" if isinstance(place, tuple) else one_line(place)
    # A colon inside a key would make the line hard to take apart.
    word = re.sub(r"[^\w .-]", "?", one_line(key))
    return ScenarioError(f"{where}: {word}: {one_line(message, characters=600)}")


def read_yaml(text: str, file_name: str) -> Node:
    """Read one strict YAML document into nodes with places.

    Raises ScenarioError with one line `file:line:column: key: what is wrong` for anything else.
    """
    if len(text.encode("utf-8", "replace")) > BYTES_MAX:
        raise error_at(file_name, (1, 1), "yaml", f"the file is larger than {BYTES_MAX} bytes; a scenario must be smaller")
    try:
        return _Reader(text, file_name).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, file_name) from None
    except yaml.reader.ReaderError as error:
        place = _place_of_index(text, error.position if isinstance(error.position, int) else 0)
        raise error_at(file_name, place, "yaml", f"a character is not allowed here ({error.reason})") from None
    except UnicodeError:
        place = _place_of_index(text, next((i for i, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), 0))
        raise error_at(file_name, place, "yaml", "a character is not valid Unicode; save the file as UTF-8") from None
    except (ValueError, OverflowError) as error:  # the pure parser, on an escape like "\UFFFFFFFF"
        raise error_at(file_name, (1, 1), "yaml", f"the file cannot be read as YAML ({error})") from None


def _syntax_error(error: yaml.MarkedYAMLError, file_name: str) -> ScenarioError:
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    parts = [part for part in (error.context, error.problem) if part]
    return error_at(file_name, place, "yaml", "; ".join(parts) or "the file cannot be read as YAML")


def _place_of_index(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):  # type: ignore[misc]
    """PyYAML's own parser, put together as its loaders do, without a constructor."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


class _Reader:
    """Events to nodes; it remembers the path, so that each refusal names its key."""

    def __init__(self, text: str, file_name: str) -> None:
        self.file_name = file_name
        self.parser = CParser(text) if CParser else _PureParser(text)
        self.events_count = 0
        self.path: list[str | int] = []

    def refuse(self, place: Place, message: str) -> ScenarioError:
        return error_at(self.file_name, place, ".".join(map(str, self.path)) or "yaml", message)

    def next_event(self) -> Event:
        event: Event = self.parser.get_event()
        self.events_count += 1
        if self.events_count > EVENTS_MAX:
            raise self.refuse(_place(event), f"the file has more than {EVENTS_MAX} YAML events; a scenario must be smaller")
        return event

    def document(self) -> Node:
        self.next_event()
        start = self.next_event()
        if isinstance(start, StreamEndEvent):
            raise self.refuse((1, 1), "the file is empty; `gaelp scenarios new NAME` prints one to start from")
        if isinstance(start, DocumentStartEvent) and (start.version or start.tags):
            raise self.refuse(_place(start), "YAML directives (%) are not allowed; remove the line")
        root = self.node(self.next_event(), depth=1)
        self.next_event()
        end = self.next_event()
        if not isinstance(end, StreamEndEvent):
            raise self.refuse(_place(end), "a second document begins here; a scenario is one document")
        return root

    def node(self, event: Event, *, depth: int) -> Node:
        place = _place(event)
        if isinstance(event, AliasEvent):
            raise self.refuse(place, f"aliases (*{one_line(event.anchor)}) are not allowed; write the value out")
        if event.anchor is not None:
            raise self.refuse(place, f"anchors (&{one_line(event.anchor)}) are not allowed; write the value out")
        if event.tag is not None:
            raise self.refuse(place, f"tags ({one_line(event.tag)}) are not allowed; remove it")
        if depth > DEPTH_MAX:
            raise self.refuse(place, f"nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, ScalarEvent):
            return Node(place, self.scalar(event))
        return Node(place, self.mapping(depth) if isinstance(event, MappingStartEvent) else self.sequence(depth))

    def scalar(self, event: ScalarEvent) -> Scalar:
        # libyaml gives plain scalars the style '', the pure parser None.
        if not event.style:
            return plain_scalar(event.value)
        if any("\ud800" <= letter <= "\udfff" for letter in event.value):
            raise self.refuse(_place(event), "a surrogate escape is not a character")
        return str(event.value)

    def sequence(self, depth: int) -> list[Node]:
        children: list[Node] = []
        while not isinstance(event := self.next_event(), SequenceEndEvent):
            if len(children) >= ITEMS_MAX:
                raise self.refuse(_place(event), f"no list of a scenario has more than {ITEMS_MAX} items")
            self.path.append(len(children))
            children.append(self.node(event, depth=depth + 1))
            self.path.pop()
        return children

    def mapping(self, depth: int) -> dict[str, Node]:
        children: dict[str, Node] = {}
        while not isinstance(event := self.next_event(), MappingEndEvent):
            key = self.key(event, children)
            self.path.append(key)
            child = self.node(self.next_event(), depth=depth + 1)
            child.key_place = _place(event)
            children[key] = child
            self.path.pop()
        return children

    def key(self, event: Event, present: dict[str, Node]) -> str:
        place = _place(event)
        if not isinstance(event, ScalarEvent):
            kind = "a list" if isinstance(event, SequenceStartEvent) else "a mapping"
            kind = "an alias" if isinstance(event, AliasEvent) else kind
            raise self.refuse(place, f"a key must be a word, not {kind}")
        if event.anchor is not None or event.tag is not None:
            raise self.refuse(place, "anchors and tags are not allowed on a key; remove it")
        key: str = event.value
        if key == "<<" and not event.style:
            raise self.refuse(place, "merge keys (<<) are not allowed; write the keys out")
        if len(key) > KEY_CHARACTERS_MAX or len(present) >= KEYS_MAX:
            limits = f"{KEYS_MAX} keys, or {KEY_CHARACTERS_MAX} characters in one"
            raise self.refuse(place, f"unknown key {shown(key)}: no part of a scenario has more than {limits}")
        if key in present:
            first = present[key].key_place
            raise self.refuse(place, f"duplicate key {shown(key)}, first given in line {first[0] if first else 0}")
        return key


def _place(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1
