"""The fast world beside the plain one: spend, touches, sales and stages, to the micro."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from gaelp_sim.events import NONE
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import epoch_seconds
from tests.worlds.reference import ReferenceWorld, Result
from tests.worlds.scenarios import Tables, whole_run

_TOUCH = (
    "person_id", "occurred_s", "touch_slot", "kind", "advertiser", "channel", "creative", "device", "price_micros",
    "examined", "clicked",
)
_SHIFT = ("person_id", "occurred_s", "segment_to")
_SALE = ("person_id", "decided_s", "advertiser", "via", "purchased_s", "reported_s", "value_micros")


@dataclass(frozen=True)
class Comparison:
    """What differs, in words, and how much there was to compare."""

    differences: list[str]
    touches: int
    sales: int
    spend_micros: int
    exhausted: int
    """Budgets that bound, by day."""


def compare(scenario: Scenario) -> Comparison:
    """Run a scenario both ways."""
    plain, fast = ReferenceWorld(scenario).run(), whole_run(scenario)
    differences = _differences(scenario, plain, fast)
    exhausted = int((fast["budget_day"]["exhausted_s"] != NONE).sum())
    return Comparison(differences, len(plain.touches), len(plain.sales), sum(plain.spend.values()), exhausted)


def _differences(scenario: Scenario, plain: Result, fast: Tables) -> list[str]:
    start = epoch_seconds(scenario.start)
    found = _unlike("touch", plain.touches, _rows(fast, "touchpoint", _TOUCH, (1,), start))
    found += _unlike("sale", plain.sales, _rows(fast, "conversion", _SALE, (1, 4, 5), start))
    found += _unlike("shift", plain.shifts, _rows(fast, "trigger_event", _SHIFT, (1,), start))
    found += _unlike("stage", list(enumerate(plain.stages)), list(enumerate(fast["person"]["stage"].tolist())))
    spend = [(*key, value) for key, value in plain.spend.items() if value]
    found += _unlike("spend", spend, _spend(fast))
    return found


def _rows(fast: Tables, table: str, names: tuple[str, ...], times: tuple[int, ...], start: int) -> list[tuple[int, ...]]:
    if table not in fast:
        return []
    rows = zip(*[fast[table][name].tolist() for name in names], strict=True)
    return [tuple(int(v) - start * (place in times) for place, v in enumerate(row)) for row in rows]


def _spend(fast: Tables) -> list[tuple[int, ...]]:
    books: dict[tuple[int, int], int] = defaultdict(int)
    table = fast["budget_day"]
    for day, advertiser, campaign, spent in zip(
        *[table[name].tolist() for name in ("day", "advertiser", "campaign", "spent_micros")], strict=True
    ):
        if campaign == NONE and spent:
            books[day, advertiser] += spent
    return [(*key, value) for key, value in books.items()]


def _unlike(name: str, plain: list[tuple[int, ...]], fast: list[tuple[int, ...]]) -> list[str]:
    plain, fast = sorted(plain), sorted(fast)
    if plain == fast:
        return []
    only_plain, only_fast = sorted(set(plain) - set(fast)), sorted(set(fast) - set(plain))
    key = lambda row: row[1] if len(row) > 2 else 0  # noqa: E731
    return [
        f"{name}: {len(plain)} plain, {len(fast)} fast; only plain {min(only_plain, key=key, default=None)}, "
        f"only fast {min(only_fast, key=key, default=None)}"
    ]
