"""From probabilities to users: log-ins join for certain, the likeliest pairs join as long as they fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import NONE, Floats, Ints
from gaelp_sim.identity.evidence import Aliases, Evidence
from gaelp_sim.identity.fitting import fit_habit, fitted_to
from gaelp_sim.identity.pairs import Pairs, Parameters, compared, probabilities

KINDS = 3


class Resolution(NamedTuple):
    """Which aliases are taken for one user."""

    user: Ints
    """(aliases,): the smallest alias of the user"""
    confidence: Floats
    """(aliases,): probability of the weakest link between the alias and its user; 1 for one alone, or joined by log-in"""
    pairs: Pairs
    probability: Floats
    """(pairs,): that a pair is one person"""


def resolve(
    aliases: Aliases, evidence: Evidence, parameters: Parameters | None = None, threshold: float = 0.5
) -> Resolution:
    """Link the aliases of every unit; `parameters` None: fitted to this very evidence, without labels.

    The answer depends on the evidence alone, not on the order in which it came nor on how the aliases are numbered (but for
    ties). Pairs below `threshold` are not joined, nor are two devices of one kind, but by log-in.
    """
    return linked(aliases, *weighed(aliases, evidence, parameters), threshold)


def weighed(aliases: Aliases, evidence: Evidence, parameters: Parameters | None = None) -> tuple[Pairs, Floats]:
    """The candidate pairs, each with the probability that it is one person."""
    habit = parameters.habit if parameters else fit_habit(evidence)
    pairs = compared(aliases, evidence, habit)
    return pairs, probabilities(pairs, parameters or fitted_to(pairs, aliases, habit), aliases.kind)


def linked(aliases: Aliases, pairs: Pairs, probability: Floats, threshold: float) -> Resolution:
    """The users that pairs of at least this probability make."""
    order = np.argsort(-probability, kind="stable")
    order = order[probability[order] >= threshold]
    user, confidence = _joined(aliases, (pairs.one[order], pairs.other[order]), probability[order])
    return Resolution(user, confidence, pairs, probability)


def _joined(aliases: Aliases, links: tuple[Ints, Ints], probability: Floats) -> tuple[Ints, Floats]:
    parent, kinds = np.arange(len(aliases.kind)), np.left_shift(1, aliases.kind)
    accounts = np.flatnonzero(aliases.account != NONE)
    key = np.stack([aliases.unit[accounts], aliases.account[accounts]])
    order = accounts[np.lexsort([accounts, key[1], key[0]])]
    _join_accounts(parent, kinds, order, (aliases.unit, aliases.account))
    return _join_links((parent, kinds), links, probability)


@compiled
def _root(parent: Ints, alias: int) -> int:
    while parent[alias] != alias:
        parent[alias] = parent[parent[alias]]
        alias = parent[alias]
    return alias


@compiled
def _join_accounts(parent: Ints, kinds: Ints, order: Ints, known: tuple[Ints, Ints]) -> None:
    unit, account = known
    for place in range(1, len(order)):
        before, here = order[place - 1], order[place]
        if unit[before] == unit[here] and account[before] == account[here]:
            root, other = _root(parent, before), _root(parent, here)
            if root != other:
                parent[max(root, other)] = min(root, other)
                kinds[min(root, other)] |= kinds[max(root, other)]


@compiled
def _join_links(state: tuple[Ints, Ints], links: tuple[Ints, Ints], probability: Floats) -> tuple[Ints, Floats]:
    parent, kinds = state
    confidence = np.ones(len(parent))
    for link in range(len(probability)):
        one, other = _root(parent, links[0][link]), _root(parent, links[1][link])
        if one == other or kinds[one] & kinds[other]:
            continue
        root = min(one, other)
        parent[max(one, other)] = root
        kinds[root] = kinds[one] | kinds[other]
        for alias in (links[0][link], links[1][link]):
            confidence[alias] = min(confidence[alias], probability[link])
    user = np.empty(len(parent), dtype=np.int64)
    for alias in range(len(parent)):
        user[alias] = _root(parent, alias)
    return user, confidence
