"""`gaelp experiment`: a test of one policy against another, planned on pilot worlds and rehearsed where the truth is known.

The truth is the same worlds wholly under either policy, people with the same luck: the effect that a team wants to know,
and that no test shows it. What a test is off by on average is interference: by shared budgets and rivals, by users that are
not people, by what an ad does after its block of hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.analyse.experiment_estimates import Estimates, estimated, whole_effect
from gaelp_sim.analyse.experiment_power import correlation, detectable, power, times_as_large
from gaelp_sim.analyse.experiment_units import Design
from gaelp_sim.analyse.experiment_worlds import OUTCOMES, Counted, Setup, bidders, lived
from gaelp_sim.events import Floats, Ints
from gaelp_sim.planning.compared import interval
from gaelp_sim.planning.played import PEOPLE_AT_ONCE
from gaelp_sim.planning.seeds import PILOT_SEED, REHEARSAL_SEED
from gaelp_sim.scenario.schema import Scenario

PROFIT = OUTCOMES[0]
BIAS_OF_WEIGHT = 0.1
"""Share of the truth from which a bias that shows is called one to mind"""
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
    """On average over who is dealt what: truth + bias"""
    estimate_seen: float
    """The plain mean of the worlds' estimates, with the luck of the deal"""
    truth: float
    bias: float
    bias_low: float
    bias_high: float
    interference: float
    """Part of the bias: units fare otherwise than they would if all had their policy"""
    uncounted: float
    """Part of the bias: what the policies bring about where or when the test does not look"""
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
    bidders(scenario, asked.policies)  # a wrong name is told before the pilots fly
    plan, error, free = _planned(Setup.of(scenario, design, PILOT_SEED, asked.wait_days), asked, on_step)
    setup, rows = Setup.of(scenario, design, REHEARSAL_SEED, asked.wait_days), []
    kinds = [(accounts, outcome) for accounts in ((APART, SHARED) if design.kind == "budget" else (SHARED,))
             for outcome in OUTCOMES]
    tried: dict[tuple[str, str], list[_Tried]] = {kind: [] for kind in kinds}
    for lives in _rehearsals(setup, asked, on_step):
        for kind in kinds:
            tried[kind].append(_tried(lives, *kind))
    for (accounts, outcome), parts in tried.items():
        rows.append(_measured(outcome, accounts, _Tried.together(parts), asked.alpha))
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
    """Some worlds, wholly under either policy, and tested."""

    first: Counted
    second: Counted
    tested: dict[str, Counted]
    """By accounts"""


class _Tried(NamedTuple):
    """One outcome in some worlds, (worlds,) each, per person of the market."""

    of: Estimates
    truth: Floats
    interference: Floats
    uncounted: Floats

    @staticmethod
    def together(parts: list[_Tried]) -> _Tried:
        """Worlds played apart, in order."""
        of = Estimates(*(np.concatenate(column) for column in zip(*(part.of for part in parts), strict=True)))
        return _Tried(of, *(np.concatenate(column) for column in zip(*(part[1:] for part in parts), strict=True)))


def _tried(lives: _Lives, accounts: str, outcome: str) -> _Tried:
    """What the test told of worlds whose truth is known.

    Had units not been in each other's way, the same deal would have shown each as it fares wholly under its policy, and
    that is right on average over deals: the difference is interference, without the luck of the deal.
    """
    first, second, units = lives.first, lives.second, lives.tested[accounts].units
    by_unit = first.outcome[outcome], second.outcome[outcome]
    of = estimated(units, lives.tested[accounts].outcome[outcome])
    undisturbed = estimated(units, np.where(units.second, by_unit[1], by_unit[0])).value
    truth = (second.total[outcome] - first.total[outcome]) / units.people
    return _Tried(of, truth, of.value - undisturbed, whole_effect(units, *by_unit) - truth)


def _rehearsals(setup: Setup, asked: Asked, on_step: OnStep) -> Iterator[_Lives]:
    for worlds in _batches(setup.scenario.population.people, asked.worlds):
        on_step(f"rehearsing in worlds {worlds.start + 1} to {worlds.stop} of {asked.worlds}")
        first, second = _wholly(setup, worlds, asked.policies)
        # With one policy the mixed world is the whole one, whoever is dealt what.
        alone = asked.policies[0] == asked.policies[1]
        tested = {SHARED: first if alone else lived(setup, worlds, asked.policies)}
        if setup.design.kind == "budget":
            tested[APART] = lived(setup, worlds, asked.policies, apart=True)
        yield _Lives(first, second, tested)


def _measured(outcome: str, accounts: str, tried: _Tried, alpha: float) -> Rehearsed:
    """How estimates compare with their worlds' truths."""
    of, truth = tried.of, tried.truth
    off, n, bias = of.value - truth, len(truth), interval(tried.interference + tried.uncounted)
    inside, found = np.abs(off) <= of.half(alpha), of.p_values() < alpha
    wrong = found & (np.sign(of.value) != np.sign(truth.mean())) & (truth.mean() != 0)
    return Rehearsed(
        outcome, accounts, n, float(truth.mean()) + bias[0], float(of.value.mean()), float(truth.mean()), *bias,
        float(tried.interference.mean()), float(tried.uncounted.mean()), float(of.error.mean()), float(off.std(ddof=1)),
        *share_of(int(inside.sum()), n), *share_of(int(found.sum()), n), float(wrong.mean()), None,
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
    shown = (row.bias_low > 0 or row.bias_high < 0) and abs(row.bias) > BIAS_OF_WEIGHT * abs(row.truth)
    if shown:
        return (f"Do not trust this design here: on average it tells {told} a person where the truth is {true}, off "
                f"by {_usd(row.bias)} ({_usd(row.bias_low)} to {_usd(row.bias_high)}); a longer test would not mend that.")
    if plan.needed is not None and plan.power < asked.power:
        return (f"No bias of weight shows, but this market is too small: {_usd(plan.effect_usd)} a person takes "
                f"about {plan.needed:,.0f} {plan.needed_what}, and only {_usd(plan.detectable_usd)} or more is found.")
    return (f"A team can run this test: no bias of weight shows ({told} told, {true} true), and it finds "
            f"{_usd(plan.effect_usd)} a person with a power of {plan.power:.0%}.")


def _usd(value: float) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"
