"""People as they are born, the device chain, and what may happen to them on a day: against what the scenario says."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.events import DeviceKind, Stage
from gaelp_sim.population.kinds import Move
from gaelp_sim.population.people import born, cell_of, household_of
from gaelp_sim.population.proposals import plan_day
from gaelp_sim.population.sessions import next_device, signal_of, signal_shares
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.model import Model, model_of

PEOPLE = 50_000
Z_LIMIT = 4.5


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """The flagship with more people."""
    return load_scenario("parental_controls", [f"population.people={PEOPLE}"])


@pytest.fixture(scope="module")
def model(scenario: Scenario) -> Model:
    """Its tables."""
    return model_of(scenario, seed=11)


def _close(share: float, expected: float, n: int) -> bool:
    return abs(share - expected) <= Z_LIMIT * np.sqrt(expected * (1 - expected) / n) + 1e-12


def test_people_are_born_by_the_scenario_s_shares(scenario: Scenario, model: Model) -> None:
    """Segments, stages within each segment, and devices owned."""
    people = born(model.draws, scenario, 0, range(1))
    assert people.size == PEOPLE and (people.segment == people.segment_at_start).all()
    for code, segment in enumerate(scenario.population.segments):
        here = people.segment == code
        assert _close(here.mean(), segment.share, PEOPLE)
        for stage, name in enumerate(("unaware", "aware", "considering", "intent")):
            assert _close((people.stage[here] == stage).mean(), getattr(segment.start, name), int(here.sum()))
    devices = scenario.population.devices
    owned = [(people.owned >> kind & 1).mean() for kind in DeviceKind]
    assert owned[DeviceKind.MOBILE] == 1.0
    assert _close(owned[DeviceKind.DESKTOP], devices.owns_desktop, PEOPLE)
    assert _close(owned[DeviceKind.TABLET], devices.owns_tablet, PEOPLE)


def test_households_have_their_sizes_and_stay_in_one_cell(scenario: Scenario, model: Model) -> None:
    """Homes of one, two and three people by their shares; a cell is whole homes and a fair part of the people."""
    home = household_of(model.draws, scenario, 0)
    sizes = np.bincount(home)[:-1]
    shares = scenario.population.households
    for size, share in ((1, shares.one), (2, shares.two), (3, shares.three)):
        assert _close((sizes == size).mean(), share, len(sizes))
    cell = cell_of(home, 7)
    assert all(len(set(cell[home == number])) == 1 for number in range(0, home[-1], 997))
    assert np.abs(np.bincount(cell) / PEOPLE - 1 / 7).max() < 0.003


def test_a_cell_s_people_are_the_whole_world_s(scenario: Scenario, model: Model) -> None:
    """Born alone, a cell's people are those that the whole world has there; worlds differ."""
    cut = scenario.model_copy(update={"cells": 4})
    whole, part = born(model.draws, cut, 0, range(4)), born(model.draws, cut, 0, range(1, 3))
    here = (whole.unit == 1) | (whole.unit == 2)
    for name in ("person", "household", "segment", "stage", "owned"):
        assert (getattr(whole, name)[here] == getattr(part, name)).all()
    assert (part.unit == whole.unit[here] - 1).all()
    assert (born(model.draws, cut, 1, range(4)).stage != whole.stage).any()


@pytest.mark.parametrize("stage", [Stage.UNAWARE, Stage.CONSIDERING, Stage.INTENT])
def test_the_device_chain_has_its_frequencies(scenario: Scenario, model: Model, stage: Stage) -> None:
    """From every device: stays, or moves by the stage's odds among those owned (a move may lead back)."""
    devices, n = scenario.population.devices, 20_000
    luck = np.random.default_rng(5).integers(0, 2**32, n, dtype=np.uint32)
    weights = np.array([1.0, float(model.chain.desktop_weight[stage]), devices.tablet_weight])
    assert weights[1] == getattr(devices.desktop_weight, stage.name.lower())
    for owned in range(1, 8, 2):
        odds = weights * [(owned >> kind) & 1 for kind in DeviceKind]
        for last in (kind for kind in DeviceKind if owned >> kind & 1):
            found = [next_device(model.chain, int(last), owned, int(stage), word) for word in luck.tolist()]
            counts = np.bincount(found, minlength=3)
            expected = (1 - devices.stays_on_device) * odds / odds.sum()
            expected[last] += devices.stays_on_device
            assert all(_close(counts[kind] / n, expected[kind], n) for kind in DeviceKind)


