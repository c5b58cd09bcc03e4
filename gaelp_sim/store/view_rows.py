"""All rows of a named view of one run, a block at a time: for programs that carry them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gaelp_sim.store.engines import Database, Link
from gaelp_sim.store.view_parts import DIALECTS, resolve_marks, table_marks
from gaelp_sim.store.views import VIEW_COLUMNS, VIEWS, stored_name

Row = tuple[Any, ...]


def view_rows(database: Database, view: str, run_id: str, block_rows: int) -> Iterator[list[Row]]:
    """Rows of the view in its columns' order, at most `block_rows` at a time; raises KeyError for no such view."""
    columns = ", ".join(VIEW_COLUMNS[view])
    sql = f"SELECT {columns} FROM {stored_name(view)} WHERE run_id = ?"
    with database.reading() as link:
        found = link.one("SELECT run_key, lake FROM run WHERE run_id = ?", (run_id,))
        if found is not None and found[1]:
            yield from _lake_rows(link, view, int(found[0]), block_rows)
            return
        if link.dialect == "sqlite":
            cursor: Any = link.raw.execute(sql, (run_id,))
        else:
            # a server-side cursor: else the driver would fetch every row before giving the first
            cursor = link.raw.cursor(name="view_rows", binary=True)
            cursor.execute(sql.replace("?", "%s"), (run_id,))
        while rows := cursor.fetchmany(block_rows):
            yield rows
        cursor.close()


def _lake_rows(link: Link, view: str, run_key: int, block_rows: int) -> Iterator[list[Row]]:
    from gaelp_sim.store.lake_session import open_session

    select = VIEWS[view].select_sql(DIALECTS["duckdb"])
    session, schema = open_session(link, [run_key], table_marks(select))
    try:
        columns = ", ".join(f"v.{name}" for name in VIEW_COLUMNS[view])
        cursor = session.execute(f"SELECT {columns} FROM ({resolve_marks(select, prefix=f'{schema}.')}) AS v")
        while rows := cursor.fetchmany(block_rows):
            yield rows
    finally:
        session.close()
