"""What the README shows is what happens."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.readme import TEXT, Shown, console_blocks, normalised
from tests.source_tree import ROOT


@pytest.mark.parametrize("block", console_blocks(), ids=lambda block: block[0].command)
def test_commands_print_what_the_readme_shows(block: list[Shown], tmp_path: Path) -> None:
    """Each command of a block is run in one empty folder and prints what stands below it."""
    for shown in block:
        said = printed(shown.command, tmp_path)
        if not rewritten(ROOT / "README.md", shown, said):
            assert normalised(said) == normalised(shown.output), shown.command


def test_the_tutorials_commands_work(tmp_path: Path) -> None:
    """All commands of docs/tutorial.md, in one folder and in their order; outputs that are shown are those printed."""
    pytest.importorskip("torch")
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for block in console_blocks(text):
        for shown in block:
            said = printed(shown.command, tmp_path)
            assert not shown.output.strip() or normalised(said) == normalised(shown.output), shown.command


def test_python_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of the Python example give what stands below them."""
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```pycon\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    lines = doctest.DocTestParser().get_doctest(example, {}, "README", "README.md", 0)
    assert doctest.DocTestRunner().run(lines).failed == 0


def test_first_screen() -> None:
    """The first screen has the two commands and three gaelp commands with output."""
    screen = "\n".join(TEXT.splitlines()[:60])
    assert "\nmake run " in screen
    assert "\nmake test " in screen
    assert sum(len(block) for block in console_blocks(screen)) >= 3


def test_ci_runs_the_readmes_test_command() -> None:
    """`.ci/run` ends with the README's test command, word for word."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-1].startswith("make test ")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("target", ["run", "test", "install", "bench", "crash", "campaigns", "lint"])
def test_make_targets(target: str) -> None:
    """The Makefile knows the targets that the README names, and reads without an error."""
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"`make {target}`" in TEXT or f"make {target}" in TEXT


def rewritten(page: Path, shown: Shown, said: str) -> bool:
    """With UPDATE_GOLDEN set, put what the command prints now into the page; the diff is the review."""
    if not os.environ.get("UPDATE_GOLDEN"):
        return False
    text = page.read_text(encoding="utf-8")
    old, new = (f"$ {shown.command}\n{output}" for output in (shown.output, said))
    page.write_text(text.replace(old, new, 1), encoding="utf-8")
    return True


def printed(command: str, folder: Path) -> str:
    """What a command says on stdout in a folder; it must succeed."""
    binaries = str(Path(sys.executable).parent)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GAELP_", "COLUMNS"))},
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}: {done.stderr}"
    return done.stdout