def test_queries_follow_stage_and_crisis(scenario: Scenario, model: Model) -> None:
    """Frequencies of every channel's signals by stage, in and out of the crisis segment."""
    n = 10_000
    luck = np.random.default_rng(6).integers(0, 2**32, n, dtype=np.uint32)
    crisis = model.crisis_segment
    calm = (crisis + 1) % len(scenario.population.segments)
    for code, channel in enumerate(scenario.channels):
        for in_crisis, segment in enumerate((calm, crisis)):
            for stage in range(4):
                found = [signal_of(model.chain, code, segment, stage, word) for word in luck.tolist()]
                signal = np.array(found) - model.chain.first_signal[code]
                shares = signal_shares(channel)[in_crisis, stage]
                counts = np.bincount(signal, minlength=len(shares)) / n
                assert all(_close(got, share, n) for got, share in zip(counts, shares, strict=True))


def _traffic(model: Model, day: int, shift_days: int = 0) -> np.ndarray:
    """(1,): the day's factor on opportunities in world 0."""
    return model.seasons.day(day, np.zeros(1, dtype=np.int64), np.array([shift_days])).traffic


def _happened(model: Model, scenario: Scenario, days: range) -> tuple[np.ndarray, np.ndarray]:
    """Kind and second of every proposal that comes true for people who stay as they were born."""
    people = born(model.draws, scenario, 0, range(1))
    kinds, seconds = [], []
    for day in days:
        traffic = _traffic(model, day)
        plan = plan_day(model.proposer, people, day, traffic).proposals
        true = plan.mark < model.kinds.rates.per_day[plan.kind, people.segment[plan.row], people.stage[plan.row]]
        kinds.append(plan.kind[true])
        seconds.append(plan.second[true])
    return np.concatenate(kinds), np.concatenate(seconds)


def test_everything_comes_true_at_its_rate(scenario: Scenario, model: Model) -> None:
    """Counts of each kind over a week, thinned by state, are the rates' sums; moves don't follow the weekday."""
    kinds, _ = _happened(model, scenario, range(7))
    people = born(model.draws, scenario, 0, range(1))
    factor = sum(float(_traffic(model, day)[0]) for day in range(7))
    gated = [code for code, channel in enumerate(scenario.channels) if channel.goodwill_needed]
    for kind in range(model.kinds.count):
        expected = model.kinds.rate_per_day[kind, people.segment, people.stage].sum()
        expected *= factor if kind < model.channels else 7
        if kind in gated or kind == model.channels + Move.EMAIL:
            # Drawn in full only for people who may meet them: nobody unaware has goodwill or is on the list yet.
            expected = None if expected else 0.0
        if expected is not None:
            assert abs((kinds == kind).sum() - expected) <= Z_LIMIT * np.sqrt(expected) + 1e-9, kind


