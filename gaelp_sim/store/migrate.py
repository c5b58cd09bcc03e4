"""A store from one schema version to another, by the scripts in `gaelp_sim.migrations`; Alembic is loaded here only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaelp_sim.errors import CorruptStoreError, SchemaVersionError
from gaelp_sim.store.engines import Database, Link, connect
from gaelp_sim.store.failures import translated
from gaelp_sim.store.schema import STAMP_TABLE, create_views, drop_views, tables_of, version_of
from gaelp_sim.store.schema_version import HEAD

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config


def current(url: str) -> str | None:
    """The schema version that a store is at, or None for an empty database; raises RunNotFoundError for no file."""
    database = connect(url, must_exist=True)
    try:
        with database.reading() as link:
            return version_of(link)
    finally:
        database.close()


def upgrade(url: str, to: str = "head") -> tuple[str | None, str | None]:
    """Bring a store to the newest version (or `to`); returns (version before, version after).

    All of it happens in one transaction: a failed upgrade leaves the old store. Raises SchemaVersionError when the
    store is newer than this program or no gaelp store, CorruptStoreError when references are broken afterwards.
    """
    return _move(url, to, down=False)


def downgrade(url: str, to: str) -> tuple[str | None, str | None]:
    """Take a store back to version `to` (`base` removes every table, with all rows)."""
    return _move(url, to, down=True)


def differences(url: str) -> list[Any]:
    """What Alembic finds different between a store's schema and the tables of this program; nothing when equal."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from gaelp_sim.store.tables import metadata_for

    database = connect(url, must_exist=True)
    try:
        with database.engine.connect() as connection:
            options = {"compare_type": True, "include_object": no_partition}
            context = MigrationContext.configure(connection, opts=options)
            return list(compare_metadata(context, metadata_for(database.dialect)))
    finally:
        database.close()


def no_partition(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    """Leave the runs' partitions out of Alembic's comparisons: they belong to data, not to the schema."""
    return not (kind == "table" and name is not None and name.rpartition("_r")[2].isdigit())


def _move(url: str, to: str, *, down: bool) -> tuple[str | None, str | None]:
    from alembic import command

    before = current(url)
    database = connect(url, must_exist=True)
    _refuse_unknown(before, database)
    try:
        with translated(database.url), _migrating(database) as connection:
            link = Link(database.dialect, connection.connection.driver_connection)
            drop_views(link)
            (command.downgrade if down else command.upgrade)(_config(connection), to)
            if version_of(link) == HEAD:  # the views are those of the newest tables
                create_views(link)
            _check_references(link, database)
    finally:
        database.close()
    return before, current(url)


def _refuse_unknown(before: str | None, database: Database) -> None:
    if before is not None and before > HEAD:
        raise SchemaVersionError(f"{database.url}: schema {before} is newer than {HEAD}; next: install a newer gaelp-sim")
    with database.reading() as link:
        if before is None and tables_of(link) - {STAMP_TABLE}:
            raise SchemaVersionError(
                f"{database.url}: has tables, but they are no gaelp store's; next: name another with --db"
            )


@contextmanager
def _migrating(database: Database) -> Iterator[sa.Connection]:
    """A connection inside one transaction, foreign keys not enforced on SQLite."""
    with database.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        if database.dialect == "sqlite":
            raw.execute("PRAGMA foreign_keys=OFF")  # inside the transaction it would do nothing
        try:
            with connection.begin():
                yield connection
        finally:
            if database.dialect == "sqlite":
                raw.execute("PRAGMA foreign_keys=ON")


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def scripts_folder() -> Path:
    """Where the migration scripts are installed."""
    return Path(import_module("gaelp_sim.migrations").__file__ or "").parent


def _check_references(link: Link, database: Database) -> None:
    if database.dialect != "sqlite":
        return
    broken = link.all("PRAGMA foreign_key_check")
    if broken:
        raise CorruptStoreError(
            f"{database.url}: {len(broken)} rows lost what they refer to, first in {broken[0][0]}; "
            "nothing was changed; next: restore a copy"
        )
