"""What was found of an account, told: a scenario fragment with figures and intervals in comments, and plain records."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from gaelp_sim.analyse.account_match import Lever, Match
from gaelp_sim.analyse.backtest import Backtest
from gaelp_sim.calibrate.account import Account
from gaelp_sim.calibrate.account_fit import Figure
from gaelp_sim.scenario.resolved import yaml_text

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NOT_IDENTIFIED = (
    "which stage people are in, and so rates by stage: a lever moves all stages alike",
    "the spread of prices among auctions: daily sums tell means, and the spread of days",
    "what rivals bid and spend, and budgets of ours: ours are taken off, rivals' grow with the people",
    "sales by channel: one lever moves them all, as channels share their buyers",
    "delays from click to sale, wear-out, goodwill, households, devices: they stay the scenario's",
)
"""What daily sums can't tell."""
Record = dict[str, Any]


def account_fragment(account: Account, figures: list[Figure], match: Match | None) -> str:
    """A scenario fragment: curves, and, where a scenario was matched, its levers as intervals."""
    last = account.first_day + timedelta(days=account.days - 1)
    lines = [
        f"# Fitted to {account.name} ({account.format.title} export), {account.first_day} to {last}"
        f"{', ' + account.currency if account.currency else ''}: {', '.join(account.channels)}.",
        "# Use it:  gaelp run SCENARIO --with THIS_FILE",
    ]
    if match is None:
        curves = {
            quantity: [max(round(one.rate.value, 4), 1e-4) for one in figures if one.quantity == quantity]
            for quantity in ("weekday", "hour")
        }
        lines += [yaml_text({"curves": {name: values for name, values in curves.items() if values}}).rstrip()]
    else:
        lines += _match_lines(match)
    lines += ["# The export's figures, with 95 % intervals:", *(_figure_line(figure) for figure in figures)]
    return "\n".join(lines) + "\n"


def _match_lines(match: Match) -> list[str]:
    setting = match.with_intervals(predictive=False)
    told = setting.fragment(match.base, match.account.channels) | {"start": match.account.first_day.isoformat()}
    if match.account.currency:
        told["currency"] = match.account.currency
    return [
        f"# Matched to scenario {match.base.name}; one simulated person stands for {match.weight:.4g} real ones.",
        "# Levers, as factors on its values, with 95 % intervals; each world draws its own:",
        *(f"#   {lever_line(lever)}" for lever in match.levers),
        "# Not identified by daily sums:", *(f"#   {line}" for line in NOT_IDENTIFIED),
        yaml_text(told).rstrip(),
    ]


def lever_line(lever: Lever) -> str:
    """One lever in words."""
    name = f"{lever.lever} {lever.channel}".strip()
    if not lever.identified:
        return f"{name}: not identified, drawn from {lever.low:.4g} to {lever.high:.4g}; {lever.note}"
    return f"{name}: {lever.factor:.4g} ({lever.low:.4g} to {lever.high:.4g})"


def _figure_line(figure: Figure) -> str:
    at = ""
    if figure.quantity == "weekday":
        at = f" {WEEKDAYS[figure.at]}"
    elif figure.at >= 0:
        at = f" {figure.at:02d}"
    channel = f"{figure.channel}: " if figure.channel else ""
    rate = figure.rate
    note = f"; {figure.note}" if figure.note else ""
    return f"#   {channel}{figure.quantity}{at} {rate.value:.5g} ({rate.low:.5g} to {rate.high:.5g}){note}"


def account_record(account: Account, figures: list[Figure], match: Match | None) -> Record:
    """Everything as plain values, with the fragment's text."""
    told: Record = {
        "file": account.name, "format": account.format.name, "currency": account.currency,
        "first_day": account.first_day.isoformat(), "days": account.days, "channels": account.channels,
        "left_out": account.left_out,
        "figures": [
            {
                "quantity": one.quantity, "channel": one.channel, "at": one.at, "value": one.rate.value,
                "low": finite(one.rate.low), "high": finite(one.rate.high), "count": one.rate.count, "note": one.note,
            }
            for one in figures
        ],
        "fragment": account_fragment(account, figures, match),
    }
    return told | ({} if match is None else match_record(match))


def match_record(match: Match) -> Record:
    """The levers, and how large the worlds are."""
    return {
        "scenario": match.base.name, "people": match.setting.people, "weight": match.weight,
        "levers": [
            {name: finite(value) if isinstance(value, float) else value for name, value in asdict(lever).items()}
            for lever in match.levers
        ],
        "not_identified": list(NOT_IDENTIFIED),
    }


def backtest_record(found: Backtest) -> Record:
    """Cells, scores and levers as plain values; NaN is None."""
    return {
        "file": found.match.account.name, "train_days": found.train_days, "test_weeks": found.test_weeks,
        **match_record(found.match),
        "cells": [
            {name: finite(value) if isinstance(value, float) else value for name, value in asdict(cell).items()}
            | {"inside": cell.inside, "inside_80": cell.inside_80}
            for cell in found.cells
        ],
        "scores": [
            {name: finite(value) if isinstance(value, float) else value for name, value in asdict(score).items()}
            for score in found.scores
        ],
        "matched": [lever_line(lever) for lever in found.match.levers if lever.identified],
        "unmatched": [lever_line(lever) for lever in found.match.levers if not lever.identified],
    }


def finite(value: float) -> float | None:
    """A number that JSON can say; None for NaN and infinities."""
    return value if math.isfinite(value) else None
