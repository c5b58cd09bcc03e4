"""People of an outside user model live in our worlds: keyed, stored, resumed, and nobody notices his neighbour."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import InterruptedRunError, ScenarioError, UserModelError
from gaelp_sim.events import US
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Store
from gaelp_sim.store.rowhash import row_hash
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.outside_users import OutsideUsers
from gaelp_sim.world.request import Progress
from gaelp_sim.world.simulate import RunRequest, resume, run
from tests.worlds.outside import INTERESTS, LONG_TERM, MODELS, clicks_of, of, outside_scenario
from tests.worlds.scenarios import shard_of, whole_run


def hash_of(url: str) -> str:
    """The row hash of the last run."""
    with Store.open(url, must_exist=True) as store:
        return row_hash(store, store.find_run("@last"))


def run_hash(scenario: Scenario, url: str, workers: int = 1) -> str:
    """The row hash of a run."""
    run(RunRequest(scenario, url, crew=Crew(workers)))
    return hash_of(url)


@pytest.mark.parametrize("model", MODELS)
def test_a_run_of_theirs_is_the_same_twice(model: str, tmp_path: Path) -> None:
    scenario = outside_scenario(model, "population.people=25", "days=2")
    assert run_hash(scenario, f"sqlite:///{tmp_path}/1.db") == run_hash(scenario, f"sqlite:///{tmp_path}/2.db")


def test_people_do_as_the_model_says() -> None:
    """Long-term users click whatever they look at; our ads were clicked otherwise without the model."""
    told = clicks_of(whole_run(outside_scenario(LONG_TERM)))
    plain = clicks_of(whole_run(outside_scenario(None)))
    shares = [np.mean([touch[6] for touch in found if touch[4] == US]) for found in (told, plain)]
    assert shares[0] == pytest.approx(0.75, abs=0.07) and shares[1] < 0.1  # they look at .7 (social) to .85 (search)


def test_workers_and_cells_in_processes_do_not_matter(tmp_path: Path) -> None:
    """Two worlds, and four cells, in one process and in two."""
    worlds = outside_scenario(INTERESTS, "worlds=2", "days=2")
    cells = outside_scenario(LONG_TERM, "population.people=200", "cells=2", "days=2")
    for number, scenario in enumerate((worlds, cells)):
        alone, spread = (run_hash(scenario, f"sqlite:///{tmp_path}/{number}{w}.db", w) for w in (1, 2))
        assert alone == spread


@pytest.mark.parametrize("model", [LONG_TERM, INTERESTS])
def test_interrupted_and_resumed_is_the_same(model: str, tmp_path: Path) -> None:
    """Interrupted after the eleventh day, after a stored state: the users' states come back from it."""
    scenario = outside_scenario(model, "population.people=20", "days=13")
    whole = run_hash(scenario, f"sqlite:///{tmp_path}/whole.db")
    url = f"sqlite:///{tmp_path}/cut.db"
    assert _resumed(scenario, url) == whole


def test_a_state_left_out_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the stored users have lost their interests."""
    scenario = outside_scenario(INTERESTS, "population.people=20", "days=13")
    whole = run_hash(scenario, f"sqlite:///{tmp_path}/whole.db")
    honest = OutsideUsers.arrays

    def forgetful(self: OutsideUsers) -> dict[str, np.ndarray]:
        return {name: column * 0 if name == "state.user_interests" else column for name, column in honest(self).items()}

    monkeypatch.setattr(OutsideUsers, "arrays", forgetful)
    assert _resumed(scenario, f"sqlite:///{tmp_path}/cut.db") != whole


def _resumed(scenario: Scenario, url: str) -> str:
    def stop(progress: Progress) -> None:
        if progress.hours_done == 11 * HOURS_PER_DAY:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedRunError):
        run(RunRequest(scenario, url), stop)
    resume(url, "@last")
    return hash_of(url)


def test_one_person_more_changes_nobody_else() -> None:
    """Everybody who was there does the same beside one more; nobody's money concerns the others here."""
    few, many = (whole_run(outside_scenario(LONG_TERM, f"population.people={n}")) for n in (40, 41))
    for person in range(39):  # the last household of the smaller world may be cut
        assert clicks_of(few, person) == clicks_of(many, person)
    assert sum(len(clicks_of(few, person)) for person in range(39)) > 400


