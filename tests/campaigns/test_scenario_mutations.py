"""Mutated scenarios: each is either sound by an independent judge, or refused with exactly one line that has a place.

The judge of accepted files is not the loader: PyYAML's own composer looks for duplicate keys, anchors and tags, and
`jsonschema` checks the values against the published schema. A failure names base, mutation and seed.
"""

# ruff: noqa: E501 - the hostile values stand in rows

from __future__ import annotations

import random
import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import pytest
import yaml

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.resolved import json_schema, new_scenario_text, resolved_text, shipped_path
from gaelp_sim.scenario.scalars import plain_scalar

CAMPAIGN_FILES = 5_000
SUITE_FILES = 300
HANG_SECONDS = 2.0
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML has it: it allows tabs between words, as YAML 1.2 does; PyYAML's own scanner does not."""
ONE_LINE = re.compile(r".+?:(\d+):(\d+): \S[^:]*: .+")
HOSTILE = [
    "", "~", "null", "true", "no", "-1", "0", "-0.0", "1e308", "1e400", "-1e400", ".nan", ".inf", "-.INF", "9" * 30, "9" * 5000,
    "012", "0x7fffffffffffffff", "0o17", "1_000", "12:30", "2025-13-45", "0001-01-01", "[]", "{}", "[[]]", "{a: {b: 1}}", "''",
    "'x'", '"\\u0000"', '"\\ud800"', '"\\x85"', "text", "a b c", "&x 1", "*x", "!!python/object:os.system 1", "! 1", "|\n  x",
    ">-\n  x", "\u2028", "\U0001f600", "\ufeff", "é" * 50, "[1, 2", "{a: 1", "'open", "- 1", "%TAG", "@x", "`x`", "x" * 3000,
]
WORDS = ["daily_budget", "people", "name", "share", "slots", "days", "x", "<<", "? a", "é", "1", "null", "a.b", "signals"]
Mutation = Callable[[bytes, random.Random], bytes]


def flip_byte(text: bytes, luck: random.Random) -> bytes:
    """Replace, insert or drop up to three bytes."""
    changed = bytearray(text)
    for _ in range(luck.randint(1, 3)):
        at = luck.randrange(len(changed))
        choice = luck.random()
        if choice < 0.5:
            changed[at] = luck.randrange(256)
        elif choice < 0.75:
            changed.insert(at, luck.randrange(256))
        else:
            del changed[at]
    return bytes(changed)


def move_line(text: bytes, luck: random.Random) -> bytes:
    """Drop, double, swap or re-indent a line; or cut the file there; or change its line ends."""
    lines = text.split(b"\n")
    at, other = luck.randrange(len(lines)), luck.randrange(len(lines))
    choice = luck.randrange(7)
    if choice == 0:
        del lines[at]
    elif choice == 1:
        lines.insert(at, lines[at])
    elif choice == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif choice == 3:
        lines[at] = luck.choice([b" ", b"  ", b"\t", b"    "]) + lines[at]
    elif choice == 4:
        lines[at] = lines[at][luck.randint(1, 2) :]
    elif choice == 5:
        lines = lines[:at]
    return luck.choice([b"\n", b"\r\n", b"\r"]).join(lines) if choice == 6 else b"\n".join(lines)


def change_key(text: bytes, luck: random.Random) -> bytes:
    """Misspell a key, put another word in its place, double it, or add an unknown one beside it."""
    keys = list(re.finditer(rb"(?m)(?<=[\s{])([a-z_]+)(?=: |:\n)", text))
    key = luck.choice(keys)
    word = key[1]
    at = luck.randrange(len(word))
    new = luck.choice([
        word[:at] + word[at + 1 :], word[:at] + b"x" + word[at:], word.upper(), luck.choice(WORDS).encode(),
        b"zzz: 1, " + word, word + b": 1, " + word,
    ])
    return text[: key.start()] + new + text[key.end() :]


def change_value(text: bytes, luck: random.Random) -> bytes:
    """Put a value of another type, size or alphabet in place of one."""
    values = list(re.finditer(rb"(?m)(?<=: )([^\s{\[,}\]][^,}\]\n#]*)", text))
    value = luck.choice(values)
    return text[: value.start()] + luck.choice(HOSTILE).encode("utf-8", "surrogatepass") + text[value.end() :]


