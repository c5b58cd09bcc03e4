"""Tables as they stood at a moment: what a view then reads in place of the table.

A row that came later is not there; what a row has learned since is "none" again; sums over rows are taken anew. What can't
be told any more (a person's stage or segment at the time, estimates of the whole run, analyses of it) is none or left out:
never wrong, at worst unknown. Moments are whole seconds; rollups by hour and day hold complete hours and days alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from gaelp_sim.store.code_names import IMPRESSION, JOURNEY_STATUSES, STAGES, US
from gaelp_sim.store.layout import ANALYSIS_TABLES, LAYOUTS, RUN_VALUES

_NOT_TOLD = ("alias_pair", "price_landscape", "truth_price", "checkpoint", "outside_ask", *ANALYSIS_TABLES)
"""Tables that know the end."""
_STATIC = ("world", "world_parameter", "name", "device", "truth_person")
_ACTIVE, _LOST, _CONVERTED = (JOURNEY_STATUSES.index(status) for status in ("ACTIVE", "LOST", "CONVERTED"))
PATH_RECORD_BYTES = 29
"""Of one touch in a journey's path."""


def tables_as_of(as_of_s: int, prefix: str, runs: str, *, first_bytes: str = "substr") -> dict[str, str]:
    """What to read in place of each table, by name; "run" stands for the runs in scope.

    as_of_s: epoch seconds UTC; what happened in that very second is known. prefix: before names of tables; runs: source of
    the runs in scope. first_bytes: the database's function (blob, from, length) for the beginning of a blob
    """
    sources = _Sources(int(as_of_s), prefix, runs, first_bytes)
    cut = sources.cut
    told = {
        "run": sources.runs_then(),
        "touchpoint": cut("touchpoint", "z.occurred_s <= {t}"), "decision": cut("decision", "z.occurred_s <= {t}"),
        "ledger": cut("ledger", "z.occurred_s <= {t}"), "trigger_event": cut("trigger_event", "z.occurred_s <= {t}"),
        "auction_hour": cut("auction_hour", f"{_START} + (CAST(z.hour AS BIGINT) + 1) * 3600 - 1 <= {{t}}"),
        "bid_sheet": cut("bid_sheet", f"{_START} + CAST(z.hour AS BIGINT) * 3600 <= {{t}}"),
        "outside_answer": cut("outside_answer", f"{_START} + CAST(z.hour AS BIGINT) * 3600 <= {{t}}"),
        "budget_day": cut("budget_day", f"{_START} + (CAST(z.day AS BIGINT) + 1) * 86400 - 1 <= {{t}}"),
        "rival_day": cut("rival_day", f"{_START} + (CAST(z.day AS BIGINT) + 1) * 86400 - 1 <= {{t}}"),
        "conversion": cut("conversion", "z.decided_s <= {t}", {
            name: _until(name) for name in ("purchased_s", "reported_s")
        }),
        "alias": cut("alias", "z.first_seen_s <= {t}", {
            "resolved_user_id": _USER_THEN, "last_seen_s": _until("last_seen_s"), "login_s": _until("login_s"),
            "account_id": "CASE WHEN z.login_s > {t} THEN -1 ELSE z.account_id END",
        }),
        "identity_change": cut("identity_change", "z.changed_s <= {t}"),
        "person": cut("person", "", {
            column.name: _until(column.name) if column.name in ("decided_s", "converted_s") else "-1"
            for column in LAYOUTS["person"].values if column.name != "household_id"
        }),
        "journey": sources.journeys(),
    }
    told |= {name: cut(name, "") for name in _STATIC}
    return told | {name: cut(name, "1 = 0") for name in _NOT_TOLD}


_START = "(SELECT q.start_s FROM {p}run AS q WHERE q.run_key = z.run_key)"


# An alias was of the user that it left at its next change; where accounts are users, to itself before a log-in.
_USER_THEN = (
    "COALESCE((SELECT c.previous_user_id FROM {p}identity_change AS c WHERE c.run_key = z.run_key"
    " AND c.world_id = z.world_id AND c.alias_id = z.alias_id AND c.changed_s > {t} ORDER BY c.changed_s LIMIT 1),"
    " CASE WHEN z.login_s > {t} AND z.resolved_user_id = z.account_id THEN z.alias_id ELSE z.resolved_user_id END)"
)


def _until(column: str) -> str:
    """A time of the row, -1 while it lies ahead."""
    return f"CASE WHEN z.{column} <= {{t}} THEN z.{column} ELSE -1 END"


