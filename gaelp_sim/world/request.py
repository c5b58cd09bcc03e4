"""What a run is asked for, how far it is, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.crew import ALONE, Crew


@dataclass(frozen=True)
class RunRequest:
    """A run to simulate; None leaves the scenario's own value."""

    scenario: Scenario
    db_url: str
    seed: int | None = None
    days: int | None = None
    worlds: int | None = None
    crew: Crew = ALONE
    policy: str | None = None
    continue_ref: str | None = None
    label: str = ""
    incremental: bool = False
    """Also simulate the same worlds without our ads, for the incremental CAC"""
    bidders: tuple[tuple[str, str], ...] = ()
    """Bidders from outside in rivals' seats: (rival's name, module:Class)"""
    lake: str | None = None
    """Folder or fsspec URL for touchpoints, decisions and journeys; None: the database holds them"""
    rivals_from: str | None = None
    """A finished run, or a file of `gaelp rivals export`, whose rivals these worlds begin with"""


@dataclass(frozen=True)
class Waiting:
    """A run waits for an agent from outside."""

    db_url: str
    """Where the agent finds the run, fit to print"""
    run_id: str
    hour: int
    answered: int
    """Bids that have come for the hour"""
    asked: int
    refused: int
    left_s: float
    """Until the hour goes on without the rest"""


@dataclass(frozen=True)
class Progress:
    """How far a run is: after a commit point, or while it waits."""

    hours_done: int
    hours_total: int
    people: int
    opportunities: int
    spend_micros: int
    conversions: int
    cac_usd: float | None
    run_id: str = ""
    lost_workers: int = 0
    """Workers that died so far; others took their place"""
    waiting: Waiting | None = None
    """Nothing is new but this, where it is told"""


@dataclass(frozen=True)
class RunSummary:
    """A finished run's figures; conversions and CACs count our sales decided in the run's hours.

    cac_usd is spend / all our conversions; cac_paid_usd is spend / our conversions of people with a touch of ours;
    cac_incremental_usd is spend / (our conversions - those without our ads, same luck); it needs `incremental`, and is
    null without it, or where our ads brought nothing.
    """

    run_id: str
    scenario: str
    seed: int
    worlds: int
    people: int
    days: int
    bidders: int
    opportunities: int
    decisions: int
    touchpoints: int
    conversions: int
    conversions_paid: int
    rival_conversions: int
    reports_due: int
    spend_usd: float
    revenue_usd: float
    cac_usd: float | None
    cac_paid_usd: float | None
    cac_incremental_usd: float | None
    win_rate: float | None
    seconds: float
    conversions_without_ads: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self)

    def as_text(self) -> str:
        """The figures as JSON text."""
        return json.dumps(self.as_json(), sort_keys=True)


@dataclass(frozen=True)
class Estimate:
    """What a run would take."""

    rows: int
    disk_bytes: int
    seconds: float


OnProgress = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """No interest in progress."""
