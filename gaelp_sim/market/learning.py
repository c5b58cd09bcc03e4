"""Rivals that learn, from what an advertiser sees: its own bids, wins, prices, clicks and sales.

Inside a cell a round's outcomes are added up as `Lessons`, integers only; once an hour the world's sums, taken in cell
order, change the seats' states (`learn`), from which the next hour's `Book` of bids is made. What a seat learns:

- which multiple of its value to bid, by channel: a Q-learner, a policy gradient, or a value learner that shades;
- what a click is worth, by signal (value learner), from the sales that follow its clicks;
- to bid harder for people in a crisis after losing more of them than it is used to (all that adapt);
- the price of its budget (all that have one), by dual pacing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.market.auction import Codes
from gaelp_sim.market.cast import Strategy
from gaelp_sim.market.rivals import ACTIONS, TRUTHFUL, WHOLE, Book, action_of
from gaelp_sim.units import PPM

_Q, _GRADIENT, _VALUE = int(Strategy.Q_LEARNING), int(Strategy.POLICY_GRADIENT), int(Strategy.VALUE)
SEEN, WON, SURPLUS = range(3)
"""What lessons tell of an action: auctions entered, won, and value less price of the wins in ppm of the seat's level."""
CLICKS, SALES = range(2)
RATIO_MAX = 1000.0
"""A surplus counts as at most this many levels, so that sums stay small."""

EXPLORES = 0.1
"""Share of auctions in which a Q-learner or value learner tries another action."""
SAMPLES_MAX = 2000.0
"""A learner's estimates lean on about this many latest auctions of an action."""
DISCOUNT = 0.5
GRADIENT_STEP = 2.0
GRADIENT_FLOOR = 0.05
"""Share of auctions in which a policy gradient picks evenly, whatever it has learned."""
PREFERENCE_SPREAD = 0.35
"""A policy gradient begins with preferences around the true value, this wide in logs."""
AGGRESSION_STEP = 0.1
AGGRESSION_MAX = 1.5
CALM = 0.5 ** (1.0 / 6.0)
"""Aggression halves its distance to 1 in six hours."""
FADING = 0.5 ** (1.0 / 12.0)
"""What is lost lately fades by half in twelve hours."""
USUAL_HOURS = 168.0
VALUE_PRIOR_CLICKS = 30.0
"""A value learner trusts its own sales as much as what it believed after this many clicks."""
VALUE_BOUNDS = (1.0 / 3.0, 2.0)


class Lessons(NamedTuple):
    """What the seats of each unit learned in an hour: int64, additive over rounds and cells."""

    actions: Ints
    """(units, rivals, channels, ACTIONS, 3): SEEN, WON, SURPLUS"""
    crises: Ints
    """(units, rivals, 2): SEEN and WON among people in a crisis"""
    clicks: Ints
    """(units, rivals, signals, 2): CLICKS, and SALES reported that followed a click"""

    @staticmethod
    def none(units: int, seats: tuple[int, int, int]) -> Lessons:
        """No lessons; seats: (rivals, channels, signals)."""
        rivals, channels, signals = seats
        return Lessons(
            np.zeros((units, rivals, channels, len(ACTIONS), 3), dtype=np.int64),
            np.zeros((units, rivals, 2), dtype=np.int64), np.zeros((units, rivals, signals, 2), dtype=np.int64),
        )


class Offered(NamedTuple):
    """A round as the seats met it: (n,) columns."""

    unit: Ints
    channel: Codes
    signal: Codes
    luck: Words
    """(rivals, n)"""
    bid_micros: Ints
    """(bidders, n), 0 where a budget kept a bidder out"""
    winner: Codes
    """(slots, n)"""
    price_micros: Ints
    clicked: Bools


class Seats(NamedTuple):
    """What seats know of themselves and of the hour."""

    multiples: Floats
    book: Book
    worth_micros: Floats
    """(units, rivals, signals): the level of their values"""
    factor: Floats
    """(units,): the hour's market level"""
    crisis: Bools
    """(signals,)"""
    slot_worth_ppm: Ints
    """(channels, slots): worth of a slot relative to the top one"""


@compiled
def add_lessons(lessons: Lessons, seats: Seats, offered: Offered) -> None:
    """Add what a round taught each seat."""
    for rival in range(offered.luck.shape[0]):
        for i in range(len(offered.unit)):
            if offered.bid_micros[rival + 1, i] <= 0:
                continue
            unit, channel, signal = offered.unit[i], offered.channel[i], offered.signal[i]
            luck = offered.luck[rival, i]
            slot = _slot_of(offered, rival + 1, i)
            level = seats.worth_micros[unit, rival, signal] * seats.factor[unit]
            surplus = np.int64(0)
            if slot >= 0:
                value = seats.multiples[seats.book.table[unit, rival], luck >> np.uint32(16)]
                gain = (value - offered.price_micros[slot, i] / max(level, 1.0)) * seats.slot_worth_ppm[channel, slot] / PPM
                surplus = np.int64(min(max(gain, -RATIO_MAX), RATIO_MAX) * PPM)
                lessons.clicks[unit, rival, signal, CLICKS] += offered.clicked[slot, i]
            action = action_of(seats.book, unit, rival, channel, luck) if seats.book.picks[unit, rival] else TRUTHFUL
            lessons.actions[unit, rival, channel, action, SEEN] += 1
            lessons.actions[unit, rival, channel, action, WON] += slot >= 0
            lessons.actions[unit, rival, channel, action, SURPLUS] += surplus
            if seats.crisis[signal]:
                lessons.crises[unit, rival, SEEN] += 1
                lessons.crises[unit, rival, WON] += slot >= 0


