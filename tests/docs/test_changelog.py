"""The changelog tells which columns each view has, so that whoever builds on them sees a change coming."""

from __future__ import annotations

import re

from gaelp_sim import __version__
from gaelp_sim.store.views import VIEW_COLUMNS
from tests.source_tree import ROOT

TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_newest_views_section_lists_the_columns() -> None:
    """The first "Views" section equals the views of this program, in order; a change needs a new version there."""
    section = TEXT.partition("### Views, version ")[2].partition("\n#")[0]
    listed = re.findall(r"^- `(\w+)`: (.*)$", section, re.MULTILINE)
    right = [(name, ", ".join(columns)) for name, columns in VIEW_COLUMNS.items()]
    assert listed == right, "\n".join(f"- `{name}`: {columns}" for name, columns in right)


def test_newest_entry_is_this_version() -> None:
    """The first entry is the version of the program."""
    assert re.findall(r"^## (\S+)", TEXT, re.MULTILINE)[0] == __version__
