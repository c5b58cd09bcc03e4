"""The table of features: 41 rows that cover the state a policy needs, each fully described."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.observe.beliefs import EVIDENCE_MAX, STAGES, TRAITS, Beliefs
from gaelp_sim.observe.table import COLUMN, FEATURES, HIGH, LOW, NAMES

ENTRIES = {
    "touchpoint_sequence": ["last_channel_1", "last_channel_2", "last_channel_3"],
    "days_since_first_touch": ["days_since_first_touch", "days_in_journey"],
    "total_spend_on_user": ["total_spend_on_user_usd"],
    "competitor_exposures": ["competitor_exposures"],
    "stage_progression": ["stage_unaware", "stage_aware", "stage_considering", "stage_intent", "stage_progression"],
    "engagement_trend": ["engagement_trend", "impressions", "clicks", "emails"],
    "segment": ["segment_0", "segment_1", "segment_2"],
    "attention_span": ["attention"],
    "fatigue_level": ["fatigue_teach", "fatigue_offer"],
    "price_sensitivity": ["price_sensitivity"],
    "urgency_score": ["urgency"],
    "avg_cpc_trend": ["avg_cpc_trend"],
    "competitor_aggression": ["competitor_aggression"],
    "time_of_day": ["hour_sin", "hour_cos"],
    "day_of_week": ["weekday"],
    "seasonality": ["seasonality"],
    "daily_remaining": ["daily_remaining_usd"],
    "monthly_remaining": ["monthly_remaining_usd"],
    "current_roi": ["current_roi"],
    "pacing": ["pacing"],
}
"""The state that was asked for, entry by entry, and the columns that carry it."""


def test_exactly_41_features() -> None:
    """There are 41 features with names of their own, and the bounds are 41 finite pairs."""
    assert len(FEATURES) == len(set(NAMES)) == len(LOW) == len(HIGH) == 41
    assert (LOW < HIGH).all() and np.isfinite(LOW).all() and np.isfinite(HIGH).all()


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_of_the_state_has_columns(entry: str) -> None:
    """Each entry of the state representation is covered."""
    assert set(ENTRIES[entry]) <= set(NAMES)


def test_groups_stand_together() -> None:
    """Columns go journey, user, market, budget, without mixing."""
    groups = [feature.group for feature in FEATURES]
    assert groups == sorted(groups, key=["journey", "user", "market", "budget"].index)


def test_every_feature_tells_its_source_in_one_sentence() -> None:
    """A source is a sentence that ends in a full stop."""
    assert all(feature.source.endswith(".") and feature.unit for feature in FEATURES)


def test_own_facts_are_not_latent() -> None:
    """What the advertiser counts itself is the same in both modes; what is in people's heads is an estimate."""
    latent = {feature.name for feature in FEATURES if feature.latent}
    assert {"stage_intent", "fatigue_teach", "goodwill", "urgency", "segment_0"} <= latent
    assert not latent & {"impressions", "clicks", "total_spend_on_user_usd", "hour_sin", "daily_remaining_usd"}


def test_beliefs_are_probabilities(beliefs: Beliefs) -> None:
    """P(stage | signal) and the prior sum to 1; each trait lies in [0, 1]; evidence is bounded."""
    assert beliefs.given.shape == (STAGES + TRAITS * STAGES, 4)
    np.testing.assert_allclose(beliefs.given[:STAGES].sum(0), 1, rtol=1e-6)
    np.testing.assert_allclose(beliefs.stage_prior.sum(), 1, rtol=1e-6)
    assert beliefs.given.min() >= 0 and beliefs.given.max() <= 1
    assert np.abs(beliefs.evidence).max() <= EVIDENCE_MAX


def test_urgent_queries_speak_for_late_stages_and_crisis(beliefs: Beliefs) -> None:
    """An urgent signal raises P(INTENT) and, within each stage, P(crisis segment) and urgency."""
    generic, urgent = beliefs.given[:, 0], beliefs.given[:, 1]
    assert urgent[3] > generic[3] and urgent[0] < generic[0]
    assert (urgent[4:8] > generic[4:8]).all()
    assert (urgent[-4:] > generic[-4:]).all()


def test_stage_given_signal_by_hand(beliefs: Beliefs) -> None:
    """The odds CONSIDERING : AWARE on a generic search are shares x traffic x query shares."""
    in_crisis, calm = 0.1, 0.9
    odds = (0.1 * 0.3 * 0.2 * (in_crisis + calm)) / (0.2 * 0.08 * 0.6 * (in_crisis + calm))
    assert beliefs.given[2, 0] / beliefs.given[1, 0] == pytest.approx(odds, rel=1e-5)


def test_signals_run_on_over_the_channels(beliefs: Beliefs) -> None:
    """Codes 2 and 3 are the second channel's signals; a segment's search factor counts in its own channel only."""
    assert beliefs.evidence.shape == (2, 4, 3)
    np.testing.assert_allclose(beliefs.given[:4, 2], beliefs.given[:4, 0], rtol=1e-5)
    assert beliefs.given[4, 0] > beliefs.given[4, 2]


def test_columns_are_found_by_name() -> None:
    """COLUMN gives each name its place in the row."""
    assert [COLUMN[name] for name in NAMES] == list(range(41))
