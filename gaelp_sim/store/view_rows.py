"""All rows of a named view of one run, a block at a time: for programs that carry them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gaelp_sim.store.engines import Database
from gaelp_sim.store.views import VIEW_COLUMNS, stored_name

Row = tuple[Any, ...]


def view_rows(database: Database, view: str, run_id: str, block_rows: int) -> Iterator[list[Row]]:
    """Rows of the view in its columns' order, at most `block_rows` at a time; raises KeyError for no such view."""
    columns = ", ".join(VIEW_COLUMNS[view])
    sql = f"SELECT {columns} FROM {stored_name(view)} WHERE run_id = ?"
    with database.reading() as link:
        if link.dialect == "sqlite":
            cursor: Any = link.raw.execute(sql, (run_id,))
        else:
            # a server-side cursor: else the driver would fetch every row before giving the first
            cursor = link.raw.cursor(name="view_rows", binary=True)
            cursor.execute(sql.replace("?", "%s"), (run_id,))
        while rows := cursor.fetchmany(block_rows):
            yield rows
        cursor.close()
