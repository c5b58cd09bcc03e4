"""Estimators that weigh states in place of whole journeys: narrow however long journeys are, and right only where what is
known of a user tells all that matters (`log_checks` looks for what it does not tell).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.evaluate.steps import Found, Steps, summed
from gaelp_sim.events import Floats, Ints


class Chain(NamedTuple):
    """The target's chain over coarse states, estimated by weighted counts."""

    worth: Floats
    """(states,): dollars still to come from here on"""
    visits: Floats
    """(states,): decisions in the state that a user has under the target"""
    mass: Floats
    """(states,): sum of the weights of decisions logged there"""


def chain_of(steps: Steps) -> Chain:
    """Weighted means of rewards and next states, and what follows from them; states that are never left end a journey.

    Source: Xie, Ma & Wang (2019), with one chain for all turns: coarse states tell how much time is left.
    """
    states, weight = int(steps.state.max(initial=0)) + 1, steps.weight
    mass = np.bincount(steps.state, weight, states)
    following = np.where(steps.last, states, np.append(steps.state[1:], states))
    moves = np.bincount(steps.state * (states + 1) + following, weight, states * (states + 1)).reshape(states, -1)
    per = np.maximum(mass, 1e-300)
    pays = np.bincount(steps.state, weight * steps.reward, states) / per
    system = np.eye(states) - moves[:, :states] / per[:, None]
    begins = np.bincount(steps.state[steps.begins[:-1]], minlength=states) / steps.users
    # A state that no weighted decision leads out of earns nothing more; a little loss keeps the system solvable.
    system[np.arange(states), np.arange(states)] += 1e-12
    worth = np.asarray(np.linalg.solve(system, pays), dtype=np.float64)
    visits = np.asarray(np.linalg.solve(system.T, begins), dtype=np.float64)
    return Chain(worth, visits, mass.astype(np.float64))


def counted(steps: Steps) -> Found:
    """Marginalised importance sampling: the chain's worth of where users begin."""
    chain = chain_of(steps)
    first = chain.worth[steps.state[steps.begins[:-1]]]
    value = float(first.mean())
    ratio = _ratio(steps, chain)
    gap = steps.reward + _after(steps, chain.worth[steps.state]) - chain.worth[steps.state]
    return Found(value, first - value + steps.by_user(ratio * gap), ratio)


def doubly_robust(steps: Steps, worth: Floats) -> Found:
    """A model's word, corrected by errors that are weighted by states' ratios; worth as in `sequences.doubly_robust`.

    Source: Kallus & Uehara (2020), equation 7 (double reinforcement learning, Markov).
    """
    ratio = _ratio(steps, chain_of(steps))
    return summed(steps, corrected(steps, worth, ratio), ratio)


def corrected(steps: Steps, worth: Floats, ratio: Floats) -> Floats:
    """(n,): the model's word at each user's first decision, and weighted errors at all."""
    here = (steps.target * worth).sum(axis=1)
    found = ratio * (steps.reward + _after(steps, here) - worth[np.arange(len(steps)), steps.action])
    found[steps.begins[:-1]] += here[steps.begins[:-1]]
    return found


def state_ratio(steps: Steps) -> Floats:
    """(n,): weight of each decision as a visit of the target's: its own weight times its state's."""
    return _ratio(steps, chain_of(steps))


def _ratio(steps: Steps, chain: Chain) -> Floats:
    return steps.weight * (chain.visits * steps.users / np.maximum(chain.mass, 1e-300))[steps.state]


def _after(steps: Steps, worth: Floats) -> Floats:
    """(n,): a column at the user's next decision, 0 after the last."""
    return np.where(steps.last, 0.0, np.append(worth[1:], 0.0))


def coarse(columns: list[Ints]) -> Ints:
    """(n,): one number for each combination of columns that occurs."""
    _, state = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return state.ravel().astype(np.int64)
