"""Agents from outside: what is asked of them, what they answer, and what became of it.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SMALL: sa.types.TypeEngine[Any] = sa.SmallInteger().with_variant(sa.Integer, "sqlite")
_INT: sa.types.TypeEngine[Any] = sa.Integer()
_BIG: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT: sa.types.TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_Columns = dict[str, sa.types.TypeEngine[Any]]


def upgrade() -> None:
    """Add the three tables."""
    _create(
        "outside_ask", {"world_id": _INT, "hour": _INT, "channel": _SMALL, "signal": _SMALL},
        {"default_micros": _BIG, "budget_micros": _BIG},
    )
    _create(
        "outside_answer", {"hour": _INT, "number": _INT},
        {"to_run": _TEXT, "to_world": _BIG, "to_hour": _BIG, "channel": _TEXT, "signal": _TEXT, "bid_micros": _BIG,
         "verdict": _SMALL},
    )
    given = {"run_id": _TEXT, "world_id": _BIG, "hour": _BIG, "channel": _TEXT, "signal": _TEXT, "bid_micros": _BIG}
    number = [sa.Identity(always=True)] if op.get_bind().dialect.name == "postgresql" else []
    op.create_table(
        "outside_bid",
        sa.Column("bid_key", _BIG, *number, nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in given.items()),
        sa.PrimaryKeyConstraint("bid_key", name="pk_outside_bid"),
        sa.UniqueConstraint("run_id", "world_id", "hour", "bid_key", name="uq_outside_bid_bid_key"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Remove them, and what agents answered; the sheets that came of it stay in bid_sheet."""
    for table in ("outside_bid", "outside_answer", "outside_ask"):
        op.drop_table(table)


def _create(table: str, key: _Columns, values: _Columns) -> None:
    op.create_table(
        table,
        sa.Column("run_key", _INT, autoincrement=False, nullable=False),
        *(sa.Column(name, kind, autoincrement=False, nullable=False) for name, kind in (key | values).items()),
        sa.PrimaryKeyConstraint("run_key", *key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["run_key"], ["run.run_key"], name=f"fk_{table}_run_key_run", ondelete="CASCADE"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
