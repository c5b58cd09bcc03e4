"""The tables as SQLAlchemy Core knows them: made from `layout`, STRICT and clustered on SQLite, partitioned on Postgres."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gaelp_sim.store.layout import LAYOUTS, SIMULATION_TABLES, ColumnKind, TableLayout

__all__ = ["METADATA", "RUN_TABLE", "SIMULATION_TABLES"]

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

METADATA = sa.MetaData(naming_convention=NAMING_CONVENTION)

# STRICT refuses SQLAlchemy's own type names on SQLite, hence the variants. Postgres sorts text by locale unless told,
# which would order rows differently from SQLite's bytes.
_SMALL = sa.SmallInteger().with_variant(sa.Integer, "sqlite")
_INT = sa.Integer()
_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DOUBLE = sa.Double().with_variant(sa.REAL, "sqlite")
_BYTES = sa.LargeBinary()
_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

_TYPES = {
    ColumnKind.SMALL: _SMALL,
    ColumnKind.INT: _INT,
    ColumnKind.BIG: _BIG,
    ColumnKind.DOUBLE: _DOUBLE,
    ColumnKind.BYTES: _BYTES,
    ColumnKind.TEXT: _TEXT,
}


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=False)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, _INT, nullable=False)


RUN_TABLE = sa.Table(
    "run",
    METADATA,
    sa.Column("run_key", _INT, primary_key=True, autoincrement=True),
    _text("run_id"), _text("label"), _text("scenario_name"), _text("scenario_text"), _text("scenario_hash"),
    _text("overrides"), sa.Column("seed", _BIG, nullable=False), _int("people"), _int("days"), _int("worlds"),
    _int("cells"), _text("log"), _text("policy"), _text("currency"), sa.Column("start_s", _BIG, nullable=False),
    _int("start_hour"), _int("end_hour"), _int("hours_done"), _int("parent_run_key"), _int("root_run_key"),
    _text("status"), _text("engine_version"), _text("python_version"), _text("numpy_version"), _text("torch_version"),
    _text("cpu_features"), _text("created_at"), _text("finished_at"), _int("writer_pid"), _text("writer_host"),
    _text("writer_token"), _text("summary"),
    sa.UniqueConstraint("run_id"),
    sqlite_strict=True,
    sqlite_autoincrement=True,  # the key of a deleted run is never given out again
)


def _constraints(layout: TableLayout) -> list[sa.Constraint]:
    constraints: list[sa.Constraint] = []
    if layout.unique:
        constraints.append(sa.UniqueConstraint("run_key", *layout.unique, name=f"uq_{layout.name}_{layout.unique[-1]}"))
    if not layout.large:
        # Large tables carry no declared foreign key: it would cost more than the write itself; `verify` checks them.
        constraints.append(sa.ForeignKeyConstraint(["run_key"], ["run.run_key"], ondelete="CASCADE"))
    return constraints


def _add_table(layout: TableLayout) -> sa.Table:
    key = [sa.Column(c.name, _TYPES[c.kind], primary_key=True, autoincrement=False) for c in layout.key]
    values = [sa.Column(c.name, _TYPES[c.kind], nullable=False) for c in layout.values]
    return sa.Table(
        layout.name,
        METADATA,
        sa.Column("run_key", _INT, primary_key=True, autoincrement=False),
        *key, *values, *_constraints(layout),
        sqlite_strict=True,
        sqlite_with_rowid=False,
        postgresql_partition_by="LIST (run_key)" if layout.large else None,
    )


for _layout in LAYOUTS.values():
    _add_table(_layout)
