"""The changelog tells which columns each view has, so that whoever builds on them sees a change coming."""

from __future__ import annotations

import os
import re

from gaelp_sim import __version__
from gaelp_sim.store.views import VIEW_COLUMNS
from tests.source_tree import ROOT

PATH = ROOT / "CHANGELOG.md"
TEXT = PATH.read_text(encoding="utf-8")


def test_newest_views_section_lists_the_columns() -> None:
    """The first "Views" section equals the views of this program, in order; after a release it needs a new version.

    UPDATE_GOLDEN=1 rewrites it; the diff is the review.
    """
    before, heading, rest = TEXT.partition("### Views, version ")
    version, listed, after = re.fullmatch(r"(\d+\n\n)((?:- .*\n)*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    right = "".join(f"- `{name}`: {', '.join(columns)}\n" for name, columns in VIEW_COLUMNS.items())
    if os.environ.get("UPDATE_GOLDEN"):
        PATH.write_text(f"{before}{heading}{version}{right}{after}", encoding="utf-8")
    else:
        assert listed == right


def test_newest_entry_is_this_version() -> None:
    """The first entry is the version of the program."""
    assert re.findall(r"^## (\S+)", TEXT, re.MULTILINE)[0] == __version__
