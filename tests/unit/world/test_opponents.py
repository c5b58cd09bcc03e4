"""Rivals as a run left them: stored, exported, met again, frozen or learning on; the same however a run is cut."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.errors import ScenarioError, UsageError
from gaelp_sim.market.cast import Strategy, cast_of
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.store.rowhash import row_hash
from gaelp_sim.world.opponents import opponents_from_text, opponents_named, opponents_of_run
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.simulate import RunRequest, run

SETS = ("population.people=200", "days=4", "rivals_learn=true")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A store with a run of two worlds whose rivals have learned for four days: (url, run id)."""
    url = f"sqlite:///{tmp_path_factory.mktemp('rivals')}/r.db"
    return url, run(RunRequest(load_scenario("quickstart", [*SETS, "worlds=2"]), url)).run_id


def _hash(url: str, run_id: str) -> str:
    with Store.open(url) as store:
        return row_hash(store, store.find_run(run_id))


def _rows(url: str, run_id: str) -> dict[str, np.ndarray]:
    with Store.open(url) as store:
        return {name: np.asarray(column) for name, column in store.read(store.find_run(run_id), "rival_day").items()}


def test_export_and_import_are_exact(learned: tuple[str, str], tmp_path: Path) -> None:
    url, ref = learned
    with Store.open(url) as store:
        told = opponents_of_run(store, ref)
    path = tmp_path / "rivals.json"
    path.write_text(json.dumps(told.as_json()))
    for again in (opponents_named(str(path), url), opponents_named(ref, url), opponents_from_text(told.text())):
        assert again is not None
        assert again.names == told.names and (again.strategy == told.strategy).all()
        assert all((a == b).all() for a, b in zip(again.minds, told.minds, strict=True))
    assert (told.minds.hours[:, 0] == 96).all(), "the Q-learner learned every hour"


