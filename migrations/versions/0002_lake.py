"""Runs whose touchpoints, decisions and journeys lie in a lake, and the catalogue of its parts.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INT: sa.types.TypeEngine[Any] = sa.Integer()
_BIG: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT: sa.types.TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_KEY = {"part_table": _TEXT, "world_id": _INT, "cell": _INT, "day": _INT, "hour": _INT}
_VALUES: dict[str, sa.types.TypeEngine[Any]] = {"path": _TEXT, "rows": _BIG, "bytes": _BIG, "sha256": sa.LargeBinary()}


def upgrade() -> None:
    """Add the run's lake ("" where it has none) and the table of parts."""
    # A column added in place, no table rebuilt: dropping the old table of runs would take its children along.
    op.add_column("run", sa.Column("lake", _TEXT, nullable=False, server_default=""))
    op.create_table(
        "lake_part",
        sa.Column("run_key", _INT, autoincrement=False, nullable=False),
        *(sa.Column(name, kind, autoincrement=False, nullable=False) for name, kind in (_KEY | _VALUES).items()),
        sa.PrimaryKeyConstraint("run_key", *_KEY, name="pk_lake_part"),
        sa.ForeignKeyConstraint(["run_key"], ["run.run_key"], name="fk_lake_part_run_key_run", ondelete="CASCADE"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Remove both; rows that lie in a lake stay there, and are no longer known."""
    op.drop_table("lake_part")
    op.drop_column("run", "lake")
