"""Small stand-ins for the kernels of peers that don't install beside us, written from their published behaviour.

They leave out what the peers spend around their kernels (objects, data frames, logs), so they are faster than the peers
themselves: a ratio against them is the modest one.
"""

from __future__ import annotations

import math

import numpy as np
import simpy

from gaelp_sim.events import Floats, Ints

AGENTS, ENTRANTS, ITEMS, CONTEXT = 6, 2, 12, 5
CANDIDATES, SLATE, TOPICS = 10, 2, 20
WATCH, BUDGET, NO_CLICK, LOWEST_SCORE, LEARNING = 4.0, 200.0, 1.0, -1.0, 0.9 / 3.4


def one_auction_at_a_time(count: int) -> int:
    """AuctionGym's manner: 2 of 6 truthful bidders meet, the best of 12 creatives each, argsort, second price, a click.

    Oracle click rates, no learning; returns the number of auctions.
    """
    rng = np.random.default_rng(1)
    taste = rng.normal(size=(AGENTS, ITEMS, CONTEXT))
    intercept = rng.uniform(-4, -3, (AGENTS, ITEMS))
    value = rng.lognormal(0.1, 0.2, (AGENTS, ITEMS))
    gross, net = np.zeros(AGENTS), np.zeros(AGENTS)
    for _ in range(count):
        context = rng.normal(size=CONTEXT)
        seats = rng.choice(AGENTS, ENTRANTS, replace=False)
        bids, rates, worth = np.empty(ENTRANTS), np.empty(ENTRANTS), np.empty(ENTRANTS)
        for seat, agent in enumerate(seats):
            rate = 1 / (1 + np.exp(-(taste[agent] @ context + intercept[agent])))
            expected = rate * value[agent]
            item = np.argmax(expected)
            bids[seat], rates[seat], worth[seat] = expected[item], rate[item], value[agent, item]
        order = np.argsort(-bids)
        first = order[0]
        clicked = rng.random() < rates[first]
        gross[seats[first]] += worth[first] * clicked
        net[seats[first]] += worth[first] * clicked - bids[order[1]]
    return count


def argsort_gsp(bids: Floats, slots: int, reserve: float) -> tuple[Ints, Floats, Floats]:
    """AuctionNet's core over one tick: argsort all bidders, sell the slots at the next bid, add up costs.

    bids: (n, bidders); returns winners (n, slots), -1 unsold, prices (n, slots) and cost (bidders,)
    """
    order = np.argsort(-bids, axis=1)[:, : slots + 1]
    top = np.take_along_axis(bids, order, axis=1)
    sold = top[:, :slots] >= reserve
    price = np.where(sold, np.maximum(top[:, 1:], reserve), 0.0)
    winner = np.where(sold, order[:, :slots], -1)
    cost = np.bincount(winner[sold], weights=price[sold], minlength=bids.shape[1])
    return winner, price, cost.astype(float)


class OneUser:
    """A user in RecSim's manner (interest evolution): interests over 20 topics, and a budget of time."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.interests = rng.uniform(-1, 1, TOPICS)
        self.budget = BUDGET

    def step(self) -> None:
        """Ten fresh documents, a slate of two, a choice, time watched, interests moved; a new user when time is up."""
        documents = self.rng.integers(0, TOPICS, CANDIDATES)
        quality = self.rng.normal(size=CANDIDATES)
        slate = self.rng.permutation(CANDIDATES)[:SLATE]
        weights = np.append(self.interests[documents[slate]] - LOWEST_SCORE, NO_CLICK - LOWEST_SCORE)
        chosen = int(np.searchsorted(np.cumsum(weights / weights.sum()), self.rng.random()))
        self.budget -= 0.5
        if chosen < SLATE:
            self._watch(int(documents[slate[chosen]]), float(quality[slate[chosen]]))
        if self.budget <= 0:
            self.interests, self.budget = self.rng.uniform(-1, 1, TOPICS), BUDGET

    def _watch(self, topic: int, quality: float) -> None:
        watched = min(self.budget, WATCH)
        self.budget -= watched - LEARNING * watched / (1 + math.exp(-quality))
        interest = self.interests[topic]
        move = 0.3 * (1 - abs(interest)) * (1 if self.rng.random() < (interest + 1) / 2 else -1)
        self.interests[topic] = min(1.0, max(-1.0, interest + move))


def one_user_at_a_time(steps: int) -> int:
    """RecSim's loop with 100 users who take turns; returns the number of steps."""
    rng = np.random.default_rng(1)
    users = [OneUser(rng) for _ in range(100)]
    for step in range(steps):
        users[step % len(users)].step()
    return steps


def users_hour_by_hour(users: int, hours: int, busy_share: float) -> int:
    """The same loop with idle hours: every user every hour, a step only in `busy_share` of them; returns user-hours."""
    rng = np.random.default_rng(1)
    people = [OneUser(rng) for _ in range(users)]
    for _ in range(hours):
        busy = (rng.random(users) < busy_share).tolist()
        for user, acts in zip(people, busy, strict=True):
            if acts:
                user.step()
    return users * hours


def bare_simpy(events: int) -> int:
    """SimPy and nothing else: 10,000 processes that wait exponential times, `events` waits in all."""
    processes = min(10_000, events)
    rng = np.random.default_rng(1)
    environment = simpy.Environment()

    def waiting(delays: list[float]) -> simpy.events.ProcessGenerator:
        for delay in delays:
            yield environment.timeout(delay)

    for _ in range(processes):
        environment.process(waiting(rng.exponential(1.0, events // processes).tolist()))
    environment.run()
    return events // processes * processes
