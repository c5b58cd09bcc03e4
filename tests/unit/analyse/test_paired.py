"""Paired differences: against plain sums, against many drawn samples, and of people who changed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gaelp_sim.analyse.life_sums import Life, life_of
from gaelp_sim.analyse.paired import Pairing, Sides, changes, difference, paired, paired_runs
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.replay import Replayed, ReplayRequest, replay
from gaelp_sim.world.simulate import RunRequest, run


@pytest.fixture(scope="module")
def replays(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Replayed, Replayed]:
    """A run in which many buy, replayed as it was and with dearer bids."""
    url = f"sqlite:///{tmp_path_factory.mktemp('paired')}/runs.db"
    sets = ["population.people=1500", "days=10", "response.brand_base=0"]
    stored = run(RunRequest(load_scenario("parental_controls", sets), url, incremental=True)).run_id
    other = ReplayRequest(url, stored, sets=("us.policy.bid_multiplier=1.7",), incremental=True)
    return url, replay(ReplayRequest(url, stored)), replay(other)


def _lives(url: str, done: Replayed) -> tuple[Life, Life]:
    with Store.open(url) as store:
        return life_of(store, done.origin, done.run.worlds), life_of(store, done.run, done.run.worlds)


def _by_name(found: Pairing) -> dict[str, tuple[float | None, float | None]]:
    return {one.figure: (one.stored, one.replayed) for one in found.figures}


def test_figures_are_the_runs_own(replays: tuple[str, Replayed, Replayed]) -> None:
    """What the summaries say, for both lives."""
    url, _, other = replays
    with Store.open(url) as store:
        found, _ = paired_runs(store, other.origin, other.run)
        summaries = [store.find_run(record.run_id).summary for record in (other.origin, other.run)]
    told = [json.loads(summary) for summary in summaries]
    figures = _by_name(found)
    for figure, key in (("conversions", "conversions"), ("spend_usd", "spend_usd"), ("cac_blended_usd", "cac_usd"),
                        ("cac_paid_usd", "cac_paid_usd"), ("cac_incremental_usd", "cac_incremental_usd"),
                        ("win_rate", "win_rate")):
        assert figures[figure] == pytest.approx(tuple(one[key] for one in told)), figure
    assert figures["profit_usd"] == pytest.approx(tuple(one["revenue_usd"] - one["spend_usd"] for one in told))
    channels = [one for one in found.channels if one.figure == "spend_usd"]
    assert sum(one.replayed or 0.0 for one in channels) == pytest.approx(told[1]["spend_usd"])
    credits = [one for one in found.channels if one.figure == "conversions_linear"]
    assert 0 < sum(one.stored or 0.0 for one in credits) <= told[0]["conversions"] + 1e-9
    segments = [one for one in found.segments if one.figure == "conversions"]
    assert sum(one.stored or 0.0 for one in segments) == told[0]["conversions"]


def test_a_life_beside_itself_differs_in_nothing(replays: tuple[str, Replayed, Replayed]) -> None:
    url, same, _ = replays
    lives = _lives(url, same)
    found = paired(*lives)
    assert same.equal and found.variance_saved is None
    assert all(one.difference == 0.0 == one.low == one.high for one in found.figures if one.low is not None)
    assert len(changes(*lives)["why"]) == 0


def test_pairing_saves_variance(replays: tuple[str, Replayed, Replayed]) -> None:
    url, _, other = replays
    found = paired(*_lives(url, other))
    assert found.variance_saved is not None and found.variance_saved > 1.5
    profit = found.figures[0]
    assert profit.low is not None and profit.high is not None and profit.low < (profit.difference or 0.0) < profit.high


def test_changed_people_are_a_recount(replays: tuple[str, Replayed, Replayed]) -> None:
    """Those whose number of sales of ours differs, by SQL; the first difference is in one life and not in the other."""
    url, _, other = replays
    with Store.open(url) as store:
        paired_runs(store, other.origin, other.run)
    counts = [_sales(url, one.run_id) for one in (other.origin, other.run)]
    changed = {person for person in counts[0] | counts[1] if counts[0].get(person, 0) != counts[1].get(person, 0)}
    with Store.open(url) as store:
        rows = store.read(other.run, "replay_change")
    assert set(np.asarray(rows["person_id"]).tolist()) == changed and changed
    for at, person in enumerate(np.asarray(rows["person_id"]).tolist()):
        if rows["first_difference_s"][at] >= 0:
            touches = [_touches(url, one.run_id, person) for one in (other.origin, other.run)]
            apart = touches[0] ^ touches[1]
            assert min(second for second, *_ in apart) == rows["first_difference_s"][at]
        clicks = int(rows["clicks_after"][at] - rows["clicks_before"][at])
        assert clicks == 0 or str(rows["why"][at]).startswith(f"{abs(clicks)} click")


def _sales(url: str, run_id: str) -> dict[int, int]:
    with Store.open(url) as store:
        sold = store.read(store.find_run(run_id), "conversion", where={"advertiser": 0})
    people, counts = np.unique(np.asarray(sold["person_id"]), return_counts=True)
    return dict(zip(people.tolist(), counts.tolist(), strict=True))


def _touches(url: str, run_id: str, person: int) -> set[tuple[int, ...]]:
    with Store.open(url) as store:
        told = store.read(store.find_run(run_id), "touchpoint", where={"advertiser": 0, "person_id": person})
    names = ("occurred_s", "channel", "creative", "clicked")
    return set(zip(*(np.asarray(told[name]).tolist() for name in names), strict=True))


def test_intervals_cover_what_was_planted() -> None:
    """Ratios and sums over 300 clusters drawn 400 times: the planted difference lies in 92 to 98 % of the intervals."""
    rng = np.random.default_rng(5)
    hits = np.zeros(2)
    for _ in range(400):
        common, size = rng.gamma(2.0, 1.0, 300), rng.poisson(3.0, 300) + 1.0
        one, two = (common * size + rng.normal(0, 0.3, 300) + shift * size for shift in (0.0, 0.4))
        ratio = difference("cac", "all", Sides(one, size), Sides(two, size))
        whole = difference("spend", "all", Sides(one), Sides(two))
        hits += (_holds(ratio.low, 0.4, ratio.high), _holds(whole.low, 0.4 * 300 * 4.0, whole.high))
    assert (hits / 400 > 0.92).all() and (hits / 400 < 0.98).all()


def _holds(low: float | None, value: float, high: float | None) -> bool:
    assert low is not None and high is not None
    return low <= value <= high


def test_a_ratio_over_nothing_is_not_known() -> None:
    nothing, some = np.zeros(4), np.ones(4)
    found = difference("cac", "all", Sides(some, nothing), Sides(some, some))
    assert (found.stored, found.replayed, found.difference, found.low) == (None, 1.0, None, None)
