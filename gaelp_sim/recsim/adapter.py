"""Any object with RecSim's user-model interface as people of our worlds.

An outside model is plain Python with hidden luck: it draws from numpy's global generator and keeps one user in
`_user_state`. The adapter gives it one person's state at a time, with that person's keyed luck, and takes the state back
as plain values. It is a slow path: tens of microseconds a call, against nanoseconds in the compiled loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.draws import Words, uniform
from gaelp_sim.errors import GaelpError, UserModelError
from gaelp_sim.events import NONE
from gaelp_sim.recsim.choice import chosen
from gaelp_sim.recsim.lending import generator_put_back, lend, own_generator
from gaelp_sim.recsim.user_state import Layout, Plain

INTERFACE = ("simulate_response", "update_state", "is_terminal", "reset")
LUCK_WORDS = 12
"""Words a person's answer may need: four seed its response, four its update, the others choose an item."""
SESSION_FIELDS = ("time_budget",)
"""Attributes of the user state that a new session renews: the published models' time budget."""


@dataclass(frozen=True)
class Answer:
    """What a user would do with a slate; nothing has happened yet."""

    clicked: int
    """Place of the first item clicked, NONE where none is"""
    dwell: float
    """Watch time, else engagement, of what was clicked, in the model's own unit"""
    slate: Sequence[Any]
    responses: Sequence[Any]
    after: Plain
    """The state that the response left"""


class RecSimUserAdapter:
    """One user model, lent to one person after the other.

    Raises UserModelError, in the model's name, for a missing part of the interface and for whatever the model raises.
    """

    def __init__(self, user_model: Any, session_fields: Sequence[str] = SESSION_FIELDS, name: str = "") -> None:
        """Take a model; `session_fields` of its user state are renewed by each new session."""
        self.model, self.name = user_model, name or type(user_model).__name__
        missing = [verb for verb in INTERFACE if not callable(getattr(user_model, verb, None))]
        if not hasattr(user_model, "_user_state"):
            missing.append("_user_state")
        if missing:
            raise UserModelError(
                f"user model {self.name}: it has no {', '.join(missing)}; a RecSim user model has {', '.join(INTERFACE)} "
                "and keeps its user in _user_state"
            )
        self.layout = Layout.of(self.name, user_model._user_state)
        self.session_fields = [field for field in session_fields if field in self.layout.kinds]
        self._luck: list[float] = []
        for holder in ("choice_model", "_choice_model"):
            if hasattr(user_model, holder):
                getattr(user_model, holder).choose_item = self._choose

    def newborn(self, words: Words) -> Plain:
        """The state of a person who has met nothing yet; words: (4,), the person's own."""
        sampler: Any = getattr(self.model, "_user_sampler", None)
        with generator_put_back(), self._named("reset"):
            lend(words)
            if hasattr(sampler, "_rng"):
                sampler._rng = own_generator(words)
            self.model.reset()
            return self.layout.taken(self.model._user_state)

    def renewed(self, state: Plain, newborn: Plain) -> Plain:
        """The state with which a new session begins: what only concerns a session is as it was at first."""
        return {**state, **{field: newborn[field] for field in self.session_fields}}

    def answer(self, state: Plain, slate: Sequence[Any], words: Words) -> Answer:
        """What a person in this state would do with a slate of documents; words: (LUCK_WORDS,)."""
        with generator_put_back(), self._named("simulate_response"):
            self.layout.put(self.model._user_state, state)
            lend(words[:4])
            self._luck = uniform(words[8:]).tolist()
            responses = self.model.simulate_response(slate)
            clicks = [place for place, response in enumerate(responses) if getattr(response, "clicked", False)]
            dwell = _dwell(responses[clicks[0]]) if clicks else 0.0
            return Answer(
                clicks[0] if clicks else NONE, dwell, slate, responses, self.layout.taken(self.model._user_state)
            )

    def learned(self, answer: Answer, words: Words) -> tuple[Plain, bool]:
        """The person's state once the answer has happened, and whether this ends the session; words as in `answer`."""
        with generator_put_back(), self._named("update_state"):
            self.layout.put(self.model._user_state, answer.after)
            lend(words[4:8])
            self.model.update_state(answer.slate, answer.responses)
            return self.layout.taken(self.model._user_state), bool(self.model.is_terminal())

    def _choose(self) -> int | None:
        """In place of the model's own `choose_item`: by the person's keyed uniform."""
        if not self._luck:
            raise UserModelError(f"user model {self.name}: more than {LUCK_WORDS - 8} choices of an item in one response")
        chooser = getattr(self.model, "choice_model", None) or self.model._choice_model
        weights = np.append(np.asarray(chooser.scores, dtype=np.float64), chooser.score_no_click)
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise UserModelError(f"user model {self.name}: scores {weights.tolist()} are no weights of a choice")
        place = int(chosen(weights[None, :], np.array([self._luck.pop(0)]))[0])
        return None if place == NONE else place

    @contextmanager
    def _named(self, verb: str) -> Iterator[None]:
        try:
            yield
        except GaelpError:
            raise
        except Exception as error:  # whatever an outsider's model raises is the outsider's to mend
            raise UserModelError(f"user model {self.name}: {verb} raised {type(error).__name__}: {error}") from error


def _dwell(response: Any) -> float:
    for measure in ("watch_time", "engagement"):
        if hasattr(response, measure):
            return float(getattr(response, measure))
    return 0.0


