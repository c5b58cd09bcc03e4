"""What stands behind the numbers of an exported log: features and actions in words, and what each decision led to."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaelp_sim.calibrate.mapping import parse_mapping
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, Ints, TouchKind
from gaelp_sim.learn.logged import Logged
from gaelp_sim.observe.table import FEATURES
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.stored_scenario import IMPORTED

Word = dict[str, Any]


def feature_words(run: RunRecord) -> list[Word]:
    """Name, unit and meaning of each feature, in order: our 41, or those that an import's mapping named."""
    if run.policy != IMPORTED:
        return [{"name": one.name, "unit": one.unit, "low": one.low, "high": one.high, "meaning": one.source}
                for one in FEATURES]
    told = parse_mapping(run.scenario_text, run.scenario_name).columns
    names = told.features if told else []
    return [{"name": name, "unit": "as in the log; words are numbered in the order of the alphabet",
             "meaning": f"the log's column {name}"} for name in names]


def action_words(store: Store, run: RunRecord, triples: Ints) -> list[Word]:
    """(actions,): number, participate, level and the creative's name of each row of `triples`."""
    codes = store.read(run, "name", columns=("code", "name"), where={"kind": "creative"})
    names = dict(zip(np.asarray(codes["code"]).tolist(), map(str, codes["name"]), strict=True))
    return [
        {"action": number, "participate": participate, "level": None if level == NONE else level,
         "creative": names.get(creative)}
        for number, (participate, level, creative) in enumerate(triples.tolist())
    ]


def rewards(store: Store, run: RunRecord, logged: Logged, reward: str) -> tuple[np.ndarray, str]:
    """(n,) float64 and its unit. reward: "profit" as `Logged` has it, or "click": 1 where the decision's ad was clicked.

    Raises UsageError where every reward is 0: nothing could be told from them.
    """
    if reward == "click":
        found, unit = touched(store, run, logged)[1].astype(np.float64), "1 if our ad was clicked, else 0"
        rule = "nobody clicked; next: --reward profit"
    else:
        found = logged.reward_usd
        unit = (f"{run.currency}: less what was charged; a sale of ours is paid to the person's last decision before it")
        rule = "it tells neither costs nor sales; next: --reward click"
    if not found.any():
        raise UsageError(f"run {run.run_id}: every reward is 0, as {rule}")
    return found, unit


def touched(store: Store, run: RunRecord, logged: Logged) -> tuple[Ints, Ints]:
    """(n,) each: place on the page from 1, and whether our ad was clicked; 0 and 0 where it was not shown."""
    names = ("world_id", "person_id", "occurred_s", "position", "clicked")
    where = {"advertiser": US, "kind": int(TouchKind.IMPRESSION)}
    rows = {name: np.asarray(column) for name, column in store.read(run, "touchpoint", columns=names, where=where).items()}
    person = rows["world_id"] << 32 | rows["person_id"]
    first = np.lexsort([rows["position"], rows["occurred_s"], person])  # of one second, the place nearest to the top
    seconds, place = np.unique(np.concatenate([rows["occurred_s"], logged.second]), return_inverse=True)
    people, number = np.unique(np.concatenate([person, logged.person]), return_inverse=True)
    key = number * max(len(seconds), 1) + place
    shown, asked = key[: len(person)][first], key[len(person) :]
    if not len(shown):
        return np.zeros(len(asked), dtype=np.int64), np.zeros(len(asked), dtype=np.int64)
    at = np.minimum(np.searchsorted(shown, asked), len(shown) - 1)
    found = shown[at] == asked
    return np.where(found, rows["position"][first][at], 0), np.where(found, rows["clicked"][first][at], 0)
