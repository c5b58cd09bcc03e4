"""One self-contained page about one run."""

from __future__ import annotations

from gaelp_sim.report import page
from gaelp_sim.report.channels import channels
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.headline import headline
from gaelp_sim.report.journeys import durations, journeys, lags
from gaelp_sim.report.market import market
from gaelp_sim.report.people import creatives, crises, identity, segments
from gaelp_sim.report.provenance import realism, reproduction
from gaelp_sim.report.spending import spending
from gaelp_sim.report.stories import stories

PARTS = (
    headline,
    spending,
    channels,
    journeys,
    durations,
    lags,
    market,
    creatives,
    segments,
    crises,
    identity,
    stories,
    realism,
    reproduction,
)
BYTES_MAX = 150_000
"""A page is never larger; a test holds it on worlds of many channels, days and people"""


def report_html(facts: Facts) -> str:
    """The page of one run: the same bytes for the same rows."""
    return page.page(
        f"{facts.run.label or facts.run.scenario_name}, run {facts.run.run_id}", (part(facts) for part in PARTS)
    )
