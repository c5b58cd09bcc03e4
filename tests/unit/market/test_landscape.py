"""The price to beat is estimated without bias from censored auctions, its intervals cover, and what is counted is right."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.events import NONE, US, Mechanism
from gaelp_sim.market.auction import Offers, Rules, Sale, clear
from gaelp_sim.market.landscape import (
    ABOVE,
    BELOW,
    BUCKETS,
    EXACT,
    PER_DOUBLING,
    TRUE,
    Places,
    Watched,
    above_market,
    bucket_edges,
    bucket_middles,
    kaplan_meier,
    prices_at,
    prices_to_beat,
    quantile_bucket,
    watch,
)
from gaelp_sim.market.lognormal import fit_lognormal

PRICE = np.array([1_000_000])


def _counts(luck: np.random.Generator, n: int, *, told: bool = True) -> tuple[np.ndarray, float]:
    """A lognormal market seen through bids at a few levels; the true median in micros."""
    place = luck.normal(BUCKETS / 2 + 1.0, 3.0, n)
    bid = BUCKETS // 2 + luck.choice([-4, -2, 0, 2, 6, 10], n)
    counts = np.zeros((BUCKETS, 4), dtype=np.int64)
    won = place < bid
    if told:
        np.add.at(counts[:, EXACT], np.clip(place[won].astype(int), 0, BUCKETS - 1), 1)
    else:
        np.add.at(counts[:, BELOW], bid[won], 1)
    np.add.at(counts[:, ABOVE], bid[~won], 1)
    return counts, 1_000_000 * 2.0 ** (1.0 / PER_DOUBLING)


def test_kaplan_meier_equals_the_textbook() -> None:
    """Against the product written out."""
    exact, above = np.zeros(BUCKETS, dtype=np.int64), np.zeros(BUCKETS, dtype=np.int64)
    exact[[3, 5, 9]], above[[4, 6]] = (2, 3, 1), (1, 4)
    curve = kaplan_meier(exact, above)
    # 11 at risk; two fall in 3, one leaves at 4; three of eight fall in 5, four leave at 6; one of one falls in 9
    assert curve.above[2] == 1.0
    assert curve.above[3] == pytest.approx(9 / 11)
    assert curve.above[5] == pytest.approx(9 / 11 * 5 / 8)
    assert curve.above[9] == 0.0


def test_kaplan_meier_is_unbiased_and_its_interval_covers() -> None:
    luck = np.random.default_rng(1)
    medians, covered = [], 0
    for _ in range(400):
        counts, truth = _counts(luck, 500)
        curve = kaplan_meier(counts[:, EXACT], counts[:, ABOVE])
        places = [quantile_bucket(c, 0.5) for c in (curve.above, curve.low, curve.high)]
        median, low, high = prices_at(PRICE, np.array([places]))[0]
        medians.append(median)
        covered += low <= truth <= high
    assert np.mean(medians) == pytest.approx(truth, rel=0.01)
    assert 0.92 < covered / 400 < 0.985


@pytest.mark.parametrize("told", [True, False])
def test_the_lognormal_is_recovered_from_censored_bids(told: bool) -> None:
    luck = np.random.default_rng(2)
    found, covered = [], 0
    for _ in range(200):
        counts, _ = _counts(luck, 500, told=told)
        fit = fit_lognormal(counts)
        found.append(fit.mean)
        covered += abs(fit.mean - (BUCKETS / 2 + 1.0)) < 1.96 * fit.mean_se
    assert np.mean(found) == pytest.approx(BUCKETS / 2 + 1.0, abs=0.06)
    assert 0.90 < covered / 200 <= 1.0


def test_nothing_is_fitted_where_nothing_is_known() -> None:
    counts = np.zeros((BUCKETS, 4), dtype=np.int64)
    counts[BUCKETS // 2, ABOVE] = 50
    assert fit_lognormal(counts).mean_se == 0.0
    assert np.isnan(quantile_bucket(kaplan_meier(counts[:, EXACT], counts[:, ABOVE]).above, 0.5))


@pytest.mark.parametrize("mechanism", list(Mechanism))
@pytest.mark.parametrize("slots", [1, 3])
def test_the_price_to_beat_is_the_least_bid_that_wins(mechanism: Mechanism, slots: int) -> None:
    """By holding the auction again with that bid, and with a micro less."""
    if slots > 1 and mechanism in (Mechanism.FIRST_PRICE, Mechanism.SECOND_PRICE):
        pytest.skip("these sell one slot")
    luck, n = np.random.default_rng(3), 400
    rules = Rules.of_sales([Sale(mechanism, slots=slots, reserve_micros=300_000, quality_ranked=True)])
    bids = luck.integers(0, 4_000_000, (6, n))
    quality = luck.integers(300_000, 1_500_000, (6, n))
    zero = np.zeros(n, dtype=np.int16)
    price = prices_to_beat(Watched(zero.astype(np.int64), zero, zero, bids, quality, zero[None], bids[:1]), rules)
    for shift, wins in ((1, True), (-1, False)):
        tried = bids.copy()
        tried[US] = price + shift
        sold = clear(Offers(tried, quality, zero, np.zeros(n, dtype=np.uint32)), rules)
        assert ((sold.winner == US).any(axis=0) == wins).all()


def test_what_is_seen_of_an_auction_depends_on_its_end() -> None:
    edges, middles = bucket_edges(PRICE), bucket_middles(PRICE)

    def kinds(sale: Sale, ours: int, rival: int) -> dict[int, int]:
        rules = Rules.of_sales([sale])
        bids, zero = np.array([[ours], [rival]]), np.zeros(1, dtype=np.int16)
        quality = np.full((2, 1), 1_000_000)
        sold = clear(Offers(bids, quality, zero, np.zeros(1, dtype=np.uint32)), rules)
        watched = Watched(np.zeros(1, dtype=np.int64), zero, zero, bids, quality, sold.winner, sold.price_micros)
        counts = np.zeros((1, 1, BUCKETS, 4), dtype=np.int32)
        watch(counts, watched, Places(edges, middles, np.ones(1, dtype=bool), rules), prices_to_beat(watched, rules))
        return {kind: int(counts[0, 0, :, kind].argmax()) for kind in range(4) if counts[0, 0, :, kind].any()}

    half, same, twice = 500_000, 1_000_000, 2_000_000
    middle = BUCKETS // 2
    assert kinds(Sale(Mechanism.SECOND_PRICE), twice, half) == {EXACT: middle - PER_DOUBLING, TRUE: middle - PER_DOUBLING}
    assert kinds(Sale(Mechanism.SECOND_PRICE), half, same) == {ABOVE: middle - PER_DOUBLING, TRUE: middle}
    assert kinds(Sale(Mechanism.FIRST_PRICE), twice, half) == {BELOW: middle + PER_DOUBLING, TRUE: middle - PER_DOUBLING}
    assert kinds(Sale(Mechanism.FIRST_PRICE), half, twice) == {ABOVE: middle - PER_DOUBLING, TRUE: middle + PER_DOUBLING}
    told = Sale(Mechanism.FIRST_PRICE, tells_min_to_win=True)
    assert kinds(told, half, twice) == {EXACT: middle + PER_DOUBLING, TRUE: middle + PER_DOUBLING}
    assert kinds(Sale(Mechanism.SECOND_PRICE), 0, same) == {TRUE: middle}, "who stays out learns nothing"
    assert NONE == -1


def test_the_flagships_own_estimates_are_near_the_truth() -> None:
    """Where quality ranks and creatives are explored together with bids, too: by signal, whole days, four worlds."""
    from gaelp_sim.scenario.loading import load_scenario
    from gaelp_sim.world.intelligence import KAPLAN_MEIER
    from tests.worlds.scenarios import whole_run

    sets = ["population.people=3000", "days=12", "worlds=4", "us.policy.pacing=none", "log=wins"]
    run = whole_run(load_scenario("parental_controls", sets))
    known, true = run["price_landscape"], run["truth_price"]
    columns = [true[name].tolist() for name in ("world_id", "signal", "hour_of_day", "q50_micros")]
    truth = {tuple(key): median for *key, median in zip(*columns, strict=True)}
    whole = np.flatnonzero((known["hour_of_day"] == NONE) & (known["method"] == KAPLAN_MEIER) & (known["q50_micros"] > 0))
    errors = [
        known["q50_micros"][i] / truth[known["world_id"][i], known["signal"][i], known["hour_of_day"][i]] - 1 for i in whole
    ]
    assert len(errors) > 40
    assert abs(np.mean(errors)) < 0.015 and np.abs(errors).max() < 0.2


def test_the_share_above_the_market_is_kaplan_meiers() -> None:
    luck = np.random.default_rng(5)
    for _ in range(20):
        counts, _ = _counts(luck, 200)
        curve = kaplan_meier(counts[:, EXACT], counts[:, ABOVE])
        found = above_market(counts[None, :, : ABOVE + 1].astype(float))
        assert found[0] == pytest.approx(curve.above[BUCKETS // 2 - 1])
    assert above_market(np.zeros((1, BUCKETS, 2)))[0] == 1.0
