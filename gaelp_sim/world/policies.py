"""Policies by name: the registry's, or an outsider's `module:Class`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from types import ModuleType
from typing import Any, cast

import numpy as np

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.events import Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Bidder, Moment, checked_answer
from gaelp_sim.market.outside_policy import OUTSIDE, OutsidePolicy
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.outside import WHERE, named
from gaelp_sim.scenario.schema import Scenario

DEFAULT_POLICY = "rule"
SILENT = "silent"
"""Bids nothing anywhere: the world without our ads."""


def _silent(scenario: Scenario) -> Bidder:
    rule = RulePolicy.of(scenario)
    return replace(rule, fits=rule.fits._replace(option_count=np.zeros_like(rule.fits.option_count)))


_REGISTRY: dict[str, Callable[[Scenario], Bidder]] = {
    DEFAULT_POLICY: RulePolicy.of, SILENT: _silent, OUTSIDE: OutsidePolicy.of,
}
PLANNERS = {
    "clairvoyant": "gaelp_sim.planning.bidders:clairvoyant",
    "observable_planner": "gaelp_sim.planning.bidders:observable_planner",
    "one_step_lift": "gaelp_sim.planning.bidders:one_step_lift",
}
"""Oracles, for comparison alone: they know the scenario's constants, the first one people's minds too. They are made of
worlds, so they stand on a floor above and are loaded by name."""


CHECKPOINT, PIN = "checkpoint:", "#"
"""A policy that was learned is named by this and its folder; it is loaded by name, as only the room of learning may
load torch."""
SHIPPED = ("ppo",)
"""Learned policies that come with the package."""
_LEARNED = "gaelp_sim.learn.checkpoints"


def default_policy(scenario: Scenario) -> str:
    """The policy of a run that names none: the agent's where the scenario has one, else the rule."""
    return DEFAULT_POLICY if scenario.agent is None else OUTSIDE


def policy_named(name: str, scenario: Scenario) -> Bidder:
    """The bidder that acts for us under a policy's name.

    Raises UsageError for a name that neither the registry nor a module knows.
    """
    if name in _REGISTRY:
        return _REGISTRY[name](scenario)
    if name in PLANNERS:
        module, _, maker = PLANNERS[name].partition(":")
        return cast(Bidder, getattr(importlib.import_module(module), maker)(scenario))
    if is_learned(name):
        return cast(Bidder, _learning(name).learned_policy(scenario, name))
    if ":" in name:
        return outsider_named(name, f"--policy {name}", scenario)
    known = sorted([*_REGISTRY, *PLANNERS, *SHIPPED])
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
    raise UsageError(f"--policy {name}: no such policy; {hint} Your own is named module:Class, a learned one "
                     f"{CHECKPOINT}FOLDER.")


def is_learned(name: str) -> bool:
    """Whether a policy's name is that of a checkpoint, shipped or in a folder, pinned or not."""
    return name.startswith(CHECKPOINT) or name.partition(PIN)[0] in SHIPPED


def pinned(name: str) -> str:
    """The name under which a run keeps its policy: a learned one's ends with the first digits of its weights' SHA-256.

    A folder that holds other weights by the time of a resume or a replay is then refused.
    """
    return cast(str, _learning(name).pinned(name)) if is_learned(name) else name


def _learning(name: str) -> ModuleType:
    try:
        return importlib.import_module(_LEARNED)
    except ImportError:
        raise UsageError(f"--policy {name}: learned policies need torch; next: pip install 'gaelp-sim[learn]'") from None


def named_from_outside(name: str) -> bool:
    """Whether a policy's name is that of somebody's own class."""
    return ":" in name and not name.startswith(CHECKPOINT)


def from_outside(bidder: Bidder) -> bool:
    """Whether it is an outsider's, which must not see more than an advertiser does."""
    return isinstance(bidder, _Guarded)


def outsider_named(name: str, said: str, scenario: Scenario) -> Bidder:
    """The bidder of an outsider's `module:Class`; said: how the user asked for it.

    Raises UsageError where there is none, or where it is no bidder.
    """
    try:
        made = named(name)
        bidder = made.of(scenario) if hasattr(made, "of") else made(scenario)
    except Exception as error:  # whatever an outsider's module raises is the outsider's to mend
        raise UsageError(
            f"{said}: {type(error).__name__}: {error}; give module:Class with {WHERE}; "
            "the class takes the scenario, or has a static method `of` that does."
        ) from error
    missing = [verb for verb in ("bid", "observe", "update") if not callable(getattr(bidder, verb, None))]
    if missing:
        raise UsageError(f"{said}: it has no {', '.join(missing)}; a bidder needs bid, observe and update.")
    return _Guarded(name, bidder, len(scenario.creatives))


class _Guarded:
    """An outsider's bidder: it gets copies, its answers are looked at, what it raises is told in its name."""

    def __init__(self, name: str, bidder: Bidder, creatives: int) -> None:
        self.name, self.bidder, self.creatives = name, bidder, creatives

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Its bids, or a BidderError."""
        bids = self._asked("bid", Opportunities(**_copies(opportunities)), replace(moment, **_copies(moment)))
        return checked_answer(self.name, bids, len(opportunities), self.creatives)

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Its statistics, or a BidderError."""
        seen = self._asked("observe", Opportunities(**_copies(opportunities)), Outcomes(**_copies(outcomes)))
        if not isinstance(getattr(seen, "sums", None), np.ndarray):
            raise BidderError(f"bidder {self.name}: observe must give Statistics(sums), sums an array of integers")
        return cast(Statistics, seen)

    def update(self, statistics: Statistics) -> None:
        """Let it learn, or raise a BidderError."""
        self._asked("update", statistics)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "bidder":  # asked of one that is being copied, and has no bidder yet
            raise AttributeError(name)
        found = getattr(self.bidder, name)
        return partial(self._asked, name) if name in ("state", "restore") else found

    def _asked(self, verb: str, *arguments: Any) -> Any:
        try:
            return getattr(self.bidder, verb)(*arguments)
        except BidderError:
            raise
        # Also a bidder that ends the program would leave its run half-done.
        except (Exception, SystemExit) as error:
            raise BidderError(f"bidder {self.name}: {verb} raised {type(error).__name__}: {error}") from error


def _copies(columns: Any) -> dict[str, Any]:
    return {name: value.copy() for name, value in vars(columns).items() if isinstance(value, np.ndarray)}
