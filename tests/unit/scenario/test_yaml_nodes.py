"""Strict YAML: what is refused, where, and in which words."""

# ruff: noqa: E501 - a case is a row: what is changed, and the whole message

from __future__ import annotations

import pytest

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario import yaml_nodes
from gaelp_sim.scenario.yaml_nodes import read_yaml

REFUSED = [
    ("a: &x 1", "1:4: a: anchors (&x) are not allowed; write the value out"),
    ("a: 1\nb: *x", "2:4: b: aliases (*x) are not allowed; write the value out"),
    ("a: !!int 3", "1:4: a: tags (tag:yaml.org,2002:int) are not allowed; remove it"),
    ("a: 1\n<<: {b: 2}", "2:1: yaml: merge keys (<<) are not allowed; write the keys out"),
    ("p:\n  a: 1\n  a: 2", "3:3: p: duplicate key 'a', first given in line 2"),
    ("a: 1\n---\nb: 2", "2:1: yaml: a second document begins here; a scenario is one document"),
    ("%YAML 1.1\n---\na: 1", "1:1: yaml: YAML directives (%) are not allowed; remove the line"),
    ("", "1:1: yaml: the file is empty; `gaelp scenarios new NAME` prints one to start from"),
    ("? [a]\n: 1", "1:3: yaml: a key must be a word, not a list"),
    ("&k a: 1", "1:1: yaml: anchors and tags are not allowed on a key; remove it"),
    ("- " * 25 + "1", "1:49: " + ".".join("0" * 24) + ": nested deeper than 24 levels"),
    ("a: [" + "1," * 1001 + "]", "1:2005: a: no list of a scenario has more than 1000 items"),
    ("a: \x01", "1:4: yaml: a character is not allowed here (control characters are not allowed)"),
    ("b: 1\na: \ud800", "2:4: yaml: a character is not valid Unicode; save the file as UTF-8"),
    ("k" * 101 + ": 1", f"1:1: yaml: unknown key '{'k' * 37}...': no part of a scenario has more than 60 keys, or 100 characters in one"),
    ("#" * 600_000, "1:1: yaml: the file is larger than 524288 bytes; a scenario must be smaller"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[message.partition(": ")[2][:40] for _, message in REFUSED])
def test_refused_in_one_line(text: str, message: str) -> None:
    """Each thing that strict YAML leaves out is refused where it stands."""
    with pytest.raises(ScenarioError) as refusal:
        read_yaml(text, "x.yaml")
    assert str(refusal.value) == f"x.yaml:{message}"


def test_values_and_places() -> None:
    """Values have their core types; values and keys their places, from 1."""
    root = read_yaml("a: 1\nb:\n  - {c: no}\n  - '012'\n", "x.yaml")
    assert root.plain() == {"a": 1, "b": [{"c": "no"}, "012"]}
    inner = root.child("b").child(0).child("c")  # type: ignore[union-attr]
    assert inner is not None and (inner.key_place, inner.place) == ((3, 6), (3, 9))


@pytest.mark.parametrize("text", [text for text, _ in REFUSED if len(text) < 10_000] + ["a: 1", "a: 'x\ty'", "b:\n- ~\n- 1e3\n"])
def test_pure_parser_agrees(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml the same files are read and the same refused."""
    outcomes = []
    for parser in (yaml_nodes.CParser, None):
        monkeypatch.setattr(yaml_nodes, "CParser", parser)
        try:
            outcomes.append(read_yaml(text, "x.yaml").plain())
        except ScenarioError as refusal:
            outcomes.append(str(refusal).partition(": ")[0].partition(":")[0])
    assert outcomes[0] == outcomes[1]
