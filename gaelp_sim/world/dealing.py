"""Two bidders in our seat, among whom the opportunities of one world are dealt out, as an experiment does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.events import Bids, Bools, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Bidder, Informed, Known, Moment, informed
from gaelp_sim.world.policies import from_outside

Deal = Callable[[Opportunities, Ints], Bools]
"""True where the second bidder acts, given the opportunities of a round and the users that we take their people for"""


def _nobody_yet(opportunities: Opportunities, user: Ints) -> Bools:
    raise BidderError("two bidders share our seat, and nobody has said among whom; set `deal` once the people are born")


@dataclass
class Dealt:
    """A bidder made of two. Both see everything that the advertiser sees; each acts only where it was dealt to.

    So what either remembers of a user goes on when the user passes from one to the other, as it would from one campaign's
    log. A user's notes are the first's, the second's, and how long either holds: what decides when two users become one.
    """

    first: Bidder
    second: Bidder
    deal: Deal = _nobody_yet
    _kept: list[tuple[Informed, slice, Known]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for bidder in (self.first, self.second):
            if from_outside(bidder):
                raise UsageError(
                    f"--policy {bidder.name}: an experiment deals users out before bidders are asked, which a bidder from "
                    "outside can't be told yet; try it alone, with gaelp run --policy"
                )

    @property
    def name(self) -> str:
        """Our own seat's."""
        return self.first.name

    @property
    def _informed(self) -> list[Informed | None]:
        return [informed(self.first), informed(self.second)]

    @property
    def sees_truth(self) -> bool:
        """Whether either does."""
        return any(one is not None and one.sees_truth for one in self._informed)

    @property
    def observes(self) -> bool:
        """Whether either does."""
        return any(one is not None and one.observes for one in self._informed)

    @property
    def notes(self) -> int:
        """Both's, and one more."""
        both = sum(self._widths)
        return both + 1 if both else 0

    @property
    def _widths(self) -> list[int]:
        return [one.notes if one is not None else 0 for one in self._informed]

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Refused: users are dealt out, and only a run knows them."""
        raise BidderError("a bidder made of two is dealt users, so it can only bid inside a run")

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """Each one's bids where it was dealt to."""
        self._kept, begin, answers = [], 0, []
        for bidder, knowing, width in zip((self.first, self.second), self._informed, self._widths, strict=True):
            if knowing is None:
                answers.append(bidder.bid(opportunities, moment))
                continue
            part = slice(begin, begin + width)
            own = _own(known, part)
            answers.append(knowing.bid_knowing(opportunities, moment, own))
            self._keep(known, own, part)
            self._kept.append((knowing, part, own))
            begin += width
        return _chosen(answers[0], answers[1], self.deal(opportunities, known.user))

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Both hear how the round has ended, whoever acted."""
        for knowing, part, before in self._kept:
            own = replace(before, on_list=known.on_list, truth=known.truth if knowing.sees_truth else None)
            knowing.note(opportunities, ended, own)
            self._keep(known, own, part)

    def _keep(self, known: Known, own: Known, part: slice) -> None:
        if part.stop == part.start:
            return
        # A user has one opportunity a round, so no row is written twice.
        known.notes[known.user, part] = own.notes
        known.notes[known.user, -1] = np.maximum(known.notes[known.user, -1], own.notes[:, -1])

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: bidders of our own house don't learn while they act."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


def _own(known: Known, part: slice) -> Known:
    """What one of the two is told: its own notes of the round's users, as rows of a table of their own."""
    notes: NDArray[np.float32] = known.notes[known.user, part] if part.stop > part.start else known.notes[:0, :0]
    user = np.arange(len(known.user)) if part.stop > part.start else known.user
    return replace(known, user=user, notes=np.ascontiguousarray(notes))


def _chosen(first: Bids, second: Bids, dealt: Bools) -> Bids:
    columns = {
        name: np.where(dealt, getattr(second, name), column).astype(column.dtype) for name, column in vars(first).items()
    }
    return Bids(**columns)
