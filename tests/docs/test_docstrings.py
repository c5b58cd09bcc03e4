"""The numbers in docstrings are those that come out."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.source_tree import package_sources

STAND_ALONE = ("gaelp_sim.store.console_sqlite", "gaelp_sim.store.console_postgresql", "gaelp_sim.migrations.env")
"""Run as programs of their own: they can't be imported from here."""
MODULES = [source.module for source in package_sources() if ">>> " in source.text and source.module not in STAND_ALONE]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.failed == 0 and found.attempted > 0


def test_there_are_examples() -> None:
    """Or the test above would show nothing."""
    assert len(MODULES) >= 8
