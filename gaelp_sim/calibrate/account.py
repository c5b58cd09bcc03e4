"""An ad account's own figures by day, channel, campaign and device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from gaelp_sim.calibrate.account_formats import AccountFormat
from gaelp_sim.events import Floats, Ints


@dataclass(frozen=True)
class Account:
    """One row per line of an export; a metric that the export lacks is not in `metrics`.

    All columns (rows,).
    """

    name: str
    """Of the file"""
    format: AccountFormat
    currency: str
    """Three letters, or empty where the export does not tell"""
    day: Ints
    """Proleptic ordinal of the day"""
    hour: Ints
    """Of the day, NONE where the export has none"""
    channel: list[str]
    campaign: list[str]
    device: list[str]
    metrics: dict[str, Floats]
    """impressions, clicks, cost (in the currency), conversions"""
    share: tuple[Floats, Floats]
    """Bounds of the share of impressions; NaN where not told"""
    left_out: dict[str, int]
    """Lines that are no rows of paid channels, by reason"""

    @property
    def first_day(self) -> date:
        """The first day that the export has a row of."""
        return date.fromordinal(int(self.day.min()))

    @property
    def days(self) -> int:
        """From the first day to the last, both included."""
        return int(self.day.max() - self.day.min()) + 1

    @property
    def channels(self) -> list[str]:
        """Channels by name."""
        return sorted(set(self.channel))

    def by_day(self, metric: str) -> Floats:
        """(channels, days): the metric summed over campaigns, devices and hours; days without a row are 0."""
        names = self.channels
        code = np.array([names.index(name) for name in self.channel])
        total = np.zeros((len(names), self.days))
        np.add.at(total, (code, self.day - self.day.min()), self.metrics[metric])
        return total

    def cut(self, days: int) -> Account:
        """The rows of the first so many days."""
        keep = np.flatnonzero(self.day < self.day.min() + days)
        words = {name: [getattr(self, name)[at] for at in keep] for name in ("channel", "campaign", "device")}
        return Account(
            self.name, self.format, self.currency, self.day[keep], self.hour[keep], **words,
            metrics={name: column[keep] for name, column in self.metrics.items()},
            share=(self.share[0][keep], self.share[1][keep]), left_out=self.left_out,
        )
