"""Code that a user names is found in the current folder, after all else, and leaves the path as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gaelp_sim.outside import named


def test_the_current_folder_is_the_last_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for what the module itself imports; a folder's json.py does not stand in for Python's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nearby_part.py").write_text("NUMBER = 7\n")
    (tmp_path / "nearby_whole.py").write_text("from nearby_part import NUMBER\n")
    (tmp_path / "json.py").write_text("dumps = 'mine'\n")
    before = list(sys.path)
    assert named("nearby_whole:NUMBER") == 7 and callable(named("json:dumps"))
    assert sys.path == before


@pytest.mark.parametrize("name, error", [
    ("nowhere_at_all:Mine", "No module named 'nowhere_at_all'"),
    ("nearby_broken:Mine", "No module named 'nothing_like_that'"),
    ("math:mine", "no attribute 'mine'"),
])
def test_what_is_missing_is_told(name: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nearby_broken.py").write_text("import nothing_like_that\n")
    with pytest.raises((ImportError, AttributeError), match=error):
        named(name)
    assert str(tmp_path) not in sys.path
