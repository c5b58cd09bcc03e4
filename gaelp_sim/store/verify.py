"""What must be true of a stored run, asked of its rows: the hash chain, the books, references, uniqueness."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gaelp_sim.store.digests import chain_link, row_prints, total, unpacked
from gaelp_sim.store.lake import FILE_ORDER
from gaelp_sim.store.lake_verify import our_touches, parts_stand, without_parent
from gaelp_sim.store.layout import LAYOUTS, SIMULATION_TABLES
from gaelp_sim.store.reader import read_rows
from gaelp_sim.store.records import CHECKPOINT_COLUMNS, Checkpoint
from gaelp_sim.store.writer import genesis

if TYPE_CHECKING:
    from gaelp_sim.store.engines import Link
    from gaelp_sim.store.records import RunRecord
    from gaelp_sim.store.store import Store

Finding = tuple[str, bool, str]

_References = tuple[str, str, tuple[str, ...]]


def _check_name(child: str, parent: str) -> str:
    return f"every {child} has its {parent}"


def _has_its(child: str, parent: str, names: tuple[str, ...]) -> tuple[str, str]:
    return (
        _check_name(child, parent),
        f"SELECT count(*) FROM {child} AS c WHERE c.run_key = ? AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE "
        + " AND ".join(f"p.{name} = c.{name}" for name in ("run_key", *names)) + ")",
    )


# Each query gives one row with one number, which must be 0; `?` is the run's key. Foreign keys of the large tables
# are asked here instead of declared: declared, Postgres would pay more for them than for the rows.
_COUNT_MUST_BE_ZERO: tuple[tuple[str, str], ...] = (
    (
        "order ids are unique",
        "SELECT count(*) FROM (SELECT world_id, order_id FROM conversion WHERE run_key = ? "
        "GROUP BY world_id, order_id HAVING count(*) > 1) AS twice",
    ),
)
_MUST_BE_THERE: tuple[_References, ...] = (
    ("person", "world", ("world_id",)),
    ("ledger", "touchpoint", ("world_id", "person_id", "occurred_s", "touch_slot")),
)
_PEOPLE_MUST_BE_THERE: tuple[_References, ...] = tuple(
    (child, "person", ("world_id", "person_id")) for child in ("device", "truth_person", "journey", "conversion")
)

_OURS = "SELECT world_id, {day} AS day, sum({amount}) AS micros FROM {table} WHERE run_key = ?{condition} GROUP BY 1, 2"


def verify_run(store: Store, run: RunRecord) -> list[Finding]:
    """Check a run's rows; each finding is (check, passed, detail). Nothing is raised for a check that fails."""
    with store.database.reading() as link:
        checkpoints = _checkpoints(link, run)
        lake = [parts_stand(link, run)] if run.lake else []
        if not all(passed for _, passed, _ in lake):
            return lake  # nothing else can be asked of rows that can't be read
        return [
            _file_is_sound(link),
            _chain_holds(run, checkpoints),
            _states_hold(checkpoints),
            *_rows_hold(link, run, checkpoints),
            _hours_agree(run, checkpoints),
            _books_balance(link, run),
            *(_counts_nothing(link, run, check, sql) for check, sql in _COUNT_MUST_BE_ZERO),
            *(_refers(link, run, *references) for references in _MUST_BE_THERE),
            *_people_are_there(link, run, checkpoints),
            *lake,
        ]


def _checkpoints(link: Link, run: RunRecord) -> list[Checkpoint]:
    sql = f"SELECT {', '.join(CHECKPOINT_COLUMNS)} FROM checkpoint WHERE run_key = ? ORDER BY hour"
    return [Checkpoint(**dict(zip(CHECKPOINT_COLUMNS, row, strict=True))) for row in link.all(sql, (run.run_key,))]


def _file_is_sound(link: Link) -> Finding:
    if link.dialect != "sqlite":
        return ("database file", True, "left to the server")
    lines = [str(row[0]) for row in link.all("PRAGMA integrity_check(5)")]
    return ("database file", lines == ["ok"], "; ".join(lines))


def _chain_holds(run: RunRecord, checkpoints: list[Checkpoint]) -> Finding:
    chain = genesis(run)
    for point in checkpoints:
        chain = chain_link(chain, point.hour, point.rows, point.digests, point.state_hash)
        if chain != point.chain_hash:
            return ("hash chain", False, f"breaks at hour {point.hour}: the checkpoint or the run's row was changed")
    return ("hash chain", True, f"{len(checkpoints)} commit points")