@inlined
def _slot_of(offered: Offered, bidder: int, i: int) -> int:
    """The slot that a bidder won, -1 for none."""
    for slot in range(len(offered.winner)):
        if offered.winner[slot, i] == bidder:
            return slot
    return -1


class Minds(NamedTuple):
    """What the seats of each world have learned: (worlds, rivals, ...) float64; plain arrays, stored as they are."""

    worth: Floats
    """(.., channels, ACTIONS): value of each action (Q-learner, value learner) or preference for it (policy gradient)"""
    samples: Floats
    """(.., channels, ACTIONS): how many auctions that estimate leans on"""
    baseline: Floats
    """(.., channels): mean surplus an auction (policy gradient)"""
    click_value: Floats
    """(.., signals): what a click is worth, as a multiple of what the seat believed at first (value learner)"""
    clicks: Floats
    """(.., signals)"""
    sales: Floats
    """(.., signals)"""
    aggression: Floats
    """(..): factor on bids for people in a crisis, 1..AGGRESSION_MAX"""
    recent: Floats
    """(.., 2): such auctions SEEN and WON lately, fading"""
    usual_loss: Floats
    """(..): share of auctions for people in a crisis that it is used to lose"""
    hours: Floats
    """(..): hours it has learned; 0: it bids its values"""

    @staticmethod
    def fresh(worlds: int, seats: tuple[int, int, int]) -> Minds:
        """Nothing learned; seats: (rivals, channels, signals)."""
        rivals, channels, signals = seats
        actions = (worlds, rivals, channels, len(ACTIONS))
        by_signal, alone = (worlds, rivals, signals), (worlds, rivals)
        return Minds(
            np.zeros(actions), np.zeros(actions), np.zeros(actions[:-1]), np.ones(by_signal), np.zeros(by_signal),
            np.zeros(by_signal), np.ones(alone), np.zeros((*alone, 2)), np.full(alone, rivals / (rivals + 1.0)),
            np.zeros(alone),
        )


class Nature(NamedTuple):
    """What seats are, whatever they learn."""

    strategy: Ints
    """(worlds, rivals)"""
    learns: Bools
    """(worlds, rivals)"""
    adapts: Bools
    """(worlds, rivals): grows aggressive after losses"""
    truthful: Bools
    """(channels,): bidding the value is best there, whatever the others do"""
    click_worth: Floats
    """(worlds, rivals, signals): the first belief of a click's worth, as sales per click"""


def learn(minds: Minds, nature: Nature, lessons: Lessons) -> None:
    """Change the minds, in place, by an hour's lessons summed over each world's cells."""
    _learn(minds, nature, lessons)


@compiled
def _learn(minds: Minds, nature: Nature, lessons: Lessons) -> None:
    for world in range(minds.hours.shape[0]):
        for rival in range(minds.hours.shape[1]):
            if nature.adapts[world, rival]:
                _grow_aggressive(minds, world, rival, lessons.crises[world, rival])
            if not nature.learns[world, rival]:
                continue
            strategy = nature.strategy[world, rival]
            if strategy == _GRADIENT and minds.hours[world, rival] == 0.0:
                _prefer_truth(minds.worth[world, rival])
            minds.hours[world, rival] += 1.0
            for channel in range(minds.worth.shape[2]):
                told = lessons.actions[world, rival, channel]
                worth = minds.worth[world, rival, channel]
                if strategy == _GRADIENT:
                    _climb(worth, minds.baseline[world, rival, channel : channel + 1], told)
                else:
                    discount = DISCOUNT if strategy == _Q else 0.0
                    _average(worth, minds.samples[world, rival, channel], told, discount)
            if strategy == _VALUE:
                _value_clicks(minds, nature, (world, rival), lessons.clicks[world, rival])


@inlined
def _grow_aggressive(minds: Minds, world: int, rival: int, crises: Ints) -> None:
    """A tenth more after an hour with people in a crisis while clearly more than usual are being lost; it calms down again.

    Clearly: by one standard deviation of what has been lost lately, or whoever is used to losing would be angry every
    other hour.
    """
    aggression = 1.0 + (minds.aggression[world, rival] - 1.0) * CALM
    recent, usual = minds.recent[world, rival], minds.usual_loss[world, rival]
    recent *= FADING
    recent += crises
    if crises[SEEN] > 0:
        lost = recent[SEEN] - recent[WON]
        if lost > usual * recent[SEEN] + np.sqrt(usual * (1.0 - usual) * recent[SEEN]):
            aggression += AGGRESSION_STEP
        minds.usual_loss[world, rival] += ((crises[SEEN] - crises[WON]) / crises[SEEN] - usual) / USUAL_HOURS
    minds.aggression[world, rival] = min(aggression, AGGRESSION_MAX)


