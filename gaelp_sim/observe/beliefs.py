"""What the advertiser believes about people it can't see into: tables built once from the scenario's shares.

The tables hold likelihoods of what an advertiser observes (a channel, a signal, a click) under each hidden stage and
segment, so that an estimate costs lookups and products. They are the scenario's published constants, never a person's
state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import Floats
from gaelp_sim.scenario.schema import Channel, Scenario, Segment, Signal, StageRates, StageShares
from gaelp_sim.units import SECONDS_PER_DAY

Singles = NDArray[np.float32]

STAGES = 4
SEGMENT_COLUMNS = 3
TRAITS = SEGMENT_COLUMNS + 3
"""Three segment probabilities, then attention, price sensitivity, urgency."""
EVIDENCE_HALF_LIFE_DAYS = 7.0
"""Evidence on the stage fades about as fast as people change stage; our own choice."""
EVIDENCE_MAX = 20.0
"""Bound on a log likelihood ratio: keeps exp finite without looking for a row's maximum."""
LIKELIHOOD_FLOOR = 1e-4
"""A signal that "never" comes from a stage still leaves that stage possible: people move."""
STAGE_FLOOR = 1e-3
CLICK_FLOOR = 1e-6


@dataclass(frozen=True)
class Beliefs:
    """Lookup tables for estimates, float32; signal codes run on over the channels, so a signal tells its channel."""

    evidence: Singles
    """(2, signals, 3): log likelihood ratios of AWARE, CONSIDERING, INTENT against UNAWARE; [1] where clicked."""
    stage_prior: Singles
    """(4, 1): shares of people by stage at the start."""
    given: Singles
    """(4 + 24, signals): P(stage | an opportunity of this signal); then, for each trait (three segment
    probabilities, attention, price sensitivity, urgency), its expectation given each stage and the signal."""
    examined: Singles
    """(2, channels): probability that an impression was looked at, [1] where clicked."""
    goodwill: Singles
    """(2, channels): goodwill that an impression adds in expectation, [1] where clicked."""
    goodwill_email: Singles
    """(2,): goodwill that an e-mail adds in expectation, [1] where clicked."""
    decay_per_second: Singles
    """(3, 1): exponents of decay of recent touches (fatigue), goodwill and evidence; below 0."""
    timeout_s: int
    """Silence after which a journey counts as ended."""

    @staticmethod
    def of(scenario: Scenario) -> Beliefs:
        """Build the tables from the scenario's shares, rates and half-lives."""
        joint = _joint_shares(scenario)
        stages, within = joint.sum(0), joint / joint.sum(0)
        chance = _likelihoods(scenario) * within
        by_stage = chance.sum(1)
        stage_given = by_stage * stages / (by_stage * stages).sum(1, keepdims=True)
        traits = _traits(scenario.population.segments, chance)
        return Beliefs(
            evidence=_evidence(scenario, by_stage, within).astype(np.float32),
            stage_prior=stages.astype(np.float32)[:, None],
            given=np.concatenate([stage_given.T, traits]).astype(np.float32),
            examined=_examined(scenario).astype(np.float32),
            goodwill=_goodwill(scenario).astype(np.float32),
            goodwill_email=_goodwill_email(scenario).astype(np.float32),
            decay_per_second=_decay_per_second(scenario).astype(np.float32)[:, None],
            timeout_s=round(scenario.timeout.days * SECONDS_PER_DAY),
        )


def _decay_per_second(scenario: Scenario) -> Floats:
    response = scenario.response
    days = (response.fatigue_half_life_days, response.goodwill_half_life_days, EVIDENCE_HALF_LIFE_DAYS)
    return np.array([-math.log(2) / (value * SECONDS_PER_DAY) for value in days])


def _examined(scenario: Scenario) -> Floats:
    unclicked = [channel.examined for channel in scenario.channels]
    return np.array([unclicked, np.ones(len(unclicked))])


def _goodwill(scenario: Scenario) -> Floats:
    viewed = [channel.examined * channel.view_adds_goodwill for channel in scenario.channels]
    return np.array([viewed, [scenario.response.click_adds_goodwill] * len(viewed)])


def _goodwill_email(scenario: Scenario) -> Floats:
    email = scenario.email
    viewed = email.open_rate * email.view_adds_goodwill if email else 0.0
    return np.array([viewed, scenario.response.click_adds_goodwill])


def _by_stage(values: StageRates | StageShares) -> Floats:
    return np.array([values.unaware, values.aware, values.considering, values.intent])


def _joint_shares(scenario: Scenario) -> Floats:
    """(segments, 4): shares of people at the start, each cell at least a little, summing to 1."""
    segments = scenario.population.segments
    shares = np.array([max(segment.share, CLICK_FLOOR) * _by_stage(segment.start) for segment in segments])
    floor = STAGE_FLOOR * np.array([max(segment.share, CLICK_FLOOR) for segment in segments])
    joint = np.maximum(shares, floor[:, None])
    return np.asarray(joint / joint.sum())


def _likelihoods(scenario: Scenario) -> Floats:
    """(signals, segments, 4): relative rates of an opportunity of this signal."""
    segments = scenario.population.segments
    table = np.array(
        [
            [_rate(channel, signal, segment) for segment in segments]
            for channel in scenario.channels
            for signal in channel.signals
        ]
    )
    most = table.max((1, 2), keepdims=True)
    relative = np.divide(table, most, out=np.ones_like(table), where=most > 0)
    return np.asarray(np.maximum(relative, LIKELIHOOD_FLOOR))


def _rate(channel: Channel, signal: Signal, segment: Segment) -> Floats:
    in_crisis = segment.crisis and signal.crisis_share is not None
    share = signal.crisis_share if in_crisis and signal.crisis_share is not None else signal.share
    factor = segment.search_rate_factor if channel.search_like else 1.0
    return _by_stage(channel.opportunities_per_day) * _by_stage(share) * factor


def _evidence(scenario: Scenario, by_stage: Floats, within: Floats) -> Floats:
    factors = np.array([segment.click_rate_factor for segment in scenario.population.segments])
    channels = [channel for channel in scenario.channels for _ in channel.signals]
    rates = np.array([_by_stage(channel.click_rate) for channel in channels]) * (within * factors[:, None]).sum(0)
    clicked = np.clip(rates, CLICK_FLOOR, 0.99)
    # A look without a click says next to nothing, so a lost auction and an unclicked impression weigh the same.
    logs = np.log(np.stack([by_stage, by_stage * clicked]))
    return np.asarray(np.clip(logs[:, :, 1:] - logs[:, :, :1], -EVIDENCE_MAX, EVIDENCE_MAX))


def _traits(segments: Sequence[Segment], weights: Floats) -> Floats:
    """Segment probabilities and expected traits, (6 x 4, signals), of weights (signals, segments, 4)."""
    posterior = weights / weights.sum(1, keepdims=True)
    values = np.zeros((TRAITS, len(segments)))
    for code, segment in enumerate(segments):
        values[SEGMENT_COLUMNS:, code] = segment.attention, segment.price_sensitivity, segment.urgency
        if code < SEGMENT_COLUMNS:
            values[code, code] = 1.0
    # A plain sum over segments, not a matrix product, whose last bit may differ between machines.
    expected = (values[:, :, None, None] * posterior.transpose(1, 2, 0)).sum(1)
    return np.asarray(expected.reshape(TRAITS * STAGES, -1))
