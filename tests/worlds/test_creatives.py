"""Creatives in whole worlds: rotation spares people, Thompson sampling finds what is clicked, a refresh rests everybody."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.events import US, TouchKind
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.population.people import FATIGUE_OFFER, FATIGUE_TEACH
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, epoch_seconds
from gaelp_sim.world import hour
from gaelp_sim.world.control import Controller
from tests.worlds.comparison import compare
from tests.worlds.scenarios import Tables, shard_of, whole_run

BUSY = [
    "population.people=500", "days=10", "us.budget.usd_day=400", "us.policy.bid_multiplier=1.7", "identity.mode=perfect",
    "channels.social.opportunities_per_day={unaware: 1.5, aware: 1.5, considering: 1.5, intent: 1.5}",
]


def _busy(*sets: str) -> Scenario:
    return load_scenario("quickstart", [*BUSY, *sets])


def _impressions(run: Tables, scenario: Scenario) -> list[tuple[int, int, int, bool]]:
    """(person, second, family, looked at) of our impressions, in order of time."""
    touches = run["touchpoint"]
    ours = (touches["advertiser"] == US) & (touches["kind"] == TouchKind.IMPRESSION)
    family = np.array([int(creative.family == "offer") for creative in scenario.creatives])[touches["creative"][ours]]
    columns = [touches[name][ours] for name in ("person_id", "occurred_s", "examined")]
    rows = zip(columns[0].tolist(), columns[1].tolist(), family.tolist(), (columns[2] > 0).tolist(), strict=True)
    return sorted(rows, key=lambda row: row[1])


def mean_wear(scenario: Scenario) -> float:
    """Looks at the shown family before that have not worn off, by half-life, in the mean over our impressions."""
    half_life = scenario.response.fatigue_half_life_days * 86_400
    looks, worn = defaultdict(list), []
    for person, second, family, looked in _impressions(whole_run(scenario), scenario):
        worn.append(sum(2.0 ** (-(second - before) / half_life) for before in looks[person, family]))
        if looked:
            looks[person, family].append(second)
    assert len(worn) > 1_000
    return float(np.mean(worn))


def test_rotation_lowers_the_wear_of_what_is_shown() -> None:
    """By at least a quarter where people see us about once a day; the lower the threshold, the lower the wear."""
    fit, late, soon = (
        mean_wear(_busy(f"us.policy.creatives={name}", f"us.policy.rotate_after={after}"))
        for name, after in (("fit", 1.5), ("rotate", 1.5), ("rotate", 0.5))
    )
    assert soon < late < fit and soon < 0.75 * fit


def test_without_wear_rotation_changes_nothing() -> None:
    """A threshold that nobody reaches: row for row what fits."""
    fit, high = (whole_run(_busy(f"us.policy.creatives={name}", "us.policy.rotate_after=10"))["decision"]
                 for name in ("fit", "rotate"))
    assert np.array_equal(fit["creative"], high["creative"])


def _misjudged(creatives: str) -> Scenario:
    """Everybody is in INTENT, which the rule doesn't know: it takes most people to be unaware, whom `teach` fits."""
    start = "{unaware: 0, aware: 0, considering: 0, intent: 1}"
    names = [segment.name for segment in load_scenario("quickstart").population.segments]
    rates = "{unaware: 0.1, aware: 0.1, considering: 0.1, intent: 0.1}"
    return load_scenario("quickstart", [
        *[f"population.segments.{name}.start={start}" for name in names],
        *[f"population.segments.{name}.purchase_per_day=0" for name in names],
        *[f"population.segments.{name}.purchase_per_click=0" for name in names],
        "population.people=1500", "days=12", f"us.policy.creatives={creatives}", "us.budget.usd_day=2000",
        f"channels.social.click_rate={rates}", "population.forgetting_half_life_days.intent=1000",
        "creatives.teach.match={unaware: 1.5, aware: 1.2, considering: 0.4, intent: 0.4}",
        "creatives.offer.match={unaware: 0.4, aware: 0.6, considering: 1.0, intent: 1.6}",
    ])


def _on_social(run: Tables, scenario: Scenario) -> tuple[np.ndarray, float]:
    """Greedy shares of `offer` by day on social's broad signal; clicks per impression over the last six days."""
    decisions, touches = run["decision"], run["touchpoint"]
    day = (decisions["occurred_s"] - epoch_seconds(scenario.start)) // 86_400
    first = len(scenario.channels[0].signals)
    greedy = (decisions["signal"] == first) & (decisions["propensity"] > 0.5)
    shares = np.array([(decisions["creative"][greedy & (day == d)] == 1).mean() for d in range(scenario.days)])
    late = (touches["advertiser"] == US) & (touches["signal"] == first)
    late &= touches["occurred_s"] >= epoch_seconds(scenario.start) + 6 * 86_400
    return shares, float(touches["clicked"][late].mean())


