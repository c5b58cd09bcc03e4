"""One person's story: whole, in order, with credit, truth and what was believed."""

from __future__ import annotations

import pytest

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.incrementality import Request as Withholding
from gaelp_sim.analyse.incrementality import incrementality
from gaelp_sim.analyse.person_story import PersonStory, person_story
from gaelp_sim.errors import RunNotFoundError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.store.console import run_query
from gaelp_sim.world.simulate import RunRequest, run

LISA = 100


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Lisa's run, attributed; then one in which many buy, its touches' effects found out."""
    url = f"sqlite:///{tmp_path_factory.mktemp('story')}/gaelp.db"
    lisa = run(RunRequest(load_scenario("lisa"), url, label="lisa")).run_id
    sets = ["population.people=600", "days=10", "response.brand_base=0"]
    busy = run(RunRequest(load_scenario("parental_controls", sets), url, label="busy")).run_id
    with Store.open(url) as store:
        attribute(store, store.find_run(lisa), [Attributing("last"), Attributing("linear")])
        incrementality(store, store.find_run(busy), Withholding("touch"), lambda _: None)
    return url


def _story(url: str, label: str, person: int) -> PersonStory:
    with Store.open(url) as store:
        record = next(one for one in store.runs() if one.label == label)
        return person_story(store, record, world=0, person=person)


def test_lisas_story_is_the_documents(url: str) -> None:
    """Seven touches in the document's order, $8.70 of ours, a crisis, a sale to us; credit adds up to the sale."""
    story = _story(url, "lisa", LISA)
    touches = [one for one in story.moments if one["what"] in ("IMPRESSION", "EMAIL")]
    assert [one["advertiser"] for one in touches] == ["Qustodio", "Aura", "Aura", "Qustodio", "Bark", "Aura", "Aura"]
    assert sum(one["price_usd"] for one in touches if one["ours"]) == pytest.approx(8.70)
    assert [one["what"] for one in story.moments][-3:] == ["DECIDED", "PURCHASED", "REPORTED"]
    assert sum(one["what"] == "CRISIS_PERSON" for one in story.moments) == 1
    for model in ("last", "linear"):
        assert sum(one["credit"].get(model, 0.0) for one in story.moments) == pytest.approx(1.0)
    assert next(one for one in touches if one["what"] == "EMAIL")["credit"]["last"] == 1.0
    assert story.state["segment_at_start"] == "concerned_parent" and story.journeys[0]["converted_advertiser"] == "Aura"


def test_each_moment_is_there_once_and_in_order(url: str) -> None:
    """Touches, auctions not won and reports of a person are as many as the views have; time never goes back."""
    (most,) = run_query(url, "SELECT person_id FROM decisions GROUP BY 1 ORDER BY COUNT(*) DESC, 1 LIMIT 1").rows
    person = int(str(most[0]))
    story = _story(url, "busy", person)
    seconds = [one["happened_s"] for one in story.moments]
    assert seconds == sorted(seconds)
    where = f"WHERE person_id = {person}"
    for sql, kinds in (
        (f"SELECT COUNT(*) FROM touchpoints {where}", ("IMPRESSION", "EMAIL", "VISIT")),
        (f"SELECT COUNT(*) FROM decisions {where} AND status <> 'WON'", ("LOST", "NOT_ENTERED", "DROPPED_BUDGET")),
        (f"SELECT COUNT(*) FROM conversions {where}", ("DECIDED",)),
    ):
        assert run_query(url, sql).rows == [(sum(one["what"] in kinds for one in story.moments),)], sql
    won = [one for one in story.moments if one["what"] == "IMPRESSION" and one["ours"]]
    assert won and all(one["bid_usd"] and one["chance"] and one["believed_stage"] for one in won)
    assert all(one["believed_stage"] is None for one in story.moments if one["ours"] == 0)


def test_what_a_touch_caused_stands_beside_it(url: str) -> None:
    """The truth of each touch, as truth_credit has it."""
    sql = "SELECT person_id, SUM(sales_delta) FROM truth_credit GROUP BY 1 HAVING SUM(sales_delta) <> 0"
    found = run_query(url, sql).rows
    assert found
    person, caused = found[0]
    story = _story(url, "busy", int(str(person)))
    assert sum(one["credit"].get("truth (M)", 0.0) for one in story.moments) == pytest.approx(caused)


def test_nobody_is_one_line(url: str) -> None:
    """Who the people are, and how to find some."""
    with pytest.raises(RunNotFoundError, match=r"has no person 9999 in world 0: people are numbered from 0 to 599"):
        _story(url, "busy", 9999)