def change_number(text: bytes, luck: random.Random) -> bytes:
    """Scale, negate or slightly move a number; some of these files stay sound."""
    value = luck.choice(list(re.finditer(rb"(?<=[ \[])[0-9]+(\.[0-9]+)?(?=[\s,}\]])", text)))
    number = float(value[0]) * luck.choice([0, 0.5, 0.999999999, 1.0000001, 1.1, 2, 10, 1e6, 1e300, -1])
    new = repr(number if b"." in value[0] or luck.random() < 0.2 else int(number)).encode()
    return text[: value.start()] + new + text[value.end() :]


def add_unicode(text: bytes, luck: random.Random) -> bytes:
    """Insert odd characters: line separators, controls, right-to-left marks, emoji, combining marks, byte order marks."""
    letters = "\u2028\u2029\x85\x00\x07\x7f\u200f\u202e\U0001f600\u0301\ufeff\ufffe\U0010ffff\xa0\t"
    decoded = text.decode()
    at = luck.randrange(len(decoded))
    return (decoded[:at] + luck.choice(letters) * luck.randint(1, 3) + decoded[at:]).encode()


def add_bomb(text: bytes, luck: random.Random) -> bytes:
    """Alias bombs, merge keys, deep nesting, floods of keys, items, documents and comments."""
    deep = luck.randint(20, 3000)
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9) if i else 1}]\n" for i in range(9))
    bomb = luck.choice([
        levels, "base: &b {a: 1}\nuse:\n  <<: *b\n", "x: " + "[" * deep + "]" * deep, "x: " + "{a: " * deep + "}" * deep,
        "- " * deep, "? " * deep, "".join(f"k{i}: 1\n" for i in range(deep)), "x: [" + "1," * deep * 10 + "]", "---\na: 1\n" * 3,
        "#" * deep * 300, "x: '" + "y" * deep * 300 + "'", "!!python/object/apply:os.system ['true']\n", "%YAML 1.1\n---\n",
        "x: " + "9" * deep * 10,
    ]).encode()
    return bomb + b"\n" + text if luck.random() < 0.5 else text + b"\n" + bomb


def add_comment(text: bytes, luck: random.Random) -> bytes:
    """Add a comment or a blank line; every such file stays sound."""
    lines = text.split(b"\n")
    lines.insert(luck.randrange(len(lines)), luck.choice([b"", b"# a comment", "# é: *x &y".encode()]))
    return b"\n".join(lines)


MUTATIONS: dict[str, tuple[Mutation, int]] = {
    "bytes": (flip_byte, 20), "lines": (move_line, 18), "keys": (change_key, 18), "values": (change_value, 18),
    "numbers": (change_number, 10), "unicode": (add_unicode, 8), "bombs": (add_bomb, 6), "comments": (add_comment, 2),
}


@dataclass
class Tally:
    """What became of the files of one kind of mutation."""

    files: int = 0
    refused: int = 0
    sound: int = 0
    worst_s: float = 0.0
    faults: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def bases() -> dict[str, bytes]:
    """Sound files to begin with: shipped, resolved, and the template."""
    shipped = {name: shipped_path(name).read_bytes() for name in ("parental_controls", "quickstart", "short", "lisa")}
    return {**shipped, "resolved": resolved_text(load_scenario("gsp_slots")).encode(), "new": new_scenario_text("mine").encode()}


def run_campaign(bases: dict[str, bytes], path: Path, *, files: int) -> dict[str, Tally]:
    """Mutate, load and judge `files` files; the n-th has seed n."""
    validator = jsonschema.Draft202012Validator(json_schema())
    tallies: dict[str, Tally] = defaultdict(Tally)
    kinds, weights = list(MUTATIONS), [weight for _, weight in MUTATIONS.values()]
    for seed in range(files):
        luck = random.Random(seed)
        kind, base = luck.choices(kinds, weights)[0], luck.choice(list(bases))
        changed = bases[base]
        for _ in range(1 if luck.random() < 0.7 else 2):
            changed = MUTATIONS[kind][0](changed, luck) if changed.strip() else changed
        path.write_bytes(changed)
        fault = judge(path, changed, validator, tallies[kind])
        if fault:
            tallies[kind].faults.append(f"seed {seed}, {base}, {kind}: {fault}")
    return tallies


