"""Ads as RecSim's documents: what a user model may ask of the thing it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import NONE, Floats
from gaelp_sim.scenario.schema import Creative, Scenario

LENGTH = 4.0
"""Every ad's length in a model's unit of time: that of the published videos."""


@dataclass(frozen=True)
class AdDocument:
    """One creative in one channel; a rival's ad is one more creative, the same for all rivals."""

    number: int
    channel: int
    creative: int
    """NONE for a rival's"""
    features: Floats
    """(creatives + 1,): 1 at the creative, the rivals' last"""
    quality: float
    """Log of the mean match over the stages; 0 for a rival's"""
    clickbait_score: float
    """How much it pushes instead of teaching, 0 to 1: match in INTENT / (match in INTENT + match in UNAWARE)"""
    video_length: float = LENGTH

    @property
    def cluster_id(self) -> int:
        """The topic: its creative."""
        return int(self.features.argmax())

    def doc_id(self) -> int:
        """The document's id."""
        return self.number

    def create_observation(self) -> Floats:
        """What the user model scores: the features."""
        return self.features


def topics_of(scenario: Scenario) -> int:
    """How many topics the documents have: our creatives, and the rivals' ad."""
    return len(scenario.creatives) + 1


def documents_of(scenario: Scenario) -> list[AdDocument]:
    """Every document, at `channel x topics + creative`; the last of each channel is the rivals'."""
    topics = np.eye(topics_of(scenario))
    kinds = [_kind(creative) for creative in scenario.creatives] + [(0.0, 0.5)]
    found: list[AdDocument] = []
    for channel in range(len(scenario.channels)):
        for topic, (quality, push) in enumerate(kinds):
            creative = topic if topic < len(scenario.creatives) else NONE
            found.append(AdDocument(len(found), channel, creative, topics[topic], quality, push))
    return found


def _kind(creative: Creative) -> tuple[float, float]:
    match = creative.match
    mean = (match.unaware + match.aware + match.considering + match.intent) / 4
    ends = match.unaware + match.intent
    return float(np.log(max(mean, 1e-6))), match.intent / ends if ends else 0.5