class _Sources:
    """SELECTs in brackets, for one moment."""

    def __init__(self, as_of_s: int, prefix: str, runs: str, first_bytes: str) -> None:
        self.words = {"t": str(as_of_s), "p": prefix, "first_bytes": first_bytes}
        self.runs = runs

    def _filled(self, sql: str) -> str:
        for word, text in self.words.items():
            sql = sql.replace("{" + word + "}", text)
        return sql

    def cut(self, table: str, condition: str, changes: Mapping[str, str] | None = None) -> str:
        """The table's rows under a condition, some of their columns changed; both speak of the row as `z`."""
        changes = changes or {}
        columns = [
            f"{changes[name]} AS {name}" if name in changes else f"z.{name}"
            for name in ("run_key", *LAYOUTS[table].column_names)
        ]
        where = f" WHERE {condition}" if condition else ""
        return self._filled(f"(SELECT {', '.join(columns)} FROM {{p}}{table} AS z{where})")

    def runs_then(self) -> str:
        """The runs in scope, as far as they had come."""
        reached = "CAST(({t} + 1 - z.start_s) / 3600 AS INTEGER)"
        changes = {
            "hours_done": f"CASE WHEN {reached} < z.hours_done THEN {reached} ELSE z.hours_done END",
            "status": f"CASE WHEN {reached} < z.end_hour THEN 'RUNNING' ELSE z.status END",
            "summary": "'{}'", "finished_at": "''",
        }
        names = ("run_key", *(column.name for column in RUN_VALUES))
        columns = [f"{changes[name]} AS {name}" if name in changes else f"z.{name}" for name in names]
        begun = "z.start_s + CAST(z.start_hour AS BIGINT) * 3600 <= {t}"
        return self._filled(f"(SELECT {', '.join(columns)} FROM {self.runs} AS z WHERE {begun})")

    def journeys(self) -> str:
        """Journeys begun by then. Those with a touch since are counted anew, from the touches that were recorded."""
        columns = []
        for name in ("run_key", *LAYOUTS["journey"].column_names):
            if name in _JOURNEY_THEN:
                columns.append(f"{_JOURNEY_THEN[name]} AS {name}")
            elif name in _JOURNEY_SUMS:
                columns.append(f"CASE WHEN z.last_touch_s <= {{t}} THEN z.{name} ELSE COALESCE(c.{name}, 0) END AS {name}")
            else:
                columns.append(f"z.{name}")
        sums = ", ".join(f"{sql} AS {name}" for name, sql in _JOURNEY_SUMS.items())
        keys = "v.run_key, v.world_id, v.person_id, v.journey_index"
        counted = (
            f"SELECT {keys}, {sums} FROM {{p}}journey AS y CROSS JOIN {{p}}touchpoint AS v"
            f" WHERE y.run_key IN (SELECT w.run_key FROM {self.runs} AS w)"
            " AND y.started_s <= {t} AND y.last_touch_s > {t}"
            " AND v.run_key = y.run_key AND v.world_id = y.world_id AND v.person_id = y.person_id"
            " AND v.occurred_s >= y.started_s AND v.occurred_s <= {t} AND v.journey_index = y.journey_index"
            f" GROUP BY {keys}"
        )
        return self._filled(
            f"(SELECT {', '.join(columns)} FROM {{p}}journey AS z LEFT JOIN ({counted}) AS c ON c.run_key = z.run_key"
            " AND c.world_id = z.world_id AND c.person_id = z.person_id AND c.journey_index = z.journey_index"
            " WHERE z.started_s <= {t})"
        )


_BIT = "(CAST(1 AS BIGINT) << v.{})"
_JOURNEY_SUMS = {
    "last_touch_s": "MAX(v.occurred_s)", "touches": "COUNT(*)",
    "cost_micros": f"CAST(SUM(CASE WHEN v.advertiser = {US} THEN v.price_micros ELSE 0 END) AS BIGINT)",
    "impressions": f"SUM(CASE WHEN v.kind = {IMPRESSION} THEN 1 ELSE 0 END)", "clicks": "SUM(v.clicked)",
    "our_touches": f"SUM(CASE WHEN v.advertiser = {US} THEN 1 ELSE 0 END)",
    "our_clicks": f"SUM(CASE WHEN v.advertiser = {US} THEN v.clicked ELSE 0 END)",
    "devices_seen": f"CAST(SUM(DISTINCT {_BIT.format('device')}) AS BIGINT)",
    "channels_exposed": f"CAST(SUM(DISTINCT {_BIT.format('channel')}) AS BIGINT)",
    "competitors_seen":
        f"CAST(COALESCE(SUM(DISTINCT CASE WHEN v.advertiser <> {US} THEN {_BIT.format('advertiser')} END), 0) AS BIGINT)",
}
"""What touches of a journey add up to."""
_SOLD, _GIVEN_UP = "z.converted_s <> -1 AND z.converted_s <= {t}", "z.lost_s <> -1 AND z.lost_s <= {t}"
_ENDED = f"CASE WHEN {_SOLD} THEN z.converted_s WHEN {_GIVEN_UP} THEN z.lost_s ELSE -1 END"
_LAST = "CASE WHEN z.last_touch_s <= {t} THEN z.last_touch_s ELSE COALESCE(c.last_touch_s, z.started_s) END"
_JOURNEY_THEN = {
    "status": f"CASE WHEN {_SOLD} THEN {_CONVERTED} WHEN {_GIVEN_UP} THEN {_LOST} ELSE {_ACTIVE} END",
    "stage": f"CASE WHEN {_SOLD} THEN {STAGES.index('CONVERTED')} ELSE -1 END",
    "ended_s": _ENDED, "lost_s": f"CASE WHEN {_GIVEN_UP} THEN z.lost_s ELSE -1 END",
    "converted_s": f"CASE WHEN {_SOLD} THEN z.converted_s ELSE -1 END",
    "converted_advertiser": f"CASE WHEN {_SOLD} THEN z.converted_advertiser ELSE -1 END",
    "days_in_journey":
        f"((CASE WHEN {_SOLD} OR {_GIVEN_UP} THEN {_ENDED} ELSE {_LAST} END) - z.started_s) / 86400",
    "path": f"CASE WHEN z.last_touch_s <= {{t}} THEN z.path ELSE {{first_bytes}}(z.path, 1, CAST({PATH_RECORD_BYTES}"
            " * COALESCE(c.touches, 0) AS INTEGER)) END",
}
"""Columns that are not sums, as they stood."""
