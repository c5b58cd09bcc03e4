"""The lines of docs/interoperability.md run, each where its tool is installed, and skip by name where it is not."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.readme import console_blocks
from tests.docs.test_readme import printed
from tests.source_tree import ROOT

TEXT = (ROOT / "docs" / "interoperability.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n# needs ([\w, ]+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def _of(tools: str, code: str) -> str:
    """A name for a block: its tools and its first line that imports nothing."""
    first = next(line for line in code.splitlines() if line and not line.startswith(("import", "from")))
    return f"{tools}: {first[:40]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's runs are."""
    made = tmp_path_factory.mktemp("tools")
    for shown in (shown for block in console_blocks(TEXT) for shown in block):
        if "--lake" not in shown.command or all(find_spec(name) for name in ("pyarrow", "duckdb", "fsspec")):
            printed(shown.command, made)
    return made


@pytest.mark.parametrize("tools, code", BLOCKS, ids=[_of(*block) for block in BLOCKS])
def test_lines_run_where_the_tool_is(tools: str, code: str, folder: Path) -> None:
    """They end well and print something that is no nothing."""
    for name in tools.split(", "):
        if not find_spec(name):
            pytest.skip(f"{name} is not installed")
    if "lake/" in code and not (folder / "lake").is_dir():
        pytest.skip("the extra [lake] is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GAELP_")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() not in ("", "[]", "False", "0", "None")


def test_every_block_says_what_it_needs() -> None:
    assert len(BLOCKS) == TEXT.count("```python\n") > 7


def test_wandb_keeps_epochs_offline(folder: Path) -> None:
    """The page's command, and what it leaves."""
    for name in ("wandb", "torch"):
        if not find_spec(name):
            pytest.skip(f"{name} is not installed")
    (command,) = re.findall(r"^\$ (gaelp train .*)$", TEXT, re.MULTILINE)
    printed(command, folder)
    assert list((folder / "mine" / "wandb").glob("offline-run-*"))


def test_psql_shows_the_views(pg_url: str, tmp_path: Path) -> None:
    """The page's query, word for word, on the tests' own server."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    (asked,) = re.findall(r'^\$ psql postgresql://user@host/database -c "(.*)"$', TEXT, re.MULTILINE)
    plain = pg_url.replace("+psycopg", "")
    printed(f"gaelp --db '{pg_url}' run short", tmp_path)
    done = subprocess.run(["psql", plain, "-c", asked], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "search" in done.stdout and "(2 rows)" in done.stdout, done.stderr + done.stdout


def test_sqlites_own_client_shows_the_views(folder: Path) -> None:
    """The page's query, word for word, by Python's client: the file holds the views."""
    (asked,) = re.findall(r'`sqlite3 gaelp.db "(.*)"`', TEXT)
    with sqlite3.connect(folder / "gaelp.db") as file:
        assert {stage for stage, _ in file.execute(asked)} >= {"AWARE", "CONVERTED"}
