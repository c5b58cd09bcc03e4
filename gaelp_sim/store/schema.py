"""A store's schema: made in one transaction where there is none, checked where there is one."""

from __future__ import annotations

from gaelp_sim.errors import SchemaVersionError
from gaelp_sim.store.engines import Database, Link
from gaelp_sim.store.schema_version import HEAD

STAMP_TABLE = "alembic_version"
# The same statement that Alembic would send, so that it finds its table.
_STAMP_TABLE_SQL = (
    f"CREATE TABLE {STAMP_TABLE} (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
_SCHEMA_LOCK = 0x6761656C70  # "gaelp": two processes may meet an empty database at the same time


def ensure(database: Database) -> None:
    """Make the tables and views of an empty database; raises SchemaVersionError for a schema that isn't ours."""
    with database.reading() as link:
        version, empty = version_of(link), _is_empty(link)
    if empty:
        with database.writing() as link:
            if database.dialect == "postgresql":
                link.execute(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
            if _is_empty(link):
                _create(link)
            version = version_of(link)
    check_version(version, database.url)


def check_version(version: str | None, url: str) -> None:
    """Raise SchemaVersionError unless `version` is HEAD."""
    if version is None:
        raise SchemaVersionError(f"{url}: has tables, but they are no gaelp store's; next: name another with --db")
    if version < HEAD:
        raise SchemaVersionError(f"{url}: schema {version} is older than {HEAD}; next: gaelp db upgrade --db {url}")
    if version > HEAD:
        raise SchemaVersionError(f"{url}: schema {version} is newer than {HEAD}; next: install a newer gaelp-sim")


def tables_of(link: Link) -> set[str]:
    """Names of the database's own tables."""
    if link.dialect == "sqlite":
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    else:
        sql = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
    return {row[0] for row in link.all(sql)}


def _is_empty(link: Link) -> bool:
    return not tables_of(link)


def version_of(link: Link) -> str | None:
    """The schema version a database is stamped with, None without a stamp."""
    if STAMP_TABLE not in tables_of(link):
        return None
    row = link.one(f"SELECT version_num FROM {STAMP_TABLE}")
    return row[0] if row else None


def _create(link: Link) -> None:
    for statement in [*create_tables_sql(link.dialect), _STAMP_TABLE_SQL]:
        link.execute(statement)
    create_views(link)
    link.execute(f"INSERT INTO {STAMP_TABLE} (version_num) VALUES (?)", (HEAD,))


def create_tables_sql(dialect: str) -> list[str]:
    """The statements that make every table, parents first."""
    from sqlalchemy.dialects import registry
    from sqlalchemy.schema import CreateTable

    from gaelp_sim.store.tables import metadata_for

    target = registry.load(dialect)()
    return [str(CreateTable(table).compile(dialect=target)).strip() for table in metadata_for(dialect).sorted_tables]


def create_views(link: Link) -> None:
    """Make the named views."""
    from gaelp_sim.store.views import create_views_sql

    for statement in create_views_sql(link.dialect):
        link.execute(statement)


def drop_views(link: Link) -> None:
    """Remove every view that is there, whichever version made it: a view would break when its table is rebuilt."""
    if link.dialect == "sqlite":
        names = [row[0] for row in link.all("SELECT name FROM sqlite_master WHERE type = 'view'")]
    else:
        sql = "SELECT viewname FROM pg_catalog.pg_views WHERE schemaname = current_schema()"
        names = [row[0] for row in link.all(sql)]
    for name in names:
        link.execute(f'DROP VIEW IF EXISTS "{name}"' + ("" if link.dialect == "sqlite" else " CASCADE"))


def tidy_up(database: Database) -> None:
    """Fold SQLite's write-ahead log into the file and refresh what its planner knows; nothing on Postgres."""
    if database.dialect != "sqlite":
        return
    from gaelp_sim.store.failures import translated

    with translated(database.url):
        raw = database.engine.raw_connection()
        try:
            raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # type: ignore[union-attr]
        finally:
            raw.close()