def test_hour_weekday_and_season_curves_are_recovered(scenario: Scenario, model: Model) -> None:
    """The scenario's own curves come back from simulated opportunities."""
    kinds, seconds = _happened(model, scenario, range(14))
    ads = seconds[kinds < model.channels]
    by_hour = np.bincount(ads % SECONDS_PER_DAY // SECONDS_PER_HOUR, minlength=24) / len(ads)
    local = np.roll(np.array(scenario.curves.hour), -scenario.utc_offset_hours)
    assert all(_close(got, share, len(ads)) for got, share in zip(by_hour, local / local.sum(), strict=True))
    by_day = np.bincount(ads // SECONDS_PER_DAY, minlength=14)
    weekday = (scenario.start.weekday() + np.arange(14)) % 7
    season = np.array([float(_traffic(model, day)[0]) for day in range(14)])
    wave = season / (np.array(scenario.curves.weekday) / np.mean(scenario.curves.weekday))[weekday]
    assert np.abs(np.diff(wave)).max() < 0.02, "from day to day only the weekday jumps"
    assert ((by_day - season / season.sum() * len(ads)) ** 2 / by_day).sum() < 13 + Z_LIMIT * np.sqrt(26)


def test_the_yearly_wave_has_its_amplitude_and_peak(scenario: Scenario) -> None:
    """Mean 1 over a year, 1 + amplitude on the peak day; a shifted world peaks that many days apart."""
    waved = scenario.model_copy(update={"curves": scenario.curves.model_copy(update={
        "season_amplitude": 0.3, "season_peak_day": 330, "weekday": [1.0] * 7,
    })})
    model = model_of(waved, seed=1)
    factor = np.array([[_traffic(model, day, shift)[0] for shift in (0, 10)] for day in range(365)])
    assert abs(factor[:, 0].mean() - 1) < 2e-3 and abs(factor[:, 0].max() - 1.3) < 1e-3
    peak = [(waved.start.timetuple().tm_yday + int(day)) % 365 for day in factor.argmax(axis=0)]
    assert peak == [330, 320]


def test_seconds_are_spread_evenly_within_the_hour(scenario: Scenario, model: Model) -> None:
    """Sixty minutes, chi-square."""
    _, seconds = _happened(model, scenario, range(10))
    minutes = np.bincount(seconds % SECONDS_PER_HOUR // 60, minlength=60)
    expected = len(seconds) / 60
    assert ((minutes - expected) ** 2 / expected).sum() < 59 + Z_LIMIT * np.sqrt(118)


def test_a_day_s_plan_leaves_out_only_what_cannot_come_true(scenario: Scenario, model: Model) -> None:
    """Both layers for everyone, and the plan: whatever the plan lacks belongs to quiet people without a quiet proposal."""
    people = born(model.draws, scenario, 0, range(1))
    everyone, traffic = np.arange(people.size), np.array([1.1])
    plan = plan_day(model.proposer, people, 3, traffic).proposals
    quiet = model.proposer.propose(people, everyone, 3, traffic, active=False)
    active = model.proposer.propose(people, everyone, 3, traffic, active=True)
    rows = lambda p: set(zip(p.row.tolist(), p.second.tolist(), p.kind.tolist(), p.mark.tolist(), strict=True))  # noqa: E731
    missing = (rows(quiet) | rows(active)) - rows(plan)
    assert rows(plan) <= rows(quiet) | rows(active) and not rows(quiet) & missing
    lacking = np.array(sorted({row for row, *_ in missing}))
    assert (people.stage[lacking] == Stage.UNAWARE).mean() == 1.0 or set(people.stage[lacking]) <= {0, 4}
    assert not set(lacking) & set(quiet.row.tolist())


def test_proposals_are_drawn_by_person_whatever_the_company(scenario: Scenario) -> None:
    """A person's proposals are the same alone, among all, and in a stack of several worlds."""
    model = model_of(scenario, seed=3)
    people, everyone = born(Draws(3), scenario, 0, range(1)), np.arange(2_000)
    traffic = np.array([0.9])
    whole = model.proposer.propose(people, everyone, 5, traffic, active=True)
    some = np.arange(0, 2_000, 37)
    part = model.proposer.propose(people, some, 5, traffic, active=True)
    keep = np.isin(whole.row, some)
    for name in vars(whole):
        assert (getattr(whole, name)[keep] == getattr(part, name)).all()
