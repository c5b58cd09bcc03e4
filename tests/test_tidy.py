"""The rules of style that can be counted; each failure names place, rule and what to do instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.source_tree import Function, Source, all_sources, functions, package_sources

FILE_LINES = 500
FUNCTION_LINES = 50
PARAMETERS = 5
BANNED_WORDS = {
    "manager": "name what it does: Store, Pacing, Clock",
    "handler": "name what it does: on_progress, exit_code",
    "helper": "name what it does",
    "helpers": "name what it does",
    "util": "put it where its noun lives",
    "utils": "put it where its noun lives",
    "misc": "put it where its noun lives",
    "common": "put it where its noun lives",
}
BANNED_NAMES = {"data": "say which: rows, columns, touches", "info": "say which: record, summary, settings"}
_SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|VIEW|INDEX)\s|DROP\s+TABLE\s|PRAGMA\s)",
    re.IGNORECASE | re.DOTALL,
)
Rule = Callable[[Source], Iterator[str]]


def short_files(source: Source) -> Iterator[str]:
    """A file has at most FILE_LINES lines."""
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        yield f"{source.path}: {lines} lines; at most {FILE_LINES}. Would two rooms be better than one?"


def short_functions(source: Source) -> Iterator[str]:
    """A function has at most FUNCTION_LINES lines."""
    for function in functions(source):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{source.place(function)}: {function.name} has {lines} lines; at most {FUNCTION_LINES}. Name its steps"


def few_parameters(source: Source) -> Iterator[str]:
    """A function takes at most PARAMETERS parameters; click commands take what their user may say."""
    for function in functions(source):
        count = len(_parameters(function))
        if count > PARAMETERS and not _is_click_command(function):
            yield f"{source.place(function)}: {function.name} takes {count} parameters; at most {PARAMETERS}; make a noun"


def annotated(source: Source) -> Iterator[str]:
    """Every parameter and result has a type."""
    for function in functions(source):
        missing = [argument.arg for argument in _parameters(function) if argument.annotation is None]
        if function.returns is None and function.name != "__init__":
            missing.append("the result")
        if missing:
            yield f"{source.place(function)}: {function.name} lacks a type for {', '.join(missing)}"


def documented(source: Source) -> Iterator[str]:
    """Every module, public class and public function tells in a sentence what it is."""
    if source.text.strip() and not ast.get_docstring(source.tree):
        yield f"{source.path}: no docstring; one sentence that says what the file is for"
    for node in _public_definitions(source.tree):
        if not ast.get_docstring(node):
            yield f"{source.place(node)}: {node.name} has no docstring; one sentence, with shapes, units and errors"


def plain_names(source: Source) -> Iterator[str]:
    """No name says manager, handler, helper, utils, misc, common; none is just data or info."""
    for name, place in _names(source):
        for word in re.findall(r"[A-Z]?[a-z]+", name):
            if word.lower() in BANNED_WORDS:
                yield f"{place}: the name {name} says {word!r}; {BANNED_WORDS[word.lower()]}"
        if name in BANNED_NAMES:
            yield f"{place}: the name {name!r} says nothing; {BANNED_NAMES[name]}"
        if name.startswith("do_"):
            yield f"{place}: {name} begins with do_; a verb is enough"


def sql_only_in_store(source: Source) -> Iterator[str]:
    """SQL text stands under store/ and migrations/ only."""
    if source.room in ("store", "migrations"):
        return
    documentation = {id(node) for node in _docstrings(source.tree)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            if _SQL.match(node.value):
                yield f"{source.place(node)}: SQL text outside store/; add a reader or a named query there"


def no_hidden_luck_or_clock(source: Source) -> Iterator[str]:
    """Luck comes from draws.py, time from the run's clock; wall clocks only in cli/ and the store's run records.

    One file lends numpy's global generator, seeded by keyed words, to outside models that draw from nothing else.
    """
    if source.room == "cli" or source.module in ("gaelp_sim.store.lifecycle", "gaelp_sim.recsim.lending"):
        return
    for call in _dotted(source.tree):
        name, node = call
        if name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"):
            yield f"{source.place(node)}: {name} makes results differ; take the run's clock, or time.perf_counter for speed"
        if name.startswith(("np.random", "numpy.random", "random.", "torch.manual_seed")):
            yield f"{source.place(node)}: {name} hides luck from the seed; draw from gaelp_sim.draws"
    for name, node in _imported(source.tree):
        if name.split(".")[0] in ("random", "secrets") or name.startswith("numpy.random"):
            yield f"{source.place(node)}: import {name} hides luck from the seed; draw from gaelp_sim.draws"


def no_code_from_bytes(source: Source) -> Iterator[str]:
    """Nothing that is stored or typed is run: no eval, exec, pickle, marshal, shelve, yaml.load."""
    for name, node in _imported(source.tree):
        if name.split(".")[0] in ("pickle", "marshal", "shelve", "dill", "cloudpickle"):
            yield f"{source.place(node)}: {name} runs what it reads; store plain arrays and JSON"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            yield f"{source.place(node)}: {node.func.id} runs text; parse it instead"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and getattr(node.value, "value", None):
            yield f"{source.place(node.value)}: allow_pickle runs what it reads; store plain arrays"
    for name, node in _dotted(source.tree):
        if name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
            yield f"{source.place(node)}: {name} builds objects from text; go through gaelp_sim.scenario"


def torch_only_in_learn(source: Source) -> Iterator[str]:
    """The core runs without torch."""
    if source.room == "learn":
        return
    for name, node in _imported(source.tree):
        if name.split(".")[0] == "torch":
            yield f"{source.place(node)}: torch outside learn/; take arrays, or move it there"


def named_exceptions(source: Source) -> Iterator[str]:
    """No bare except: it would swallow Ctrl-C."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{source.place(node)}: bare except; name the error that you expect"


