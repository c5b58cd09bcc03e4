"""What is installed: every package of the house under its public name, nothing at the top level, versions pinned."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.source_tree import PLACES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ADDRESSES = re.compile(r"://|--(?:extra-)?index-url|--find-links|--registry")
"""How an install file would name a registry: by an address, or by an option that takes one."""


def _packages_on_disk() -> set[str]:
    found = set()
    for folder, package in PLACES.items():
        for path in (ROOT / folder).rglob("__init__.py"):
            inner = path.parent.relative_to(ROOT / folder).parts
            found.add(".".join([package, *inner]))
    return found


def test_every_package_is_listed() -> None:
    """A wheel holds the packages that pyproject.toml lists: all of them must be there, and no other."""
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == _packages_on_disk()


def test_installed_under_one_name(tmp_path: Path) -> None:
    """`cli`, `migrations` and `scenarios` install below gaelp_sim; nothing of that name lands at the top level."""
    code = (
        "import importlib.util as u, gaelp_sim.cli, gaelp_sim.migrations, gaelp_sim.scenarios; "
        "print([name for name in ('cli', 'migrations', 'scenarios', 'tests') if u.find_spec(name)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "[]\n"


def test_every_dependency_is_pinned() -> None:
    """The exact version of all that we depend on, tests included; what can't live beside it has a file of its own."""
    files = ("constraints.txt", "constraints-offline.txt")
    lines = [line for name in files for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    pinned = {_plain(line.partition("==")[0]) for line in lines if "==" in line}
    wanted = PROJECT["project"]["dependencies"] + sum(PROJECT["project"]["optional-dependencies"].values(), [])
    assert {_plain(re.split(r"[\[<>=~! ]", requirement)[0]) for requirement in wanted} <= pinned


def test_no_registry_is_named() -> None:
    """Where packages come from is the user's choice: no file that installs names a registry."""
    names = ("pyproject.toml", "constraints.txt", "constraints-offline.txt", "constraints-oracles.txt",
             "constraints-rllib.txt", "constraints-s3.txt", "Makefile", ".ci/run")
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in names}
    assert [name for name, text in texts.items() if ADDRESSES.search(text)] == []
    assert all(ADDRESSES.search(told) for told in ("pip install --index-url X y", "name @ https://example/x.whl"))
    assert not [path.name for path in ROOT.glob("*") if path.name in ("pip.conf", ".npmrc", "requirements.txt")]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
