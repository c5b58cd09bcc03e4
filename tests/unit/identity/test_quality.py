"""Grades of linkage against a count pair by pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaelp_sim.identity.quality import calibration, quality


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_by_brute_force(rows: list[tuple[int, int]]) -> None:
    """Pairs, B-cubed, the largest user, merges too many and too few."""
    user, person = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = quality(user, person)
    pairs = list(combinations(range(len(rows)), 2))
    linked = [user[i] == user[j] for i, j in pairs]
    true = [person[i] == person[j] for i, j in pairs]
    assert found.linked_pairs == sum(linked) and found.true_pairs == sum(true)
    assert found.right_pairs == sum(a and b for a, b in zip(linked, true, strict=True))
    n = range(len(rows))
    precision = np.mean([np.mean([person[j] == person[i] for j in n if user[j] == user[i]]) for i in n])
    recall = np.mean([np.mean([user[j] == user[i] for j in n if person[j] == person[i]]) for i in n])
    assert (found.b_cubed_precision, found.b_cubed_recall) == pytest.approx((precision, recall))
    assert found.largest == max((user == one).sum() for one in user)
    assert found.over_merges == sum(len(set(person[user == one])) > 1 for one in set(user))
    assert found.under_merges == sum(len(set(user[person == one])) > 1 for one in set(person))


def test_calibration_counts_every_pair() -> None:
    """Each pair in one bucket, the last one closed above."""
    said = np.array([0.0, 0.04, 0.5, 0.999, 1.0])
    buckets = calibration(said, np.array([0, 0, 1, 1, 1]))
    assert sum(bucket.pairs for bucket in buckets) == 5
    assert (buckets[-1].pairs, buckets[-1].true) == (2, 1.0)