def prints_only_in_cli(source: Source) -> Iterator[str]:
    """The library returns; the command line prints."""
    if source.room == "cli":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{source.place(node)}: print outside cli/; return it and let the command print"


EVERYWHERE: tuple[Rule, ...] = (short_files, short_functions, named_exceptions)
INSTALLED: tuple[Rule, ...] = (
    few_parameters, annotated, documented, plain_names, sql_only_in_store, no_hidden_luck_or_clock, no_code_from_bytes,
    torch_only_in_learn, prints_only_in_cli,
)


@pytest.mark.parametrize("rule", EVERYWHERE, ids=lambda rule: rule.__name__)
def test_every_file(rule: Rule) -> None:
    """Rules for all Python files of the repository."""
    _assert_none([finding for source in all_sources() for finding in rule(source)], rule)


@pytest.mark.parametrize("rule", INSTALLED, ids=lambda rule: rule.__name__)
def test_installed_files(rule: Rule) -> None:
    """Rules for the files that are installed."""
    _assert_none([finding for source in package_sources() for finding in rule(source)], rule)


def _assert_none(findings: list[str], rule: Rule) -> None:
    assert not findings, "\n".join([f"{len(findings)} against the rule: {rule.__doc__}", *findings])


def _parameters(function: Function) -> list[ast.arg]:
    listed = function.args
    named = [*listed.posonlyargs, *listed.args, *listed.kwonlyargs]
    named += [extra for extra in (listed.vararg, listed.kwarg) if extra is not None]
    return [argument for argument in named if argument.arg not in ("self", "cls")]


def _is_click_command(function: Function) -> bool:
    return any("command" in ast.unparse(decorator) for decorator in function.decorator_list)


def _public_definitions(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    """Top-level public classes and functions, and the public methods of public classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    method for method in node.body if isinstance(method, Function) and not method.name.startswith("_")
                )


def _names(source: Source) -> Iterator[tuple[str, str]]:
    yield source.module.rpartition(".")[2], source.path
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef | Function):
            yield node.name, source.place(node)
        elif isinstance(node, ast.arg):
            yield node.arg, source.place(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, source.place(node)


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


def _dotted(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Attribute chains such as np.random.seed, as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            yield text.removeprefix("datetime.") if text.startswith("datetime.datetime") else text, node


def _imported(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node
