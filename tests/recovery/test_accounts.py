"""Planted accounts are recovered: levers within their intervals, later weeks within theirs; the campaign counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaelp_sim.analyse.account_levers import PRICE, VOLUME
from gaelp_sim.analyse.account_match import Effort, match_account
from gaelp_sim.analyse.account_report import account_fragment, backtest_record
from gaelp_sim.analyse.backtest import Plan, backtest
from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from tests.recovery.accounts import PLANTED, Planted, export, planted, true_factor

EFFORT = Effort(people_max=4_000, worlds=6)


@pytest.fixture(scope="module")
def made() -> Planted:
    return planted(people=2_000, days=28, worlds=2, seed=11)


def test_planted_levers_lie_in_their_intervals(made: Planted, tmp_path: Path) -> None:
    account = export(made, 0, tmp_path / "account.csv")
    steps: list[float] = []
    match = match_account(made.base, account, EFFORT, steps.append)
    assert match.weight == pytest.approx(1, abs=0.01) and steps == sorted(steps) and steps[-1] == pytest.approx(1)
    assert {(one.lever, one.channel) for one in match.levers} == set(PLANTED)
    for one in match.levers:
        truth = true_factor(made, match, (one.lever, one.channel))
        assert one.identified and one.low <= truth <= one.high, one
        assert (one.low / one.high) ** 0.25 < one.simulated / one.actual < (one.high / one.low) ** 0.25, one
    tight = {(one.lever, one.channel): one.high / one.low for one in match.levers}
    assert tight[VOLUME, "social"] < 1.3 and tight[PRICE, "social"] < 1.2, "what is well counted is well known"


def test_the_fragment_makes_worlds_like_the_account(made: Planted, tmp_path: Path) -> None:
    """The YAML of a match is valid over its scenario, holds an interval a lever, and its middle is the matched world."""
    account = export(made, 1, tmp_path / "account.csv")
    match = match_account(made.base, account, EFFORT, lambda done: None)
    path = tmp_path / "fitted.yaml"
    path.write_text(account_fragment(account, match.figures, match))
    fitted = load_scenario("quickstart", [], [str(path)])
    assert {interval.together for interval in fitted.intervals} == {" ".join(key).strip() for key in PLANTED}
    assert fitted.population.people == match.setting.people and fitted.start == account.first_day
    search = fitted.channels[0].signals[0].price_median_usd / made.base.channels[0].signals[0].price_median_usd
    assert search == pytest.approx(match.setting.factors[PRICE, "search"], rel=1e-4)
    assert fitted.us.budget.usd_day is None and fitted.variation.market_noise_sd == 0


def test_a_larger_account_is_scaled(made: Planted, tmp_path: Path) -> None:
    """With a quarter of the people each stands for four: the levers are the same within what the fit leaves open."""
    account = export(made, 0, tmp_path / "account.csv")
    match = match_account(made.base, account, Effort(people_max=500, worlds=8), lambda done: None)
    assert match.setting.people == 500 and 3 < match.weight < 5
    for one in match.levers:
        truth = true_factor(made, match, (one.lever, one.channel))
        assert not one.identified or one.low / 1.2 <= truth <= one.high * 1.2, one


def test_later_weeks_are_predicted(made: Planted, tmp_path: Path) -> None:
    account = export(made, 0, tmp_path / "account.csv")
    found = backtest(made.base, account, Plan(train_weeks=3, worlds=16, effort=Effort(4_000, 4)), lambda done: None)
    assert (found.train_days, found.test_weeks, len(found.cells)) == (21, 1, 8)
    actual = account.by_day("cost")[:, 21:].sum(axis=1).tolist()
    assert [cell.actual for cell in found.cells if cell.metric == "cost"] == pytest.approx(actual)
    assert sum(cell.inside for cell in found.cells) >= 6
    assert all(cell.low <= cell.low_80 <= cell.predicted <= cell.high_80 <= cell.high for cell in found.cells)
    naive = {(cell.channel, cell.metric): cell.naive for cell in found.cells}
    assert naive["search", "clicks"] == account.by_day("clicks")[0, 14:21].sum()
    told = backtest_record(found)
    assert [score["metric"] for score in told["scores"]] == ["impressions", "clicks", "cost", "conversions"]


def test_what_cannot_be_backtested(made: Planted, tmp_path: Path) -> None:
    account = export(made, 0, tmp_path / "account.csv")
    with pytest.raises(UsageError, match=r"--train-weeks 4: the export has 4 whole weeks; at most 3"):
        backtest(made.base, account, Plan(train_weeks=4), lambda done: None)
    with pytest.raises(UsageError, match="13 days are less than two whole weeks"):
        backtest(made.base, account.cut(13), Plan(), lambda done: None)
    elsewhere = load_scenario("first_price_display")
    with pytest.raises(UsageError, match="its channel '(search|social)' is none that we run in first_price_display"):
        match_account(elsewhere, account, EFFORT, lambda done: None)


ACCOUNTS = 24


@pytest.mark.campaign
def test_coverage_over_many_accounts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """24 accounts of 1,500 people, four weeks fitted and two predicted: prints coverage and error by metric, and by lever.

    95 % intervals hold in at least 85 % of weeks, 80 % ones in at least 65: cells of one account share its luck.
    """
    many = planted(people=1_500, days=42, worlds=ACCOUNTS, seed=123)
    cells, levers = [], []
    for world in range(ACCOUNTS):
        account = export(many, world, tmp_path / f"{world}.csv")
        found = backtest(many.base, account, Plan(train_weeks=4, worlds=24, effort=Effort(4_000, 6)), lambda done: None)
        cells += found.cells
        levers += [(one, true_factor(many, found.match, (one.lever, one.channel))) for one in found.match.levers]
    with capsys.disabled():
        for metric in ("impressions", "clicks", "cost", "conversions"):
            some = [cell for cell in cells if cell.metric == metric]
            scale = sum(cell.actual for cell in some)
            error, naive = (
                sum(abs(getattr(cell, name) - cell.actual) for cell in some) / scale for name in ("predicted", "naive")
            )
            print(f"\n{metric:12} {len(some)} weeks: 80 % holds {_share(cell.inside_80 for cell in some):.3f}, 95 % holds "
                  f"{_share(cell.inside for cell in some):.3f} (naive {_share(cell.naive_inside for cell in some):.3f}), "
                  f"error {error:.3f} (naive {naive:.3f})", end="")
        for key in PLANTED:
            some = [(one, truth) for one, truth in levers if (one.lever, one.channel) == key and one.identified]
            held = _share(one.low <= truth <= one.high for one, truth in some)
            print(f"\n{key}: identified in {len(some)} of {ACCOUNTS}, 95 % interval holds {held:.3f}", end="")
    assert _share(cell.inside for cell in cells) >= 0.85 and _share(cell.inside_80 for cell in cells) >= 0.65
    known = [(one, truth) for one, truth in levers if one.identified]
    assert _share(one.low <= truth <= one.high for one, truth in known) >= 0.85


def _share(held: object) -> float:
    told = [bool(one) for one in held]  # type: ignore[attr-defined]
    return sum(told) / len(told)
