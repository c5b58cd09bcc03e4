"""A store's finished runs moved into a lake: the same rows, as a run with a lake would have written them."""

from __future__ import annotations

from pathlib import Path

from gaelp_sim.store import Store, lake, writer
from gaelp_sim.store.columns import Rows
from gaelp_sim.store.encode import partition_name
from gaelp_sim.store.lake import FILE_ORDER
from gaelp_sim.store.layout import LAYOUTS


def moved(url: str, place: Path) -> None:
    """Move touchpoints, decisions and journeys of every run at `url` into a lake in the folder `place`."""
    with Store.open(url) as store:
        for run in store.runs():
            parts = []
            for table in FILE_ORDER:
                rows = Rows.of(LAYOUTS[table], store.read(run, table))
                writing = lake.Writing(str(place), run.run_id, run.start_s, run.end_hour, None)
                parts += lake.write_parts(writing, rows)
            with store.database.writing() as link:
                for table in FILE_ORDER:
                    target = partition_name(LAYOUTS[table], run.run_key) if link.dialect == "postgresql" else table
                    link.execute(f"DELETE FROM {target} WHERE run_key = ?", (run.run_key,))
                writer._write_parts(link, run, parts)
                link.execute("UPDATE run SET lake = ? WHERE run_key = ?", (str(place), run.run_key))


