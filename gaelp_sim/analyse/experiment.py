"""`gaelp experiment`: a test of one policy against another, planned on pilot worlds and rehearsed where the truth is known.

The truth is the same worlds wholly under either policy, people with the same luck: the effect that a team wants to know,
and that no test shows it. What a test is off by on average is interference: by shared budgets and rivals, by users that are
not people, by what an ad does after its block of hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gaelp_sim.analyse.experiment_estimates import Estimates, estimated
from gaelp_sim.analyse.experiment_power import correlation, detectable, power, times_as_large
from gaelp_sim.analyse.experiment_units import Design
from gaelp_sim.analyse.experiment_worlds import OUTCOMES, Counted, Setup, lived
from gaelp_sim.events import Floats, Ints
from gaelp_sim.planning.compared import interval
from gaelp_sim.planning.played import PEOPLE_AT_ONCE
from gaelp_sim.planning.seeds import PILOT_SEED, REHEARSAL_SEED
from gaelp_sim.scenario.schema import Scenario

PROFIT = OUTCOMES[0]
APART, SHARED = "accounts apart", "shared accounts"
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What a team wants of its test."""

    policies: tuple[str, str]
    effect_usd: float | None = None
    """Per person of the market, over the whole test; None: what the pilots show"""
    power: float = 0.8
    alpha: float = 0.05
    worlds: int = 40
    pilots: int = 20
    wait_days: int = 30


@dataclass(frozen=True)
class Plan:
    """What pilot worlds tell of a test before it is made; USD are profit per person of the market, over the whole test."""

    people: int
    days: int
    units: int
    """Users, people, regions or blocks compared, in a world"""
    clusters: int
    """What is assigned as one; pairs where units are paired"""
    sd_person_usd: float
    household_correlation: float
    standard_error_usd: float
    design_effect: float
    """Variance, in multiples of that of a test that assigns every person by itself"""
    detectable_usd: float
    effect_usd: float
    effect_from: str
    """asked, or pilots"""
    power: float
    """Chance to find that effect"""
    needed: float | None
    """How much the wanted power takes, None where there is no effect"""
    needed_what: str
    """people, regions or days"""


@dataclass(frozen=True)
class Rehearsed:
    """How one kind of outcome was estimated in worlds whose truth is known, per person of the market."""

    outcome: str
    accounts: str
    worlds: int
    estimate: float
    truth: float
    bias: float
    bias_low: float
    bias_high: float
    standard_error: float
    """As estimated, on average"""
    spread: float
    """Of estimates about the truth, from world to world"""
    coverage: float
    """Share of worlds whose own truth lies in the interval"""
    coverage_low: float
    coverage_high: float
    found: float
    """Share of worlds with a significant effect"""
    found_low: float
    found_high: float
    found_wrong: float
    """Share of worlds with a significant effect of the wrong sign"""
    planned: float | None
    """Chance to find the true effect, by the plan; profit alone is planned for"""


def experiment(scenario: Scenario, design: Design, asked: Asked, on_step: OnStep) -> dict[str, Any]:
    """Plan a test on pilot worlds and rehearse it; the result by name, with one sentence of conclusion.

    Raises UsageError for a design or policies that can't be tested in this scenario.
    """
    plan, error, free = _planned(Setup.of(scenario, design, PILOT_SEED, asked.wait_days), asked, on_step)
    setup, rows = Setup.of(scenario, design, REHEARSAL_SEED, asked.wait_days), []
    lives = list(_rehearsals(setup, asked, on_step))
    for accounts in (APART, SHARED) if design.kind == "budget" else (SHARED,):
        tried = [(one.truth, one.mixed[accounts]) for one in lives]
        rows += [_measured(outcome, accounts, tried, asked.alpha) for outcome in OUTCOMES]
    rows = [replace(row, planned=power(row.truth, error, free, asked.alpha)) if row.outcome == PROFIT else row
            for row in rows]
    return {
        "scenario": scenario.name, "policies": list(asked.policies), "identity": scenario.identity.mode,
        "alpha": asked.alpha, "wanted_power": asked.power, "wait_days": asked.wait_days, "pilots": asked.pilots,
        "design": asdict(design), "plan": asdict(plan), "rehearsals": [asdict(row) for row in rows],
        "conclusion": concluded(asked, plan, rows[0]),
    }


