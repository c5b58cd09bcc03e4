"""Alembic's entry: runs the migrations on the connection that the caller passes in, whole or not at all.

On SQLite a table is changed by rebuilding it, and dropping the old one would cascade into its children while foreign
keys are enforced: the caller has switched them off before the transaction (inside one the PRAGMA does nothing).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context

from gaelp_sim.store.tables import METADATA


def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    """Leave a run's partitions out of comparisons: they belong to data, not to the schema."""
    return not (kind == "table" and name is not None and name.rpartition("_r")[2].isdigit())


def run() -> None:
    """Run the migrations that the command asks for."""
    connection: sa.Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=True,
        compare_type=True,
        include_object=ours,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
