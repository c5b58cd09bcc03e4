"""The Python examples of docs/world.md and docs/python.md run and say what the pages say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from tests.source_tree import ROOT


@pytest.mark.parametrize("page", ["world.md", "python.md"])
def test_the_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    lines = doctest.DocTestParser().get_doctest(examples, {}, page, f"docs/{page}", 0)
    assert len(lines.examples) > 6
    assert doctest.DocTestRunner().run(lines).failed == 0
