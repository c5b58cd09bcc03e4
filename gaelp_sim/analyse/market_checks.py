"""The simulator's auctions held against theory and definition, check by check: `gaelp verify market`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gaelp_sim.analyse.market_books import RowHash, book_checks, luck_checks, repeat_check, row_hash_with
from gaelp_sim.analyse.market_lab import Check, Lab
from gaelp_sim.analyse.market_learners import learner_checks
from gaelp_sim.analyse.market_revenue import revenue_checks
from gaelp_sim.analyse.market_rivals import rival_checks
from gaelp_sim.analyse.market_slots import slot_checks
from gaelp_sim.draws import Draws

SUBJECTS: tuple[Callable[[Lab], Iterator[Check]], ...] = (
    revenue_checks, slot_checks, book_checks, learner_checks, rival_checks, luck_checks,
)


def check_market(auctions: int, seed: int) -> list[Check]:
    """All checks on so many auctions (averages), with the luck of a seed; some simulate a small world twice."""
    return list(checks_of(Lab(auctions, Draws(seed)), row_hash_with(seed)))


def checks_of(lab: Lab, row_hash: RowHash) -> Iterator[Check]:
    """All checks of a lab's auctions; row_hash: by the number of workers."""
    for subject in SUBJECTS:
        yield from subject(lab)
    yield repeat_check(row_hash)
