"""Every example runs, from its own folder or another, and says something."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import ROOT

EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - {ROOT / "examples" / "outside_agent.py"})
"""The agent from outside needs a run that waits for it: tests/worlds/test_outside_agents.py."""


def _said(example: Path, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GAELP_")}
    command = [sys.executable, str(example)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    said = _said(example, tmp_path)
    assert len(said.splitlines()) >= 3 and (ROOT / "docs" / "python.md").read_text().count(f"examples/{example.name}") == 1
    if example.stem == "first_run":
        spent, *channels = (float(found) for found in re.findall(r"([\d.]+) USD", said))
        assert sum(channels) == pytest.approx(spent, abs=0.02) and spent > 0
