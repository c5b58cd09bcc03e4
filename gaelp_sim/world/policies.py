"""Policies by name: the registry's, or an outsider's `module:Class`."""

from __future__ import annotations

import importlib
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.market.bidder import Bidder
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
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(_REGISTRY))}"
    raise UsageError(f"--policy {name}: no such policy; {hint} An own one is named module:Class.")


def _outsider(name: str, scenario: Scenario) -> Bidder:
    module, _, attribute = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--policy {name}: {error}; give module:Class with the module on PYTHONPATH.") from error
    bidder: Bidder = made.of(scenario) if hasattr(made, "of") else made(scenario)
    return bidder
