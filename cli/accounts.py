"""The doors from the command line to ad accounts: an export fitted, matched and back-tested; each opens on use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaelp_sim.cli.library import Record, loaded_scenario
from gaelp_sim.errors import UsageError

if TYPE_CHECKING:
    from gaelp_sim.calibrate.account import Account

FORMATS = ("google_ads", "meta", "ga4")
OnStep = Callable[[float], None]


@dataclass(frozen=True)
class Matching:
    """How an account is read and matched."""

    form: str
    channels: Sequence[str]
    """EXPORT=SCENARIO names, as given"""
    scenario: str | None
    sets: Sequence[str]
    people_max: int
    pilots: int
    workers: int


def fitted(file: Path, asked: Matching, on_step: OnStep) -> Record:
    """Read an account and fit it; with a scenario, also match the scenario's levers to it."""
    from gaelp_sim.analyse.account_match import match_account
    from gaelp_sim.analyse.account_report import account_record
    from gaelp_sim.calibrate.account_fit import fit_account

    account = _account(file, asked)
    if asked.scenario is None:
        return account_record(account, fit_account(account), None)
    base = loaded_scenario(asked.scenario, sets=tuple(asked.sets))
    match = match_account(base, account, _effort(asked), on_step)
    return account_record(account, match.figures, match)


def backtested(file: Path, asked: Matching, weeks: tuple[int | None, int], on_step: OnStep) -> Record:
    """Fit the early weeks and predict the later ones; weeks: how many are fitted, and how many worlds predict."""
    from gaelp_sim.analyse.account_report import backtest_record
    from gaelp_sim.analyse.backtest import Plan, backtest

    account = _account(file, asked)
    assert asked.scenario is not None
    base = loaded_scenario(asked.scenario, sets=tuple(asked.sets))
    return backtest_record(backtest(base, account, Plan(*weeks, _effort(asked)), on_step))


def _effort(asked: Matching) -> Any:
    from gaelp_sim.analyse.account_match import Effort

    return Effort(asked.people_max, asked.pilots, asked.workers)


def _account(file: Path, asked: Matching) -> Account:
    from gaelp_sim.calibrate.account_formats import ACCOUNT_FORMATS
    from gaelp_sim.calibrate.account_reader import read_account

    return read_account(file, ACCOUNT_FORMATS[asked.form], channel_names(asked.channels))


def channel_names(pairs: Sequence[str]) -> Mapping[str, str]:
    """What `--channel EXPORT=SCENARIO` options say; raises UsageError for one without both names."""
    told = {}
    for pair in pairs:
        export, equals, scenario = pair.rpartition("=")
        if not equals or not export.strip() or not scenario.strip():
            raise UsageError(f"--channel {pair}: it must be NAME=CHANNEL, as in 'Performance Max=search'")
        told[export.strip()] = scenario.strip()
    return told
