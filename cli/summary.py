"""A run's figures in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_KNOWN = "not known (no such sale yet)"


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """What came of a run: who lived there, what we bought, what a customer cost ("so far" while reports are due)."""
    due = int(summary["reports_due"])
    so_far = " so far" if due else ""
    return [
        _headline(summary),
        _line("opportunities", f"{summary['opportunities']:,}, of which we won {_percent(summary['win_rate'])}"),
        _line("touchpoints", f"{summary['touchpoints']:,}"),
        _line("spend", _usd(summary["spend_usd"])),
        _line("conversions", _sales(summary, due)),
        _line("CAC blended", _cac(summary["cac_usd"], so_far)),
        _line("CAC paid", _cac(summary["cac_paid_usd"], so_far)),
        _line("CAC incremental", _incremental(summary, so_far)),
        _line("took", f"{summary['seconds']:.1f} s"),
    ]


def estimate_lines(estimate: Mapping[str, Any]) -> dict[str, str]:
    """Rows, disk and time of a run that was not made."""
    return {
        "rows": f"about {estimate['rows']:,}",
        "disk": f"about {size_text(estimate['disk_bytes'])}",
        "time": f"about {estimate['seconds']:.1f} s",
    }


def scenario_line(scenario: Mapping[str, Any]) -> str:
    """What is about to be simulated, from a scenario's fields."""
    channels, rivals = counted(len(scenario["channels"]), "channel"), counted(len(scenario["rivals"]), "rival")
    people = f"{scenario['population']['people']:,} people"
    return f"scenario {scenario['name']}: {people}, {channels}, {rivals}, log: {scenario['log']}"


def size_text(size_bytes: float) -> str:
    """A size that people can read.

    >>> size_text(999), size_text(73_400_320)
    ('999 B', '73 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def counted(count: int, noun: str) -> str:
    """A number with its noun, plural where it must be.

    >>> counted(1, "world"), counted(10_000, "day")
    ('1 world', '10,000 days')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _headline(summary: Mapping[str, Any]) -> str:
    worlds = counted(summary["worlds"], "world")
    days, bidders = counted(summary["days"], "day"), counted(summary["bidders"], "bidder")
    return f"run {summary['run_id']}: {summary['people']:,} people, {days}, {worlds}, {bidders}, seed {summary['seed']}"


def _sales(summary: Mapping[str, Any], due: int) -> str:
    ours = f"{summary['conversions']:,} ours" + (f" ({due:,} not yet reported)" if due else "")
    return f"{ours}, {summary['rival_conversions']:,} of rivals"


def _line(name: str, value: str) -> str:
    return f"  {name:<16} {value}"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def _usd(amount: float) -> str:
    return f"${amount:,.2f}"


def _cac(amount: float | None, so_far: str) -> str:
    return NOT_KNOWN if amount is None else _usd(amount) + so_far


def _incremental(summary: Mapping[str, Any], so_far: str) -> str:
    amount, organic = summary["cac_incremental_usd"], summary.get("conversions_without_ads")
    if organic is None:
        return "not measured (--incremental also simulates the world without our ads)"
    told = f"({organic:,} of our sales would have come without ads)"
    return f"{'none' if amount is None else _usd(amount) + so_far} {told}"
