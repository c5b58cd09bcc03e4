"""The four choice models against their closed forms, written out place by place, to 1e-12."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gaelp_sim.errors import UserModelError
from gaelp_sim.events import NONE
from gaelp_sim.recsim import choice
from gaelp_sim.recsim.choice import (
    ChoiceModel,
    ExponentialCascade,
    MultinomialLogit,
    MultinomialProportional,
    ProportionalCascade,
    chosen,
    exponential_cascade,
    multinomial_logit,
    multinomial_proportional,
    proportional_cascade,
)

TOLERANCE = 1e-12
SCORES = np.random.default_rng(3).uniform(-0.9, 0.9, (200, 5))
MASS, LEAST, ATTENTION, SCALING = 0.7, -1.0, 0.65, 0.05


def _logit(scores: list[float]) -> list[float]:
    weights = [math.exp(score) for score in scores] + [math.exp(MASS)]
    return [weight / math.fsum(weights) for weight in weights]


def _proportional(scores: list[float]) -> list[float]:
    weights = [score - LEAST for score in scores] + [MASS - LEAST]
    return [weight / math.fsum(weights) for weight in weights]


def _cascade(rates: list[float]) -> list[float]:
    result, reached = [], 1.0
    for rate in rates:
        result.append(reached * ATTENTION * SCALING * rate)
        reached *= 1 - ATTENTION * SCALING * rate
    return [*result, reached]


CASES: dict[str, tuple[ChoiceModel, Callable[[list[float]], list[float]]]] = {
    "multinomial logit": (MultinomialLogit(MASS), _logit),
    "multinomial proportional": (MultinomialProportional(MASS, LEAST), _proportional),
    "exponential cascade": (ExponentialCascade(ATTENTION, SCALING), lambda s: _cascade([math.exp(x) for x in s])),
    "proportional cascade": (ProportionalCascade(ATTENTION, SCALING, LEAST), lambda s: _cascade([x - LEAST for x in s])),
}


def furthest(name: str) -> float:
    """The greatest difference from the closed form over the slates."""
    model, closed = CASES[name]
    return float(np.abs(model.probabilities(SCORES) - [closed(row) for row in SCORES.tolist()]).max())


@pytest.mark.parametrize("name", CASES)
def test_probabilities_are_the_closed_form(name: str) -> None:
    assert furthest(name) < TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_one_slate_as_a_user_model_asks_for_it(name: str) -> None:
    """`score_documents` leaves the same probabilities in `scores` and `score_no_click`."""
    model, closed = CASES[name]

    class User:
        def score_document(self, document: float) -> float:
            return document

    model.score_documents(User(), SCORES[0].tolist())
    assert np.abs(np.append(model.scores, model.score_no_click) - closed(SCORES[0].tolist())).max() < TOLERANCE


def test_an_unshifted_no_click_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the mass of no click is not shifted with the scores."""
    monkeypatch.setattr(choice, "multinomial_proportional", lambda s, m, n: multinomial_proportional(s, m + n, n))
    assert furthest("multinomial proportional") > 1e-3


def test_published_example_of_the_shift() -> None:
    """m = 1, n = -1: the weight of no click is 2."""
    assert multinomial_proportional(np.array([[0.0]]), 1.0, -1.0)[0].tolist() == [1 / 3, 2 / 3]


def test_large_logits_do_not_overflow() -> None:
    assert multinomial_logit(np.array([[1000.0, 999.0]]), 0.0)[0, 0] == pytest.approx(1 / (1 + math.exp(-1)))


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(UserModelError, match="below min_normalizer"):
        multinomial_proportional(np.array([[-2.0]]), 1.0, -1.0)
    with pytest.raises(UserModelError, match="above 1"):
        exponential_cascade(np.array([[5.0]]), 0.65, 0.05)
    with pytest.raises(UserModelError, match="above 1"):
        proportional_cascade(np.array([[30.0]]), 0.65, 0.05, -1.0)


def test_choices_have_these_probabilities() -> None:
    """A lattice of uniforms chooses each place as often as its probability says, to one part of the lattice."""
    lattice = (np.arange(10_000) + 0.5) / 10_000
    for row in multinomial_logit(SCORES[:20], MASS):
        place = chosen(np.tile(row, (len(lattice), 1)), lattice)
        counts = np.bincount(np.where(place == NONE, len(row) - 1, place), minlength=len(row))
        assert np.abs(counts / len(lattice) - row).max() <= 1.01e-4
