"""How errors of identity move what a report says: users, frequency, sales without a touch, credit by channel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaelp_sim.analyse.touch_paths import RESOLVED, TRUE, SalePaths, Window, device_users, place_of, stored_paths
from gaelp_sim.attribution.models import Options, credited
from gaelp_sim.events import US, Floats, TouchKind
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import MICROS_PER_UNIT


@dataclass(frozen=True)
class Effect:
    """A run's report under one identity."""

    identity: str
    """true, resolved (the run's own), or the number of a resolution"""
    users_reached: int
    """Users who were shown an ad"""
    impressions_per_user: float
    sales_without_touch: int
    """Sales of ours whose user, so far as we can tell, was never touched by us"""
    cac_touched_usd: float | None
    """Spend per sale of a user whom we know to have touched: paid CAC as such a report tells it"""
    path_length: float
    """Touches before a sale that has any, on average"""
    last_error: float
    """Last touch: mean absolute error of a channel's sales against the same model on true identity"""
    linear_error: float

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def effects(store: Store, run: RunRecord, resolutions: list[int]) -> list[Effect]:
    """The run's report on true identity, as the run resolved it, and by each later resolution."""
    spend = int(np.asarray(store.read(run, "ledger", columns=("amount_micros",))["amount_micros"]).sum())
    true = _credits(stored_paths(store, run, Window(identity=TRUE)))
    found = []
    for identity in (TRUE, RESOLVED, *map(str, resolutions)):
        paths = stored_paths(store, run, Window(identity=identity))
        users, impressions = _reach(store, run, identity)
        touched = paths.count - len(paths.untouched)
        credits = _credits(paths)
        found.append(Effect(
            identity, users, impressions / max(users, 1), len(paths.untouched),
            spend / MICROS_PER_UNIT / touched if touched else None,
            float(paths.paths.lengths[paths.paths.sales > 0].mean()) if touched else 0.0,
            *(float(np.abs(one - other).mean()) for one, other in zip(credits, true, strict=True)),
        ))
    return found


def _credits(paths: SalePaths) -> tuple[Floats, Floats]:
    """Sales by channel of last touch and linear; sales without a touch stand last."""
    ours = paths.paths.channels // 2
    untouched = float(len(paths.untouched))
    last, linear = (
        np.append(credited(paths.paths, model, Options()).by_channel[:ours], untouched) for model in ("last", "linear")
    )
    return last, linear


def _reach(store: Store, run: RunRecord, identity: str) -> tuple[int, int]:
    """Users shown an ad of ours, and impressions."""
    names = ("world_id", "person_id", "device", "kind")
    rows = {k: np.asarray(v) for k, v in store.read(run, "touchpoint", columns=names, where={"advertiser": US}).items()}
    shown = rows["kind"] == TouchKind.IMPRESSION
    person = (rows["world_id"] << 32 | rows["person_id"])[shown]
    if identity == TRUE:
        return len(np.unique(person)), len(person)
    users = device_users(store, run, 0 if identity == RESOLVED else int(identity))
    at = place_of(users.key, person << 2 | rows["device"][shown])
    return len(np.unique(users.user[at])), len(person)
