"""docs/bring-your-own.md as a program: its files are written, its commands run in their order, and print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.readme import console_blocks, normalised
from tests.docs.test_readme import printed, rewritten
from tests.source_tree import ROOT

PAGE = ROOT / "docs" / "bring-your-own.md"
FILE = re.compile(r"^```(?:python|csv|yaml)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_files_and_commands(tmp_path: Path) -> None:
    pytest.importorskip("torch")  # gaelp ope
    pytest.importorskip("pyarrow")  # gaelp import
    text = PAGE.read_text(encoding="utf-8")
    files = FILE.findall(text)
    assert len(files) == len(re.findall(r"^```(?!console)\w", text, re.MULTILINE))
    for name, content in files:
        (tmp_path / name).write_text(content, encoding="utf-8")
    for shown in (shown for block in console_blocks(text) for shown in block):
        said = printed(shown.command, tmp_path)
        if not rewritten(PAGE, shown, said):
            assert normalised(said) == normalised(shown.output), shown.command
