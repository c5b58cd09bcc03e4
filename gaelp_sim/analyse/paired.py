"""Two lives of the same worlds held against each other: differences by household or world, and the people for whom
things came out otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gaelp_sim.analyse.clusters import Sums, clusters_of, summed
from gaelp_sim.analyse.estimates import Z_95
from gaelp_sim.analyse.life_sums import Life, channel_credits, life_of
from gaelp_sim.events import Floats, Ints
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import MICROS_PER_UNIT


@dataclass(frozen=True)
class Difference:
    """A figure in the stored run and in the replay; low and high bound the 95 % interval of the difference."""

    figure: str
    group: str
    """`all`, a channel's name or a segment's"""
    stored: float | None
    replayed: float | None
    difference: float | None
    low: float | None
    high: float | None


class Sides(NamedTuple):
    """What a figure sums over, by cluster: (clusters,) above, and below where it is a ratio."""

    above: Sums
    below: Sums | None = None

    @property
    def value(self) -> float | None:
        """The figure; None for a ratio over nothing."""
        if self.below is None:
            return float(self.above.sum())
        whole = float(self.below.sum())
        return float(self.above.sum()) / whole if whole > 0 else None

    def influence(self) -> Sums:
        """(clusters,): how much each cluster moves the figure: its part of a sum, or of the ratio's linear expansion."""
        if self.below is None:
            return self.above
        ratio = self.value
        return (self.above - (ratio or 0.0) * self.below) / max(float(self.below.sum()), 1e-300)


def difference(figure: str, group: str, stored: Sides, replayed: Sides) -> Difference:
    """Replayed less stored; both lives' clusters are the same people, so luck that they share cancels.

    Clusters are drawn alike: the variance of a sum is their number times that of one; ratios are linear in small parts.
    Source: the delta method, Cochran (1977), section 6.
    """
    one, two = stored.value, replayed.value
    if one is None or two is None:
        return Difference(figure, group, one, two, None, None, None)
    moved = replayed.influence() - stored.influence()
    n = len(moved)
    half = Z_95 * float(np.sqrt(n * moved.var(ddof=1))) if n > 1 else float("inf")
    return Difference(figure, group, one, two, two - one, two - one - half, two - one + half)


@dataclass(frozen=True)
class Pairing:
    """A stored run beside its replay."""

    figures: list[Difference]
    channels: list[Difference]
    segments: list[Difference]
    variance_saved: float | None
    """Variance of the difference of profits between two runs of other people, over that of the pair; None without luck"""
    clusters: int


def paired_runs(store: Store, origin: RunRecord, run: RunRecord) -> tuple[Pairing, int]:
    """Compare a stored run with its replay, in the worlds that both have; how many people's outcomes changed.

    The changed people are kept beside the replay, in table `replay_change`.
    """
    lives = [life_of(store, one, run.worlds) for one in (origin, run)]
    found = changes(*lives)
    store.add_analysis(run, {"replay_change": found}, replacing={})
    return paired(*lives), len(found["why"])


def paired(stored: Life, replayed: Life) -> Pairing:
    """Compare two lives of the same people."""
    cluster, count = clusters_of(stored.person >> 32, stored.household)
    lives = (stored, replayed)
    sides = [_figures(life, cluster, count) for life in lives]
    figures = [difference(name, "all", *(side[name] for side in sides)) for name in sides[0]]
    profits = [side["profit_usd"].above for side in sides]
    apart, together = sum(float(part.var()) for part in profits), float((profits[1] - profits[0]).var())
    return Pairing(
        [*figures, *_whole(stored, replayed)], _by_channel(lives, cluster, count), _by_segment(lives, cluster, count),
        apart / together if together > 0 else None, count,
    )


def _figures(life: Life, cluster: Ints, count: int) -> dict[str, Sides]:
    def added(column: Floats | Ints) -> Sums:
        return summed(cluster, count, column)

    spend, value = added(life.cost_micros) / MICROS_PER_UNIT, added(life.value_micros) / MICROS_PER_UNIT
    sales, paid = added(life.sales), added(life.paid_sales)
    return {
        "profit_usd": Sides(value - spend), "conversions": Sides(sales), "spend_usd": Sides(spend),
        "cac_blended_usd": Sides(spend, sales), "cac_paid_usd": Sides(spend, paid), "roas": Sides(value, spend),
        "impressions": Sides(added(life.impressions)), "clicks": Sides(added(life.clicks)),
        "journey_days_mean": Sides(added(life.journey_days), paid),
    }


