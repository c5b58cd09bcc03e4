"""Trials: a world lived through once more with some of our ads withheld, to see what they brought about.

An ad that is withheld leaves its place blank: the auction is held and won as before, nothing is shown and nothing charged.
Trials are of two kinds. The *leader* is a world by itself, with its controller. A *follower* holds copies of the leader's
people, each with ads of its own withheld, in the market as it was: the hour's orders are the leader's, and every account
ends at the very opportunity at which the leader's did. People's luck is keyed by who they are, so a copy of whom nothing is
withheld lives the same life to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gaelp_sim.events import NONE, US, Bools, Column, Ints, Proposals
from gaelp_sim.market.budgets import Spent
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.decisions import place_in_unit
from gaelp_sim.world.slots import Slots
from gaelp_sim.world.stack import Stack

NEVER_S = 2**62


class Withheld(NamedTuple):
    """What is withheld from whom."""

    channels: Bools
    """(people, channels + 1): all ads on the channel; the last is e-mail"""
    second: Ints
    """(people,): the one ad of this second, NONE for none"""

    def hits(self, row: Ints, second: Ints, channel: Column) -> Bools:
        """Which ads are withheld: (n,)."""
        return self.channels[row, channel] | (self.second[row] == second)

    @staticmethod
    def nothing(people: int, channels: int) -> Withheld:
        """From nobody."""
        return Withheld(np.zeros((people, channels + 1), dtype=np.bool_), np.full(people, NONE, dtype=np.int64))


@dataclass
class CutOffs:
    """Where in an hour each account ended, as places in clearing order; past the hour's end where it did not."""

    account: Ints
    """(units, accounts)"""
    mail: Ints
    """(units,): the first e-mail that could not be paid"""

    @staticmethod
    def none(units: int, accounts: int) -> CutOffs:
        """All accounts last."""
        return CutOffs(np.full((units, accounts), NEVER_S), np.full(units, NEVER_S))


def place(number: int, second: Ints, person: Ints) -> Ints:
    """A place in an hour's clearing order (round, second, person) as one integer."""
    return number << 44 | second % SECONDS_PER_HOUR << 32 | person


@dataclass
class Trial:
    """What is done differently in one stack."""

    withheld: Withheld
    silent_from_s: int = NEVER_S
    """From then on we bid for nobody and send no e-mail; rivals go on"""
    follows: bool = False
    cuts: CutOffs = field(default_factory=lambda: CutOffs.none(0, 0))
    """The hour's: written by a leader, obeyed by a follower"""
    sold: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)
    """Sales decided so far: rows, seconds, advertisers"""
    _number: int = 0
    _dropped: Bools = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))
    _bids: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    def begin_hour(self, stack: Stack) -> None:
        """A leader's accounts last until one of them ends."""
        if not self.follows:
            self.cuts = CutOffs.none(*stack.budgets.dropped.shape)

    def hold_back(self, stack: Stack, number: int, slots: Slots, bids: Ints) -> None:
        """Take back bids of ours after our silence has begun, and of accounts that had ended for the leader."""
        one = slots.opportunities
        bids[US][one.second >= self.silent_from_s] = 0
        self._number, self._dropped = number, stack.budgets.dropped.copy()
        if not self.follows:
            self._bids = bids.copy()
            return
        here = place(number, one.second, stack.people.person[one.row].astype(np.int64))
        for account, advertiser in enumerate(stack.budgets.advertiser):
            ended = here >= self.cuts.account[one.unit, account]
            bids[advertiser][ended & stack.budgets.covers[account][one.channel]] = 0

    def blank(self, slots: Slots) -> Bools:
        """Where an ad of ours, if it wins, is withheld."""
        one = slots.opportunities
        return self.withheld.hits(one.row, one.second, one.channel)

    def blanked(self, stack: Stack, slots: Slots, bids: tuple[Ints, Ints], spent: Spent) -> Spent:
        """The outcome as people meet it; to us a withheld ad is an auction that we did not enter.

        bids: ours as wanted, which are taken back where withheld; everybody's after clearing
        """
        wanted, after = bids
        if not self.follows:
            self._note_cuts(stack, slots, after)
        blank = self.blank(slots)
        wanted[blank] = 0
        ours = (spent.winner == US) & blank
        return spent._replace(
            winner=np.where(ours, NONE, spent.winner).astype(spent.winner.dtype),
            price_micros=np.where(ours, 0, spent.price_micros),
        )

    def _note_cuts(self, stack: Stack, slots: Slots, after: Ints) -> None:
        """Note the opportunities at which accounts have just ended."""
        budgets, one = stack.budgets, slots.opportunities
        for unit, account in np.argwhere(budgets.dropped & ~self._dropped).tolist():
            # The one that broke it is the first of that second at which its owner's bid has been struck out.
            owner = budgets.advertiser[account]
            at = np.flatnonzero(
                (one.unit == unit) & (one.second == budgets.exhausted_s[unit, account])
                & budgets.covers[account][one.channel] & (self._bids[owner] > 0) & (after[owner] == 0)
            )
            person = stack.people.person[one.row[at]].astype(np.int64)
            self.cuts.account[unit, account] = place(self._number, one.second[at], person).min()

    def mails(self, stack: Stack, due: Proposals) -> Proposals:
        """The e-mails that are sent as far as this trial goes."""
        moment = np.maximum(stack.now_s[due.row], due.second)
        keep = ~self.withheld.hits(due.row, moment, np.full(len(due), stack.model.channels))
        keep &= due.second < self.silent_from_s
        if self.follows:
            keep &= self._mail_places(stack, due) < self.cuts.mail[stack.people.unit[due.row]]
        return due if keep.all() else Proposals(**due.take(np.flatnonzero(keep)))

    def note_mails(self, stack: Stack, due: Proposals, sent: int) -> None:
        """A leader's money has ended with its last e-mail; e-mails go out in the order of `due`, as far as it reaches."""
        if self.follows or sent == len(due):
            return
        unit, places = stack.people.unit[due.row].astype(np.int64), self._mail_places(stack, due)
        paid = stack.spent_micros[:, US, -1] // stack.model.email_cost_micros
        refused = np.flatnonzero(place_in_unit(unit, stack.units) >= paid[unit])
        np.minimum.at(self.cuts.mail, unit[refused], places[refused])

    def _mail_places(self, stack: Stack, due: Proposals) -> Ints:
        return place(0, due.second, stack.people.person[due.row].astype(np.int64))
