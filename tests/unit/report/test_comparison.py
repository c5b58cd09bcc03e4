"""Runs side by side: paired where the people are the same, honest about it where they are not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.report.beside import Beside, beside_of
from gaelp_sim.report.comparison import comparison_html, gap, verdict
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.money import money_of
from gaelp_sim.report.provenance import commands
from gaelp_sim.report.words import Known
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.store import Store, row_hash
from gaelp_sim.world.simulate import RunRequest, run
from tests.unit.report.conftest import Stored


@pytest.fixture(scope="module")
def three(stored: Stored) -> tuple[Facts, list[Beside]]:
    """The busy run, the same people under higher bids, and a run of others."""
    sets = ["population.people=1500", "days=12", "response.brand_base=-0.5", "us.policy.bid_multiplier=1.6"]
    dearer = run(RunRequest(load_scenario("parental_controls", sets), stored.url, label="dearer <bids>")).run_id
    return beside_of(stored.url, [stored.busy, dearer, stored.small])


def test_differences_are_paired_where_the_people_are_the_same(three: tuple[Facts, list[Beside]]) -> None:
    """The difference is that of the runs' own figures; its interval is narrower than two draws of people would give."""
    first, (dearer, others) = three
    assert dearer.why_not == "" and dearer.pairing is not None
    one, two = (money_of(facts.rows("report_money")[0]) for facts in (first, dearer.facts))
    found = gap(first, dearer, "profit_usd", lambda money: money.profit)
    assert found.value == pytest.approx((two.profit.value or 0) - (one.profit.value or 0))
    apart = gap(first, Beside(dearer.facts, None, "as if"), "profit_usd", lambda money: money.profit)
    assert apart.value == pytest.approx(found.value)
    assert (
        found.high is not None
        and apart.high is not None
        and found.high - (found.value or 0) < apart.high - (apart.value or 0)
    )
    assert apart.high - (apart.value or 0) == pytest.approx(
        math.hypot((one.profit.high or 0) - (one.profit.value or 0), (two.profit.high or 0) - (two.profit.value or 0))
    )
    assert others.pairing is None and others.why_not


def test_the_page_says_which_is_which(three: tuple[Facts, list[Beside]]) -> None:
    """Both kinds of comparison on one page, names escaped, every run's own commands below."""
    first, others = three
    text = comparison_html(first, others)
    assert "Paired differences" in text and "Different people" in text
    assert "dearer &lt;bids&gt;" in text and "<bids>" not in text
    for one in (first, *(other.facts for other in others)):
        assert f"gaelp report {one.run.run_id}" in text
    assert text == comparison_html(first, others)


def test_luck_is_called_luck(three: tuple[Facts, list[Beside]]) -> None:
    """An interval across nothing is no verdict; one beside it is."""
    other = three[1][0]
    assert "luck alone could make that" in verdict(other, Known(10.0, -5.0, 25.0))
    assert "luck" not in verdict(other, Known(10.0, 5.0, 15.0)) and "more" in verdict(other, Known(10.0, 5.0, 15.0))
    assert "less" in verdict(other, Known(-10.0, -15.0, -5.0))
    assert "exactly" in verdict(other, Known(0.0, 0.0, 0.0))


def test_a_run_beside_itself_is_refused(stored: Stored) -> None:
    """One line that names it."""
    with pytest.raises(UsageError, match=rf"run {stored.busy} is named twice"):
        beside_of(stored.url, [stored.busy, "@last", stored.busy])


def test_the_commands_make_the_run_again(stored: Stored, three: tuple[Facts, list[Beside]], tmp_path: Path) -> None:
    """The scenario in full, run in an empty store by the seed and policy that the page names, has its row hash."""
    facts = three[1][0].facts
    assert f"gaelp run same.yaml --seed {facts.run.seed} --policy {facts.run.policy}" in commands(facts)
    scenario = parse_scenario(facts.run.scenario_text, "same.yaml", [])
    url = f"sqlite:///{tmp_path}/again.db"
    again = run(RunRequest(scenario, url, seed=facts.run.seed, policy=facts.run.policy)).run_id
    with Store.open(url) as store:
        assert row_hash(store, store.find_run(again)) == facts.row_hash
