"""The tables as SQLAlchemy Core knows them: made from `layout`, STRICT and clustered on SQLite, partitioned on Postgres."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from gaelp_sim.store.layout import LAYOUTS, MAILBOX, MAILBOX_VALUES, RUN_VALUES, ColumnKind, TableLayout

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# STRICT refuses SQLAlchemy's own type names on SQLite, hence the variants. Postgres sorts text by locale unless told,
# which would order rows differently from SQLite's bytes.
_INT = sa.Integer()
_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TYPES: dict[ColumnKind, sa.types.TypeEngine[Any]] = {
    ColumnKind.SMALL: sa.SmallInteger().with_variant(sa.Integer, "sqlite"),
    ColumnKind.INT: _INT,
    ColumnKind.BIG: _BIG,
    ColumnKind.DOUBLE: sa.Double().with_variant(sa.REAL, "sqlite"),
    ColumnKind.BYTES: sa.LargeBinary(),
    ColumnKind.TEXT: _TEXT,
}

@cache
def metadata_for(dialect: str) -> sa.MetaData:
    """Every table as it is on `sqlite` or `postgresql`; one dialect only, since naming an option of the other loads it."""
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
    _add_run_table(metadata, dialect)
    for layout in LAYOUTS.values():
        _add_table(metadata, layout, dialect)
    _add_mailbox(metadata, dialect)
    return metadata


def _add_run_table(metadata: sa.MetaData, dialect: str) -> None:
    columns: list[sa.Column[Any]] = [
        sa.Column(column.name, _TYPES[column.kind], nullable=False) for column in RUN_VALUES
    ]
    # AUTOINCREMENT: the key of a deleted run is never given out again
    options: dict[str, Any] = {"sqlite_strict": True, "sqlite_autoincrement": True} if dialect == "sqlite" else {}
    key: sa.Column[int] = sa.Column("run_key", _INT, primary_key=True, autoincrement=True)
    sa.Table("run", metadata, key, *columns, sa.UniqueConstraint("run_id"), **options)


def _add_mailbox(metadata: sa.MetaData, dialect: str) -> None:
    """The one table that others write: it names runs as strangers know them, and its rows leave it once they are read."""
    # Not AUTOINCREMENT on SQLite: whoever gave the highest key by hand would close the table to everybody for good. On
    # Postgres nobody can give one, and who inserts needs no right to a sequence.
    number: list[sa.Identity] = [sa.Identity(always=True)] if dialect == "postgresql" else []
    sa.Table(
        MAILBOX, metadata, sa.Column("bid_key", _BIG, *number, primary_key=True),
        *(sa.Column(column.name, _TYPES[column.kind], nullable=False) for column in MAILBOX_VALUES),
        # Not for uniqueness, which the key sees to, but as the index by which `observed_sheet` looks for what lies there.
        sa.UniqueConstraint("run_id", "world_id", "hour", "bid_key", name=f"uq_{MAILBOX}_bid_key"),
        sqlite_strict=True,
    )


def _add_table(metadata: sa.MetaData, layout: TableLayout, dialect: str) -> None:
    run_key: sa.Column[int] = sa.Column("run_key", _INT, primary_key=True, autoincrement=False)
    key: list[sa.Column[Any]] = [
        sa.Column(column.name, _TYPES[column.kind], primary_key=True, autoincrement=False) for column in layout.key
    ]
    values: list[sa.Column[Any]] = [
        sa.Column(column.name, _TYPES[column.kind], nullable=False) for column in layout.values
    ]
    options = _options(layout, dialect)
    sa.Table(layout.name, metadata, run_key, *key, *values, *_constraints(layout), **options)


def _options(layout: TableLayout, dialect: str) -> dict[str, Any]:
    if dialect == "sqlite":
        return {"sqlite_strict": True, "sqlite_with_rowid": False}
    return {"postgresql_partition_by": "LIST (run_key)"} if layout.large else {}


def _constraints(layout: TableLayout) -> list[sa.Constraint]:
    constraints: list[sa.Constraint] = []
    if layout.unique:
        constraints.append(sa.UniqueConstraint("run_key", *layout.unique, name=f"uq_{layout.name}_{layout.unique[-1]}"))
    if not layout.large:
        # Large tables carry no declared foreign key: it would cost more than the write itself; `verify` checks them.
        constraints.append(sa.ForeignKeyConstraint(["run_key"], ["run.run_key"], ondelete="CASCADE"))
    return constraints
