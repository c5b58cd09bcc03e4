"""What a policy would have done at a log's decisions: its chances over the log's own actions."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate.run_log import RunLog
from gaelp_sim.events import Bools, Floats
from gaelp_sim.learn.played_log import chances_along
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, NIGHT_HOURS, RulePolicy
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.outside import WHERE, named
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.policies import is_learned, policy_named

RANDOM, SILENT, RULE = "random", "silent", "rule"
KNOWN = (RANDOM, SILENT, RULE, "ppo")


def chances(log: RunLog, policy: str, scenario: Scenario | None) -> Floats:
    """(n, triples + 1): chances of each of the log's triples; the last column is what it has no triple for.

    scenario: the run's, with settings changed for the target; None for an imported log
    Raises UsageError for unknown policies and those whose choices the log does not tell.
    """
    if policy == RANDOM:
        return _spread(log, log.supported)
    if policy == SILENT:
        return _spread(log, log.supported & (log.logged.triples[:, 0] == 0))
    if policy == RULE or is_learned(policy):
        if scenario is None:
            raise UsageError(f"--policy {policy}: an imported log has no scenario to tell what it would do; random, silent "
                             "or your own module:Class can be asked of it")
        return _rule(log, scenario) if policy == RULE else _learned(log, policy, scenario)
    if ":" in policy:
        return _outsider(log, policy)
    near = get_close_matches(policy, KNOWN, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(KNOWN)}."
    raise UsageError(f"--policy {policy}: not to be judged from a log; {hint} A learned one is checkpoint:FOLDER, your own "
                     "module:Class with chances(features, triples).")


def _spread(log: RunLog, taken: Bools) -> Floats:
    """The same chance for every triple that is marked for the decision's signal; the last column where none is."""
    count = taken.sum(axis=1)
    each = np.where(count[:, None] > 0, taken / np.maximum(count, 1)[:, None], 0.0)
    return np.concatenate([each, (count == 0)[:, None]], axis=1)[log.signal]


def _rule(log: RunLog, scenario: Scenario) -> Floats:
    """The rule's own words, decision by decision; exact where the log was made by its levels."""
    policy, logged = scenario.us.policy, log.logged
    if policy.creatives != "fit" or policy.pacing == "throttle":
        raise UsageError("--policy rule: what us.policy.creatives other than fit, and us.policy.pacing throttle, would do "
                         "is not told by a log; use fit and another pacing")
    rule, triples = RulePolicy.of(scenario), logged.triples
    returning = (logged.observation[:, COLUMN["clicks"]] > 0).astype(np.int64)
    hour = (logged.second // SECONDS_PER_HOUR + scenario.utc_offset_hours) % HOURS_PER_DAY
    night = np.isin(hour, sorted(NIGHT_HOURS)).astype(np.int64)
    level = rule.greedy_level[night, returning, logged.signal].astype(np.int64)
    creative = rule.fits.best[returning, logged.signal].astype(np.int64)
    found, rows = np.zeros((len(level), len(triples) + 1)), np.arange(len(level))
    options, levels = rule.fits.option_count[logged.channel], len(LEVEL_MULTIPLES)
    codes = range(len(scenario.creatives))
    place = np.array([[_place(log, multiple, code) for code in codes] for multiple in LEVEL_MULTIPLES])
    for channel in range(len(rule.fits.option_count)):
        here = rows[logged.channel == channel]
        for code in rule.fits.options[channel, : rule.fits.option_count[channel]].tolist():
            for one in range(levels):
                found[here, place[one, code]] += rule.epsilon / (levels * rule.fits.option_count[channel])
    found[rows, place[np.where(options > 0, level, 0), creative]] += np.where(options > 0, 1.0 - rule.epsilon, 1.0)
    return found


def _learned(log: RunLog, policy: str, scenario: Scenario) -> Floats:
    """A network's chances along each user's journey, its levels told as the log's nearest by ratio."""
    levels, creatives, own = chances_along(log.logged, policy_named(policy, scenario))
    out = np.flatnonzero(log.logged.triples[:, 0] == 0)
    found = np.zeros((len(own), len(log.logged.triples) + 1))
    for action, (level, creative) in enumerate(zip(levels.tolist(), creatives.tolist(), strict=True)):
        # A network stays out once; a log may tell that with several creatives.
        places = out.tolist() if level == 0.0 and len(out) else [_place(log, level, creative)]
        for place in places:
            found[:, place] += own[:, action] / len(places)
    return found


def _place(log: RunLog, multiple: float, creative: int) -> int:
    """The log's triple of a creative whose bid is nearest by ratio; the last column where it has none."""
    triples, multiples = log.logged.triples, log.multiples
    of = np.flatnonzero((triples[:, 2] == creative) & ((multiples > 0) if multiple > 0 else (triples[:, 0] == 0)))
    if not len(of):
        return len(triples)
    return int(of[np.argmin(np.abs(np.log(multiples[of] / multiple)))]) if multiple > 0 else int(of[0])


def _outsider(log: RunLog, name: str) -> Floats:
    """Somebody's own class: `chances(features, triples)` gives (n, triples)."""
    try:
        answer = _method(named(name))(
            log.logged.observation.copy(), log.logged.triples.copy()
        )
        told = np.asarray(answer, dtype=np.float64)
    except Exception as error:  # whatever an outsider's module raises is the outsider's to mend
        raise UsageError(f"--policy {name}: {type(error).__name__}: {error}; give module:Class with chances(features, "
                         f"triples), and {WHERE}") from error
    wanted = (len(log.logged.action), len(log.logged.triples))
    if told.shape != wanted or not np.isfinite(told).all() or (told < 0).any():
        raise UsageError(f"--policy {name}: chances must be {wanted[0]} x {wanted[1]} numbers from 0 to 1")
    if np.abs(told.sum(axis=1) - 1.0).max() > 1e-6:
        raise UsageError(f"--policy {name}: chances of decision {int(np.abs(told.sum(axis=1) - 1).argmax())} sum to "
                         f"{told.sum(axis=1)[np.abs(told.sum(axis=1) - 1).argmax()]:.6g}, not to 1")
    return np.concatenate([told, np.zeros((len(told), 1))], axis=1)


def _method(made: Callable[[], object]) -> Callable[..., object]:
    found: Callable[..., object] = made().chances  # type: ignore[attr-defined]
    return found
