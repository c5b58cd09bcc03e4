"""The controller of a world: leases of budget to its cells, the bid sheet, and what is learned from all cells.

Between hours cells and controller exchange only small things: leases and unspent micros, the sheet, additive
statistics. Everything is an integer or is computed from integers summed in cell order, so workers change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, US, Bools, Column, Floats, Ints
from gaelp_sim.market.budgets import UNLIMITED
from gaelp_sim.market.learning import Lessons
from gaelp_sim.market.pacing import pacing_multiplier_ppm
from gaelp_sim.market.rivals import Book
from gaelp_sim.market.rule_policy import MARKET_LEVEL
from gaelp_sim.units import HOURS_PER_DAY, PPM
from gaelp_sim.world.board import Board
from gaelp_sim.world.followed import Followed, Noting
from gaelp_sim.world.heard import Heard
from gaelp_sim.world.intelligence import Intelligence
from gaelp_sim.world.log import Log, Table, full
from gaelp_sim.world.model import Model
from gaelp_sim.world.opponents import Opponents
from gaelp_sim.world.outsiders import Experience, Pupils
from gaelp_sim.world.spending import Spending

STATISTICS = ("opportunities", "entered", "wins", "price_index_ppm", "revenue_micros")
OPPORTUNITIES, ENTERED, WINS, PRICE_INDEX, REVENUE = range(len(STATISTICS))
FAST_HOURS, SLOW_HOURS = 24.0, 168.0


@dataclass(frozen=True)
class Orders:
    """What the controller tells its cells before an hour; arrays by unit."""

    lease_micros: Ints
    """(units, accounts)"""
    refilled: Bools
    """(units, accounts): a new day or month of the account begins"""
    again: Bools
    """(units, accounts): the account's owner may bid; where not, the world's money is used up until it refills"""
    multiplier_ppm: Ints
    """(units, channels)"""
    participate_ppm: Ints
    """(units, channels)"""
    creative: NDArray[np.int16]
    """(units, signals): the hour's creative; no columns where the controller picks none"""
    sheet_micros: Ints
    """(units, signals): what an agent from outside bids; no columns where none does"""
    book: Book
    """What rivals bid by"""
    worth_micros: Floats
    """(units, rivals, signals): the level of rivals' values"""
    minds: dict[int, Column]
    """States of learners from outside by code: (units,)"""
    standing: dict[str, Floats]
    """(units,) columns of the market and budget features"""


@dataclass(frozen=True)
class Report:
    """What a cell tells its controller after an hour; arrays by unit."""

    left_micros: Ints
    """(units, accounts)"""
    exhausted_s: Ints
    """(units, accounts)"""
    refused_micros: Ints
    """(units, accounts): the charge that a lease could not pay, 0 where it paid all"""
    spent_micros: Ints
    """(units, advertisers, channels + 1): the hour's charges; the last channel is e-mail"""
    statistics: Ints
    """(units, STATISTICS)"""
    shown: Ints
    """(units, 2, signals, creatives): our impressions, and the clicks on them"""
    lessons: Lessons
    """What rivals have learned; empty where they don't"""
    prices: NDArray[np.int32]
    """(units, signals, BUCKETS, kinds): prices to beat, as we saw them and as they were"""
    experience: Experience
    """What learners from outside observed, by code: (units, ...)"""


