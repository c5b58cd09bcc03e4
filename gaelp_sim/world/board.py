"""The rivals of each world between hours: who they are, what they have learned, and the book they bid by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.market.cast import (
    ADAPTIVE,
    Cast,
    Strategy,
    cast_of,
    channel_of_signal,
    own_level_micros,
)
from gaelp_sim.market.learning import Lessons, Minds, Nature, learn, policies, scale_micros
from gaelp_sim.market.rivals import ACTIONS, WHOLE, Book
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM, micros
from gaelp_sim.world.log import Table, full
from gaelp_sim.world.model import Model
from gaelp_sim.world.opponents import Opponents

FRONT = "mind."


@dataclass
class Board:
    """State of all rivals of a process, (worlds, rivals, ...) arrays."""

    cast: Cast
    minds: Minds
    nature: Nature
    own_level: Floats
    """(worlds, rivals, signals), micros"""
    crisis: Bools
    """(signals,)"""
    table: Ints
    """(worlds, rivals)"""
    cut: Ints
    """(worlds, rivals, channels, ACTIONS)"""
    outside: Bools
    """(rivals,): seats in which somebody's own bidder sits; what is computed for them is not used"""

    @staticmethod
    def of(model: Model, worlds: Ints, opponents: Opponents | None = None) -> Board:
        """Rivals that have learned nothing yet, or what `opponents` had learned."""
        scenario = model.scenario
        cast = cast_of(scenario, model.draws, worlds)
        if opponents is not None:
            cast = opponents.cast(cast, worlds, scenario)
        outside = np.isin(np.arange(1, model.bidders), sorted(model.outsiders))
        seats = model.seats
        own_level = own_level_micros(scenario, cast)
        adapts = ADAPTIVE[cast.strategy] & scenario.rivals_learn & ~outside
        nature = Nature(cast.strategy, cast.learns & ~outside, adapts, model.truthful, _click_worth(scenario, own_level))
        cut = np.full((len(worlds), seats[0], seats[1], len(ACTIONS)), WHOLE, dtype=np.int64)
        minds = Minds.fresh(len(worlds), seats) if opponents is None else opponents.minds_of(worlds)
        board = Board(
            cast, minds, nature, own_level, model.crisis_signals,
            model.panel.table_of(cast.strategy), cut, outside,
        )
        board.decide()
        return board

    @property
    def learns(self) -> bool:
        """Whether any seat changes from hour to hour."""
        return bool(self.nature.learns.any() or self.nature.adapts.any())

    def decide(self) -> None:
        """Turn what has been learned into policies."""
        policies(self.minds, self.nature, self.cut)

    def book(self, unit_world: Ints, pace: Floats) -> tuple[Book, Floats]:
        """The hour's book by unit, and the level of the seats' values; pace: (worlds, rivals), the budgets' factors."""
        worth, scale = scale_micros(self.minds, self.own_level, self.crisis, pace)
        picks = self.minds.hours > 0.0
        book = Book(self.table[unit_world], scale[unit_world], self.cut[unit_world], picks[unit_world])
        return book, worth[unit_world]

    def learn(self, lessons: Lessons, unit_world: Ints) -> None:
        """Add up the cells' lessons of an hour in their order, and learn from them."""
        worlds = len(self.table)
        learn(self.minds, self.nature, Lessons(*(_summed(part, unit_world, worlds) for part in lessons)))
        self.decide()

    def day_rows(self, worlds: Ints, day: int, pace: Floats) -> Table:
        """How every rival stands at a day's end: rows of table `rival_day`."""
        seats = self.table.shape[1]
        n = self.table.size
        share = np.diff(self.cut, axis=-1, prepend=0) / WHOLE
        bid = np.where(self.minds.hours > 0.0, (share @ ACTIONS).mean(axis=-1), 1.0)
        return {
            "world_id": np.repeat(worlds, seats), "day": full(n, day),
            "advertiser": np.tile(np.arange(1, seats + 1), len(worlds)),
            "strategy": np.where(self.outside, Strategy.OUTSIDE, self.cast.strategy).ravel(),
            "learns": self.nature.learns.ravel().astype(np.int64),
            "value_ppm": _ppm(self.cast.value), "bid_multiple_ppm": _ppm(bid), "pace_ppm": _ppm(pace),
            "aggression_ppm": _ppm(self.minds.aggression), "usual_loss_ppm": _ppm(self.minds.usual_loss),
            "click_value_ppm": _ppm(self.minds.click_value.mean(axis=-1)),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What the minds have learned, by name."""
        return {FRONT + name: part.copy() for name, part in self.minds._asdict().items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take up minds given by `arrays`."""
        self.minds = Minds(**{name: arrays[FRONT + name].copy() for name in Minds._fields})
        self.decide()


def _summed(part: Ints, unit_world: Ints, worlds: int) -> Ints:
    if len(part) == worlds:  # a cell a world: nothing to add
        return part
    whole = np.zeros((worlds, *part.shape[1:]), dtype=np.int64)
    np.add.at(whole, unit_world, part)
    return whole


def _ppm(part: Floats) -> Ints:
    return np.rint(part * PPM).astype(np.int64).ravel()


def _click_worth(scenario: Scenario, own_level: Floats) -> Floats:
    """(worlds, rivals, signals): sales a click that would make a seat's first bids right; 0 where clicks are not sold."""
    sale = np.array([max(micros(rival.sale_value_usd), 1) for rival in scenario.rivals])
    per_click = np.array([channel.charge == "cpc" for channel in scenario.channels])[channel_of_signal(scenario)]
    return np.where(per_click, own_level / sale[:, None], 0.0)
