"""Parameters of linkage from the evidence itself, without labels, or from devices that log-ins have joined."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import NONE, Bools, Floats
from gaelp_sim.identity.evidence import Aliases, Evidence
from gaelp_sim.identity.pairs import Pairs, Parameters, class_scores, compared, log_marginal, most_seen, rising_table

ROUNDS = 60
HABITS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0)
"""Concentrations of hours that are tried."""
_EDGE = 1e-3


def fit_habit(evidence: Evidence) -> float:
    """How much people's hours differ: the concentration of HABITS that makes the hours of all aliases likeliest."""
    population = np.maximum(evidence.hours.sum(axis=0), 1).astype(np.float64)
    shares, most = population / population.sum(), most_seen(evidence.hours)
    return max(HABITS, key=lambda habit: float(log_marginal(evidence.hours, rising_table(habit * shares, most)).sum()))


def fit_parameters(aliases: Aliases, evidence: Evidence) -> Parameters:
    """Parameters of greatest likelihood over three unseen classes (one person, one household, strangers), without labels.

    By expectation-maximisation over the pairs compared; all other pairs are strangers'. Source: Winkler (1988), for two
    classes.
    """
    habit = fit_habit(evidence)
    return fitted_to(compared(aliases, evidence, habit), aliases, habit)


def fitted_to(pairs: Pairs, aliases: Aliases, habit: float) -> Parameters:
    """The same from pairs that have been compared, with hours weighed by `habit`."""
    now = Parameters(habit=habit)
    for _ in range(ROUNDS if len(pairs.one) else 0):
        fresh = _fitted(pairs, *responsibilities(pairs, now), len(aliases.kind), now.habit)
        done = max(abs(a - b) for a, b in zip(fresh, now, strict=True)) < 1e-6
        now = fresh
        if done:
            break
    return now


def responsibilities(pairs: Pairs, parameters: Parameters) -> tuple[Floats, Floats]:
    """Probability of one person, and of one household, for each pair by itself: (n,) each."""
    same, home = class_scores(pairs, parameters)
    total = np.logaddexp(np.logaddexp(same, home), 0.0)
    return np.exp(same - total), np.exp(home - total)


def _fitted(pairs: Pairs, same: Floats, home: Floats, aliases: int, habit: float) -> Parameters:
    together = same + home
    weight = max(float(together.sum()), 1e-9)

    def share(of: Bools) -> float:
        return float(np.clip((together * of).sum() / weight, _EDGE, 1.0 - _EDGE))

    return Parameters(
        max(2 * float(same.sum()) / aliases, _EDGE), max(2 * float(home.sum()) / aliases, _EDGE),
        share(pairs.address_agrees), share(pairs.place_agrees), habit,
    )


def fit_from_logins(aliases: Aliases, evidence: Evidence) -> Parameters:
    """Parameters from what log-ins tell: two devices with one account are one person's.

    How often one person's devices agree on address and place is counted; how many partners there are is fitted without
    labels, as who logs in says little of that. With fewer than LABELS_MIN such pairs all is fitted without labels.
    """
    fitted = fit_parameters(aliases, evidence)
    pairs = compared(aliases, evidence, fitted.habit)
    one, other = aliases.account[pairs.one], aliases.account[pairs.other]
    same = (one != NONE) & (one == other)
    if same.sum() < LABELS_MIN:
        return fitted
    return fitted._replace(
        address=float(np.clip(pairs.address_agrees[same].mean(), _EDGE, 1.0 - _EDGE)),
        place=float(np.clip(pairs.place_agrees[same].mean(), _EDGE, 1.0 - _EDGE)),
    )


LABELS_MIN = 30
