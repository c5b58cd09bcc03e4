"""The adapter lends a user model to many people: nobody's luck or state reaches anybody else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.errors import UserModelError
from gaelp_sim.recsim.adapter import LUCK_WORDS, RecSimUserAdapter
from gaelp_sim.recsim.documents import AdDocument, documents_of, topics_of
from gaelp_sim.recsim.user_state import Plain
from gaelp_sim.scenario.loading import load_scenario
from tests.unit.recsim.originals import Original

DOCUMENTS = [AdDocument(number, 0, number, np.eye(2)[number], 0.0, 0.2 + 0.6 * number) for number in range(2)]


def luck(person: int, second: int) -> np.ndarray:
    """A person's words at a second: (LUCK_WORDS,)."""
    return Draws(5).words(Purpose.SALE, 0, person, second, np.arange(LUCK_WORDS // 4)).T.reshape(-1)


def lived(people: list[int], steps: int = 12) -> dict[int, list[Any]]:
    """What each person did and came to, all of them sharing one model, one step after the other."""
    adapter = RecSimUserAdapter(Original(slate_size=2))
    states: dict[int, Plain] = {person: adapter.newborn(luck(person, 0)[:4]) for person in people}
    told: dict[int, list[Any]] = {person: [] for person in people}
    for step in range(1, steps):
        for person in people:
            answer = adapter.answer(states[person], DOCUMENTS, luck(person, step))
            states[person], ended = adapter.learned(answer, luck(person, step))
            told[person].append((answer.clicked, answer.dwell, ended, {k: v.tolist() for k, v in states[person].items()}))
    return told


def test_one_person_more_changes_nobody_else() -> None:
    alone, together = lived([3]), lived([1, 2, 3, 4])
    assert alone[3] == together[3]
    assert together[1] != together[2]
    assert any(step[0] >= 0 for step in together[1])


def test_shared_luck_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the global generator is not seeded for each call, as in RecSim itself."""
    monkeypatch.setattr("gaelp_sim.recsim.adapter.lend", lambda words: None)
    monkeypatch.setattr("gaelp_sim.recsim.adapter.generator_put_back", _nothing)
    np.random.seed(0)
    alone = lived([3])
    np.random.seed(0)
    assert alone[3] != lived([1, 2, 3, 4])[3]


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *rest: object) -> None: ...


def test_the_global_generator_goes_on_as_if_nothing_had_happened() -> None:
    np.random.seed(9)
    expected = np.random.random_sample(3).tolist()
    np.random.seed(9)
    lived([1, 2])
    assert np.random.random_sample(3).tolist() == expected


def test_an_answer_has_no_effect_until_it_happens() -> None:
    """Two slates are tried from one state; both answers start from it, and only one is learned from."""
    adapter = RecSimUserAdapter(Original(slate_size=1))
    state = adapter.newborn(luck(1, 0)[:4])
    before = {name: value.tolist() for name, value in state.items()}
    first = adapter.answer(state, DOCUMENTS[:1], luck(1, 7))
    again = adapter.answer(state, DOCUMENTS[1:], luck(1, 7))
    assert (first.clicked, first.dwell) == (again.clicked, again.dwell), "the same luck, the same scores"
    assert {name: value.tolist() for name, value in state.items()} == before


def test_the_choice_is_keyed() -> None:
    """The uniform of the choice is a word of the person's own, whatever the model draws besides."""
    adapter = RecSimUserAdapter(Original(slate_size=2))
    state = adapter.newborn(luck(1, 0)[:4])
    for share, place in ((0.0, 0), (0.34, 1), (0.67, -1), (0.999, -1)):
        words = luck(1, 1).copy()
        words[8] = int(share * 2**32)
        assert adapter.answer(state, DOCUMENTS, words).clicked == place


def test_state_comes_back_in_its_own_types() -> None:
    adapter = RecSimUserAdapter(Original(slate_size=1))
    state = adapter.newborn(luck(1, 0)[:4])
    assert {name: value.dtype.kind for name, value in state.items()} == {
        "net_positive_exposure": "f", "time_budget": "f", "sensitivity": "f", "recent": "i"
    }
    adapter.layout.put(adapter.model._user_state, state)
    kept = vars(adapter.model._user_state)
    assert type(kept["time_budget"]) is int and type(kept["sensitivity"]) is float
    assert kept["recent"].dtype == np.int64 and kept["recent"] is not state["recent"]


def test_a_session_ends_and_the_next_renews_it() -> None:
    """After 60 steps the session is over; the next one has its time again, and the mark of the first stays."""
    adapter = RecSimUserAdapter(Original(slate_size=1))
    newborn = adapter.newborn(luck(1, 0)[:4])
    state, ended, steps = newborn, False, 0
    while not ended:
        steps += 1
        state, ended = adapter.learned(adapter.answer(state, DOCUMENTS[:1], luck(1, steps)), luck(1, steps))
    assert steps == 60
    renewed = adapter.renewed(state, newborn)
    assert renewed["time_budget"] == 60 and renewed["net_positive_exposure"] == state["net_positive_exposure"]


class NoState:
    """Half an interface."""

    def reset(self) -> None: ...

    def simulate_response(self, documents: Any) -> list[Any]: ...


def spoilt(**changes: Any) -> RecSimUserAdapter:
    """An adapter of a model some of whose state is changed by every update."""
    model = Original(slate_size=1)
    honest = model.update_state

    def update(documents: Any, responses: Any) -> None:
        honest(documents, responses)
        vars(model._user_state).update(changes)

    model.update_state = update  # type: ignore[method-assign]
    return RecSimUserAdapter(model, name="spoilt")


@pytest.mark.parametrize(("changes", "told"), [
    ({"watched_videos": {1}}, "watched_videos of its user state changes, but is no number"),
    ({"recent": np.zeros(3)}, "recent of its user state turned into"),
    ({"time_budget": "much"}, "time_budget of its user state turned into str"),
    ({"novel": 1}, "came or went: novel"),
])
def test_a_state_that_can_t_be_kept_is_refused(changes: dict[str, Any], told: str) -> None:
    adapter = spoilt(**changes)
    answer = adapter.answer(adapter.newborn(luck(1, 0)[:4]), DOCUMENTS[:1], luck(1, 1))
    with pytest.raises(UserModelError, match=f"user model spoilt: .*{told}"):
        adapter.learned(answer, luck(1, 1))


def test_missing_verbs_and_errors_are_told_in_the_model_s_name() -> None:
    with pytest.raises(UserModelError, match="user model NoState: it has no update_state, is_terminal, _user_state; a"):
        RecSimUserAdapter(NoState())
    adapter = RecSimUserAdapter(Original(slate_size=1))
    with pytest.raises(UserModelError, match="user model Original: simulate_response raised AttributeError"):
        adapter.answer(adapter.newborn(luck(1, 0)[:4]), [object()], luck(1, 1))
    model = Original(slate_size=1)
    model._user_state.label = object()  # type: ignore[assignment]
    with pytest.raises(UserModelError, match="user state's label is a object"):
        RecSimUserAdapter(model)


def test_documents_of_a_scenario() -> None:
    """A document for each channel and creative, and one for rivals' ads; offers push more than lessons."""
    scenario = load_scenario("quickstart")
    documents = documents_of(scenario)
    assert len(documents) == len(scenario.channels) * topics_of(scenario) == 6
    assert [document.doc_id() for document in documents] == list(range(6))
    teach, offer, rival = documents[3:]
    assert (teach.channel, teach.creative, offer.creative, rival.creative) == (1, 0, 1, -1)
    assert teach.clickbait_score < rival.clickbait_score < offer.clickbait_score
    assert rival.create_observation().tolist() == [0.0, 0.0, 1.0] and rival.cluster_id == 2
