"""Load a scenario: strict YAML, `--set` options, the schema, the cross-checks; every refusal is one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.checks import cross_problems
from gaelp_sim.scenario.fragments import apply_fragment
from gaelp_sim.scenario.intervals import put
from gaelp_sim.scenario.lifting import lifted
from gaelp_sim.scenario.overrides import apply_option
from gaelp_sim.scenario.problems import Problem, first_of, nearest, problem_of
from gaelp_sim.scenario.scalars import one_line
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.scenario.shipped import shipped_names, shipped_path
from gaelp_sim.scenario.yaml_nodes import BYTES_MAX, Node, error_at, read_yaml


def load_scenario(source: str, sets: Sequence[str] = (), fragments: Sequence[str] = ()) -> Scenario:
    """Load a scenario from a file, or a shipped one by its bare name, with `--set` options applied in order.

    A file that exists wins over a shipped name. fragments: files of parts that are written over the scenario in order,
    before the options.
    Raises ScenarioError with one line `file:line:column: key: what is wrong, and the nearest valid name`.
    """
    path = scenario_path(source)
    name = source if Path(source).is_file() else path.name
    text = _text(path, source)
    _refuse_code(text, name)
    parts = [(_text(Path(fragment), fragment), fragment) for fragment in fragments]
    for part, part_name in parts:
        _refuse_code(part, part_name)
    return parse_scenario(text, name, sets, parts)


def _refuse_code(text: str, file_name: str) -> None:
    """A file may not name code to run: whoever runs it must, or a stranger's scenario would import what it likes."""
    if "user_model" not in text:
        return
    named = _nodes(text, file_name, ()).child("population")
    model = named.child("user_model") if named else None
    if model is not None and model.plain() is not None:
        rule = f"a file may not name code to run; leave it out, and say --set population.user_model={model.plain()}"
        raise error_at(file_name, model.place, "population.user_model", rule)


def parse_scenario(
    text: str, file_name: str, sets: Sequence[str] = (), fragments: Sequence[tuple[str, str]] = ()
) -> Scenario:
    """Check the text of a scenario; `file_name` is only what errors call it.

    fragments: (text, file name) of parts that are written over it
    Raises ScenarioError like load_scenario.
    """
    root = _nodes(text, file_name, sets, fragments)
    found = _checked(root)
    if isinstance(found, Scenario):
        return found
    place, key, message = first_of(found, root)
    if isinstance(place, tuple):
        place = _blamed_option(text, file_name, sets, fragments) or place
    raise error_at(file_name, place, key, message)


def _nodes(text: str, file_name: str, sets: Sequence[str], fragments: Sequence[tuple[str, str]] = ()) -> Node:
    root = read_yaml(text, file_name)
    if not isinstance(root.content, dict):
        raise error_at(file_name, root.place, "scenario", "a scenario is a mapping of keys, such as `name: mine`")
    for part, part_name in fragments:
        apply_fragment(root, part, part_name)
    for option in sets:
        apply_option(root, option)
    return root


def _checked(root: Node) -> Scenario | list[Problem]:
    """The scenario, or what is wrong with it: at the middles of its intervals first, then at their bounds."""
    intervals, problems = lifted(root)
    if problems:
        return problems
    middle = _sound(root.plain())
    if not intervals or not isinstance(middle, Scenario):
        return middle
    for side in (0, 1):
        values = root.plain()
        for interval in intervals:
            put(values, interval.path, interval.between[side])
        found = _sound(values)
        if not isinstance(found, Scenario):
            return found
    return middle.with_intervals(intervals)


def _sound(values: object) -> Scenario | list[Problem]:
    """The scenario of plain values, or the schema's findings, else those of the rules between parts."""
    try:
        scenario = Scenario.model_validate(values)
    except ValidationError as error:
        return [problem_of(found) for found in error.errors(include_url=False)]
    return cross_problems(scenario) or scenario


def _blamed_option(
    text: str, file_name: str, sets: Sequence[str], fragments: Sequence[tuple[str, str]]
) -> str | None:
    """The option without which the file would be sound, though the broken rule shows elsewhere in it."""
    for position, option in enumerate(sets):
        others = [*sets[:position], *sets[position + 1 :]]
        try:
            found = _checked(_nodes(text, file_name, others, fragments))
        except ScenarioError:  # a later option needs this one
            continue
        if isinstance(found, Scenario):
            return f"--set {option}"
    return None


def scenario_path(source: str) -> Path:
    """The file that a source names: a path that exists, else a shipped scenario's bare name.

    Raises ScenarioError with the nearest shipped name.
    """
    path = Path(source)
    if _exists(path):
        return path
    name = source.removesuffix(".yaml")
    if name in shipped_names():
        return shipped_path(name)
    if _is_folder(path):
        raise ScenarioError(f"{one_line(source)}: this is a folder; name a scenario file inside it")
    bare = Path(name).name
    if bare in shipped_names():
        raise ScenarioError(f"{one_line(source)}: no such file; the shipped scenario is called by its bare name: {bare}")
    near = nearest(bare, shipped_names())
    raise ScenarioError(f"{one_line(source)}: no such file, and no shipped scenario of that name{near}")


def _exists(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # a name too long for the file system, or one with a null byte
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir() and str(path) != "."
    except (OSError, ValueError):
        return False


def _text(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise ScenarioError(f"{one_line(source)}: the file cannot be read ({error.strerror or error})") from None
    if len(raw) > BYTES_MAX:
        raise error_at(source, (1, 1), "yaml", f"the file is larger than {BYTES_MAX} bytes; a scenario must be smaller")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        place = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise error_at(source, place, "yaml", "a byte is not valid UTF-8; save the file as UTF-8") from None
