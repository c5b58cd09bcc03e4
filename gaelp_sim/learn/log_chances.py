"""The chances of all actions under the policy that logged, where they can be known: an even draw, or our default rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.learn.logged import Logged
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, NIGHT_HOURS, RulePolicy
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.policies import DEFAULT_POLICY
from gaelp_sim.world.stored_scenario import is_imported, stored_scenario

_CLOSE = 1e-9


@dataclass(frozen=True)
class Choices:
    """What could be done, what was done, and with which chances."""

    triples: Ints
    """(actions, 3): participate, level, creative"""
    action: Ints
    """(n,): what was done, a row of `triples`"""
    pi_b: Floats | None
    """(n, actions): chances of all of them; None where the log tells that of the one taken alone"""


def choices_of(run: RunRecord, logged: Logged) -> Choices:
    """The log's own choices, whole where that can be checked against the propensity of every decision in it."""
    share = 1 / len(logged.triples)
    if len(logged.triples) > 1 and np.allclose(logged.propensity, share, rtol=_CLOSE, atol=0):
        even = np.full((len(logged.user), len(logged.triples)), share)
        return Choices(logged.triples, logged.action, even)
    if not is_imported(run) and run.policy == DEFAULT_POLICY:
        scenario = stored_scenario(run)
        found = _of_the_rule(run, scenario, logged) if scenario.us.policy.creatives == "fit" else None
        if found is not None:
            return found
    return Choices(logged.triples, logged.action, None)


def _of_the_rule(run: RunRecord, scenario: Scenario, logged: Logged) -> Choices | None:
    """Epsilon spread over all levels and creatives of the channel, the rest on the rule's own choice; None if not so.

    A throttled rule takes part at random, too: its propensities are others, and nothing is told.
    """
    policy = RulePolicy.of(scenario)
    if (policy.fits.option_count[logged.channel] == 0).any():
        return None
    triples = _triples(policy)
    greedy, allowed = _greedy(run, scenario, policy, logged), _allowed(policy, triples)[logged.channel]
    row = np.arange(len(logged.user))
    found = [_place(triples, each) for each in (logged.triples[logged.action], greedy)]
    if any((place < 0).any() for place in found):
        return None
    action, best = found
    pi_b = policy.epsilon * allowed / allowed.sum(axis=1, keepdims=True)
    pi_b[row, best] += 1.0 - policy.epsilon
    fits = np.allclose(pi_b[row, action], logged.propensity, rtol=_CLOSE, atol=0)
    return Choices(triples, action, pi_b) if fits else None


def _triples(policy: RulePolicy) -> Ints:
    """(levels x creatives, 3): every level with every creative that a campaign of ours shows."""
    shown = [row[:count] for row, count in zip(policy.fits.options, policy.fits.option_count.tolist(), strict=True)]
    creative = np.unique(np.concatenate(shown)).astype(np.int64)
    level = np.repeat(np.arange(len(LEVEL_MULTIPLES)), len(creative))
    return np.stack([(level > 0).astype(np.int64), level, np.tile(creative, len(LEVEL_MULTIPLES))], axis=1)


def _allowed(policy: RulePolicy, triples: Ints) -> Bools:
    """(channels, actions): whether the channel's campaign shows the action's creative."""
    return np.array([
        np.isin(triples[:, 2], row[:count])
        for row, count in zip(policy.fits.options, policy.fits.option_count.tolist(), strict=True)
    ])


def _greedy(run: RunRecord, scenario: Scenario, policy: RulePolicy, logged: Logged) -> Ints:
    """(n, 3): what the rule itself chooses, by hour, signal, and whether the user has clicked before."""
    hour = (logged.second - run.start_s) // SECONDS_PER_HOUR + scenario.utc_offset_hours
    night = np.isin(hour % HOURS_PER_DAY, sorted(NIGHT_HOURS)).astype(np.int64)
    returning = (logged.observation[:, COLUMN["clicks"]] > 0).astype(np.int64)
    level = policy.greedy_level[night, returning, logged.signal].astype(np.int64)
    creative = policy.fits.best[returning, logged.signal].astype(np.int64)
    return np.stack([(level > 0).astype(np.int64), level, creative], axis=1)


def _place(triples: Ints, wanted: Ints) -> Ints:
    """(n,): the row of `triples` that each wanted triple is; -1 where it is none of them."""
    kinds, kind = np.unique(wanted, axis=0, return_inverse=True)
    same = (triples[None, :, :] == kinds[:, None, :]).all(axis=2)
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)[kind.ravel()]
