"""A page is the same whichever database the run lies in."""

from __future__ import annotations

from pathlib import Path

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.incrementality import Request as Withholding
from gaelp_sim.analyse.incrementality import incrementality
from gaelp_sim.report.facts import facts_of
from gaelp_sim.report.report import report_html
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.simulate import RunRequest, run


def _page(url: str) -> str:
    """The page of a small run with everything worked out, its id left out."""
    sets = ["population.people=500", "days=8", "response.brand_base=0"]
    run_id = run(RunRequest(load_scenario("parental_controls", sets), url)).run_id
    with Store.open(url) as store:
        record = store.find_run(run_id)
        attribute(store, record, [Attributing("last"), Attributing("linear")])
        incrementality(store, record, Withholding("channel"), lambda _: None)
    return report_html(facts_of(url, run_id)).replace(run_id, "<run id>")


def test_the_page_does_not_depend_on_the_database(db_url: str, tmp_path: Path) -> None:
    """Byte for byte, but for the run's id."""
    mine, plain = _page(db_url), _page(f"sqlite:///{tmp_path}/plain.db")
    if mine != plain:
        pairs = zip(mine.splitlines(), plain.splitlines(), strict=False)
        assert mine == plain, next((one, other) for one, other in pairs if one != other)