def _batches(people: int, worlds: int) -> Iterator[range]:
    step = max(1, PEOPLE_AT_ONCE // people)
    return (range(first, min(first + step, worlds)) for first in range(0, worlds, step))


def _wholly(setup: Setup, worlds: range, policies: tuple[str, str]) -> tuple[Counted, Counted]:
    """The worlds wholly under either policy."""
    first = lived(setup, worlds, (policies[0], policies[0]))
    return first, first if policies[0] == policies[1] else lived(setup, worlds, (policies[1], policies[1]))


def _planned(setup: Setup, asked: Asked, on_step: OnStep) -> tuple[Plan, float, int]:
    """The plan, the standard error to expect and its degrees of freedom."""
    on_step(f"{asked.pilots} pilot worlds under {' and '.join(dict.fromkeys(asked.policies))}")
    tries, effects, spreads, alike = [], [], [], []
    for worlds in _batches(setup.scenario.population.people, asked.pilots):
        first, second = _wholly(setup, worlds, asked.policies)
        units = first.units
        # Each unit as it fares under its own policy, with nobody else in its way.
        outcome = np.where(units.second, second.outcome[PROFIT], first.outcome[PROFIT])
        tries.append(estimated(units, outcome))
        effects.append((second.total[PROFIT] - first.total[PROFIT]) / units.people)
        for lives in (first, second):
            spreads.append(_by_world(lives, np.var))
            alike.append([correlation(lives.by_person[at], lives.home[at]) for at in _people(lives)])
    error = float(np.sqrt(np.mean(np.concatenate([one.error for one in tries]) ** 2)))
    free = int(np.median(np.concatenate([one.free for one in tries])))
    found = float(np.concatenate(effects).mean())
    effect = found if asked.effect_usd is None else asked.effect_usd
    scenario, share = setup.scenario, setup.design.share
    variance = [float(np.concatenate(spreads[which::2]).mean()) for which in (0, 1)]
    alone = (variance[0] / (1 - share) + variance[1] / share) / scenario.population.people
    size = {"geo": setup.design.regions, "switchback": scenario.days}.get(setup.design.kind, scenario.population.people)
    needed = size * times_as_large(effect, error, asked.alpha, asked.power) if effect else None
    counted = units.world[units.weight > 0] == 0
    return Plan(
        scenario.population.people, scenario.days, int(counted.sum()),
        len(np.unique(units.cluster[units.weight > 0][counted])), float(np.sqrt(np.mean(variance))),
        float(np.mean(np.concatenate(alike))), error, error**2 / alone if alone > 0 else 1.0,
        detectable(error, free, asked.alpha, asked.power), effect, "pilots" if asked.effect_usd is None else "asked",
        power(effect, error, free, asked.alpha), needed,
        {"geo": "regions", "switchback": "days"}.get(setup.design.kind, "people"),
    ), error, free


def _people(lives: Counted) -> list[Ints]:
    """Rows of each world's people."""
    return [np.flatnonzero(lives.person_world == world) for world in range(len(lives.units.people))]


def _by_world(lives: Counted, figure: Callable[[Floats], Any]) -> Floats:
    return np.array([float(figure(lives.by_person[at])) for at in _people(lives)])


@dataclass(frozen=True)
class _Lives:
    """Some worlds of the rehearsal."""

    truth: dict[str, Floats]
    """(worlds,) by outcome, per person"""
    mixed: dict[str, dict[str, Estimates]]
    """By accounts and outcome"""


def _rehearsals(setup: Setup, asked: Asked, on_step: OnStep) -> Iterator[_Lives]:
    for worlds in _batches(setup.scenario.population.people, asked.worlds):
        on_step(f"rehearsing in worlds {worlds.start + 1} to {worlds.stop} of {asked.worlds}")
        first, second = _wholly(setup, worlds, asked.policies)
        people = first.units.people
        truth = {name: (second.total[name] - first.total[name]) / people for name in OUTCOMES}
        # With one policy the mixed world is the whole one, whoever is dealt what.
        alone = asked.policies[0] == asked.policies[1]
        mixed = {SHARED: first if alone else lived(setup, worlds, asked.policies)}
        if setup.design.kind == "budget":
            mixed[APART] = lived(setup, worlds, asked.policies, apart=True)
        yield _Lives(truth, {
            accounts: {name: estimated(lives.units, lives.outcome[name]) for name in OUTCOMES}
            for accounts, lives in mixed.items()
        })


def _measured(
    outcome: str, accounts: str, tried: list[tuple[dict[str, Floats], dict[str, Estimates]]], alpha: float
) -> Rehearsed:
    """How estimates compare with their worlds' truths."""
    truth = np.concatenate([known[outcome] for known, _ in tried])
    of = Estimates(*(np.concatenate(parts) for parts in zip(*(got[outcome] for _, got in tried), strict=True)))
    off, n = of.value - truth, len(truth)
    inside, found = np.abs(off) <= of.half(alpha), of.p_values() < alpha
    wrong = found & (np.sign(of.value) != np.sign(truth.mean())) & (truth.mean() != 0)
    return Rehearsed(
        outcome, accounts, n, float(of.value.mean()), float(truth.mean()), *interval(off), float(of.error.mean()),
        float(off.std(ddof=1)), *share_of(int(inside.sum()), n), *share_of(int(found.sum()), n),
        float(wrong.mean()), None,
    )


def share_of(hits: int, n: int) -> tuple[float, float, float]:
    """A share with its 95 % interval. Source: Wilson (1927).

    >>> [round(part, 3) for part in share_of(2, 40)]
    [0.05, 0.014, 0.165]
    """
    z, share = 1.959964, hits / n
    middle, half = share + z**2 / (2 * n), z * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return share, max((middle - half) / (1 + z**2 / n), 0.0), min((middle + half) / (1 + z**2 / n), 1.0)


def concluded(asked: Asked, plan: Plan, row: Rehearsed) -> str:
    """What the team should take from it, in one sentence."""
    told, true = _usd(row.estimate), _usd(row.truth)
    if asked.policies[0] == asked.policies[1]:
        verdict = "as it should" if row.found_low <= asked.alpha <= row.found_high else "which it should not"
        return (f"Between a policy and itself the test finds an effect in {row.found:.0%} of worlds "
                f"({row.found_low:.0%} to {row.found_high:.0%}), {verdict} at alpha {asked.alpha:g}.")
    if row.bias_low > 0 or row.bias_high < 0:
        worst = max(abs(row.bias_low), abs(row.bias_high)), abs(row.truth) / 10
        if worst[0] > worst[1]:
            return (f"Do not trust this design here: it tells {told} a person where the truth is {true}, so it is off by "
                    f"{_usd(row.bias)} ({_usd(row.bias_low)} to {_usd(row.bias_high)}), however long it runs.")
    if plan.needed is not None and plan.power < asked.power:
        return (f"No bias shows, but this market is too small: an effect of {_usd(plan.effect_usd)} a person takes about "
                f"{plan.needed:,.0f} {plan.needed_what}, and from {_usd(plan.detectable_usd)} on it would be found here.")
    return (f"A team can run this test: no bias of weight shows ({told} told, {true} true), and it finds "
            f"{_usd(plan.effect_usd)} a person with a power of {plan.power:.0%}.")


def _usd(value: float) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"