@inlined
def _prefer_truth(worth: Floats) -> None:
    for channel in range(worth.shape[0]):
        for action in range(worth.shape[1]):
            worth[channel, action] = -((np.log(ACTIONS[action]) / PREFERENCE_SPREAD) ** 2) / 2.0


@inlined
def _average(worth: Floats, samples: Floats, told: Ints, discount: float) -> None:
    """Q-learning with a step of one over the samples: Q(a) moves to the mean surplus + discount x the best Q."""
    best = worth.max()
    for action in range(len(worth)):
        n = told[action, SEEN]
        if n > 0:
            target = told[action, SURPLUS] / n / PPM + discount * best
            samples[action] = min(samples[action] + n, max(SAMPLES_MAX, n))
            worth[action] += n / samples[action] * (target - worth[action])


@inlined
def _climb(preference: Floats, baseline: Floats, told: Ints) -> None:
    """REINFORCE with a baseline, averaged over the hour's auctions (Williams, 1992)."""
    n, total = 0, 0.0
    for action in range(len(preference)):
        n += told[action, SEEN]
        total += told[action, SURPLUS] / PPM
    if n == 0:
        return
    share = softmax(preference)
    advantage = total - baseline[0] * n
    for action in range(len(preference)):
        own = told[action, SURPLUS] / PPM - baseline[0] * told[action, SEEN]
        preference[action] += GRADIENT_STEP / n * (own - share[action] * advantage)
    baseline[0] += min(n / SAMPLES_MAX, 1.0) * (total / n - baseline[0])


@inlined
def softmax(preference: Floats) -> Floats:
    """Probabilities of actions with these preferences."""
    share = np.exp(preference - preference.max())
    return share / share.sum()


@inlined
def _value_clicks(minds: Minds, nature: Nature, at: tuple[int, int], told: Ints) -> None:
    """What a click is worth: own sales per click, shrunk towards the first belief."""
    world, rival = at
    for signal in range(told.shape[0]):
        minds.clicks[world, rival, signal] += told[signal, CLICKS]
        minds.sales[world, rival, signal] += told[signal, SALES]
        believed = nature.click_worth[world, rival, signal]
        if believed > 0.0:
            clicks = minds.clicks[world, rival, signal] + VALUE_PRIOR_CLICKS
            found = (minds.sales[world, rival, signal] + believed * VALUE_PRIOR_CLICKS) / clicks
            minds.click_value[world, rival, signal] = min(max(found / believed, VALUE_BOUNDS[0]), VALUE_BOUNDS[1])


@compiled
def policies(minds: Minds, nature: Nature, cut: Ints) -> None:
    """Write each seat's policy into `cut` (worlds, rivals, channels, ACTIONS): cumulative, in parts of WHOLE.

    A seat that may not learn (any more) no longer explores.
    """
    actions = len(ACTIONS)
    for world in range(minds.hours.shape[0]):
        for rival in range(minds.hours.shape[1]):
            strategy, explores = nature.strategy[world, rival], nature.learns[world, rival]
            for channel in range(minds.worth.shape[2]):
                even = GRADIENT_FLOOR if strategy == _GRADIENT else EXPLORES
                share = np.full(actions, even / actions if explores else 0.0)
                rest = 1.0 - even if explores else 1.0
                if strategy == _GRADIENT:
                    share += rest * softmax(minds.worth[world, rival, channel])
                else:
                    share[_greedy(minds, nature, (world, rival), channel)] += rest
                total = 0.0
                for action in range(actions - 1):
                    total += share[action]
                    cut[world, rival, channel, action] = np.int64(total * WHOLE + 0.5)
                cut[world, rival, channel, actions - 1] = WHOLE


@inlined
def _greedy(minds: Minds, nature: Nature, at: tuple[int, int], channel: int) -> int:
    """The best action as far as known; the value itself where nothing is better, or where a value learner knows so."""
    world, rival = at
    if nature.strategy[world, rival] == _VALUE and nature.truthful[channel]:
        return TRUTHFUL
    worth, best = minds.worth[world, rival, channel], TRUTHFUL
    for action in range(len(worth)):
        if worth[action] > worth[best] and minds.samples[world, rival, channel, action] > 0.0:
            best = action
    return best


def scale_micros(minds: Minds, own_level: Floats, crisis: NDArray[np.bool_], pace: Floats) -> tuple[Floats, Floats]:
    """Levels of values and of bids, (worlds, rivals, signals) each.

    own_level: before anything was learned; pace: (worlds, rivals), the budget's factor
    """
    worth = own_level * minds.click_value
    pushed = np.where(crisis, minds.aggression[:, :, None], 1.0)
    return worth, worth * pushed * pace[:, :, None]
