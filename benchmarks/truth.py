"""Credit, causes and dates: all attribution models over many journeys, ads withheld, views as they stood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.bench import FLAGSHIP, Bench
from benchmarks.tables import Line, Table
from benchmarks.timing import Took, side_by_side, timed
from gaelp_sim.analyse.incrementality import TOUCH, Request, incrementality
from gaelp_sim.analyse.touch_paths import TRUE, Window, stored_paths
from gaelp_sim.attribution.models import MODELS, Options, credited
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Batch, RunRecord, Store
from gaelp_sim.store.console import run_query
from gaelp_sim.world.journeys import PATH_RECORD
from gaelp_sim.world.simulate import RunRequest, run

CHANNELS, MEAN_TOUCHES, SOLD = 8, 4, 0.22
DAY_S = 86_400
AS_OF = {
    "journeys": "SELECT status, COUNT(*), SUM(cost_micros) FROM journeys GROUP BY 1",
    "observed_journeys": "SELECT status, COUNT(*), SUM(cost_micros) FROM observed_journeys GROUP BY 1",
    "channel_daily": "SELECT channel, SUM(clicks), SUM(spend_micros) FROM channel_daily GROUP BY 1",
    "conversions": "SELECT ours, COUNT(*), COUNT(reported_s) FROM conversions GROUP BY 1",
}


def attribution(bench: Bench) -> Table:
    """All eight models over stored journeys, read from their paths."""
    with bench.database() as url:
        journeys = bench.size.people_max
        with Store.open(url) as store:
            record = _stored(store, journeys)

            def everything(window: Window) -> Callable[[], Took]:
                def work() -> int:
                    found = stored_paths(store, record, window)
                    for model in MODELS:
                        credited(found.paths, model, Options(channel_weight=np.linspace(0.6, 1.4, found.paths.channels)))
                    return journeys

                return lambda: timed(work)

            paths = stored_paths(store, record, Window(identity=TRUE)).paths
            alone = {model: (lambda m=model: timed(lambda: len(credited(paths, m, Options()).shares))) for model in MODELS}
            plain = everything(Window(identity=TRUE, open_paths=True))
            filtered = everything(Window(7, "clicks", identity=TRUE))
            plain()
            took = side_by_side(bench.size.repeats, {"plain": plain, "filtered": filtered} | alone)
    title = f"Attribution: {journeys:,} stored journeys of {MEAN_TOUCHES} touches on average, {CHANNELS} channels (SQLite)"
    lines = [
        Line("all eight models, with the read", "s", [one.wall_s for one in took["plain"]], (), 2.0, True),
        Line("the same, clicks of 7 days only", "s", [one.wall_s for one in took["filtered"]], (), 6.0, True),
        *(Line(f"  {model}, in memory", "s", [one.wall_s for one in took[model]], (), None, True) for model in MODELS),
    ]
    return Table.of(title, lines)


def _stored(store: Store, journeys: int) -> RunRecord:
    """A run of nothing but journeys with paths, and our sales."""
    rng = np.random.default_rng(1)
    days = 30
    lengths = 1 + rng.poisson(MEAN_TOUCHES - 1, journeys)
    ends = np.cumsum(lengths)
    record = np.zeros(ends[-1], dtype=PATH_RECORD)
    record["channel"], record["clicked"] = rng.integers(0, CHANNELS, ends[-1]), rng.random(ends[-1]) < 0.2
    record["campaign"], record["position"] = record["channel"], 1
    start_s = rng.integers(0, 10 * DAY_S, journeys)
    gaps = rng.integers(60, 2 * DAY_S, ends[-1])
    since = np.cumsum(gaps) - np.repeat(np.cumsum(gaps)[ends - lengths], lengths)
    record["occurred_s"] = np.repeat(start_s, lengths) + since
    packed, width = record.tobytes(), PATH_RECORD.itemsize
    blobs = [packed[(b - n) * width : b * width] for b, n in zip(ends.tolist(), lengths.tolist(), strict=True)]
    sold = np.flatnonzero(rng.random(journeys) < SOLD)
    bought_s = record["occurred_s"][ends - 1] + 3_600
    zero = np.zeros(journeys, dtype=np.int64)
    made: dict[str, object] = {name: zero for name in _journey_columns()}
    made |= {"person_id": np.arange(journeys), "path": blobs, "status": zero + 3}
    sale = {name: np.zeros(len(sold), dtype=np.int64) for name in _conversion_columns()}
    sale |= {
        "person_id": sold, "decided_s": bought_s[sold], "purchased_s": bought_s[sold], "reported_s": bought_s[sold],
        "order_id": sold, "value_micros": np.full(len(sold), 180_000_000),
    }
    run_record = store.begin_run(
        RunRecord("bench", "{}", "0" * 64, 1, journeys, days, 1, 0, days * 24),
        {"channel": [f"channel {code}" for code in range(CHANNELS)]},
    )
    store.commit(run_record, Batch({"journey": made, "conversion": sale}, hour=days * 24, state=b""))
    return store.finish_run(run_record, "FINISHED", {})


def _journey_columns() -> tuple[str, ...]:
    from gaelp_sim.store.layout import LAYOUTS

    return tuple(name for name in LAYOUTS["journey"].column_names if name != "path")


def _conversion_columns() -> tuple[str, ...]:
    from gaelp_sim.store.layout import LAYOUTS

    return LAYOUTS["conversion"].column_names


def causes(bench: Bench) -> Table:
    """Ads of the flagship withheld one by one, each from a person who lives again; and views as of a date."""
    with bench.database() as url:
        sets = [f"population.people={min(bench.size.people, 10_000)}", f"days={bench.size.days}"]
        made = run(RunRequest(load_scenario(FLAGSHIP, sets), url))
        with Store.open(url) as store:
            record = store.find_run(made.run_id)

            def touches(n: int) -> Callable[[], Took]:
                def work() -> int:
                    found = incrementality(store, record, Request(TOUCH, touches=n), lambda share: None)
                    return len(found.per_touch.get("world_id", ()))

                return lambda: timed(work)

            took = side_by_side(bench.size.long_repeats, {"1,000": touches(1_000), "all": touches(0)})
        moment_s = record.start_s + record.days * DAY_S // 2
        asked = {
            view: (lambda sql=sql: timed(lambda: len(run_query(url, sql, as_of_s=moment_s).rows)))
            for view, sql in AS_OF.items()
        }
        views = side_by_side(bench.size.repeats, asked)
    tried = took["all"][0].count
    lines = [
        Line("1,000 ads withheld one by one", "s", [one.wall_s for one in took["1,000"]], (), 60.0, True),
        Line(f"all {tried:,} of them", "s", [one.wall_s for one in took["all"]], (), None, True),
        *(
            Line(f"{view}, half way through the run", "s", [one.wall_s for one in views[view]], (), 0.3, True)
            for view in AS_OF
        ),
    ]
    return Table.of("Causes and dates: the flagship, its truth by touch, its views as they stood (SQLite)", lines)