@dataclass
class Controller:
    """State of every world of a process between hours, (worlds, ...) arrays."""

    model: Model
    worlds: Ints
    """(worlds,): ids"""
    unit_world: Ints
    """(units,): index into `worlds`"""
    unit_people: Ints
    """(units,)"""
    board: Board
    spending: Spending
    intelligence: Intelligence
    pupils: Pupils
    limit_micros: Ints
    """(worlds, accounts)"""
    left_micros: Ints
    exhausted_s: Ints
    exhausted: Bools
    """(worlds, accounts): even all of the world's money could not pay a charge: out until the account refills"""
    spent_day_micros: Ints
    """(worlds, advertisers, channels + 1)"""
    spent_total_micros: Ints
    """(worlds,): ours since the start"""
    revenue_micros: Ints
    """(worlds,): ours, reported"""
    fast: Floats
    """(worlds, 2): moving averages of the price index and the win rate over a day"""
    slow: Floats
    shown: Ints
    """(worlds, 2, signals, creatives): our impressions so far, and the clicks on them"""
    followed: Followed | None = None
    """Rivals are as they were in another life of these worlds, and learn nothing"""
    heard: Heard | None = None
    """What an agent from outside bids, where one does"""
    _sheets: list[tuple[int, Ints, Ints]] = field(default_factory=list)
    """Hours whose rows are not written yet: bids (worlds, signals) and what our accounts left (worlds, channels)"""
    _leased: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _hour: int = 0

    @staticmethod
    def of(
        model: Model, worlds: Ints, units: tuple[Ints, Ints], opponents: Opponents | None = None
    ) -> Controller:
        """A controller with full accounts, before the first hour; units: each one's world's place, and its people."""
        unit_world, unit_people = units
        n = len(worlds)
        board = Board.of(model, worlds, opponents)
        limits = _limits(model, board)
        spent = np.zeros((n, model.bidders, model.channels + 1), dtype=np.int64)
        averages = np.tile([1.0, 0.3], (n, 1))
        return Controller(
            model, worlds, unit_world, unit_people, board, Spending.of(model, n), Intelligence.of(model, n),
            Pupils(model.outsiders, n), limits,
            limits.copy(), np.full(limits.shape, NONE, dtype=np.int64), np.zeros(limits.shape, dtype=bool), spent,
            np.zeros(n, dtype=np.int64),
            np.zeros(n, dtype=np.int64), averages, averages.copy(), model.nothing_shown(n),
        )

    def begin_hour(self, hour: int) -> Orders:
        """Refill accounts that are due, lease what is left by people, write the bid sheet."""
        refilled = self._refill(hour)
        cut = self.model.scenario.cells > 1
        lease = self._shares() if cut else self.left_micros[self.unit_world]
        refilled = np.broadcast_to(refilled, lease.shape)
        # Whoever a lease was too small for bids again with the next one, unless all of the world's money was.
        again = ~self.exhausted[self.unit_world]
        multiplier, participate = self._sheet(hour)
        sheet, bids = self._bids(hour, multiplier)
        if bids is not None:
            self._sheets.append((hour, bids, self._left_ours()))
        standing = {name: column[self.unit_world] for name, column in self._standing(hour).items()}
        self._leased, self._hour = lease, hour
        book, worth = self.board.book(self.unit_world, self._rivals(hour))
        return Orders(
            lease.copy(), refilled.copy(), again.copy(), multiplier[self.unit_world], participate[self.unit_world],
            self._picks(hour)[self.unit_world], sheet[self.unit_world], book, worth,
            self.pupils.minds(self.unit_world), standing,
        )

    def _rivals(self, hour: int) -> Floats:
        """(worlds, rivals): the paces of rivals' budgets as an hour begins; their minds are then those of the hour."""
        if self.followed is None:
            return self.spending.by_rival()
        self.board.minds, pace = self.followed.at(hour, self.worlds)
        self.board.decide()
        return pace

    def note_rivals(self, hour: int, noting: Noting) -> None:
        """Take down what rivals begin an hour with."""
        pace = self._rivals(hour)
        noting.note(self.board.minds, pace)

    def _picks(self, hour: int) -> NDArray[np.int16]:
        """(worlds, signals): the hour's creative by the clicks so far, where the scenario lets them decide."""
        if self.model.click_rates is None:
            return np.zeros((len(self.worlds), 0), dtype=np.int16)
        return self.model.click_rates.picks(self.shown, self.worlds, hour)

    def _shares(self) -> Ints:
        """(units, accounts): each cell's share, by people, of what is left."""
        whole = np.bincount(self.unit_world, weights=self.unit_people, minlength=len(self.worlds)).astype(np.int64)
        left, people = self.left_micros[self.unit_world], self.unit_people[:, None]
        everybody = whole[self.unit_world][:, None]
        # In whole parts first: micros x people would leave 64 bits on large budgets.
        return left // everybody * people + left % everybody * people // everybody

    def end_hour(self, report: Report) -> None:
        """Take unspent leases back and add up what the cells learned, in cell order."""
        used = self._leased - report.left_micros
        np.subtract.at(self.left_micros, self.unit_world, used)
        np.maximum.at(self.exhausted_s, self.unit_world, report.exhausted_s)
        np.logical_or.at(self.exhausted, self.unit_world, report.refused_micros > self.left_micros[self.unit_world])
        np.add.at(self.spent_day_micros, self.unit_world, report.spent_micros)
        np.add.at(self.spent_total_micros, self.unit_world, report.spent_micros[:, US].sum(axis=1))
        sums = np.zeros((len(self.worlds), len(STATISTICS)), dtype=np.int64)
        np.add.at(sums, self.unit_world, report.statistics)
        np.add.at(self.shown, self.unit_world, report.shown)
        self.revenue_micros += sums[:, REVENUE]
        self._average(sums)
        spent = np.zeros_like(self.left_micros)
        np.add.at(spent, self.unit_world, used)
        self.spending.learn(self._hour, sums[:, OPPORTUNITIES], self.limit_micros, (self.left_micros, spent))
        self.intelligence.learn(self._hour, report.prices, self.unit_world)
        self.pupils.learn(report.experience, self.unit_world)
        if self.board.learns and self.followed is None:
            self.board.learn(report.lessons, self.unit_world)

    def end_day(self, day: int, log: Log) -> None:
        """Write the day's budget rows and start a new day's sums."""
        self.write_books(day, log)
        if self.board.table.size:
            log.add("rival_day", self.board.day_rows(self.worlds, day, self._rivals(self._hour + 1)))
        self.spent_day_micros = np.zeros_like(self.spent_day_micros)

    def write_books(self, day: int, log: Log) -> None:
        """Write the sheets of a day, or of its hours so far, and what its budgets have lost."""
        worlds = len(self.worlds)
        ours = self.spent_day_micros[:, US]
        campaigns = self.model.campaign_of_channel
        rows = [(US, NONE, ours.sum(axis=1))]
        for code in range(len(self.model.scenario.us.campaigns)):
            rows.append((US, code, ours[:, :-1][:, campaigns == code].sum(axis=1)))
        if self.model.scenario.email:
            rows.append((US, len(self.model.scenario.us.campaigns), ours[:, -1]))
        rows += [(b, NONE, self.spent_day_micros[:, b].sum(axis=1)) for b in range(1, self.model.bidders)]
        self.write_sheets(log)
        for advertiser, campaign, spent in rows:
            limit, exhausted = self._limit(advertiser, campaign)
            log.add("budget_day", {
                "world_id": self.worlds, "day": full(worlds, day), "advertiser": full(worlds, advertiser),
                "campaign": full(worlds, campaign), "limit_micros": limit,
                "spent_micros": spent, "exhausted_s": exhausted,
            })

    def _limit(self, advertiser: int, campaign: int) -> tuple[Ints, Ints]:
        """(worlds,) each: the day's limit and when it was used up, NONE without either."""
        channel, none = NONE, np.full(len(self.worlds), NONE, dtype=np.int64)
        if campaign != NONE:
            if campaign >= len(self.model.scenario.us.campaigns):
                return none, none
            channel = int(np.flatnonzero(self.model.campaign_of_channel == campaign)[0])
        for place, account in enumerate(self.model.accounts):
            if (account.advertiser, account.channel, account.monthly) == (advertiser, channel, False):
                exhausted = self.exhausted_s[:, place]
                return self.limit_micros[:, place], np.where(exhausted < 0, NONE, exhausted + self.model.start_s)
        return none, none

    def _refill(self, hour: int) -> Bools:
        monthly = np.array([account.monthly for account in self.model.accounts], dtype=bool)
        due = np.zeros(len(monthly), dtype=bool)
        if hour % HOURS_PER_DAY == 0:
            due = ~monthly
            today = self.model.scenario.start + timedelta(days=hour // HOURS_PER_DAY)
            if hour == 0 or today.day == 1:
                due = np.ones(len(monthly), dtype=bool)
        self.left_micros[:, due] = self.limit_micros[:, due]
        self.exhausted_s[:, due] = NONE
        self.exhausted[:, due] = False
        return due

    def _sheet(self, hour: int) -> tuple[Ints, Ints]:
        """(worlds, channels) each: factor on our bids and share of opportunities to take part in, in ppm."""
        everything = np.full((len(self.worlds), self.model.channels), PPM, dtype=np.int64)
        if self.spending.mode == "none":
            return everything, everything
        if self.spending.mode == "even":
            return self._even(hour), everything
        factor, share = self.spending.by_channel()
        return (factor * PPM).astype(np.int64), (share * PPM).astype(np.int64)

    def _even(self, hour: int) -> Ints:
        """(worlds, channels): the tightest day account of ours that covers a channel sets its pace."""
        model = self.model
        multiplier = np.full((len(self.worlds), model.channels), PPM, dtype=np.int64)
        passed = float(model.traffic_passed[hour % HOURS_PER_DAY])
        for place, account in enumerate(model.accounts):
            if account.advertiser != US or account.monthly:
                continue
            limit = np.full(len(self.worlds), account.limit_micros, dtype=np.int64)
            pace = pacing_multiplier_ppm(limit - self.left_micros[:, place], limit, passed)
            covered = slice(None) if account.channel == NONE else slice(account.channel, account.channel + 1)
            multiplier[:, covered] = np.minimum(multiplier[:, covered], pace[:, None])
        return multiplier

    def _bids(self, hour: int, multiplier: Ints) -> tuple[Ints, Ints | None]:
        """The agent's sheet, (worlds, signals), no columns without one; and the bids that go into the books, if any do."""
        prices = getattr(self.model.us, "price_micros", None)
        ruled = None if prices is None else prices * multiplier[:, self._channel_of_signal()] // PPM
        if self.heard is None or ruled is None:
            return np.zeros((len(self.worlds), 0), dtype=np.int64), ruled
        sheet = self.heard.sheet(hour, ruled)
        return sheet, sheet if sheet.shape[1] else ruled

    def _channel_of_signal(self) -> Ints:
        """(signals,)"""
        return np.repeat(np.arange(self.model.channels), [len(c.signals) for c in self.model.scenario.channels])

    def asked(self, hour: int) -> Table:
        """The sheet that an agent is asked to fill in, a row a world and signal, as the hour is about to begin."""
        assert self.heard is not None
        self._refill(hour)  # again when the hour begins, to the same effect
        channel = self._channel_of_signal()
        ruled = self.model.us.price_micros * self._sheet(hour)[0][:, channel] // PPM  # type: ignore[attr-defined]
        return {
            **self._sheet_key(channel), "default_micros": self.heard.default(hour, ruled).ravel(),
            "budget_micros": self._left_ours()[:, channel].ravel(),
        }

    def _sheet_key(self, channel: Ints) -> Table:
        worlds, signals = len(self.worlds), len(channel)
        return {
            "world_id": np.repeat(self.worlds, signals), "channel": np.tile(channel, worlds),
            "signal": np.tile(np.arange(signals), worlds),
        }

    def write_sheets(self, log: Log) -> None:
        """Bid sheets since the last call as rows: level and bid by signal, what our accounts left for its channel."""
        sheets, self._sheets = self._sheets, []
        if not sheets:
            return
        channel, hours = self._channel_of_signal(), len(sheets)
        bids, left = (np.stack([sheet[part] for sheet in sheets]) for part in (1, 2))
        n = bids.size
        log.add("bid_sheet", {
            **{name: np.tile(column, hours) for name, column in self._sheet_key(channel).items()},
            "hour": np.repeat([sheet[0] for sheet in sheets], n // hours), "level": full(n, MARKET_LEVEL),
            "bid_micros": bids.ravel(), "budget_micros": left[:, :, channel].ravel(), "policy_version": full(n, 0),
        })

    def _left_ours(self) -> Ints:
        """(worlds, channels): what our accounts leave for a channel, NONE where nothing limits it."""
        left = np.full((len(self.worlds), self.model.channels), UNLIMITED, dtype=np.int64)
        for place, account in enumerate(self.model.accounts):
            if account.advertiser == US:
                covered = slice(None) if account.channel == NONE else slice(account.channel, account.channel + 1)
                left[:, covered] = np.minimum(left[:, covered], self.left_micros[:, place : place + 1])
        return np.where(left == UNLIMITED, NONE, left)

    def _standing(self, hour: int) -> dict[str, Floats]:
        daily = self._account_left(monthly=False)
        limit = self._account_limit()
        passed = max(float(self.model.traffic_passed[hour % HOURS_PER_DAY]), 1e-3)
        pace = np.where(limit > 0, (limit - daily) / np.maximum(limit, 1) / passed, 1.0)
        return {
            "avg_cpc_trend": self.fast[:, 0] / np.maximum(self.slow[:, 0], 1e-9) - 1.0,
            "competitor_aggression": self.intelligence.aggression(),
            "daily_remaining_micros": daily,
            "monthly_remaining_micros": self._account_left(monthly=True),
            "spent_micros": self.spent_total_micros,
            "revenue_micros": self.revenue_micros,
            "pacing_ratio": np.minimum(pace, 10.0),
        }

    def _account_limit(self) -> int:
        limits = [a.limit_micros for a in self.model.accounts if (a.advertiser, a.channel, a.monthly) == (US, NONE, False)]
        return limits[0] if limits else NONE

    def _account_left(self, *, monthly: bool) -> Ints:
        for place, account in enumerate(self.model.accounts):
            if (account.advertiser, account.channel, account.monthly) == (US, NONE, monthly):
                return self.left_micros[:, place]
        return np.full(len(self.worlds), NONE, dtype=np.int64)

    def _average(self, sums: Ints) -> None:
        """Exponentially weighted averages of the price index (price / sheet price) and of the win rate."""
        wins, entered = sums[:, WINS], sums[:, ENTERED]
        now = np.stack([sums[:, PRICE_INDEX] / np.maximum(wins, 1) / PPM, wins / np.maximum(entered, 1)], axis=1)
        known = np.stack([wins > 0, entered > 0], axis=1)
        for average, hours in ((self.fast, FAST_HOURS), (self.slow, SLOW_HOURS)):
            average += np.where(known, (now - average) / hours, 0.0)

    STATE = (
        "left_micros", "exhausted_s", "exhausted", "spent_day_micros", "spent_total_micros", "revenue_micros", "fast",
        "slow", "shown",
    )

    def arrays(self) -> dict[str, np.ndarray]:
        """The state to resume from."""
        own = {name: getattr(self, name).copy() for name in (*self.STATE, "limit_micros")}
        return {**own, **self.spending.arrays(), **self.board.arrays(), **self.intelligence.arrays(),
                **self.pupils.arrays()}

    def final_rows(self) -> dict[str, Table]:
        """Rows written once, at a run's end."""
        return self.intelligence.rows(self.worlds)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take up a state given by `arrays`."""
        for name in self.STATE:
            setattr(self, name, arrays[name].copy())
        # A continued run may have more or less money: what is left changes with it.
        more = self.limit_micros - arrays["limit_micros"]
        self.left_micros = np.maximum(self.left_micros + more, 0)
        self.exhausted &= more <= 0
        self.spending.restore(arrays)
        self.board.restore(arrays)
        self.intelligence.restore(arrays)
        self.pupils.restore(arrays)


def _limits(model: Model, board: Board) -> Ints:
    """(worlds, accounts): every budget, rivals' as their world has drawn them."""
    limits = np.tile([account.limit_micros for account in model.accounts], (len(board.table), 1)).astype(np.int64)
    for place, account in enumerate(model.accounts):
        if account.advertiser != US:
            limits[:, place] = np.rint(limits[:, place] * board.cast.budget[:, account.advertiser - 1])
    return limits.reshape(len(board.table), len(model.accounts))