def test_a_model_that_mixes_its_users_up_would_be_found() -> None:
    """Planted fault: a model that counts its calls, over all users."""
    few, many = (whole_run(outside_scenario(of("Leaky"), f"population.people={n}")) for n in (40, 41))
    assert any(clicks_of(few, person) != clicks_of(many, person) for person in range(39))


def test_a_session_ends_and_the_journey_goes_on() -> None:
    """Whose sessions last two ads looks at no third one within half an hour, but does again after a pause."""
    scenario = outside_scenario(of("Short"), "population.opportunities_per_hour_max=4")
    rates = scenario.channels[0].opportunities_per_day.model_copy(update=dict.fromkeys(("unaware", "aware"), 40.0))
    busy = scenario.channels[0].model_copy(update={"opportunities_per_day": rates, "search_like": False})
    scenario = scenario.model_copy(update={"channels": [busy, *scenario.channels[1:]]})
    longest, days = 0, set()
    touches = whole_run(scenario)["touchpoint"]
    for person in range(60):
        looked = (touches["person_id"] == person) & (touches["kind"] == 0) & (touches["examined"] > 0)
        seconds = np.sort(touches["occurred_s"][looked])
        for session in np.split(seconds, np.flatnonzero(np.diff(seconds) > 1_800) + 1):
            longest = max(longest, len(session))
            days.add(int(session[0] // 86_400) if len(session) else -1)
    assert longest == 2 and len(days - {-1}) == 4


def test_nothing_of_it_shows_where_no_model_is_named() -> None:
    stack = shard_of(outside_scenario(None)).stack
    assert stack.outside is None


def test_a_child_keeps_its_users(tmp_path: Path) -> None:
    """A continued run goes on with the users' states; another model is refused."""
    url = f"sqlite:///{tmp_path}/gaelp.db"
    scenario = outside_scenario(LONG_TERM, "population.people=20", "days=1")
    first = run(RunRequest(scenario, url))
    second = run(RunRequest(scenario, url, continue_ref=first.run_id))
    assert second.touchpoints > 0
    other = outside_scenario(INTERESTS, "population.people=20", "days=1")
    with pytest.raises(Exception, match="population.user_model is gaelp_sim.recsim.interests"):
        run(RunRequest(other, url, continue_ref=first.run_id))


@pytest.mark.parametrize(("name", "told"), [
    ("nowhere_at_all:Users", "ModuleNotFoundError: .*; give module:Class with the module in this folder or on PYTHONPATH"),
    ("gaelp_sim.units:Nobody", "AttributeError"),
    ("os:abort", "is no class with simulate_response, update_state, is_terminal, reset"),
    ("gaelp_sim.recsim.interests:InterestState", "is no class with simulate_response"),
])
def test_whatever_is_no_user_model_is_refused_before_anything_is_written(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserModelError, match=f"population.user_model {name}: .*{told}"):
        run(RunRequest(outside_scenario(name), f"sqlite:///{tmp_path}/gaelp.db"))
    assert not (tmp_path / "gaelp.db").exists()


def test_a_failing_model_fails_its_run(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gaelp.db"
    with pytest.raises(UserModelError, match="Failing: update_state raised ZeroDivisionError: no time left"):
        run(RunRequest(outside_scenario(of("Failing")), url))
    assert _runs(url) == ["FAILED"]


def _runs(url: str) -> list[str]:
    with Store.open(url, must_exist=True) as store:
        return [found.status for found in store.runs()]


def test_several_slots_are_refused() -> None:
    with pytest.raises(ScenarioError, match="population.user_model is asked about one ad at a time; set 1"):
        load_scenario("gsp_slots", [f"population.user_model={LONG_TERM}"])
    with pytest.raises(ScenarioError, match="population.user_model"):
        load_scenario("quickstart", ["population.user_model=not a name"])
