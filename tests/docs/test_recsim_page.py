"""What docs/recsim.md shows is what happens."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

from tests.source_tree import ROOT

TEXT = (ROOT / "docs" / "recsim.md").read_text(encoding="utf-8")


def test_python_examples() -> None:
    """The lines of the Python examples, in order, give what stands below them."""
    examples = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
    lines = doctest.DocTestParser().get_doctest(examples, {}, "recsim", "docs/recsim.md", 0)
    assert len(lines.examples) > 12
    assert doctest.DocTestRunner().run(lines).failed == 0


def test_command(tmp_path: Path) -> None:
    """The command runs in an empty folder."""
    (command,) = re.findall(r"^\$ gaelp (.*)$", TEXT, re.MULTILINE)
    binary = str(Path(sys.executable).parent / "gaelp")
    done = subprocess.run([binary, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
