"""`gaelp sweep`: the same worlds under many settings and policies, each a stored run, held against the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from gaelp_sim.analyse.life_sums import Life, life_of
from gaelp_sim.analyse.paired import Difference, paired
from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.resolved import scenario_hash
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.inherit import check_same_people
from gaelp_sim.world.policies import pinned
from gaelp_sim.world.request import OnProgress, RunRequest
from gaelp_sim.world.simulate import resume, run

FIGURES = ("profit_usd", "conversions", "spend_usd", "cac_blended_usd")
CELLS_MAX = 1_000
Settings = tuple[tuple[str, str], ...]
OnCell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Cell:
    """One combination: its settings, policy and scenario."""

    settings: Settings
    policy: str
    scenario: Scenario

    @property
    def told(self) -> str:
        """Its settings in words."""
        return ", ".join([*(f"{key}={value}" for key, value in self.settings), f"policy={self.policy}"])


@dataclass(frozen=True)
class Swept:
    """A cell's run beside the first one's."""

    cell: Cell
    run: RunRecord
    figures: dict[str, Difference]

    def as_json(self) -> dict[str, Any]:
        """Settings, the run, and figures with differences to the first cell."""
        found: dict[str, Any] = {**dict(self.cell.settings), "policy": self.cell.policy, "run_id": self.run.run_id}
        for name, one in self.figures.items():
            found |= {
                name: one.replayed, f"{name}_difference": one.difference, f"{name}_low": one.low, f"{name}_high": one.high,
            }
        return found


def varied(text: str) -> tuple[str, tuple[str, ...]]:
    """A key and its values, `key=v1,v2`; values in brackets or braces keep their commas.

    >>> varied("us.policy.bid_multiplier=0.7,1")
    ('us.policy.bid_multiplier', ('0.7', '1'))
    >>> varied("curves.weekday=[1, 2],[3]")[1]
    ('[1, 2]', '[3]')
    """
    key, equals, rest = text.partition("=")
    values, depth, start = [], 0, 0
    for place, character in enumerate(rest):
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0:
            values.append(rest[start:place])
            start = place + 1
    values.append(rest[start:])
    told = tuple(value.strip() for value in values)
    if not (key and equals and all(told)) or len(set(told)) < len(told):
        raise UsageError(f"--vary {text}: give KEY=V1,V2,... with values that differ")
    return key, told


def cells_of(
    load: Callable[[Sequence[str]], Scenario], varying: Sequence[tuple[str, tuple[str, ...]]], policies: Sequence[str]
) -> list[Cell]:
    """Every combination, the last key fastest, policies slowest; load: the scenario with `key=value` settings applied.

    Raises UsageError for too many, and for settings under which people would be others than in the first cell.
    """
    keys = [key for key, _ in varying]
    combinations = list(product(*(values for _, values in varying)))
    if len(combinations) * len(policies) > CELLS_MAX:
        raise UsageError(f"{len(combinations) * len(policies):,} cells, at most {CELLS_MAX:,}: vary less at once")
    found = []
    for policy in policies:
        for values in combinations:
            settings = tuple(zip(keys, values, strict=True))
            found.append(Cell(settings, pinned(policy), load([f"{key}={value}" for key, value in settings])))
    first = found[0].scenario
    for cell in found[1:]:
        check_same_people("sweep", first, cell.scenario, any_cells=True)
    return found


def sweep(db_url: str, cells: Sequence[Cell], crew: Crew, told: tuple[OnCell, OnProgress]) -> list[Swept]:
    """Run every cell that the store does not hold yet, and hold all against the first.

    Interrupted, the same command goes on: finished cells are found by scenario, seed and policy.
    """
    on_cell, on_progress = told
    records = []
    for number, cell in enumerate(cells):
        on_cell(number + 1, len(cells), cell.told)
        records.append(run_of(db_url, cell, crew, on_progress))
    with Store.open(db_url, must_exist=True) as store:
        first = life_of(store, records[0], records[0].worlds)
        return [
            Swept(cell, record, _against(first, life_of(store, record, record.worlds)))
            for cell, record in zip(cells, records, strict=True)
        ]


def _against(first: Life, other: Life) -> dict[str, Difference]:
    found = {one.figure: one for one in paired(first, other).figures}
    return {name: found[name] for name in FIGURES}


def run_of(db_url: str, cell: Cell, crew: Crew, on_progress: OnProgress) -> RunRecord:
    """A cell's finished run: found in the store, resumed or simulated."""
    with Store.open(db_url) as store:
        known = next((record for record in store.runs() if _is_of(record, cell)), None)
    if known is not None and known.status == "FINISHED":
        return known
    if known is not None:
        run_id = resume(db_url, known.run_id, crew, on_progress).run_id
    else:
        request = RunRequest(cell.scenario, db_url, crew=crew, policy=cell.policy, label=f"sweep: {cell.told}")
        run_id = run(request, on_progress).run_id
    with Store.open(db_url) as store:
        return store.find_run(run_id)


def _is_of(record: RunRecord, cell: Cell) -> bool:
    same = (record.scenario_hash, record.seed, record.policy) == (
        scenario_hash(cell.scenario), cell.scenario.seed, cell.policy
    )
    plain = record.parent_run_key == -1 and not record.opponents and record.rival_bidders == "[]"
    return same and plain and record.status in ("FINISHED", "INTERRUPTED", "RUNNING")
