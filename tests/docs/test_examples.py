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
NEEDS = {
    "environment": ("gymnasium",), "judge_from_log": ("torch",), "train_agent": ("torch",), "import_log": ("pyarrow",),
    "read_elsewhere": ("pyarrow", "duckdb", "fsspec"),
}
LINES_MAX = 60


def _said(example: Path, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GAELP_")}
    command = [sys.executable, str(example)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    for name in NEEDS.get(example.stem, ()):
        pytest.importorskip(name)
    said = _said(example, tmp_path)
    text = example.read_text(encoding="utf-8")
    assert text.startswith('"""') and len(text.splitlines()) < LINES_MAX
    assert len(said.splitlines()) >= 3 and (ROOT / "docs" / "python.md").read_text().count(f"examples/{example.name}") == 1
    if example.stem == "attribution":
        model, caused = re.findall(r"last +credits +([\d.]+)", said), re.findall(r"(?:search|social) caused (\d+)", said)
        off = sum(abs(float(one) - float(other)) for one, other in zip(model, caused, strict=True)) / len(caused)
        assert float(re.findall(r"last +is off by ([\d.]+)", said)[0]) == pytest.approx(off, abs=0.6)
    if example.stem == "first_run":
        spent, *channels = (float(found) for found in re.findall(r"([\d.]+) USD", said))
        assert sum(channels) == pytest.approx(spent, abs=0.02) and spent > 0
