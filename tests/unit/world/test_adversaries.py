"""Bidders who mean ill, or are just wrong: one clear line, a FAILED run, and every day committed so far stands."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import BidderError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store, rowhash
from gaelp_sim.store.verify import verify_run
from gaelp_sim.world.simulate import RunRequest, run

MODULE = """
import sys, time
from dataclasses import replace
import numpy as np
from gaelp_sim.market.rule_policy import RulePolicy


class Wrong:
    def __init__(self, scenario):
        self.rule = RulePolicy.of(scenario)

    def bid(self, opportunities, moment):
        bids = self.rule.bid(opportunities, moment)
        return self.spoilt(bids, opportunities, moment) if moment.hour >= 30 and len(bids) else bids

    def observe(self, opportunities, outcomes): pass
    def update(self, statistics): pass


def wrong(name, spoilt):
    globals()[name] = type(name, (Wrong,), {"spoilt": lambda self, *told: spoilt(*told)})


def filled(bids, value, dtype=None):
    return np.full(len(bids), value, dtype=dtype)


def ends(*told): sys.exit(3)
def forgets(*told): raise KeyError("two\\nlines")
def deep(*told): return deep(*told)


def overwrites(bids, opportunities, moment):
    for column in (*vars(opportunities).values(), moment.luck, moment.price_factor, moment.multiplier_ppm):
        column[:] = 0
    return bids


def slow(bids, opportunities, moment):
    time.sleep(0.02)
    return bids


wrong("Sound", lambda bids, *_: bids)
wrong("Nan", lambda bids, *_: replace(bids, bid_micros=filled(bids, np.nan)))
wrong("Infinite", lambda bids, *_: replace(bids, bid_micros=filled(bids, np.inf)))
wrong("Negative", lambda bids, *_: replace(bids, bid_micros=filled(bids, -5)))
wrong("Huge", lambda bids, *_: replace(bids, bid_micros=filled(bids, 2**62)))
wrong("Unsigned", lambda bids, *_: replace(bids, bid_micros=filled(bids, 2**64 - 1, np.uint64)))
wrong("Endless", lambda bids, *_: replace(bids, bid_micros=filled(bids, 10**30, object)))
wrong("Short", lambda bids, *_: replace(bids, bid_micros=bids.bid_micros[1:]))
wrong("Nothing", lambda *_: None)
wrong("Listed", lambda bids, *_: [1] * len(bids))
wrong("Creative", lambda bids, *_: replace(bids, creative=filled(bids, 99)))
wrong("NoCreative", lambda bids, *_: replace(bids, creative=filled(bids, -7)))
wrong("Level", lambda bids, *_: replace(bids, level=filled(bids, 1.5)))
wrong("Impossible", lambda bids, *_: replace(bids, propensity=filled(bids, 0.0)))
wrong("Certain", lambda bids, *_: replace(bids, propensity=filled(bids, 2.0)))
wrong("Unlikely", lambda bids, *_: replace(bids, propensity=filled(bids, np.nan)))
wrong("Ends", ends)
wrong("Forgets", forgets)
wrong("Deep", deep)
wrong("Overwrites", overwrites)
wrong("Slow", slow)
"""
SMALL = ["population.people=150", "days=3"]
TOLD = {
    "Nan": "bids are float64, such as nan; integer micros are needed",
    "Infinite": "bids are float64, such as inf; integer micros are needed",
    "Negative": "bid -5 micros; bids lie in 0..10000000000",
    "Huge": "bid 4611686018427387904 micros; bids lie in 0..10000000000",
    "Unsigned": "bid 18446744073709551615 micros; bids lie in 0..10000000000",
    "Endless": "bids are object, such as 1000000000000000000000000000000; integer micros are needed",
    "Short": "bids have shape (0,); one bid per opportunity (1) is needed",
    "Nothing": "bid returned a NoneType without bid_micros, level, creative, propensity; return gaelp_sim.events.Bids",
    "Listed": "bid returned a list without bid_micros, level, creative, propensity; return gaelp_sim.events.Bids",
    "Creative": "creative 99; it lies in 0..1, -1 for none",
    "NoCreative": "creative -7; it lies in 0..1, -1 for none",
    "Level": "level is float64 of shape (1,); one integer per opportunity (1) is needed",
    "Impossible": "propensity 0.0; what was chosen had a chance in (0, 1]",
    "Certain": "propensity 2.0; what was chosen had a chance in (0, 1]",
    "Unlikely": "propensity nan; what was chosen had a chance in (0, 1]",
    "Ends": "bid raised SystemExit: 3",
    "Forgets": "bid raised KeyError: 'two\\nlines'",
    "Deep": "bid raised RecursionError: maximum recursion depth exceeded",
}


@pytest.fixture(autouse=True)
def adversaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their module on the path."""
    (tmp_path / "adversaries.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("adversaries", None)


def simulated(url: str, policy: str, days: int = 3) -> None:
    run(RunRequest(load_scenario("quickstart", SMALL), url, policy=policy, days=days))


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """The touches of an undisturbed first day."""
    url = f"sqlite:///{tmp_path_factory.mktemp('rule') / 'rule.db'}"
    simulated(url, "rule", days=1)
    return touches(url)


def touches(url: str) -> dict[str, list[int]]:
    """The last run's touches: who, when, at what price."""
    with Store.open(url) as store:
        found = store.read(store.find_run("@last"), "touchpoint")
    return {name: np.asarray(found[name]).tolist() for name in ("person_id", "occurred_s", "advertiser", "price_micros")}


@pytest.mark.parametrize("name", TOLD)
def test_a_wrong_bidder_is_told_and_loses_nothing(name: str, tmp_path: Path, first_day: dict[str, list[int]]) -> None:
    """It goes wrong on the second day: the first one's rows are those of a sound bidder, whole and verified."""
    url = f"sqlite:///{tmp_path / 'wrong.db'}"
    with pytest.raises(BidderError) as told:
        simulated(url, f"adversaries:{name}")
    assert str(told.value) == f"bidder adversaries:{name}: {TOLD[name]}" and told.value.exit_code == 2
    assert touches(url) == first_day and len(first_day["person_id"]) > 10
    with Store.open(url) as store:
        record = store.find_run("@last")
        assert record.status == "FAILED"
        assert all(passed for _, passed, _ in verify_run(store, record))


@pytest.mark.parametrize("name", ["Overwrites", "Slow"])
def test_what_a_bidder_may_do_changes_nothing(name: str, tmp_path: Path) -> None:
    """Writing over its arguments touches copies; taking its time costs time: the rows are those of a sound one."""
    hashes = []
    for each in ("Sound", name):
        url = f"sqlite:///{tmp_path / 'run.db'}"
        simulated(url, f"adversaries:{each}")
        with Store.open(url) as store:
            hashes.append(rowhash.row_hash(store, store.find_run("@last")))
    assert hashes[0] == hashes[1]
