"""`gaelp journey`: one person's whole story, with what we could see of it and what only the simulator knows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.errors import RunNotFoundError
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.answers import Row, answer
from gaelp_sim.store.named_queries import REPORT_QUERIES

STAGES = ("unaware", "aware", "considering", "intent")
TOUCHES = ("IMPRESSION", "EMAIL", "VISIT")
AUCTIONS = ("IMPRESSION", "LOST", "NOT_ENTERED", "DROPPED_BUDGET")


@dataclass(frozen=True)
class PersonStory:
    """Who a person is, the journeys made, and every moment in order."""

    run_id: str
    world: int
    person: int
    state: Row
    """As the run left them, with traits that nobody can observe"""
    journeys: list[Row]
    moments: list[Row]
    """Touches, auctions not won, crises and sales; each touch with its credit by model and what it caused, where known"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "run_id": self.run_id, "world": self.world, "person": self.person, "state": self.state,
            "journeys": self.journeys, "moments": self.moments,
        }


def person_story(store: Store, run: RunRecord, *, world: int, person: int) -> PersonStory:
    """All that is stored of one person. Raises RunNotFoundError where the run has no such person."""
    def rows(name: str) -> list[Row]:
        return answer(store, run, REPORT_QUERIES[name], {"world": world, "person": person}).rows

    found = rows("journey_person")
    if not found:
        raise RunNotFoundError(
            f"run {run.run_id} has no person {person} in world {world}: people are numbered from 0 to {run.people - 1:,} "
            f"(scripted ones follow), worlds from 0 to {run.worlds - 1:,}. Find people who met us: "
            'gaelp query "SELECT person_id, touches FROM journeys ORDER BY 2 DESC LIMIT 10"'
        )
    moments = rows("journey_moments")
    _believe(moments, rows("journey_beliefs"))
    _credit(moments, rows("journey_credit"))
    return PersonStory(run.run_id, world, person, found[0], rows("journey_list"), moments)


def _believe(moments: list[Row], seen: list[Row]) -> None:
    """Beside each auction, the stage that our policy thought most likely, and the wear-out that it reckoned with."""
    features = {(row["decided_s"], row["channel"]): bytes(row["features"] or b"") for row in seen}
    for moment in moments:
        blob = features.get((moment["happened_s"], moment["channel"]), b"") if moment["what"] in AUCTIONS else b""
        moment["believed_stage"] = moment["believed_stage_chance"] = moment["believed_fatigue"] = None
        if blob and moment["ours"] != 0:
            values = np.frombuffer(blob, "<f4").astype(float)
            stages = values[COLUMN["stage_unaware"] : COLUMN["stage_intent"] + 1]
            moment["believed_stage"] = STAGES[int(stages.argmax())]
            moment["believed_stage_chance"] = round(float(stages.max()), 4)
            worn = max(float(values[COLUMN[name]]) for name in ("fatigue_teach", "fatigue_offer"))
            moment["believed_fatigue"] = round(worn, 4)


def _credit(moments: list[Row], given: list[Row]) -> None:
    """Beside each touch, each model's share of the person's sales, and the sales that withholding it would have cost."""
    shares: dict[tuple[int, int, str | None], dict[str, float]] = defaultdict(dict)
    for row in given:
        at = shares[row["touched_s"], row["touch_slot"], row["channel"]]
        at[row["model"]] = at.get(row["model"], 0.0) + float(row["share"])
    for moment in moments:
        key = (moment["happened_s"], moment["touch_slot"], moment["channel"])
        moment["credit"] = dict(shares.get(key, {})) if moment["what"] in TOUCHES else {}
