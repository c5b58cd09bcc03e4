"""`verify_run` finds what was changed after it was committed."""

from __future__ import annotations

import pytest

from gaelp_sim.store import SIMULATION_TABLES, Store, verify_run


@pytest.fixture
def stored(db_url: str, run_record, made_batch):
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, {"channel": ["search"]})
        for day in range(3):
            store.commit(run, made_batch(day))
        yield store, store.finish_run(run, "FINISHED", {})


def failed(store: Store) -> set[str]:
    return {check for check, passed, _ in verify_run(store, store.find_run("@last")) if not passed}


def test_a_sound_run_passes(stored) -> None:
    store, _ = stored
    assert failed(store) == set()


CHANGES = {
    "world": "market_noise_ppm = 1", "world_parameter": "value = 0.5", "name": "name = 'other'", "person": "goodwill = 3",
    "device": "alias_id = 0", "truth_person": "urgency = 0.5", "alias": "match_confidence = 1.0",
    "alias_pair": "probability = 0.125", "identity_change": "method = 2",
    "journey": "touches = 0", "touchpoint": "clicked = 0", "decision": "propensity = 0.5", "auction_hour": "wins = 0",
    "conversion": "value_micros = 0", "bid_sheet": "level = 0", "ledger": "channel = 0",
    "budget_day": "limit_micros = 1", "trigger_event": "size = 0.5",
    "rival_day": "pace_ppm = 1", "price_landscape": "seen = -5", "truth_price": "auctions = -5",
}


@pytest.mark.parametrize("table", SIMULATION_TABLES)
def test_one_changed_value_is_found(stored, table: str) -> None:
    store, _ = stored
    with store.database.writing() as link:
        (key,) = link.one(f"SELECT max({'code' if table == 'name' else 'world_id'}) FROM {table}")
        where = f"{'code' if table == 'name' else 'world_id'} = {key}"
        link.execute(f"UPDATE {table} SET {CHANGES[table]} WHERE {where}")
    assert f"rows of {table}" in failed(store)


@pytest.mark.parametrize("change,check", [
    ("UPDATE run SET seed = seed + 1", "hash chain"),
    ("UPDATE checkpoint SET rows = rows + 1 WHERE hour = 48", "hash chain"),
    ("UPDATE checkpoint SET state = ? WHERE hour = 72", "checkpoint states"),
    ("UPDATE run SET hours_done = 71", "hours done"),
    ("UPDATE ledger SET amount_micros = amount_micros + 1 WHERE person_id = 3", "touches = ledger = budget"),
    ("UPDATE budget_day SET spent_micros = spent_micros + 1 WHERE day = 1", "touches = ledger = budget"),
    ("DELETE FROM person WHERE person_id = 3", "every journey has its person"),
    ("DELETE FROM touchpoint WHERE person_id = 3", "every ledger has its touchpoint"),
])
def test_what_was_changed_is_named(stored, change: str, check: str) -> None:
    store, _ = stored
    with store.database.writing() as link:
        link.execute(change, (b"another state",) if "?" in change else ())
    assert check in failed(store)
