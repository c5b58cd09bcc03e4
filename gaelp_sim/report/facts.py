"""Everything that a report of one run is written from, read in one go; writing it asks nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gaelp_sim.analyse.clusters import WORLDS_MIN
from gaelp_sim.analyse.delay_models import MODELS, observed
from gaelp_sim.analyse.delays import Request, clicks_of
from gaelp_sim.analyse.economy import OnShare, judged_economy
from gaelp_sim.analyse.realism import Realism, check_run
from gaelp_sim.errors import UsageError
from gaelp_sim.report.words import Known
from gaelp_sim.store import RunRecord, Store, check_finished, row_hash
from gaelp_sim.store.answers import Answer, Row, answer
from gaelp_sim.store.named_queries import NAMED_QUERIES, REPORT_QUERIES
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.stored_scenario import stored_scenario

ASKED = tuple(name for name in REPORT_QUERIES if name.startswith("report_")) + ("creative_wear_out",)
CREDIT_WINDOW_DAYS = 30
"""A sale that is reported later than this after its click is not expected of the click any more."""


@dataclass(frozen=True)
class Expected:
    """Sales that clicks so far bring in the end, as one who knows reports alone would reckon them."""

    sales: Known
    known: int
    """Of them, those reported by the run's end"""
    clicks: int

    def coming(self) -> Known:
        """Sales that the clicks so far still bring, in the mean and at the interval's ends: never fewer than none."""
        return Known(*(None if one is None else max(one - self.known, 0.0) for one in self.sales))

    def in_the_end(self, reported: int) -> Known:
        """All sales reported so far, clicked before or not, and those that the clicks so far still bring."""
        return Known(*(None if one is None else reported + one for one in self.coming()))


@dataclass(frozen=True)
class Facts:
    """One run as a report tells it."""

    run: RunRecord
    answers: Mapping[str, Answer]
    stories: list[tuple[Row, Answer]]
    """A row of report_stories, and all that happened to the person"""
    expected: Expected | None
    """None where nobody had clicked"""
    realism: Realism | str
    """Or why the run can't be judged"""
    row_hash: str
    economy: Realism | None = None
    """Its scenario's, where that was asked for: it takes as long as all else together"""

    def rows(self, name: str) -> list[Row]:
        """Rows of an answer."""
        return self.answers[name].rows

    @property
    def end_s(self) -> int:
        """The second that the run has reached."""
        return self.run.start_s + self.run.hours_done * SECONDS_PER_HOUR

    @property
    def us(self) -> str:
        """Our name."""
        names = [
            row["advertiser"]
            for asked in ("report_advertisers", "report_sellers")
            for row in self.rows(asked)
            if row["ours"]
        ]
        return str(names[0]) if names else "us"


def facts_of(db_url: str, run_ref: str) -> Facts:
    """Read a finished run.

    Raises RunNotFoundError, and UsageError for a run that is not finished: its people are not stored yet.
    """
    with Store.open(db_url, must_exist=True) as store:
        run = store.find_run(run_ref)
        check_finished(run, "has a page")
        answers = {name: answer(store, run, _query(name), _parameters(run, name)) for name in ASKED}
        stories = [
            (row, answer(store, run, _query("journey_moments"), {"world": row["world_id"], "person": row["person_id"]}))
            for row in answers["report_stories"].rows
        ]
        expected = _expected(store, run)
        digest = row_hash(store, run)
    return Facts(run, answers, stories, expected, _realism(db_url, run), digest)


def with_economy(facts: Facts, on_share: OnShare) -> Facts:
    """The same with the economy of the run's scenario, worked out exactly. Raises UsageError for an imported log."""
    return replace(facts, economy=judged_economy(stored_scenario(facts.run), on_share))


def _query(name: str) -> Any:
    return REPORT_QUERIES.get(name) or NAMED_QUERIES[name]


def _parameters(run: RunRecord, name: str) -> dict[str, int]:
    return {"by_world": 1} if name == "report_money" and run.worlds >= WORLDS_MIN else {}


def _expected(store: Store, run: RunRecord) -> Expected | None:
    now_s = run.start_s + run.hours_done * SECONDS_PER_HOUR
    clicks, _ = clicks_of(store, run, Request(now_s, window_days=CREDIT_WINDOW_DAYS))
    done = clicks.second < now_s
    if not done.any():
        return None
    seen = observed(clicks.second[done], clicks.reported_s[done], now_s, CREDIT_WINDOW_DAYS)
    rate, many = MODELS["mixture"](seen), int(done.sum())
    return Expected(Known(rate.value * many, rate.low * many, rate.high * many), len(seen.delay_s), many)


def _realism(db_url: str, run: RunRecord) -> Realism | str:
    try:
        return check_run(db_url, run.run_id)
    except UsageError as why:
        return str(why)
