"""A stored run held against the bands: what lies inside, what outside, and what it is too small to tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gaelp_sim.analyse.bands import BANDS, Band
from gaelp_sim.analyse.estimates import Estimate
from gaelp_sim.analyse.figures import Figures, StoredRun, figures_of
from gaelp_sim.errors import UsageError
from gaelp_sim.store import Store, check_finished
from gaelp_sim.world.stored_scenario import stored_scenario

DIGITS = 4


@dataclass(frozen=True)
class Check:
    """One quantity beside its band."""

    quantity: str
    got: float
    low: float
    high: float
    passed: bool
    """True where the figure's 95 % interval meets the band"""
    source: str
    got_low: float
    got_high: float
    count: int
    note: str

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Realism:
    """All checks of a run, and the quantities it has too few observations for."""

    checks: list[Check]
    left_out: list[str]


def check_run(db_url: str, run_ref: str) -> Realism:
    """Hold a finished run against the bands.

    Raises RunNotFoundError, and UsageError for a run that is not finished or too small for any band.
    """
    with Store.open(db_url, must_exist=True) as store:
        record = store.find_run(run_ref)
        check_finished(record, "can be judged")
        scenario = stored_scenario(record)
        realism = judged(figures_of(StoredRun.of(store, record, scenario)), BANDS)
    if not realism.checks:
        raise UsageError(
            f"run {record.run_id} is too small to be judged: no quantity has enough observations; simulate more people"
        )
    return realism


def judged(figures: Figures, bands: tuple[Band, ...]) -> Realism:
    """Each band that the figures have enough observations for; the others by name."""
    checks, left_out = [], []
    for band in bands:
        figure = figures.get(band.quantity)
        if figure is None:
            continue
        if figure.count < band.least:
            left_out.append(f"{band.quantity} ({figure.count} observations, {band.least} are needed)")
        else:
            checks.append(_check(figure, band))
    return Realism(checks, left_out)


def _check(figure: Estimate, band: Band) -> Check:
    meets = bool(figure.low <= band.high and figure.high >= band.low)
    value, low, high = (float(f"{number:.{DIGITS}g}") for number in (figure.value, figure.low, figure.high))
    return Check(band.quantity, value, band.low, band.high, meets, band.source, low, high, figure.count, band.note)
