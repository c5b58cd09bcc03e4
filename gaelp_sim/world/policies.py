"""Policies by name: the registry's, or an outsider's `module:Class`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.events import Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Bidder, Moment, checked_answer
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.schema import Scenario

DEFAULT_POLICY = "rule"
SILENT = "silent"
"""Bids nothing anywhere: the world without our ads."""


def _silent(scenario: Scenario) -> Bidder:
    rule = RulePolicy.of(scenario)
    return replace(rule, name=rule.name, creative_count=np.zeros_like(rule.creative_count))


_REGISTRY = {DEFAULT_POLICY: RulePolicy.of, SILENT: _silent}


def policy_named(name: str, scenario: Scenario) -> Bidder:
    """The bidder that acts for us under a policy's name.

    Raises UsageError for a name that neither the registry nor a module knows.
    """
    if name in _REGISTRY:
        return _REGISTRY[name](scenario)
    if ":" in name:
        return _outsider(name, scenario)
    near = get_close_matches(name, _REGISTRY, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(_REGISTRY))}."
    raise UsageError(f"--policy {name}: no such policy; {hint} Your own is named module:Class.")


def _outsider(name: str, scenario: Scenario) -> Bidder:
    module, _, attribute = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)
        bidder = made.of(scenario) if hasattr(made, "of") else made(scenario)
    except Exception as error:  # whatever an outsider's module raises is the outsider's to mend
        raise UsageError(
            f"--policy {name}: {type(error).__name__}: {error}; give module:Class with the module on PYTHONPATH; "
            "the class takes the scenario, or has a static method `of` that does."
        ) from error
    missing = [verb for verb in ("bid", "observe", "update") if not callable(getattr(bidder, verb, None))]
    if missing:
        raise UsageError(f"--policy {name}: it has no {', '.join(missing)}; a bidder needs bid, observe and update.")
    return _Guarded(name, bidder, len(scenario.creatives))


@dataclass
class _Guarded:
    """An outsider's bidder: it gets copies, its answers are looked at, what it raises is told in its name."""

    name: str
    bidder: Bidder
    creatives: int

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Its bids, or a BidderError."""
        given = Opportunities(**{name: column.copy() for name, column in vars(opportunities).items()})
        try:
            bids = self.bidder.bid(given, _copied(moment))
        except BidderError:
            raise
        # Also a bidder that ends the program would leave its run half-done.
        except (Exception, SystemExit) as error:
            raise BidderError(f"bidder {self.name}: bid raised {type(error).__name__}: {error}") from error
        return checked_answer(self.name, bids, len(opportunities), self.creatives)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bidder, name)

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Passed on."""
        return self.bidder.observe(opportunities, outcomes)

    def update(self, statistics: Statistics) -> None:
        """Passed on."""
        self.bidder.update(statistics)


def _copied(moment: Moment) -> Moment:
    arrays: dict[str, Any] = {name: value.copy() for name, value in vars(moment).items() if isinstance(value, np.ndarray)}
    return replace(moment, **arrays)
