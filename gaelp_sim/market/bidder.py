"""The bidder protocol: one for us and for rivals, on columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Words
from gaelp_sim.errors import BidderError
from gaelp_sim.events import NONE, Bids, Bools, Column, Floats, Ints, Opportunities, Outcomes, Statistics

BID_MICROS_MAX = 10**10
"""No bid above 10,000 units of money per click (or per thousand): scores stay inside 64 bits."""
_LEVEL_MAX = 2**15 - 1


@dataclass(frozen=True)
class Moment:
    """What every bidder may know of an hour besides the opportunities themselves."""

    hour: int
    """Hours since the root run's start."""
    local_hour: int
    price_factor: Floats
    """(units,): market level of the hour, 1 on average"""
    luck: Words
    """(n,): this bidder's own word for each opportunity"""
    returning: Bools
    """(n,): True where we recognise a user who has clicked our ads (ours alone; all False for rivals)"""
    multiplier_ppm: Ints
    """(units, channels): our bid sheet's pacing multiplier (ours alone; PPM for rivals)"""
    participate_ppm: Ints
    """(units, channels): share of opportunities that our bid sheet takes part in (ours alone; PPM for rivals)"""
    recent: NDArray[np.float32] = field(default_factory=lambda: np.zeros((2, 0), dtype=np.float32))
    """(2, n): looks at each family of our creatives that have not worn off, as we reckon; (2, 0) where nobody rotates"""
    creative: NDArray[np.int16] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int16))
    """(units, signals): our controller's creative of the hour; no columns where it picks none"""
    sheet_micros: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """(units, signals): what an agent from outside bids this hour; no columns where none does"""


class Bidder(Protocol):
    """Whoever bids. `bid` and `observe` run inside a cell, `update` once an hour for its world."""

    @property
    def name(self) -> str:
        """Who bids."""
        ...

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Bids for a round, without changing the arguments."""
        ...

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """What this bidder learns from its own outcomes, additive over cells."""
        ...

    def update(self, statistics: Statistics) -> None:
        """Learn from an hour's statistics, summed in cell order."""
        ...


@dataclass(frozen=True)
class Truth:
    """What people are, as no advertiser ever sees it: (n,) columns of a round's opportunities."""

    segment: Column
    stage: Column
    level: Column
    """(levels, n): goodwill, rivals' goodwill, tiredness of both families"""
    decided: Bools
    """Has decided to buy, and has not paid yet or is gone"""


@dataclass(frozen=True)
class Known:
    """What a bidder of our own house may know of a round's people beyond what an outsider is told."""

    user: Ints
    """(n,): whom we take them for: rows of `notes`"""
    on_list: Bools
    """(n,): on our e-mail list"""
    notes: NDArray[np.float32]
    """(users, notes): what the bidder keeps of each user. The last column tells until when it holds, 0 for nothing known"""
    truth: Truth | None
    """For those that see the truth"""
    observation: NDArray[np.float32] | None = None
    """(n, 41), for those that observe: the features of `observe/`, the advertiser's own estimates where they are latent"""


class Informed(Bidder, Protocol):
    """A bidder of our own house that keeps notes of users, or sees the truth (an oracle, for comparison alone)."""

    sees_truth: bool
    observes: bool
    notes: int
    """Floats kept of each user"""

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """Bids for a round, without changing the arguments."""
        ...

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Write the round's outcomes into the notes, in place."""
        ...


def informed(bidder: Bidder) -> Informed | None:
    """The bidder, where it is an informed one."""
    return cast(Informed, bidder) if hasattr(bidder, "bid_knowing") else None


def checked_bids(name: str, bids: Bids, n: int) -> Ints:
    """The bids as int64 micros, or a BidderError that names bidder, value and rule; their range is checked together."""
    value = np.asarray(bids.bid_micros)
    if value.shape != (n,):
        raise BidderError(f"bidder {name}: bids have shape {value.shape}; one bid per opportunity ({n}) is needed")
    if not np.issubdtype(value.dtype, np.integer):
        such = f", such as {value[0]}" if n else ""
        raise BidderError(f"bidder {name}: bids are {value.dtype}{such}; integer micros are needed")
    if value.dtype == np.uint64 and n and value.max() > BID_MICROS_MAX:
        raise BidderError(f"bidder {name}: bid {value.max()} micros; bids lie in 0..{BID_MICROS_MAX}")
    return value.astype(np.int64, copy=False)


def checked_answer(name: str, bids: object, n: int, creatives: int) -> Bids:
    """A stranger's whole answer, in the types of `Bids`, or a BidderError that names bidder, value and rule."""
    missing = [column for column in Bids.__annotations__ if not hasattr(bids, column)]
    if missing:
        what = f"a {type(bids).__name__} without {', '.join(missing)}"
        raise BidderError(f"bidder {name}: bid returned {what}; return gaelp_sim.events.Bids")
    answer = cast(Bids, bids)
    bid = checked_bids(name, answer, n)
    check_all(bid.reshape(1, -1), [name])
    level = _checked_codes(f"bidder {name}: level", answer.level, n, _LEVEL_MAX)
    creative = _checked_codes(f"bidder {name}: creative", answer.creative, n, creatives - 1)
    propensity = np.asarray(answer.propensity)
    if propensity.shape != (n,) or not np.issubdtype(propensity.dtype, np.floating):
        found = f"{propensity.dtype} of shape {propensity.shape}"
        raise BidderError(f"bidder {name}: propensity is {found}; one float per opportunity ({n}) is needed")
    likely = (propensity > 0) & (propensity <= 1)
    if not likely.all():
        raise BidderError(f"bidder {name}: propensity {propensity[~likely][0]}; what was chosen had a chance in (0, 1]")
    return Bids(bid.copy(), level, creative, propensity.astype(np.float64))


def _checked_codes(what: str, column: object, n: int, most: int) -> NDArray[np.int16]:
    codes = np.asarray(column)
    if codes.shape != (n,) or not np.issubdtype(codes.dtype, np.integer):
        raise BidderError(f"{what} is {codes.dtype} of shape {codes.shape}; one integer per opportunity ({n}) is needed")
    if n and (codes.min() < NONE or codes.max() > most):
        worst = codes.min() if codes.min() < NONE else codes.max()
        raise BidderError(f"{what} {worst}; it lies in 0..{most}, {NONE} for none")
    return codes.astype(np.int16)


def check_all(bids: Ints, names: Sequence[str]) -> None:
    """Refuse bids outside 0..BID_MICROS_MAX: (bidders, n), one row a name."""
    if bids.size and (bids.min() < 0 or bids.max() > BID_MICROS_MAX):
        bidder = int(np.argmax(((bids < 0) | (bids > BID_MICROS_MAX)).any(axis=1)))
        worst = bids[bidder].min() if bids[bidder].min() < 0 else bids[bidder].max()
        raise BidderError(f"bidder {names[bidder]}: bid {worst} micros; bids lie in 0..{BID_MICROS_MAX}")