def _states_hold(checkpoints: list[Checkpoint]) -> Finding:
    for point in checkpoints:
        if point.state and hashlib.sha256(point.state).digest() != point.state_hash:
            return ("checkpoint states", False, f"the state of hour {point.hour} was changed")
    return ("checkpoint states", True, f"{sum(1 for point in checkpoints if point.state)} states")


def _rows_hold(link: Link, run: RunRecord, checkpoints: list[Checkpoint]) -> list[Finding]:
    """Fingerprints of the stored rows against the last commit's; one finding per table."""
    if not checkpoints:
        return [("rows", True, "nothing committed yet")]
    committed = unpacked(checkpoints[-1].digests)
    findings: list[Finding] = []
    for table in SIMULATION_TABLES:
        stored, count = 0, 0
        for rows in read_rows(link, run.run_key, LAYOUTS[table]):
            stored, count = (stored + total(row_prints(rows))) % 2**64, count + rows.count
        same = stored == committed[table]
        findings.append((f"rows of {table}", same, f"{count} rows" if same else f"{count} rows differ from the commit"))
    return findings


def _hours_agree(run: RunRecord, checkpoints: list[Checkpoint]) -> Finding:
    reached = checkpoints[-1].hour if checkpoints else run.start_hour
    return ("hours done", reached == run.hours_done, f"run says {run.hours_done}, last commit {reached}")


def _books_balance(link: Link, run: RunRecord) -> Finding:
    """Our touches, the ledger and the budgets, by world and (for touches and ledger) day."""
    floor_day = "(occurred_s / 86400)"
    paid = _OURS.format(day=floor_day, amount="price_micros", table="touchpoint",
                        condition=" AND advertiser = 0 AND price_micros > 0")
    touches = our_touches(link, run) if run.lake else link.all(paid, (run.run_key,))
    charges = link.all(_OURS.format(day=floor_day, amount="amount_micros", table="ledger",
                                    condition=" AND amount_micros <> 0"), (run.run_key,))
    budget = link.all(
        "SELECT world_id, sum(spent_micros) FROM budget_day WHERE run_key = ? AND advertiser = 0 AND campaign = -1 "
        "GROUP BY 1", (run.run_key,),
    )
    by_day = _as_integers(touches), _as_integers(charges)
    if by_day[0] != by_day[1]:
        world, at = min(set(by_day[0].items()) ^ set(by_day[1].items()))[0]
        return ("touches = ledger = budget", False, f"touches and ledger differ in world {world}, day {at} since 1970")
    by_world: dict[int, int] = {}
    for (world, _), micros in by_day[1].items():
        by_world[world] = by_world.get(world, 0) + micros
    drawn = {int(world): int(micros) for world, micros in budget if micros}
    if drawn != by_world:
        return ("touches = ledger = budget", False, f"ledger {by_world}, budgets {drawn} micros by world")
    return ("touches = ledger = budget", True, f"{sum(by_world.values())} micros")


def _as_integers(rows: list[tuple[int, int, int]]) -> dict[tuple[int, int], int]:
    return {(int(world), int(at)): int(micros) for world, at, micros in rows}  # Postgres sums into numeric


def _people_are_there(link: Link, run: RunRecord, checkpoints: list[Checkpoint]) -> list[Finding]:
    """Rows about people against the people, who are written with a run's last commit."""
    if not checkpoints or unpacked(checkpoints[-1].digests)["person"] == 0:
        names = [_check_name(child, parent) for child, parent, _ in _PEOPLE_MUST_BE_THERE]
        return [(check, True, "people come with the last commit") for check in names]
    return [_refers(link, run, *references) for references in _PEOPLE_MUST_BE_THERE]


def _refers(link: Link, run: RunRecord, child: str, parent: str, names: tuple[str, ...]) -> Finding:
    if run.lake and {child, parent} & set(FILE_ORDER):
        count = without_parent(link, run, child, parent, names)
        return (_check_name(child, parent), count == 0, "" if count == 0 else f"{count} rows")
    return _counts_nothing(link, run, *_has_its(child, parent, names))


def _counts_nothing(link: Link, run: RunRecord, check: str, sql: str) -> Finding:
    row = link.one(sql, (run.run_key,))
    count = int(row[0]) if row else 0
    return (check, count == 0, "" if count == 0 else f"{count} rows")
