"""Bidders from outside: found by name, told apart from bugs of ours, and their runs are FAILED."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.policies import policy_named
from gaelp_sim.world.simulate import RunRequest, run
from tests.worlds.policies import RANDOM

MODULE = """
class Raises:
    def __init__(self, scenario): pass
    def bid(self, opportunities, moment): raise ValueError("oops")
    def observe(self, opportunities, outcomes): pass
    def update(self, statistics): pass


class Half:
    def __init__(self, scenario): pass
"""
SMALL = ["population.people=200", "days=2"]


@pytest.fixture(autouse=True)
def outsiders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of theirs on the path."""
    (tmp_path / "outsiders.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("outsiders", None)


@pytest.mark.parametrize(("name", "told"), [
    ("ruel", "did you mean 'rule'?"), ("nowhere:Bidder", "ModuleNotFoundError"), ("outsiders:Nobody", "AttributeError"),
    ("os:path", "not callable"), ("outsiders:Half", "has no bid, observe, update"),
])
def test_what_is_no_bidder_is_refused(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=f"^--policy {name}: .*{told.replace('?', '[?]')}"):
        policy_named(name, load_scenario("quickstart", SMALL))


def test_what_a_bidder_raises_is_told_in_its_name(tmp_path: Path) -> None:
    """One line, and the run is FAILED, not RUNNING for ever."""
    url = f"sqlite:///{tmp_path / 'failed.db'}"
    with pytest.raises(BidderError, match="^bidder outsiders:Raises: bid raised ValueError: oops$"):
        run(RunRequest(load_scenario("quickstart", SMALL), url, policy="outsiders:Raises"))
    with Store.open(url) as store:
        assert [each.status for each in store.runs()] == ["FAILED"]


def test_an_outsider_s_rule_bids_as_ours_does(tmp_path: Path) -> None:
    """With its bid sheets: what a guarded bidder shows beside the protocol is seen."""
    url = f"sqlite:///{tmp_path / 'fine.db'}"
    assert run(RunRequest(load_scenario("quickstart", SMALL), url, policy=RANDOM)).spend_usd > 0
    with Store.open(url) as store:
        assert len(store.read(store.find_run("@last"), "bid_sheet")["hour"]) > 0
