"""A person's luck is the same under every policy: proposals, queries, crises and every single keyed draw."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gaelp_sim.draws import Draws, Purpose, Who
from gaelp_sim.events import Proposals
from gaelp_sim.population.kinds import Move
from gaelp_sim.population.people import People
from gaelp_sim.population.proposals import Proposer
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario, Variation, WorldCrisis
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY
from gaelp_sim.world.clock import crises_of_day
from gaelp_sim.world.stack import Stack
from tests.worlds.policies import POLICIES
from tests.worlds.scenarios import STAGES, shard_of, whole_run

DAYS = 6
Words = Callable[..., np.ndarray]


def lively(*, inert: bool = False) -> Scenario:
    """300 people whom much happens to; `inert`: ads that do nothing to anybody."""
    sets = ["population.people=300", f"days={DAYS}", "us.budget.usd_day=200", "population.opportunities_per_hour_max=2"]
    scenario = load_scenario("quickstart", sets)
    names = [segment.name for segment in scenario.population.segments if not segment.crisis]
    news = WorldCrisis(name="news", on_day=2, segments=names, turns_crisis=0.3)
    stray = Variation(day_noise_sd=0.1, price_drift_sd_per_day=0.1, volume_drift_sd_per_day=0.1)
    scenario = scenario.model_copy(update={"crises": [news], "variation": stray})
    channels = [_channel(channel, inert) for channel in scenario.channels]
    if not inert:
        return scenario.model_copy(update={"channels": channels})
    segments = [segment.model_copy(update={"purchase_per_click": 0.0}) for segment in scenario.population.segments]
    return scenario.model_copy(update={
        "channels": channels, "email": None,
        "population": scenario.population.model_copy(update={"segments": segments}),
        "response": scenario.response.model_copy(update={"click_adds_goodwill": 0.0, "rival_click_goodwill": 0.0}),
    })


def _channel(channel: Any, inert: bool) -> Any:
    rates = channel.opportunities_per_day
    more = rates.model_copy(update={stage: getattr(rates, stage) * 5 for stage in STAGES})
    clicks = channel.click_rate.model_copy(update=dict.fromkeys(STAGES, 0.2))
    update: dict[str, Any] = {"opportunities_per_day": more, "click_rate": clicks}
    if inert:
        nothing = channel.click_moves_up.model_copy(update={"unaware": 0.0, "aware": 0.0, "considering": 0.0})
        update |= {"click_moves_up": nothing, "view_moves_up": nothing, "view_adds_goodwill": 0.0}
    return channel.model_copy(update=update)


def _traffic(stack: Stack, day: int) -> np.ndarray:
    return stack.model.seasons.day(day, stack.unit_world_id, stack.unit_shift_days).traffic


def luck_by_day(scenario: Scenario, policy: str) -> list[dict[str, Any]]:
    """All that a person may meet on each day, asked for with the state that the policy has led to."""
    shard, found = shard_of(scenario, policy), []
    for day in range(scenario.days):
        shard.advance(day * HOURS_PER_DAY)
        stack = shard.stack
        rows, traffic = np.arange(stack.people.size), _traffic(stack, day)
        luck: dict[str, Any] = {"world crises": crises_of_day(stack, day)}
        for layer in (False, True):
            proposals = stack.model.proposer.propose(stack.people, rows, day, traffic, active=layer)
            luck |= {f"{name}, {'active' if layer else 'quiet'}": column for name, column in vars(proposals).items()}
        found.append(luck)
    return found


def unlike(scenario: Scenario, policies: tuple[str, ...] = POLICIES) -> list[str]:
    """Names of what differs between the policies, with the day."""
    first, *others = [luck_by_day(scenario, policy) for policy in policies]
    return [
        f"day {day}: {name}"
        for other in others for day in range(scenario.days) for name in first[day]
        if not np.array_equal(first[day][name], other[day][name])
    ]


def test_policies_differ_in_what_they_do() -> None:
    """Or the comparisons below would show nothing."""
    runs = [whole_run(lively(), policy) for policy in POLICIES]
    spent = [int(run["ledger"]["amount_micros"].sum()) if "ledger" in run else 0 for run in runs]
    assert spent[1] == 0 or spent[1] < spent[0] / 100
    assert spent[0] != spent[2] and min(spent[0], spent[2]) > 10**6
    assert (runs[0]["person"]["stage"] != runs[1]["person"]["stage"]).any()


def test_sessions_queries_and_crises_are_the_same_under_every_policy() -> None:
    """Seconds, kinds, marks, device and query luck of both layers, and world crises: row for row, day by day."""
    assert unlike(lively()) == []


def test_a_count_in_a_proposal_s_key_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: proposals keyed by how often the person has been touched."""
    honest = Proposer.propose

    def counting(self: Proposer, people: People, *rest: Any, active: bool) -> Proposals:
        return honest(self, people._replace(person=people.person + 1_000 * people.clicks), *rest, active=active)

    monkeypatch.setattr(Proposer, "propose", counting)
    assert unlike(lively(), ("rule", "silent"))


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_where_ads_do_nothing_policies_change_nothing(policy: str) -> None:
    """Opportunities with device and query, personal and world crises, drift and sales: row for row as under the rule."""
    scenario = lively(inert=True)
    rule, other = whole_run(scenario, "rule"), whole_run(scenario, policy)
    for table, names in {
        "decision": ("person_id", "occurred_s", "channel", "signal", "device", "round", "clearing_order", "alias_id"),
        "trigger_event": ("person_id", "occurred_s", "kind", "segment_from", "segment_to"),
        "conversion": ("person_id", "decided_s", "advertiser", "via", "purchased_s", "reported_s", "order_id"),
        "person": ("person_id", "stage", "segment", "decided_s", "converted_s", "crisis_s"),
    }.items():
        assert len(rule[table][names[0]]) > 10, table
        for name in names:
            assert np.array_equal(rule[table][name], other[table][name]), f"{table}.{name}"


