"""What estimators are graded on: kinds of worlds, targets by distance, and the grid of cells over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario

ALL, TOLD = "all", "told"
"""Whether estimators also see what people truly are, or what an advertiser is told"""
SCENARIO = "short"
CHOICE = "choice"
"""The kind of worlds in which candidates are chosen among"""
_ALWAYS = (
    "worlds=1", "cells=1", "log=all", "us.policy.exploration=1", "us.policy.pacing=none", "response.brand_base=3",
)
"""Logs draw every action evenly, and most people who buy buy from us: with rarer sales small logs are refused"""
_APART = ("identity.mode=perfect", "variation.market_noise_sd=0", "rivals_learn=false", "us.budget.usd_day=null")
"""Users share no luck, no money and no learning rival: what estimators take for granted"""


@dataclass(frozen=True)
class Kind:
    """Worlds of one kind, in which logs are made."""

    name: str
    days: int
    sets: tuple[str, ...] = ()
    usd_day_per_person: float | None = None
    """Our daily budget, None for no limit"""
    late: bool = False
    """Sales not reported by the log's end are not in it; else the log is read once all are known"""

    def scenario(self, people: int, target: Target | None = None) -> Scenario:
        """Worlds of so many people under the logging policy, or under a target."""
        budget = () if self.usd_day_per_person is None else (f"us.budget.usd_day={self.usd_day_per_person * people}",)
        sets = (*_ALWAYS, *_APART, f"population.people={people}", f"days={self.days}", *self.sets, *budget)
        return load_scenario(SCENARIO, [*sets, *(target.sets if target else ())])


@dataclass(frozen=True)
class Target:
    """The rule with other settings, some way off what is logged."""

    name: str
    sets: tuple[str, ...]


TARGETS = tuple(
    Target(name, (f"us.policy.exploration={share}",)) for name, share in (("near", 0.9), ("middle", 0.7), ("far", 0.4))
)
"""The rule, which explores in so many of its decisions where the log does in all"""
CHOICES = tuple(
    Target(name, ("us.policy.exploration=0.7", f"us.policy.bid_multiplier={multiple}"))
    for name, multiple in (("quarter", 0.25), ("half", 0.5), ("market", 1), ("double", 2))
)
"""Candidates to choose among: the rule of the middle, bidding so many times the market's price"""
_ADS_TELL = (
    "response.brand_base=1",
    *(f"channels.search.click_rate.{stage}={rate}" for stage, rate in (
        ("unaware", 0.05), ("aware", 0.12), ("considering", 0.26), ("intent", 0.425)
    )),
    *(f"channels.social.click_rate.{stage}={rate}" for stage, rate in (
        ("unaware", 0.0225), ("aware", 0.04), ("considering", 0.065), ("intent", 0.085)
    )),
)
"""Ads are clicked five times as often, and fewer people know us without them: so candidates differ by 10 % and more"""
PEOPLE = (1_000, 4_000)
"""Of a log; the smaller logs are people of the larger ones"""
DAYS = (4, 12)
KINDS = (
    *(Kind("slack", days) for days in DAYS),
    *(Kind("late", days, ("conversion.report_delay_max_hours=96",), late=True) for days in DAYS),
    Kind(CHOICE, 12, _ADS_TELL),
    Kind("budget", 12, usd_day_per_person=0.012),
    Kind("rivals", 12, ("rivals_learn=true",)),
    Kind("devices", 12, ("identity.mode=devices",)),
)
"""slack: what estimators take for granted holds; choice: the same, among candidates that differ; the last three couple
users by money, by rivals who learn, and by people who are several users"""


@dataclass(frozen=True)
class Cell:
    """Where estimators are graded: logs of a kind, a target, a size, and what estimators see of people."""

    kind: Kind
    target: Target
    people: int
    seen: str

    @property
    def name(self) -> str:
        """Such as slack-4d-near-1000-told."""
        return f"{self.kind.name}-{self.kind.days}d-{self.target.name}-{self.people}-{self.seen}"


@dataclass(frozen=True)
class Grid:
    """Cells to grade, of a size that can be changed."""

    kinds: tuple[Kind, ...] = KINDS
    targets: tuple[Target, ...] = TARGETS
    choices: tuple[Target, ...] = CHOICES
    people: tuple[int, ...] = PEOPLE
    truth_worlds: int = 100
    """Worlds of the larger size that tell the truth: with so many, its standard error is a tenth of a log's, or less"""

    @property
    def cells(self) -> list[Cell]:
        """Every combination where users are apart; the candidates to choose among; elsewhere the target in the middle. All
        but the first of the larger logs and of what is told."""
        found = []
        for kind in self.kinds:
            if kind.name == "slack":
                found += [Cell(kind, to, n, seen) for to in self.targets for n in self.people for seen in (ALL, TOLD)]
            else:
                found += [Cell(kind, to, max(self.people), TOLD) for to in self.targets_of(kind)]
        return found

    def targets_of(self, kind: Kind) -> tuple[Target, ...]:
        """What is judged in a kind of worlds."""
        if kind.name == CHOICE:
            return self.choices
        middle = len(self.targets) // 2
        return self.targets if kind.name == "slack" else self.targets[middle : middle + 1]


def chosen(grid: Grid, parts: Sequence[str]) -> list[Cell]:
    """Cells whose name has one of the parts; all without parts. Raises UsageError for a part that no name has."""
    cells = grid.cells
    for part in parts:
        if not any(part in cell.name for cell in cells):
            raise UsageError(f"--cell {part}: no cell's name has that in it; names are such as {cells[0].name}, with "
                             f"{', '.join(dict.fromkeys(kind.name for kind in grid.kinds))}")
    return [cell for cell in cells if not parts or any(part in cell.name for part in parts)]
