"""Logs made in memory: many worlds of one kind lived through side by side, each the log of an advertiser of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate.marginal import coarse
from gaelp_sim.evaluate.run_log import RunLog
from gaelp_sim.evaluate.steps import Steps
from gaelp_sim.events import FEATURE_COUNT, Bids, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.learn.logged import LogRows, logged_of
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY
from gaelp_sim.world.log import Table, joined_columns
from gaelp_sim.world.shard import Shard, Tables, Task
from gaelp_sim.world.stack import Place

STAGES = 4
_SALES = ("world_id", "person_id", "decided_s", "reported_s", "advertiser", "value_micros")


@dataclass
class Watched:
    """The rule in our seat; what people truly were at each of its decisions is kept."""

    rule: RulePolicy
    kept: list[Ints] = field(default_factory=list)
    """(9, n) each: person's row, second, stage, segment, whether they have decided to buy, and levels"""
    sees_truth: bool = True
    observes: bool = False
    notes: int = 0

    @property
    def name(self) -> str:
        """Our seat's."""
        return self.rule.name

    @property
    def price_micros(self) -> Ints:
        """(signals,): what stands on the bid sheet."""
        return self.rule.price_micros

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """As the rule."""
        return self.rule.bid(opportunities, moment)

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """As the rule, which is told nothing of what is kept."""
        truth = known.truth
        assert truth is not None
        self.kept.append(np.stack([
            opportunities.row, opportunities.second, truth.stage, truth.segment, truth.decided, *truth.level,
        ]).astype(np.int64))
        return self.rule.bid(opportunities, moment)

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Nothing: it keeps no notes."""

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: the rule does not learn."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


@dataclass(frozen=True)
class WorldRows:
    """One world's rows, in the order of time."""

    world: int
    scenario: Scenario
    rows: LogRows
    """Observations end with what people truly are: stage, segment, the rest"""

    def log(self, people: int, *, late: bool) -> RunLog:
        """The log of its first so many people; late: without sales that nobody had heard of by the end."""
        told = self.rows
        decisions, sales = _first(told.decisions, people), _first(told.sales, people)
        if not len(decisions["person_id"]):
            raise UsageError(f"nobody of {people} people was met in {self.scenario.days} days; take more people")
        seen = told.observation[told.decisions["person_id"] < people]
        end_s = told.start_s + self.scenario.days * SECONDS_PER_DAY
        rows = told._replace(decisions=decisions, sales=sales, observation=seen)
        logged = logged_of(f"world {self.world}", rows, end_s if late else None)
        return RunLog(logged, self.scenario, end_s)


def _first(table: Table, people: int) -> Table:
    here = table["person_id"] < people
    return {name: column[here] for name, column in table.items()}


def worlds_lived(scenario: Scenario, seed: int, worlds: range) -> Iterator[WorldRows]:
    """Live through worlds under the scenario's rule; each one's rows. Raises UsageError where nobody is ever met."""
    seat = Watched(RulePolicy.of(scenario))
    shard = Shard(Task(scenario, seed, "rule", Place(worlds, range(1)), 0, None), us=seat)
    parts = [shard.advance(day * HOURS_PER_DAY) for day in range(1, scenario.days + 1)]
    decisions, sales, sheet = (_in_order(parts, name) for name in ("decision", "conversion", "bid_sheet"))
    if not decisions:
        raise UsageError(f"nobody of {scenario.population.people} people was met in {scenario.days} days; take more people")
    sales = sales or {name: np.zeros(0, dtype=np.int64) for name in _SALES}
    observation = np.concatenate([decisions.pop("features"), _truth(shard, seat, decisions)], axis=1)
    for world in worlds:
        told, sold, bids = (_only(table, _of_world(table, world)) for table in (decisions, sales, sheet))
        seen = observation[_of_world(decisions, world)]
        yield WorldRows(world, scenario, LogRows(told, seen, sold, bids, shard.model.start_s))


def _in_order(parts: list[Tables], name: str) -> Table:
    """A table's rows by world, and as they came within it; nothing where there are none."""
    pieces = [part[name] for part in parts if name in part]
    if not pieces:
        return {}
    table = joined_columns(pieces)
    order = np.argsort(table["world_id"], kind="stable")
    return {column: values[order] for column, values in table.items()}


def _of_world(table: Table, world: int) -> slice:
    first, end = np.searchsorted(table["world_id"], [world, world + 1]).tolist()
    return slice(first, end)


def _only(table: Table, rows: slice) -> Table:
    return {name: column[rows] for name, column in table.items()}


def _truth(shard: Shard, seat: Watched, decisions: Table) -> NDArray[np.float32]:
    """(decisions, STAGES + segments - 1 + 5): stage, segment but the first, decided or not, levels, at each decision.

    A person has at most one opportunity a second, so person and second find what was kept.
    """
    kept = np.concatenate(seat.kept, axis=1)
    stack, size = shard.stack, shard.model.scenario.days * SECONDS_PER_DAY
    keys = stack.keys(np.arange(stack.people.size))
    row = np.searchsorted(keys, decisions["world_id"] << 32 | decisions["person_id"])
    key = kept[0] * size + kept[1]
    order = np.argsort(key)
    at = order[np.searchsorted(key[order], row * size + decisions["occurred_s"] - shard.model.start_s)]
    _, _, stage, segment, *others = kept[:, at]
    segments = np.arange(1, len(shard.model.scenario.population.segments))
    flags = np.concatenate([stage[:, None] == np.arange(STAGES), segment[:, None] == segments], axis=1)
    return np.concatenate([flags, np.stack(others, axis=1)], axis=1).astype(np.float32)


def steps_of(log: RunLog, target: Floats, *, everything: bool) -> tuple[Steps, Ints]:
    """Decisions as estimators take them, and the features that an action's worth may depend on.

    everything: estimators also see what people truly are, among their features and in the states that they count
    """
    steps, slopes = log.steps(target), log.slopes
    if not everything:
        return steps, slopes
    truly = log.logged.observation[:, FEATURE_COUNT:]
    width = steps.features.shape[1]
    features = np.concatenate([steps.features, truly], axis=1)
    state = coarse([steps.state, truly[:, :STAGES].argmax(axis=1)])
    more = width + np.arange(1, STAGES)
    seen = Steps(
        steps.begins, steps.cluster, steps.action, steps.propensity, steps.target, steps.reward, features, state,
    )
    return seen, np.concatenate([slopes, more])


def earned(rows: WorldRows, people: int) -> tuple[float, int]:
    """What a world's first so many people were worth, in USD, all sales known; and how many users were met."""
    logged = rows.log(people, late=False).logged
    return float(logged.reward_usd.sum()), len(logged.begins) - 1