def test_a_run_and_its_file_are_the_same_opponents_and_replay(learned: tuple[str, str], tmp_path: Path) -> None:
    url, ref = learned
    path = tmp_path / "rivals.json"
    with Store.open(url) as store:
        path.write_text(json.dumps(opponents_of_run(store, ref).as_json()))
    scenario = load_scenario("quickstart", [*SETS, "rivals_learn=false"])
    runs = [run(RunRequest(scenario, url, rivals_from=source)).run_id for source in (ref, str(path))]
    fresh = run(RunRequest(scenario, url)).run_id
    hashes = [_hash(url, one) for one in (*runs, fresh)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert replay(ReplayRequest(url, runs[0])).equal
    frozen = _rows(url, runs[0])
    first = frozen["day"] == 0
    assert (frozen["bid_multiple_ppm"][first] == frozen["bid_multiple_ppm"][frozen["day"] == 3]).all(), "frozen seats stay"
    assert (frozen["learns"] == 0).all()


def test_they_learn_on_where_they_may(learned: tuple[str, str]) -> None:
    url, ref = learned
    again = run(RunRequest(load_scenario("quickstart", SETS), url, rivals_from=ref)).run_id
    with Store.open(url) as store:
        minds = opponents_of_run(store, again).minds
    assert (minds.hours[0, [0, 1, 4]] == 192).all()


def test_a_continued_run_goes_on_learning(learned: tuple[str, str]) -> None:
    url, ref = learned
    child = run(RunRequest(load_scenario("quickstart", [*SETS, "worlds=2"]), url, continue_ref=ref)).run_id
    with Store.open(url) as store:
        assert (opponents_of_run(store, child).minds.hours[:, 0] == 192).all()
    assert replay(ReplayRequest(url, child)).equal


def test_opponents_that_do_not_fit_are_refused(learned: tuple[str, str], tmp_path: Path) -> None:
    url, ref = learned
    short = load_scenario("first_price_display", ["population.people=100", "days=1"])
    with pytest.raises(UsageError, match="other channels or signals"):
        run(RunRequest(short, url, rivals_from=ref))
    fewer = short.model_copy(update={"rivals": short.rivals[:2]})
    with pytest.raises(UsageError, match="its rivals are Qustodio, Bark, Circle, Norton, Net Nanny; the scenario's are"):
        run(RunRequest(fewer, url, rivals_from=ref))
    bad = (("{", "Expecting"), ("{}", "no rivals in it"), ('{"format": "x"}', "format is 'x'"), ("[]", "no rivals"))
    for text, why in bad:
        path = tmp_path / "bad.json"
        path.write_text(text)
        with pytest.raises(UsageError, match=why):
            opponents_named(str(path), url)
    with pytest.raises(UsageError, match="--rivals-from and --continue"):
        run(RunRequest(load_scenario("quickstart", [*SETS, "worlds=2"]), url, continue_ref=ref, rivals_from=ref))


def test_worlds_draw_their_casts() -> None:
    scenario = load_scenario("quickstart", [
        "variation.rival_value_sd=0.2", "variation.rival_budget_sd=0.3", "rivals_learn=true",
        "variation.rival_strategies=[q_learning, random]",
    ])
    worlds = np.arange(400)
    cast = cast_of(scenario, Draws(3), worlds)
    assert set(np.unique(cast.strategy)) == {Strategy.Q_LEARNING, Strategy.RANDOM}
    assert np.log(cast.value).std() == pytest.approx(0.2, rel=0.05) and abs(np.log(cast.value).mean()) < 0.02
    assert np.log(cast.budget).std() == pytest.approx(0.3, rel=0.05)
    assert (cast.learns == (cast.strategy == Strategy.Q_LEARNING)).all()
    some = cast_of(scenario, Draws(3), worlds[100:103])
    assert all((a[100:103] == b).all() for a, b in zip(cast, some, strict=True)), "a world's cast is its own"


def test_difficulty_grows(learned: tuple[str, str]) -> None:
    casts = [
        cast_of(load_scenario("quickstart", [f"difficulty={level}", "rivals_learn=true"]), Draws(1), np.arange(1))
        for level in ("easy", "moderate", "hard", "full")
    ]
    values, learners = [float(cast.value.mean()) for cast in casts], [int(cast.learns.sum()) for cast in casts]
    assert values == sorted(values) and values[-1] == 1.0
    assert learners == [0, 1, 2, 3]


@pytest.mark.parametrize("change", [
    ["rivals=[]"], ["rivals.0.strategy=random"], ["rivals.0.name=Zed"], ["us.budget={usd_month: 50, mode: hard}"],
    ["variation.rival_strategies=[lognormal]"], ["creatives.0.name=other", "us.campaigns.0.creatives=[other]"],
])
def test_a_continued_run_keeps_what_its_state_is_told_in(learned: tuple[str, str], change: list[str]) -> None:
    url, ref = learned
    try:
        scenario = load_scenario("quickstart", [*SETS, "worlds=2", *change])
    except ScenarioError:
        pytest.skip("this scenario does not load")
    with pytest.raises(UsageError, match="a child keeps it"):
        run(RunRequest(scenario, url, continue_ref=ref))


def test_more_money_for_a_continued_run_is_spent(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/m.db"
    poor = load_scenario("short", ["days=3", "us.budget.usd_month=5"])
    first = run(RunRequest(poor, url))
    assert first.spend_usd <= 5
    rich = load_scenario("short", ["days=3", "us.budget.usd_month=5000"])
    child = run(RunRequest(rich, url, continue_ref=first.run_id))
    assert child.spend_usd > 5
    assert replay(ReplayRequest(url, child.run_id)).equal
    again = run(RunRequest(load_scenario("short", ["days=3", "us.budget.usd_month=6"]), url, continue_ref=first.run_id))
    assert again.spend_usd <= 6 - first.spend_usd + 1e-9


def test_own_bidders_are_told_apart_and_teach_nobody(tmp_path: Path) -> None:
    url, seats = f"sqlite:///{tmp_path}/o.db", (("Bark", "tests.unit.world.seats_from_outside:Chaser"),)
    done = run(RunRequest(load_scenario("quickstart", SETS), url, bidders=seats)).run_id
    rows = _rows(url, done)
    bark = rows["advertiser"] == 2
    assert (rows["strategy"][bark] == Strategy.OUTSIDE).all() and (rows["learns"][bark] == 0).all()
    with Store.open(url) as store:
        assert opponents_of_run(store, done).minds.hours[0, 1] == 0


def test_difficulty_and_learning_are_the_new_scenarios(learned: tuple[str, str]) -> None:
    url, ref = learned
    told = opponents_named(ref, url)
    scenario = load_scenario("quickstart", ["difficulty=easy", "rivals_learn=true", "variation.rival_strategies=[random]"])
    cast = told.cast(cast_of(scenario, Draws(1), np.arange(2)), np.arange(2), scenario)
    assert (cast.value == 0.5).all() and not cast.learns.any()
    full = load_scenario("quickstart", ["rivals_learn=true", "variation.rival_strategies=[random]"])
    cast = told.cast(cast_of(full, Draws(1), np.arange(2)), np.arange(2), full)
    assert cast.learns[:, [0, 1, 4]].all(), "learners taken along learn, whoever sat there before"


def test_figures_that_no_rival_could_have_are_refused(learned: tuple[str, str], tmp_path: Path) -> None:
    url, ref = learned
    sound = opponents_named(ref, url).as_json()
    path = tmp_path / "odd.json"

    def changed(part: str, value: object) -> dict[str, object]:
        return {**sound, "minds": {**sound["minds"], part: value}} if part in sound["minds"] else {**sound, part: value}

    seats = [[1.0] * 5] * 2
    cases = [
        ("aggression", [[-3.0] * 5] * 2), ("usual_loss", [[7.0] * 5] * 2), ("value", [[1e15] * 5] * 2), ("value", "x"),
        ("strategy", 3), ("strategy", [[None] * 5] * 2), ("hours", [[float("nan")] * 5] * 2), ("aggression", [seats]),
        ("rivals", 5), ("minds", []),
    ]
    for part, value in cases:
        path.write_text(json.dumps(changed(part, value)))
        with pytest.raises(UsageError, match=r"odd.json: "):
            opponents_named(str(path), url)
    path.write_text("[" * 100_000)
    with pytest.raises(UsageError, match=r"odd.json: "):
        opponents_named(str(path), url)
