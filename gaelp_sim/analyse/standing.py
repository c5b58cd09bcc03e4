"""`gaelp watch`: how a run stands, while this or another process writes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.answers import Row, answer
from gaelp_sim.store.code_names import STAGES
from gaelp_sim.store.named_queries import REPORT_QUERIES
from gaelp_sim.store.records import RUNNING
from gaelp_sim.units import MICROS_PER_UNIT
from gaelp_sim.world.snapshot import unpack


@dataclass(frozen=True)
class Standing:
    """A run as its last commit point left it."""

    run_id: str
    label: str
    scenario: str
    policy: str
    status: str
    hours_done: int
    hours_total: int
    opportunities: int
    wins: int
    spend_usd: float
    limit_usd: float | None
    """All daily limits so far; None where there are none"""
    sales: int
    rival_sales: int
    value_usd: float
    stages: dict[str, int]
    """People by stage; empty where no state was kept yet"""
    stages_hour: int | None
    """The hour that the stages are of: a state is kept every ten days, people's rows are stored at the end"""
    recent: list[Row]
    writer_is_gone: bool = False
    """It is said to be running, and its process lives no more: it must be resumed to go on"""

    @property
    def win_rate(self) -> float | None:
        """Wins per auction; None before the first."""
        return self.wins / self.opportunities if self.opportunities else None

    @property
    def cac_usd(self) -> float | None:
        """Spend per sale of ours; None before the first."""
        return self.spend_usd / self.sales if self.sales else None

    @property
    def pace(self) -> float | None:
        """Spend over the daily limits so far; None without limits."""
        return self.spend_usd / self.limit_usd if self.limit_usd else None

    def as_json(self) -> dict[str, Any]:
        """The fields by name, with what follows from them."""
        return asdict(self) | {"win_rate": self.win_rate, "cac_usd": self.cac_usd, "pace": self.pace}


class Watcher:
    """Reads how a run stands, as often as it is asked; people's stages anew only where a newer state was kept."""

    def __init__(self, store: Store, run: RunRecord) -> None:
        """Reads through the store; writes nothing."""
        self._store, self._run = store, run
        self._stages: dict[str, int] = {}
        self._stages_hour: int | None = None

    def look(self) -> Standing:
        """The run's totals; each is of one commit point or the next, as they are asked one after the other."""
        names = ("watch_totals", "watch_stages", "watch_recent")
        totals, stages, recent = (answer(self._store, self._run, REPORT_QUERIES[name]).rows for name in names)
        row = totals[0]
        if stages:  # people are stored when the run ends
            self._stages = {str(one["stage"]): int(one["people"]) for one in stages}
            self._stages_hour = int(row["hours_done"])
        else:
            self._look_into_state(int(row["hours_done"]))
        first = int(row["start_hour"])
        return Standing(
            row["run_id"], row["label"], row["scenario_name"], row["policy"], row["status"],
            int(row["hours_done"]) - first, int(row["end_hour"]) - first,
            int(row["opportunities"]), int(row["wins"]), int(row["spend_micros"]) / MICROS_PER_UNIT,
            None if row["limit_micros"] is None else int(row["limit_micros"]) / MICROS_PER_UNIT, int(row["sales"]),
            int(row["rival_sales"]), int(row["value_micros"]) / MICROS_PER_UNIT, dict(self._stages),
            None if self._stages_hour is None else self._stages_hour - first, recent,
            row["status"] == RUNNING and self._store.writer_is_gone(self._run),
        )

    def _look_into_state(self, hour: int) -> None:
        """Count people by stage in the newest state that the run has kept to resume from."""
        kept = self._store.state_before(self._run, hour)
        if kept is None or kept.hour == self._stages_hour:
            return
        counts = np.bincount(unpack(kept.state)["people.stage"].astype(np.int64), minlength=len(STAGES))
        self._stages = dict(zip(STAGES, counts.tolist(), strict=True))
        self._stages_hour = kept.hour
