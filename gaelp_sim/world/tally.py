"""Running totals of a run: what progress and summary tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import US
from gaelp_sim.units import from_micros
from gaelp_sim.world.log import Table


@dataclass
class Tally:
    """Counts over all commits so far; additive, so a resumed run can start from the stored rows."""

    opportunities: int = 0
    wins: int = 0
    decisions: int = 0
    touchpoints: int = 0
    spend_micros: int = 0
    revenue_micros: int = 0
    conversions: int = 0
    conversions_paid: int = 0
    rival_conversions: int = 0
    reports_due: int = 0

    def add(self, tables: dict[str, Table], end_s: int) -> None:
        """Count the rows of one commit; sales reported after `end_s` are still due."""
        if "auction_hour" in tables:
            hours = tables["auction_hour"]
            ours = hours["advertiser"] == US
            # Every (world, hour, channel) repeats its slots on each advertiser's row: count each once.
            cell = (hours["world_id"] << 40) | (hours["hour"] << 8) | hours["channel"]
            _, first = np.unique(cell, return_index=True)
            self.opportunities += int(hours["opportunities"][first].sum())
            self.wins += int(hours["wins"][ours].sum())
        if "touchpoint" in tables:
            touches = tables["touchpoint"]
            self.touchpoints += len(touches["kind"])
            self.spend_micros += int(touches["price_micros"][touches["advertiser"] == US].sum())
        if "decision" in tables:
            self.decisions += len(tables["decision"]["status"])
        if "conversion" in tables:
            self._add_sales(tables["conversion"], end_s)

    def _add_sales(self, sales: Table, end_s: int) -> None:
        ours = sales["advertiser"] == US
        self.conversions += int(ours.sum())
        self.rival_conversions += int((sales["advertiser"] > US).sum())
        self.conversions_paid += int((ours & (sales["our_touches"] > 0)).sum())
        self.revenue_micros += int(sales["value_micros"][ours].sum())
        self.reports_due += int((ours & (sales["reported_s"] > end_s)).sum())

    def cac_usd(self) -> float | None:
        """Spend per sale of ours, None before the first."""
        return from_micros(self.spend_micros) / self.conversions if self.conversions else None

    def cac_paid_usd(self) -> float | None:
        """Spend per sale of ours to people whom a touch of ours had reached."""
        return from_micros(self.spend_micros) / self.conversions_paid if self.conversions_paid else None

    def cac_incremental_usd(self, sales_without_ads: int | None) -> float | None:
        """Spend per sale that would not have come without our ads; None where unknown or where there is none."""
        if sales_without_ads is None or self.conversions <= sales_without_ads:
            return None
        return from_micros(self.spend_micros) / (self.conversions - sales_without_ads)

    def win_rate(self) -> float | None:
        """Share of opportunities that we won."""
        return self.wins / self.opportunities if self.opportunities else None


