"""A run's rows into a lake: how fast a core writes its parts, and how many bytes a row takes."""

from __future__ import annotations

import time

from benchmarks.bench import FLAGSHIP, Bench, market_of
from benchmarks.tables import Line, Table
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store import lake as lakes
from gaelp_sim.store.columns import Rows
from gaelp_sim.store.layout import LAYOUTS
from gaelp_sim.world.simulate import RunRequest, run

ROWS_A_SECOND, BYTES_A_ROW = 2e6, 20.0


def lake(bench: Bench) -> Table:
    """Rows a CPU-second (sorting, encoding, hashing, syncing and renaming counted) and bytes a row, by table."""
    days = min(bench.size.days, 5)
    scenario = load_scenario(FLAGSHIP, [*market_of(bench.size.people, "all", scaled=True), f"days={days}"])
    lines: list[Line] = []
    with bench.database() as url:
        run(RunRequest(scenario, url))
        with Store.open(url) as store:
            record = store.find_run("@last")
            for table in lakes.FILE_ORDER:
                rows = Rows.of(LAYOUTS[table], store.read(record, table))
                if rows.count:
                    lines += _lines(bench, record, rows)
    title = f"Rows into a lake: {bench.size.people:,} people, {days} days, a part per table and day, local folder"
    return Table.of(title, lines, ["A decision's features are 164 bytes before compression."])


def _lines(bench: Bench, record: RunRecord, rows: Rows) -> list[Line]:
    rates: list[float] = []
    size = 0
    for repeat in range(bench.size.repeats):
        place = str(bench.folder / f"lake-{repeat}")
        writing = lakes.Writing(place, record.run_id, record.start_s, record.end_hour, None)
        began_s = time.process_time()
        parts = lakes.write_parts(writing, rows)
        rates.append(rows.count / max(time.process_time() - began_s, 1e-9))
        size = sum(part.size for part in parts)
        lakes.remove_run(place, record.run_id)
    what = f"{rows.layout.name}, {rows.count:,} rows"
    return [
        Line(what, "rows/CPU-s", rates, target=ROWS_A_SECOND),
        Line(what, "B/row", [size / rows.count], target=BYTES_A_ROW, less_is_better=True),
    ]
