"""RecSim's four choice models: which item of a slate a user clicks, if any.

The functions give probabilities of whole batches: scores are (n, k), a row a user and a column a place of the slate, top
first; results are (n, k + 1), the last column being "nothing". Source of the formulas: Ie et al., "RecSim: A configurable
simulation platform for recommender systems" (2019), and its code, version 0.2.4.
The classes are the same models in the form that user models of RecSim hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gaelp_sim.errors import UserModelError
from gaelp_sim.events import NONE, Floats, Ints


def multinomial_logit(scores: Floats, no_click_mass: float) -> Floats:
    """p_i = exp(s_i) / (sum_j exp(s_j) + exp(m)): the mass of no click is a logit like the scores.

    >>> multinomial_logit(np.array([[0.0, 0.0]]), 0.0).round(4).tolist()
    [[0.3333, 0.3333, 0.3333]]
    """
    logits = _with_last(scores, no_click_mass)
    return _shares(np.exp(logits - logits.max(axis=1, keepdims=True)))


def multinomial_proportional(scores: Floats, no_click_mass: float, min_normalizer: float) -> Floats:
    """p_i = (s_i - n) / sum: every weight, that of no click too, is shifted by the least score n.

    Raises UserModelError where a score lies below `min_normalizer`.
    """
    return _shares(_shifted(_with_last(scores, no_click_mass), min_normalizer))


def exponential_cascade(scores: Floats, attention: float, scaling: float) -> Floats:
    """Down the slate: P(click i | none before) = attention x scaling x exp(s_i).

    Raises UserModelError where scaling x exp(score) is above 1.
    """
    return _down_the_slate(np.exp(scores), attention, scaling)


def proportional_cascade(scores: Floats, attention: float, scaling: float, min_normalizer: float) -> Floats:
    """Down the slate: P(click i | none before) = attention x scaling x (s_i - n).

    Raises UserModelError where a score lies below `min_normalizer`, or scaling x (score - n) is above 1.
    """
    return _down_the_slate(_shifted(scores, min_normalizer), attention, scaling)


def chosen(probabilities: Floats, luck: Floats) -> Ints:
    """The place that each user clicks, NONE where nothing; luck: (n,) uniforms, one choice each.

    Invariant: the same luck chooses the same place whatever batch the user is in.
    """
    below = np.cumsum(probabilities, axis=1)[:, :-1]
    place = (luck[:, None] * probabilities.sum(axis=1, keepdims=True) >= below).sum(axis=1)
    return np.where(place == below.shape[1], NONE, place)


def _with_last(scores: Floats, last: float) -> Floats:
    return np.concatenate([scores, np.full((len(scores), 1), float(last))], axis=1)


def _shares(weights: Floats) -> Floats:
    return weights / weights.sum(axis=1, keepdims=True)


def _shifted(scores: Floats, min_normalizer: float) -> Floats:
    if scores.size and scores.min() < min_normalizer:
        raise UserModelError(
            f"choice model: score {scores.min():.6g} is below min_normalizer {min_normalizer:.6g}; no weight may be "
            "negative: lower min_normalizer"
        )
    return scores - min_normalizer


def _down_the_slate(appeal: Floats, attention: float, scaling: float) -> Floats:
    rates = scaling * appeal
    if rates.size and rates.max() > 1.0:
        raise UserModelError(f"choice model: click rate {rates.max():.6g} of a cascade is above 1; lower score_scaling")
    passed = np.cumprod(1.0 - attention * rates, axis=1)
    reached = np.concatenate([np.ones((len(rates), 1)), passed], axis=1)
    return np.concatenate([reached[:, :-1] * attention * rates, reached[:, -1:]], axis=1)


class ChoiceModel:
    """A choice model as RecSim's user models hold it; `choose_item` needs luck, which the adapter puts in.

    After `score_documents`, `scores` (k,) and `score_no_click` are the probabilities themselves.
    """

    scores: Floats = np.zeros(0)
    score_no_click: float = 1.0

    def score_documents(self, user_state: Any, doc_obs: Sequence[Any]) -> None:
        """Take the probabilities of a slate from the user's scores of its documents."""
        scores = np.array([[float(user_state.score_document(document)) for document in doc_obs]])
        probabilities = self.probabilities(scores.reshape(1, len(doc_obs)))[0]
        self.scores, self.score_no_click = probabilities[:-1], float(probabilities[-1])

    def probabilities(self, scores: Floats) -> Floats:
        """(n, k + 1) of scores (n, k)."""
        raise NotImplementedError

    def choose_item(self) -> int | None:
        """The place that is clicked, None for nothing."""
        raise UserModelError("choice model: no luck to choose with; put the user model into a RecSimUserAdapter")


class MultinomialLogit(ChoiceModel):
    """`multinomial_logit`, held by a user model."""

    def __init__(self, no_click_mass: float = 0.0) -> None:
        self.no_click_mass = no_click_mass

    def probabilities(self, scores: Floats) -> Floats:
        """(n, k + 1) of scores (n, k)."""
        return multinomial_logit(scores, self.no_click_mass)


class MultinomialProportional(ChoiceModel):
    """`multinomial_proportional`, held by a user model."""

    def __init__(self, no_click_mass: float, min_normalizer: float) -> None:
        self.no_click_mass, self.min_normalizer = no_click_mass, min_normalizer

    def probabilities(self, scores: Floats) -> Floats:
        """(n, k + 1) of scores (n, k)."""
        return multinomial_proportional(scores, self.no_click_mass, self.min_normalizer)


class ExponentialCascade(ChoiceModel):
    """`exponential_cascade`, held by a user model."""

    def __init__(self, attention: float, scaling: float) -> None:
        self.attention, self.scaling = attention, scaling

    def probabilities(self, scores: Floats) -> Floats:
        """(n, k + 1) of scores (n, k)."""
        return exponential_cascade(scores, self.attention, self.scaling)


class ProportionalCascade(ChoiceModel):
    """`proportional_cascade`, held by a user model."""

    def __init__(self, attention: float, scaling: float, min_normalizer: float) -> None:
        self.attention, self.scaling, self.min_normalizer = attention, scaling, min_normalizer

    def probabilities(self, scores: Floats) -> Floats:
        """(n, k + 1) of scores (n, k)."""
        return proportional_cascade(scores, self.attention, self.scaling, self.min_normalizer)
