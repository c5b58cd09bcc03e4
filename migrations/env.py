"""Alembic's entry: runs the migrations on the connection that the caller passes in, whole or not at all.

On SQLite a table is changed by rebuilding it, and dropping the old one would cascade into its children while foreign
keys are enforced: the caller has switched them off before the transaction (inside one the PRAGMA does nothing).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from gaelp_sim.store.migrate import no_partition
from gaelp_sim.store.tables import metadata_for


def run() -> None:
    """Run the migrations that the command asks for."""
    connection: sa.Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata_for(connection.dialect.name),
        render_as_batch=True,
        compare_type=True,
        include_object=no_partition,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
