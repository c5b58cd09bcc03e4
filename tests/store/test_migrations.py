"""A migrated store is the store that a fresh start makes; migrating loses no row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from gaelp_sim.store import Store
from gaelp_sim.store.engines import connect
from gaelp_sim.store.migrate import _migrating, current, differences, downgrade, scripts_folder, upgrade
from gaelp_sim.store.schema_version import HEAD
from gaelp_sim.store.tables import metadata_for


def described(url: str) -> dict[str, object]:
    """Every table's columns, keys and options, as the database itself tells them."""
    engine = sa.create_engine(url)
    try:
        inspector = sa.inspect(engine)
        return {
            table: (
                [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
                inspector.get_pk_constraint(table),
                inspector.get_foreign_keys(table),
                inspector.get_unique_constraints(table),
                inspector.get_table_options(table),
            )
            for table in inspector.get_table_names()
        }
    finally:
        engine.dispose()


def made_by_hand(url: str) -> None:
    """An empty database that `upgrade` may fill (SQLite's file must exist)."""
    connect(url).engine.connect().close()


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts_folder()))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrated_equals_fresh(db_url: str) -> None:
    Store.open(db_url).close()
    fresh = described(db_url)
    downgrade(db_url, "base")
    assert set(described(db_url)) <= {"alembic_version"}
    assert upgrade(db_url) == (None, HEAD)
    assert described(db_url) == fresh
    assert differences(db_url) == []
    Store.open(db_url).close()


def test_every_table_of_the_program_is_made(db_url: str) -> None:
    made_by_hand(db_url)
    upgrade(db_url)
    assert set(metadata_for("sqlite").tables) | {"alembic_version"} == set(described(db_url))
    assert current(db_url) == HEAD


def test_tables_are_strict_and_clustered(sqlite_url: str) -> None:
    Store.open(sqlite_url).close()
    engine = sa.create_engine(sqlite_url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("PRAGMA table_list").fetchall()
    engine.dispose()
    listed = {row[1]: (row[4], row[5]) for row in rows if row[1] in metadata_for("sqlite").tables}
    assert listed.pop("run") == (0, 1)
    assert listed.pop("outside_bid") == (0, 1)
    assert set(listed.values()) == {(1, 1)}


def test_upgrading_twice_changes_nothing(db_url: str) -> None:
    Store.open(db_url).close()
    assert upgrade(db_url) == (HEAD, HEAD)


def test_rebuilding_a_parent_keeps_its_children(sqlite_url: str, run_record) -> None:
    """With foreign keys enforced, the DROP inside a batch migration would cascade to every child row, silently."""
    with Store.open(sqlite_url) as store:
        run = store.begin_run(run_record, {"channel": ["search", "social"]})
    database = connect(sqlite_url)
    with _migrating(database) as connection:
        _drop_all_views(connection)
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("run", recreate="always") as batch:
            batch.alter_column("label", new_column_name="title")
    with database.reading() as link:
        assert link.one("SELECT count(*) FROM name WHERE run_key = ?", (run.run_key,)) == (2,)
        assert link.one("SELECT title FROM run") == ("",)
        assert link.all("PRAGMA foreign_key_check") == []
        assert link.one("PRAGMA foreign_keys") == (1,)
    database.close()


def _drop_all_views(connection: sa.Connection) -> None:
    for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        connection.exec_driver_sql(f"DROP VIEW {name}")


def test_a_failed_upgrade_leaves_the_old_store(sqlite_url: str, run_record) -> None:
    with Store.open(sqlite_url) as store:
        store.begin_run(run_record, {"channel": ["search"]})
    before = described(sqlite_url)
    database = connect(sqlite_url)
    try:
        with _migrating(database) as connection:
            _drop_all_views(connection)
            connection.exec_driver_sql("DROP TABLE name")
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    database.close()
    assert described(sqlite_url) == before
    with Store.open(sqlite_url) as store:
        assert store.read(store.find_run("@last"), "name")["name"] == ["search"]