def _whole(stored: Life, replayed: Life) -> list[Difference]:
    """Figures that are known of whole runs alone: without intervals."""
    found = []
    for name in ("cac_incremental_usd", "win_rate"):
        one, two = (getattr(life, name) for life in (stored, replayed))
        gap = None if one is None or two is None else two - one
        found.append(Difference(name, "all", one, two, gap, None, None))
    return found


def _by_channel(lives: tuple[Life, Life], cluster: Ints, count: int) -> list[Difference]:
    found = []
    credits = [channel_credits(life, cluster, count) for life in lives]
    for code, name in enumerate(lives[0].channels):
        if not any((life.touch_channel == code).any() for life in lives):
            continue
        for figure in ("spend_usd", "impressions", "clicks"):
            found.append(difference(figure, name, *(
                Sides(summed(cluster[life.touch_row], count, life.touch_figure(figure, code))) for life in lives
            )))
        found.append(difference("conversions_linear", name, *(Sides(credit[code]) for credit in credits)))
    return [one for one in found if one.stored or one.replayed]


def _by_segment(lives: tuple[Life, Life], cluster: Ints, count: int) -> list[Difference]:
    found = []
    for code, name in enumerate(lives[0].segments):
        here = lives[0].segment == code
        sides = [_figures(life.of(here), cluster, count) for life in lives]
        for figure in ("profit_usd", "conversions", "spend_usd", "cac_blended_usd"):
            found.append(difference(figure, name, *(side[figure] for side in sides)))
    return found


def changes(stored: Life, replayed: Life) -> dict[str, Ints | list[str]]:
    """Rows of table `replay_change`: people to whom we sold more or less often in the replay, and how touches differ."""
    row = np.flatnonzero(stored.sales != replayed.sales)
    second, channel = _first_difference(stored, replayed, row)
    clicks, seen = (getattr(replayed, name)[row] - getattr(stored, name)[row] for name in ("clicks", "impressions"))
    why = [_why(*told) for told in zip(clicks.tolist(), seen.tolist(), (second >= 0).tolist(), strict=True)]
    found: dict[str, Ints | list[str]] = {
        "world_id": stored.person[row] >> 32, "person_id": stored.person[row] & 0xFFFFFFFF,
        "first_difference_s": second, "channel": channel, "why": why,
    }
    for when, life in (("before", stored), ("after", replayed)):
        found |= {
            f"sales_{when}": life.sales[row], f"bought_{when}": life.bought_from[row],
            f"impressions_{when}": life.impressions[row], f"clicks_{when}": life.clicks[row],
            f"cost_{when}_micros": life.cost_micros[row],
        }
    return found


def _why(clicks: int, impressions: int, differ: bool) -> str:
    """How our touches differ, in words.

    >>> _why(1, 4, True), _why(0, -2, True), _why(0, 0, False)
    ('1 click more', '2 impressions fewer', 'the same touches of ours: rivals made the difference')
    """
    for count, name in ((clicks, "click"), (impressions, "impression")):
        if count:
            return f"{abs(count)} {name}{'s' if abs(count) > 1 else ''} {'more' if count > 0 else 'fewer'}"
    if differ:
        return "as many touches of ours, other ones"
    return "the same touches of ours: rivals made the difference"


def _first_difference(stored: Life, replayed: Life, rows: Ints) -> tuple[Ints, Ints]:
    """(rows,) each: second and channel of the first touch of ours that is in one life alone; -1 where there is none."""
    keys = []
    for life in (stored, replayed):
        of = np.isin(life.touch_row, rows)
        keys.append(np.stack([life.touch_row[of], life.touch_s[of], life.touch_channel[of], life.touch_creative[of],
                              life.touch_clicked[of]]))
    every, times = np.unique(np.concatenate(keys, axis=1), axis=1, return_counts=True)
    alone = every[:, times == 1]
    who, first = np.unique(alone[0], return_index=True)  # sorted by row, then second: the first of each is the earliest
    second, channel = np.full(len(rows), -1, dtype=np.int64), np.full(len(rows), -1, dtype=np.int64)
    at = np.searchsorted(rows, who)
    second[at], channel[at] = alone[1][first], alone[2][first]
    return second, channel