def test_thompson_finds_the_better_creative() -> None:
    """From half and half on the first hours to nearly always, where what fits is wrong all along."""
    (fit, fit_rate), (learned, learned_rate) = (
        _on_social(whole_run(_misjudged(name)), _misjudged(name)) for name in ("fit", "thompson")
    )
    assert fit.max() == 0.0 and learned[-4:].min() > 0.9
    assert learned_rate > 1.5 * fit_rate


def test_clicks_that_never_reach_the_controller_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the hour's counts are lost on their way."""
    honest = Controller.end_hour
    monkeypatch.setattr(Controller, "end_hour", lambda self, report: honest(
        self, replace(report, shown=np.zeros_like(report.shown))
    ))
    shares, _ = _on_social(whole_run(_misjudged("thompson")), _misjudged("thompson"))
    assert shares[-4:].min() < 0.9


def test_a_creative_that_nobody_named_counts_as_the_first() -> None:
    """As people meet it: every impression of an outsider that leaves its creatives out."""
    shard = shard_of(_misjudged("thompson"), "tests.worlds.policies:Nameless")
    shard.advance(3 * HOURS_PER_DAY)
    assert shard.own is not None
    by_creative = shard.own.controller.shown.sum(axis=(0, 1, 2))
    assert by_creative[0] > 100 and by_creative[1] == 0


def test_exploration_and_propensities_are_untouched_by_learning() -> None:
    """Each triple's propensity is epsilon's share, or 1 - epsilon and that share: the hour's pick is state."""
    decisions = whole_run(_misjudged("thompson"))["decision"]
    assert set(np.round(decisions["propensity"], 12).tolist()) == {round(0.1 / 22, 12), round(0.9 + 0.1 / 22, 12)}
    assert (decisions["propensity"] > 0.5).mean() == pytest.approx(0.9 + 0.1 / 22, abs=0.02)


def test_a_refresh_rests_everybody() -> None:
    """On day 5 `teach` is made anew: its wear is gone from people and from our memory, the offer's is not; the days before
    are those of a world without it."""
    plain, fresh = (_busy("us.policy.exploration=1", f"creatives.teach.refresh_days={days}") for days in ("[]", "[5]"))
    shards = [shard_of(scenario) for scenario in (plain, fresh)]
    before = [shard.advance(5 * HOURS_PER_DAY)["decision"] for shard in shards]
    assert all(np.array_equal(before[0][name], before[1][name]) for name in before[0] if name != "features")
    for shard, rested in zip(shards, (False, True), strict=True):
        stack = shard.stack
        assert (stack.people.level[FATIGUE_TEACH] > 0).sum() > 50
        offer, looks = stack.people.level[FATIGUE_OFFER].copy(), stack.memory["recent_offer"].copy()
        hour._refresh(stack, 5)
        assert (stack.people.level[FATIGUE_TEACH] > 0).any() != rested
        assert (stack.memory["recent_teach"] > 0).any() != rested
        assert np.array_equal(stack.people.level[FATIGUE_OFFER], offer)
        assert np.array_equal(stack.memory["recent_offer"], looks)


def test_the_day_begins_with_the_refresh() -> None:
    """What we believe of a user's first opportunity on day 5: never tired of `teach`, often of the offer."""
    scenario = _busy("us.policy.exploration=1", "creatives.teach.refresh_days=[5]")
    decisions = whole_run(scenario)["decision"]
    day = (decisions["occurred_s"] - epoch_seconds(scenario.start)) // 86_400
    order = np.argsort(decisions["occurred_s"], kind="stable")
    today = order[day[order] == 5]
    first = today[np.unique(decisions["person_id"][today], return_index=True)[1]]
    features = decisions["features"][first]
    assert len(first) > 100 and (features[:, COLUMN["fatigue_teach"]] == 0).all()
    assert (features[:, COLUMN["fatigue_offer"]] > 0).sum() > 20


@pytest.mark.parametrize("creatives", ["rotate", "thompson"])
def test_choices_are_those_of_the_plain_world(creatives: str) -> None:
    """Touch by touch in a busier world than the random ones, with refreshes and a cap."""
    assert not compare(_busy(
        f"us.policy.creatives={creatives}", "us.policy.rotate_after=0.9", "us.policy.returning_moves_up=0.5", "days=5",
        "creatives.teach.refresh_days=[2, 4]", "us.frequency_cap={impressions: 4, days: 2}",
    )).differences
