"""The examples of docs/world.md run and say what the page says."""

from __future__ import annotations

import doctest
import re

from tests.source_tree import ROOT

TEXT = (ROOT / "docs" / "world.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    examples = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
    lines = doctest.DocTestParser().get_doctest(examples, {}, "world", "docs/world.md", 0)
    assert len(lines.examples) > 10
    assert doctest.DocTestRunner().run(lines).failed == 0
