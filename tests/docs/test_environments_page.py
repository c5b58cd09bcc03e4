"""What docs/environments.md shows is what happens."""

from __future__ import annotations

import doctest
import re

import pytest

from tests.source_tree import ROOT

pytest.importorskip("gymnasium")
TEXT = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("title", re.findall(r"^## (Bidding|Journey|Market)$", TEXT, re.MULTILINE))
def test_python_examples(title: str) -> None:
    """The lines of a section's examples, in order, give what stands below them."""
    if title == "Market":
        pytest.importorskip("pettingzoo")
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    examples = "import gymnasium, gaelp_sim.env\n" + "\n".join(
        re.findall(r"^```pycon\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    )
    lines = doctest.DocTestParser().get_doctest(">>> " + examples, {"np": __import__("numpy")}, title, "docs", 0)
    assert len(lines.examples) > 4
    assert doctest.DocTestRunner().run(lines).failed == 0
