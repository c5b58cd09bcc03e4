"""People whom an outside user model speaks for: its name, and what it keeps of each person as plain columns."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.draws import Draws, Purpose, Words
from gaelp_sim.errors import UserModelError
from gaelp_sim.events import NONE, US, Bools, Column, Floats, Ints
from gaelp_sim.outside import WHERE, named
from gaelp_sim.population.people import People
from gaelp_sim.recsim.adapter import INTERFACE, LUCK_WORDS, Answer, RecSimUserAdapter
from gaelp_sim.recsim.documents import AdDocument, documents_of, topics_of
from gaelp_sim.recsim.lending import generator_put_back
from gaelp_sim.recsim.user_state import Plain
from gaelp_sim.scenario.schema import Scenario

SESSION_GAP_S = 1_800
"""Half an hour without looking at an ad ends a session."""
_STATE, _FIRST = "state.", "first."


def user_model_named(scenario: Scenario) -> RecSimUserAdapter | None:
    """The user model that a scenario names as module:Class, None where it names none.

    Only a class with RecSim's verbs is called: its static `of` with the scenario, else its constructor, with
    `slate_size=1` where it takes one. Raises UserModelError for anything else.
    """
    name = scenario.population.user_model
    if name is None:
        return None
    try:
        found = named(name)
    except Exception as error:  # whatever an outsider's module raises is the outsider's to mend
        raise UserModelError(
            f"population.user_model {name}: {type(error).__name__}: {error}; "
            f"give module:Class with {WHERE}"
        ) from error
    if not isinstance(found, type) or not all(callable(getattr(found, verb, None)) for verb in INTERFACE):
        raise UserModelError(
            f"population.user_model {name}: it is no class with {', '.join(INTERFACE)}; give RecSim's or your own"
        )
    return RecSimUserAdapter(_made(name, found, scenario), name=name)


def _made(name: str, found: Any, scenario: Scenario) -> Any:
    try:
        if hasattr(found, "of"):
            return found.of(scenario)
        takes_size = "slate_size" in inspect.signature(found).parameters
        return found(slate_size=1) if takes_size else found()
    except Exception as error:  # as above
        raise UserModelError(
            f"population.user_model {name}: {type(error).__name__}: {error}; the class takes nothing or slate_size, "
            "or has a static method `of` that takes the scenario"
        ) from error


@dataclass
class OutsideUsers:
    """What the model keeps of each person of a stack: (people, ...) columns in the order of its rows."""

    adapter: RecSimUserAdapter
    documents: list[AdDocument]
    topics: int
    state: dict[str, Column]
    first: dict[str, Column]
    """Of the state, what each new session begins with"""
    last_s: Ints
    """When the person last looked at an ad, NONE before"""
    over: Bools
    """The session that began last is over: the person looks at no more ads until the next one"""
    dwell: Floats
    """In all so far, in the model's own unit"""

    @staticmethod
    def born(scenario: Scenario, draws: Draws, people: People) -> OutsideUsers | None:
        """Everybody's first state, each by luck of their own; None where the scenario names no model."""
        users = OutsideUsers._empty(scenario, people.size)
        if users is None:
            return None
        words = draws.words(Purpose.OUTSIDE_START, people.world, people.person, 0)
        with generator_put_back():
            for row in range(people.size):
                users._keep(row, users.adapter.newborn(words[:, row]))
        users.first = {field: users.state[field].copy() for field in users.adapter.session_fields}
        return users

    @staticmethod
    def restored(scenario: Scenario, arrays: dict[str, Column]) -> OutsideUsers | None:
        """The columns that `arrays` gave, of the people who live here now."""
        users = OutsideUsers._empty(scenario, len(arrays["last_s"]) if arrays else 0)
        if users is None:
            return None
        found = {name.removeprefix(_STATE) for name in arrays if name.startswith(_STATE)}
        if found != set(users.state):
            raise UserModelError(
                f"user model {users.adapter.name}: the stored state has {', '.join(sorted(found)) or 'nothing'}, the model "
                f"now keeps {', '.join(sorted(users.state))}; put the model back as it was, or start a new run"
            )
        users.state = {name: arrays[_STATE + name].copy() for name in users.state}
        users.first = {name: arrays[_FIRST + name].copy() for name in users.adapter.session_fields}
        users.last_s, users.over = arrays["last_s"].copy(), arrays["over"].copy()
        users.dwell = arrays["dwell"].copy()
        return users

    @staticmethod
    def _empty(scenario: Scenario, n: int) -> OutsideUsers | None:
        adapter = user_model_named(scenario)
        if adapter is None:
            return None
        never, nothing = np.full(n, NONE, dtype=np.int64), np.zeros(n, dtype=bool)
        return OutsideUsers(
            adapter, documents_of(scenario), topics_of(scenario), adapter.layout.columns(n), {}, never, nothing, np.zeros(n)
        )

    def arrays(self) -> dict[str, Column]:
        """Everything that must outlast the process, by name."""
        kept: dict[str, Column] = {_STATE + name: column for name, column in self.state.items()}
        kept.update({_FIRST + name: column for name, column in self.first.items()})
        return {**kept, "last_s": self.last_s, "over": self.over, "dwell": self.dwell}

    def looks(self, row: int, second: int) -> bool:
        """Somebody is about to look at an ad: a new session after a pause; False where the present one is over."""
        if self.last_s[row] == NONE or second - self.last_s[row] > SESSION_GAP_S:
            for field, column in self.first.items():
                self.state[field][row] = column[row]
            self.over[row] = False
        if self.over[row]:
            return False
        self.last_s[row] = second
        return True

    def answer(self, row: int, document: int, words: Words) -> Answer:
        """What the person would do with a document now; words: (LUCK_WORDS,)."""
        state: Plain = {name: column[row] for name, column in self.state.items()}
        return self.adapter.answer(state, [self.documents[document]], words[:LUCK_WORDS])

    def learn(self, row: int, answer: Answer, words: Words) -> None:
        """The answer has happened: the person's state moves on, and the session may be over."""
        state, ended = self.adapter.learned(answer, words[:LUCK_WORDS])
        self._keep(row, state)
        self.over[row] = ended
        self.dwell[row] += answer.dwell

    def document_of(self, channel: int, creative: int, advertiser: int) -> int:
        """The number of the document that an ad is."""
        return channel * self.topics + (creative if advertiser == US else self.topics - 1)

    def _keep(self, row: int, state: Plain) -> None:
        for name, value in state.items():
            self.state[name][row] = value