def _honest(words: Words) -> Words:
    return words


def keys_used(
    scenario: Scenario, policy: str, monkeypatch: pytest.MonkeyPatch, planted: Callable[[Words], Words] = _honest
) -> dict[Purpose, set[tuple[int, ...]]]:
    """Every (world, entity, time, slot) that a run draws with, by purpose; `planted` spoils keys before they are noted."""
    used: dict[Purpose, set[tuple[int, ...]]] = defaultdict(set)
    words, blocks = Draws.words, Draws.blocks

    def noting(self: Draws, purpose: Purpose, *key: Any) -> np.ndarray:
        columns = np.broadcast_arrays(*[np.atleast_1d(part) for part in (*key, *([0] * (4 - len(key))))])
        used[purpose] |= set(zip(*[column.tolist() for column in columns], strict=True))
        return words(self, purpose, *key)

    noted = planted(noting)

    def in_blocks(self: Draws, purpose: Purpose, who: Who, *, slots: int) -> np.ndarray:
        drawn = [noted(self, purpose, *who, slot) for slot in range(slots)]
        assert planted is not _honest or np.array_equal(np.concatenate(drawn), blocks(self, purpose, who, slots=slots))
        return np.concatenate(drawn)

    with monkeypatch.context() as patch:
        patch.setattr(Draws, "words", noted)
        patch.setattr(Draws, "blocks", in_blocks)
        whole_run(scenario, policy)
    return used


