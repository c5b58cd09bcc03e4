"""A run's worlds lived through again, dealt out: parts that need nobody else, lived wherever there are hands.

What comes back are counts of sales, person by person, so it does not matter how the parts were cut. Whole lives are dealt
out first, then worlds. Where there are fewer of both than hands, a world's copies are dealt out, too, each part beside the
whole world: that is then lived through several times, which is worth it where copies outnumber people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gaelp_sim.events import NONE, Bools, Ints
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.counterfactual import Copies, Lives, OnHour, Span, lived_through, worlds_of
from gaelp_sim.world.crew import Crew, Hands, shared_out
from gaelp_sim.world.shard import Task
from gaelp_sim.world.trial import Withheld

PIECE = 20_000
"""Copies of one world that may live apart from its others: with fewer, living through the world once more costs more."""
COPIES_MAX = 400_000
"""About so many copies live beside their worlds at once in one process."""
OnStep = Callable[[float], None]


@dataclass(frozen=True)
class Worlds:
    """The worlds of a run, as they are born."""

    task: Task
    span: Span
    edges: Ints
    """(worlds + 1,): the row of each world's first person, then the number of people"""


@dataclass(frozen=True)
class Life:
    """One time that the worlds are lived through."""

    copies: Copies
    withheld: Bools | None = None
    """(channels + 1,): channels of whose ads nobody in the worlds themselves is shown any; None for none"""


@dataclass(frozen=True)
class Part:
    """Some of the worlds, with some of the copies beside them."""

    task: Task
    span: Span
    life: Life
    """With rows counted from the first person of these worlds"""
    first: int
    """Which of the whole life's copies comes first"""


def all_lived(worlds: Worlds, lives: list[Life], hands: Hands, on_step: OnStep) -> list[Lives]:
    """Every life, worked out by `hands`; on_step: called with the share of the work done."""
    parts = [_dealt(worlds, life, len(lives), hands.crew) for life in lives]
    every = [part for some in parts for part in some]
    progress = _Progress(on_step, len(every), worlds.span.end_hour)
    answers = iter(_answers(every, hands, progress))
    return [_together(worlds, life, [(part, next(answers)) for part in some])
            for life, some in zip(lives, parts, strict=True)]


def lived(part: Part, on_hour: OnHour = lambda hour, rows: None) -> Lives:
    """A part, by itself."""
    shard, withheld = worlds_of(part.task), None
    if part.life.withheld is not None:
        people = shard.stack.people.size
        mask = np.broadcast_to(part.life.withheld, (people, len(part.life.withheld)))
        withheld = Withheld(mask, np.full(people, NONE, dtype=np.int64))
    return lived_through(shard, part.span, part.life.copies, on_hour, withheld)


class _Progress:
    """Parts done and hours of the present one, as a share of all."""

    def __init__(self, tell: OnStep, parts: int, hours: int) -> None:
        self.tell, self.parts, self.hours, self.done = tell, max(parts, 1), hours, 0

    def hour(self, hour: int, rows: object) -> None:
        """An hour of a part that is lived in this process has passed."""
        if hour % HOURS_PER_DAY == 0:
            self.tell((self.done + hour / self.hours) / self.parts)
        self.done += hour == self.hours

    def part(self) -> None:
        """A part has come back from elsewhere."""
        self.done += 1
        self.tell(self.done / self.parts)


def _answers(parts: list[Part], hands: Hands, progress: _Progress) -> list[Lives]:
    if hands.at_home(len(parts)):
        return [lived(part, progress.hour) for part in parts]
    answers = []
    for answer in hands.each(lived, parts):
        answers.append(answer)
        progress.part()
    return answers


def _dealt(worlds: Worlds, life: Life, lives: int, crew: Crew) -> list[Part]:
    """A life's parts: neighbouring pieces together, so that each hand gets about as many copies; whole where there are at
    least as many lives as hands, as an hour of all worlds at once takes less time than of each by itself.
    """
    pieces = _pieces(worlds, life)
    shares = max(-(-crew.shares(len(pieces) * lives) // lives), -(-len(life.copies.row) // COPIES_MAX))
    groups = [pieces[share.start : share.stop] for share in shared_out(range(len(pieces)), min(shares, len(pieces)))]
    return [_part(worlds, life, range(some[0][0], some[-1][0] + 1), slice(some[0][1], some[-1][2])) for some in groups]


def _pieces(worlds: Worlds, life: Life) -> list[tuple[int, int, int]]:
    """World, first copy and end of the copies of each piece: the same however many hands there are."""
    found = []
    ends = np.searchsorted(life.copies.row, worlds.edges).tolist()
    for world, (a, b) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        cuts = shared_out(range(a, b), max(-(-(b - a) // PIECE), 1))
        found += [(world, cut.start, cut.stop) for cut in cuts]
    return found


def _part(worlds: Worlds, life: Life, of: range, copies: slice) -> Part:
    place = replace(worlds.task.place, worlds=of)
    row, withheld = life.copies
    here = Copies(row[copies] - worlds.edges[of.start], Withheld(withheld.channels[copies], withheld.second[copies]))
    return Part(replace(worlds.task, place=place), worlds.span, replace(life, copies=here), copies.start)


def _together(worlds: Worlds, life: Life, parts: list[tuple[Part, Lives]]) -> Lives:
    sales = np.zeros(int(worlds.edges[-1]), dtype=np.int64)
    copies = np.zeros(len(life.copies.row), dtype=np.int64)
    for part, lives in parts:
        of = part.task.place.worlds
        sales[worlds.edges[of.start] : worlds.edges[of.stop]] = lives.sales
        copies[part.first : part.first + len(lives.copies)] = lives.copies
    return Lives(sales, copies)