def judge(path: Path, changed: bytes, validator: jsonschema.Draft202012Validator, tally: Tally) -> str | None:
    """Load one file, count what became of it, and say what was wrong about that, if anything."""
    began = time.perf_counter()
    try:
        scenario = load_scenario(str(path))
        refusal = None
    except ScenarioError as error:
        refusal = str(error)
    except Exception as error:  # noqa: BLE001 - any other exception is the crash that we look for
        return f"crashed with {type(error).__name__}: {error}"
    tally.files += 1
    tally.worst_s = max(tally.worst_s, time.perf_counter() - began)
    if refusal is not None:
        tally.refused += 1
        return fault_of_refusal(refusal, changed)
    tally.sound += 1
    try:
        raw = independent_values(changed.decode())
        validator.validate(raw)
        validator.validate(scenario.model_dump(mode="json"))
    except (ValueError, yaml.YAMLError, jsonschema.ValidationError) as error:
        return f"wrongly accepted: {str(error).splitlines()[0]}"
    return None if parse_scenario(resolved_text(scenario), "r") == scenario else "does not read back equal"


def fault_of_refusal(refusal: str, changed: bytes) -> str | None:
    """A refusal is one line `file:line:column: key: message`, its place inside the file."""
    found = ONE_LINE.fullmatch(refusal)
    if len(refusal.splitlines()) != 1 or not found:
        return f"not one line with a place: {refusal!r}"
    lines = len(re.split(rb"\r\n|\r|\n|\xc2\x85|\xe2\x80[\xa8\xa9]", changed))
    return None if 1 <= int(found[1]) <= lines + 1 and int(found[2]) >= 1 else f"no such place: {refusal!r}"


def independent_values(text: str) -> object:
    """The file as PyYAML composes it; raises ValueError on anchors, tags, duplicate keys and second documents."""
    for event in yaml.parse(text, Loader=LOADER):
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise ValueError(f"anchor, alias or tag at {event.start_mark}")
    return values_of(yaml.compose(text, Loader=LOADER))


def values_of(node: yaml.Node) -> object:
    """A composed node as plain values."""
    if isinstance(node, yaml.SequenceNode):
        return [values_of(child) for child in node.value]
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else plain_scalar(node.value)
    keys = [key.value for key, _ in node.value]
    if len(keys) != len(set(keys)):
        raise ValueError(f"duplicate key at {node.start_mark}")
    return {key.value: values_of(child) for key, child in node.value}


def table(tallies: dict[str, Tally]) -> str:
    """The campaign in one small table."""
    lines = [f"{'mutation':10} {'files':>6} {'refused':>8} {'sound':>6} {'faults':>7} {'worst ms':>9}"]
    for kind, tally in sorted(tallies.items()):
        worst = 1e3 * tally.worst_s
        lines.append(f"{kind:10} {tally.files:6} {tally.refused:8} {tally.sound:6} {len(tally.faults):7} {worst:9.1f}")
    total = [sum(getattr(tally, name) for tally in tallies.values()) for name in ("files", "refused", "sound")]
    faults = sum(len(tally.faults) for tally in tallies.values())
    return "\n".join([*lines, f"{'all':10} {total[0]:6} {total[1]:8} {total[2]:6} {faults:7}"])


def assert_no_faults(tallies: dict[str, Tally]) -> None:
    """No crash, no wrong acceptance, no refusal without its place; comments never break a file."""
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    assert not faults, "\n".join(faults[:20])
    assert tallies["comments"].refused == 0
    assert max(tally.worst_s for tally in tallies.values()) < HANG_SECONDS


def test_few_mutations(bases: dict[str, bytes], tmp_path: Path) -> None:
    """The first few hundred files of the campaign, in every test run."""
    assert_no_faults(run_campaign(bases, tmp_path / "mutated.yaml", files=SUITE_FILES))


@pytest.mark.campaign
def test_many_mutations(bases: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole campaign, with its table."""
    tallies = run_campaign(bases, tmp_path / "mutated.yaml", files=CAMPAIGN_FILES)
    with capsys.disabled():
        print("\n" + table(tallies))
    assert_no_faults(tallies)