def keys_allowed(scenario: Scenario) -> dict[Purpose, set[tuple[int, ...]]]:
    """Every key that chance alone can ask for: each from proposals and crises that no policy can influence."""
    stack = shard_of(scenario).stack
    model, people, allowed = stack.model, range(stack.people.size), defaultdict(set)
    blocks = -(-(model.bidders + 1) // 4) + 2
    slots = int(model.rules.slots.max())
    for purpose, count in ((Purpose.HOUSEHOLD, 1), (Purpose.PERSON_START, 1), (Purpose.ALIAS, 4)):
        allowed[purpose] = {(0, person, 0, slot) for person in people for slot in range(count)}
    allowed[Purpose.WORLD] = {(0, 0, 0, 0)}
    allowed[Purpose.RIVAL_STATE] = {(0, seat, 0, 0) for seat in range(len(scenario.rivals))}
    for day in range(scenario.days):
        allowed[Purpose.MARKET_DAY] |= {(0, 0, day, 0)}
        allowed[Purpose.DAY_COUNTS] |= {(0, person, day, 0) for person in people}
        allowed[Purpose.WORLD_CRISIS] |= {(0, number, day, 0) for number in range(len(scenario.crises))}
        for _, number, second in crises_of_day(stack, day):
            allowed[Purpose.CRISIS_TURN] |= {(0, person, second, number) for person in people}
        traffic = _traffic(stack, day)
        for active, purpose in ((False, Purpose.QUIET_PROPOSAL), (True, Purpose.ACTIVE_PROPOSAL)):
            found = model.proposer.propose(stack.people, np.array(people), day, traffic, active=active)
            rows = list(zip(found.row.tolist(), found.second.tolist(), found.kind.tolist(), strict=True))
            counts = np.bincount(found.row, minlength=len(people))
            allowed[purpose] |= {(0, person, day, slot) for person in people for slot in range(counts[person])}
            for person, second, kind in rows:
                move = kind - model.channels
                if move < 0:
                    allowed[Purpose.OPPORTUNITY] |= {(0, person, second, slot) for slot in range(blocks)}
                    allowed[Purpose.LOWER_SLOT] |= {(0, person, second, slot) for slot in range(slots)}
                if move < 0 or move == Move.PURCHASE:
                    allowed[Purpose.SALE] |= {(0, person, second, slot) for slot in (0, 1)}
                if move == Move.EMAIL:
                    allowed[Purpose.NATURAL] |= {(0, person, second, slot) for slot in (0, 1, 2)}
    return allowed


@pytest.mark.parametrize("policy", POLICIES)
def test_no_key_holds_anything_that_a_policy_influences(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every draw of a run has a key that could be written down before any policy has acted."""
    scenario = lively()
    used, allowed = keys_used(scenario, policy, monkeypatch), keys_allowed(scenario)
    strange = {purpose.name: sorted(keys - allowed[purpose])[:3] for purpose, keys in used.items()}
    assert not any(strange.values()), strange
    if policy == "rule":
        assert {Purpose.OPPORTUNITY, Purpose.SALE, Purpose.NATURAL, Purpose.CRISIS_TURN} <= set(used)


@pytest.mark.parametrize("faulty", [Purpose.OPPORTUNITY, Purpose.SALE, Purpose.NATURAL])
def test_a_count_in_any_key_would_be_found(faulty: Purpose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the slot counts the world's draws for this purpose so far."""
    scenario, calls = lively(), itertools.count()

    def plant(honest: Words) -> Words:
        def counting(self: Draws, purpose: Purpose, world: Any, entity: Any, time: Any, slot: Any = 0) -> np.ndarray:
            return honest(self, purpose, world, entity, time, slot + 8 * next(calls) if purpose == faulty else slot)

        return counting

    assert keys_used(scenario, "rule", monkeypatch, plant)[faulty] - keys_allowed(scenario)[faulty]


def test_withholding_our_ads_keeps_each_day_s_clock() -> None:
    """Seconds proposed lie inside their day: nothing a policy does moves them to another."""
    for day, luck in enumerate(luck_by_day(lively(), "silent")):
        for layer in ("quiet", "active"):
            assert (luck[f"second, {layer}"] // SECONDS_PER_DAY == day).all()
