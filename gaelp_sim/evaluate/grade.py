"""`gaelp evaluate`: policies beside what people run today, references and the best possible, in worlds that nobody knows.

All policies meet the same people with the same luck, so differences are taken world by world. Dials are turned on other
worlds (seeds: `planning.seeds`). Three modes:

- profit: baselines turn their dials for profit, everybody else is graded as it is;
- growth: everybody turns its dial for the most sales at an incremental CAC within the scenario's target;
- tight: a day's budget of half of what the best baseline spends; everybody turns its dial for profit under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gaelp_sim.evaluate.candidates import BASELINES, Candidate, Dials, Offered, of_policy
from gaelp_sim.planning.compared import BASELINE, GRADED, ORACLE, REFERENCE, Compared, Yardsticks, compared
from gaelp_sim.planning.played import Played, played
from gaelp_sim.planning.seeds import HOLDOUT_SEED, TUNING_SEED
from gaelp_sim.planning.shifted import shifted
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.policies import SILENT, named_from_outside, policy_named

NO_ADS, CLAIRVOYANT = "no ads", "clairvoyant"
REFERENCES = {"one_step_lift": REFERENCE, "observable_planner": REFERENCE, CLAIRVOYANT: ORACLE}
TIGHT_SHARE = 0.5
Mode = Literal["profit", "growth", "tight"]
OnStep = Callable[[str], None]
DIALS = {
    "profit": Dials((0.4, 0.55, 0.7, 0.85, 1.0, 1.2, 1.45), (20, 30, 45, 65, 90, 130), (60, 90, 140, 210, 320)),
    "growth": Dials((0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6), (45, 65, 90, 130, 180, 250), (140, 210, 320, 480, 720)),
    "tight": Dials((0.2, 0.3, 0.4, 0.55, 0.7, 1.0), (10, 15, 20, 30, 45), (30, 60, 90)),
}


@dataclass(frozen=True)
class Asked:
    """What is to be graded."""

    policies: tuple[str, ...]
    """Names, as of `--policy`"""
    worlds: int = 24
    tuning_worlds: int = 8
    mode: Mode = "profit"
    shifts: Mapping[str, float] = field(default_factory=dict)
    """What is off in the hold-out worlds, by factor; nothing is tuned to it"""
    crew: Crew = ALONE
    baselines: tuple[str, ...] = tuple(BASELINES)
    references: tuple[str, ...] = tuple(REFERENCES)


def evaluate(scenario: Scenario, asked: Asked, on_step: OnStep) -> list[Compared]:
    """Grade policies on the hold-out; dials are turned first, in other worlds. Raises UsageError as `played` does."""
    shifted(scenario, asked.shifts)
    if asked.mode == "tight":
        scenario = _tightened(scenario, asked, on_step)
    judge = _Judge(scenario, asked, on_step)
    chosen = {name: judge.chosen(name, BASELINES[name]) for name in asked.baselines}
    for name in (*asked.references, *asked.policies):
        if name not in chosen:
            chosen[name] = judge.as_it_is(name)
    kinds = {NO_ADS: BASELINE} | {name: REFERENCES.get(name, GRADED) for name in chosen}
    kinds |= dict.fromkeys(asked.baselines, BASELINE)
    found = {NO_ADS: judge.held(NO_ADS, Candidate(scenario, SILENT, ""))}
    found |= {name: judge.held(name, candidate) for name, candidate in chosen.items()}
    found, kinds = judge.beside(found, kinds)
    growth = asked.mode == "growth"
    baselines = [name for name, kind in kinds.items() if kind == BASELINE]
    best = max(baselines, key=lambda name: (found[name].sales if growth else found[name].profit_usd).mean())
    by = Yardsticks(best, NO_ADS, CLAIRVOYANT, growth)
    return [compared(name, kind, found, by) for name, kind in kinds.items()]


def _tightened(scenario: Scenario, asked: Asked, on_step: OnStep) -> Scenario:
    """The scenario with half of the money that its best baseline spends, spread over its days."""
    free = _Judge(scenario, Asked((), tuning_worlds=asked.tuning_worlds, crew=asked.crew), on_step)
    tuned = [free.tuned(name, BASELINES[name])[1] for name in asked.baselines]
    most = max(tuned, key=lambda one: one.profit_usd.mean())
    daily = round(float(most.spend_usd.mean()) * TIGHT_SHARE / scenario.days, 2)
    on_step(f"tight: {daily:,.2f} USD a day for {scenario.population.people:,} people")
    budget = scenario.us.budget.model_copy(update={"usd_day": daily})
    return scenario.model_copy(update={"us": scenario.us.model_copy(update={"budget": budget})})


def _plain(name: str, scenario: Scenario) -> Candidate:
    """A named policy as it is. References know the constants of the world they are in; bidders from outside learn there."""
    made = policy_named(name, scenario)
    return Candidate(scenario, name if name in REFERENCES or named_from_outside(name) else made, "")


@dataclass
class _Judge:
    """Plays candidates where they are tuned, and where they are graded."""

    scenario: Scenario
    asked: Asked
    on_step: OnStep
    nothing: Played | None = None
    """No ads in the tuning worlds"""

    def as_it_is(self, name: str) -> Candidate:
        """A named policy; with its dial turned where the mode asks for it, but for a bidder from outside."""
        if self.asked.mode != "profit" and not named_from_outside(name):
            return self.chosen(name, of_policy(name))
        return _plain(name, self.scenario)

    def chosen(self, name: str, offered: Offered) -> Candidate:
        """The best candidate in the tuning worlds."""
        return self.tuned(name, offered)[0]

    def tuned(self, name: str, offered: Offered) -> tuple[Candidate, Played]:
        """The same, with how it did there."""
        asked = self.asked
        there = self.scenario.model_copy(update={"seed": TUNING_SEED})
        tried = []
        for candidate in offered(there, DIALS[asked.mode], asked.tuning_worlds):
            self.on_step(f"tuning {name}: {candidate.told}")
            one = played(candidate.scenario, candidate.bidder, range(asked.tuning_worlds), asked.crew)
            tried.append((candidate, one))
        return self._best(tried)

    def _best(self, tried: list[tuple[Candidate, Played]]) -> tuple[Candidate, Played]:
        if self.asked.mode != "growth":
            return max(tried, key=lambda one: one[1].profit_usd.mean())
        costs, target = [self._cac_incremental(one) for _, one in tried], float(self.scenario.economics.cac_target_usd)
        within = [one for one, cac in zip(tried, costs, strict=True) if cac <= target]
        return max(within, key=lambda one: one[1].sales.mean()) if within else tried[int(np.argmin(costs))]

    def _cac_incremental(self, one: Played) -> float:
        if self.nothing is None:
            there = self.scenario.model_copy(update={"seed": TUNING_SEED})
            self.nothing = played(there, SILENT, range(self.asked.tuning_worlds), self.asked.crew)
        extra = float((one.sales - self.nothing.sales).mean())
        return float(one.spend_usd.mean()) / extra if extra > 0 else float("inf")

    def held(self, name: str, candidate: Candidate) -> Played:
        """How a candidate does in the hold-out worlds."""
        self.on_step(f"playing {name}{f' ({candidate.told})' if candidate.told else ''}")
        there = shifted(candidate.scenario.model_copy(update={"seed": HOLDOUT_SEED}), self.asked.shifts)
        return played(there, candidate.bidder, range(self.asked.worlds), self.asked.crew)

    def beside(self, found: dict[str, Played], kinds: dict[str, str]) -> tuple[dict[str, Played], dict[str, str]]:
        """Where users are not known perfectly, also what the graded would earn if they were."""
        identity = self.scenario.identity
        if identity.mode == "perfect" or self.asked.mode != "profit":
            return found, kinds
        known = self.scenario.model_copy(update={"identity": identity.model_copy(update={"mode": "perfect"})})
        for name in self._graded(kinds):
            told = f"{name}, users perfectly known"
            found[told] = self.held(told, _plain(name, known))
            kinds[told] = REFERENCE
        return found, kinds

    def _graded(self, kinds: Mapping[str, str]) -> Iterable[str]:
        return [name for name, kind in kinds.items() if kind == GRADED]
