"""The pages that are made from the program say what the program says."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from gaelp_sim.store.views import VIEW_COLUMNS
from tests.source_tree import ROOT


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = _maker().PAGES


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_as_they_would_be_made_now(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAELP_DB", raising=False)
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), f"docs/{name} is old: run `make docs`"


def test_every_view_and_column_is_there() -> None:
    """An independent look: each view has a heading, and its columns stand below it in order."""
    parts = PAGES["sql.md"]().split("\n## ")
    found = {part.splitlines()[0]: part for part in parts[1:]}
    for view, columns in VIEW_COLUMNS.items():
        rows = [line.split("`")[1] for line in found[view].splitlines() if line.startswith("| `")]
        assert rows == list(columns), view
