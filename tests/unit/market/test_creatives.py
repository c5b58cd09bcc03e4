"""Creatives: what fits, and click rates drawn from posteriors that are truly Beta."""

from __future__ import annotations

from math import lgamma

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.market import creatives
from gaelp_sim.market.creatives import CLICKED, SHOWN, ClickRates, Fits
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario

FLAGSHIP = load_scenario("parental_controls")
LEARNING = load_scenario("parental_controls", ["us.policy.creatives=thompson"])
SIGNALS = [(channel, signal) for channel in FLAGSHIP.channels for signal in channel.signals]
NAMES = [creative.name for creative in FLAGSHIP.creatives]
N = 20_000


def _rates(seed: int = 7) -> ClickRates:
    made = ClickRates.of(LEARNING, Draws(seed))
    assert made is not None
    return made


def _by_signal(codes: np.ndarray) -> dict[str, str]:
    return {f"{channel.name} {signal.name}": NAMES[code] for (channel, signal), code in zip(SIGNALS, codes, strict=True)}


def test_what_fits_is_what_the_flagship_is_known_for() -> None:
    """Teaching for early signals, comparison pages and emergencies for those who ask; the other family behind each."""
    fits = Fits.of(FLAGSHIP)
    best, other = _by_signal(fits.best[0]), _by_signal(fits.other[0])
    assert best["search generic"] == "teach" and best["search comparison"] == "comparison"
    assert best["search urgent"] == "emergency" and best["social broad"] == "teach"
    assert other["search generic"] == "offer" and other["search urgent"] == "teach"
    assert (fits.family[fits.best] != fits.family[fits.other]).all(), "every campaign has both families"
    assert np.array_equal(fits.best[0], fits.best[1]), "by default returning users are no further on"


def test_returning_users_are_taken_to_be_further_on() -> None:
    """All of them one stage: the stages' weights of each signal moved by one, the match worked out by hand."""
    fits = Fits.of(load_scenario("parental_controls", ["us.policy.returning_moves_up=1"]))
    assert (fits.best[0] != fits.best[1]).any() and np.array_equal(fits.best[0], Fits.of(FLAGSHIP).best[0])
    for code, (channel, signal) in enumerate(SIGNALS):
        rates, share, weight = channel.opportunities_per_day, signal.share, {}
        for name, people in (("unaware", 0.7), ("aware", 0.2), ("considering", 0.08), ("intent", 0.02)):
            weight[name] = people * getattr(rates, name) * getattr(share, name)
        moved = {"aware": weight["unaware"], "considering": weight["aware"],
                 "intent": weight["considering"] + weight["intent"]}
        match = [sum(getattr(c.match, name) * w for name, w in moved.items()) for c in FLAGSHIP.creatives]
        assert match[fits.best[1, code]] == pytest.approx(max(match[0], match[1]))


def test_a_campaign_of_one_family_has_no_other() -> None:
    one = load_scenario("quickstart", ["us.campaigns.Search.creatives=[offer]"])
    fits = Fits.of(one)
    assert (fits.other[0][:4] == 1).all() and (fits.best[0][:4] == 1).all()


def drawn(one: float, other: float) -> np.ndarray:
    entity = np.arange(N)
    return _rates()._sampled(np.full(N, one), np.full(N, other), (np.zeros(N, dtype=np.int64), entity, 5))


def beta_distance(one: float, other: float) -> float:
    """The greatest distance between the draws' distribution and Beta(one, other), by a fine sum over its density."""
    grid = np.linspace(0, 1, 200_001)[1:-1]
    log = lgamma(one + other) - lgamma(one) - lgamma(other) + (one - 1) * np.log(grid) + (other - 1) * np.log1p(-grid)
    reached = np.cumsum(np.exp(log)) / 200_000
    got = np.searchsorted(np.sort(drawn(one, other)), grid, side="right") / N
    return float(np.abs(got - reached).max())


SHAPES = [(1.0, 1.5), (1.0, 40.0), (3.0, 9.0), (30.0, 1_000.0), (400.0, 500.0)]


@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_draws_are_beta(one: float, other: float) -> None:
    """Kolmogorov and Smirnov's distance of 20,000 draws stays under its 0.1 % point."""
    assert beta_distance(one, other) < 1.95 / np.sqrt(N)


def test_attempts_that_always_hold_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the last attempt is taken, whether it holds or not."""
    exact = creatives._gammas
    monkeypatch.setattr(creatives, "_gammas", lambda shape, words: exact(shape, words[-1:]))
    assert any(beta_distance(*shape) > 1.95 / np.sqrt(N) for shape in SHAPES)


def _counts(scenario: Scenario = LEARNING) -> np.ndarray:
    return np.zeros((1, 2, len(SIGNALS), len(scenario.creatives)), dtype=np.int64)


def _picks(counts: np.ndarray, hours: int) -> np.ndarray:
    """(hours, signals)"""
    return np.array([_rates().picks(counts, np.zeros(1, dtype=np.int64), hour)[0] for hour in range(hours)])


def test_at_first_every_creative_of_the_campaign_is_tried_alike() -> None:
    """And none that isn't the campaign's."""
    picked = _picks(_counts(), 400)
    for code, (channel, _) in enumerate(SIGNALS):
        campaign = next(campaign for campaign in FLAGSHIP.us.campaigns if campaign.channel == channel.name)
        shares = np.bincount(picked[:, code], minlength=4) / 400
        for creative, share in zip(NAMES, shares, strict=True):
            expected = (creative in campaign.creatives) / len(campaign.creatives)
            assert abs(share - expected) < 4 * np.sqrt(0.25 / 400), (channel.name, creative)


def test_the_clicked_one_wins() -> None:
    """Twice the click rate over 5,000 impressions each: picked in more than 99 of 100 hours, on that signal alone."""
    counts = _counts()
    counts[0, SHOWN, 0] = 5_000
    counts[0, CLICKED, 0] = [100, 100, 200, 100]
    picked = _picks(counts, 400)
    assert (picked[:, 0] == 2).mean() > 0.99 and (picked[:, 1] == 2).mean() < 0.5


def test_a_world_picks_alike_in_any_company() -> None:
    """Keyed by world and hour: three worlds at once, and one of them alone."""
    counts = np.concatenate([_counts()] * 3)
    together = _rates().picks(counts, np.array([4, 5, 6]), 9)
    alone = _rates().picks(counts[:1], np.array([5]), 9)
    assert np.array_equal(together[1], alone[0]) and not np.array_equal(together[0], together[1])


def test_nothing_is_learned_by_other_rules() -> None:
    assert ClickRates.of(FLAGSHIP, Draws(1)) is None
