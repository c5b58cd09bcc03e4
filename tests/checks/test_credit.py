"""Every attribution model faces the conformance suite; faulty ones are caught."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.attribution.models import MODELS, Credits, Options
from gaelp_sim.attribution.paths import Paths
from gaelp_sim.errors import UsageError
from tests.checks.credit import check_credit

OWN = "tests.checks.test_credit"


@pytest.mark.parametrize("model", MODELS)
def test_models(model: str) -> None:
    """Every model of ours."""
    check_credit(model)


def test_variants() -> None:
    """Models under other options."""
    check_credit("markov", Options(order=2))
    check_credit("markov", Options(order=3))
    check_credit("time_decay", Options(half_life_days=0.5))
    check_credit("data_driven", Options(channel_weight=np.array([1.2, 1.4, 0.8, 0.6, 1.0])))


def to_the_longest_gap(paths: Paths) -> np.ndarray:
    """A user's own model: all to the touch after the longest pause."""
    shares = np.zeros(len(paths.channel))
    for a, b in zip(paths.starts[:-1], paths.starts[1:], strict=True):
        shares[a + (np.diff(paths.second[a:b]).argmax() + 1 if b - a > 1 else 0)] = 1.0
    return shares


def test_own_model() -> None:
    """A user's function is a model like any other."""
    check_credit(f"{OWN}:to_the_longest_gap")


def too_few(paths: Paths) -> np.ndarray:
    """Shares for half of the touches."""
    return np.ones(len(paths.channel) // 2)


def negative(paths: Paths) -> np.ndarray:
    """Shares below zero."""
    return -np.ones(len(paths.channel))


def too_much(paths: Paths) -> np.ndarray:
    """All to every touch."""
    return np.ones(len(paths.channel))


def stops(paths: Paths) -> np.ndarray:
    """An error of the user's."""
    raise KeyError("search")


@pytest.mark.parametrize("name, says", [
    ("too_few", "one for each of"), ("negative", "negative"), ("too_much", "must sum to 1"), ("stops", "KeyError"),
    ("nowhere", "nowhere"), ("OWN", "no function"),
])
def test_faulty_models_are_told(name: str, says: str) -> None:
    """One line says what is wrong with a user's function."""
    with pytest.raises(UsageError, match=says):
        check_credit(f"{OWN}:{name}")


def test_the_suite_finds_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that gives what it does not have, or looks at the order of rows, fails."""
    def too_generous(paths: Paths, options: Options) -> Credits:
        credits = MODELS["linear"](paths, options)
        return Credits(credits.shares, credits.by_channel * 1.01)

    def by_row(paths: Paths, options: Options) -> Credits:
        credits = MODELS["linear"](paths, options)
        first = np.zeros(paths.channels)
        first[paths.channel[0]] = paths.total_sales
        return Credits(credits.shares, first)

    for faulty in (too_generous, by_row):
        monkeypatch.setitem(MODELS, "faulty", faulty)
        with pytest.raises(AssertionError):
            check_credit("faulty")
