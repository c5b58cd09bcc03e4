"""Whole processes, as a user starts them: the flagship, a million people, a hundred worlds, `--help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import FLAGSHIP, Bench, flagship_sets, market_of
from benchmarks.tables import Line, Peer, Table, spelled
from benchmarks.timing import Took, Work, gaelp, launched, side_by_side

HEAVY = ("torch", "sqlalchemy", "numpy")
_COUNTED = "import sys; from gaelp_sim.cli.main import exit_code; code = exit_code({arguments!r}); " \
    "print(*[name for name in {names!r} if name in sys.modules], file=open({report!r}, 'w')); sys.exit(code)"


def flagship(bench: Bench) -> Table:
    """`gaelp run` of the flagship as shipped, beside SimPy doing nothing but wait."""
    size = bench.size
    _warm(bench)
    simpy = [sys.executable, "-m", "benchmarks.bare_simpy", str(size.events)]
    bare = f"a bare SimPy loop of {size.events:,} events"
    taken = side_by_side(size.repeats, {
        "ours": lambda: _run(bench, FLAGSHIP, [], flagship_sets(size)),
        "learning": lambda: _run(bench, FLAGSHIP, [], [*flagship_sets(size), "--rivals", "learning"]),
        bare: lambda: launched(simpy, bench.folder, {"PYTHONPATH": str(Path(__file__).parent.parent)}),
    })
    ours, peer, learning = taken["ours"], taken[bare], taken["learning"]
    lines = [
        Line("wall", "s", [one.wall_s for one in ours], (Peer(bare, [one.wall_s for one in peer]),), 2.0, True),
        Line("wall, rivals learning", "s", [one.wall_s for one in learning],
             (Peer("rivals frozen", [one.wall_s for one in ours]),), 2.5, True),
        Line("CPU", "s", [one.cpu_s for one in ours], (Peer(bare, [one.cpu_s for one in peer]),), None, True),
        Line("peak memory", "bytes", [one.peak_bytes for one in ours], (), None, True),
    ]
    return Table.of("gaelp run parental_controls, whole process: 10,000 people, 30 days, log: all, SQLite", lines)


def replay(bench: Bench) -> Table:
    """`gaelp replay` of the flagship beside its run, each replay of a run of its own."""
    size, taken = bench.size, dict[str, list[Took]]()
    _warm(bench)
    ways = {
        "the logged policy, rows compared": ["--policy", "logged"],
        "another policy, differences printed": ["--policy", "rule", "--set", "us.policy.bid_multiplier=1.2"],
    }
    for _ in range(size.repeats):
        for way, options in ways.items():
            with bench.database() as url:
                taken.setdefault(f"{way}: run", []).append(
                    launched(gaelp("-q", "--db", url, "run", FLAGSHIP, *flagship_sets(size)), bench.folder))
                taken.setdefault(way, []).append(
                    launched(gaelp("-q", "--db", url, "replay", "@last", *options), bench.folder))
    lines = []
    for way in ways:
        again, first = ([one.wall_s for one in taken[name]] for name in (way, f"{way}: run"))
        lines.append(Line(f"{way}: wall", "s", again, (Peer("its run", first),), None, True))
        lines.append(Line(f"{way}: of its run", "x", [a / b for a, b in zip(again, first, strict=True)], (), 1.1, True))
    return Table.of("gaelp replay @last of the flagship, whole process, SQLite", lines)


def million(bench: Bench) -> Table:
    """A million people: peak memory, and what a person-day costs against that of a tenth of them."""
    size = bench.size
    _warm(bench)
    idle = _run(bench, "quickstart", ["days=1"])
    few, many = (
        _run(bench, FLAGSHIP, [*market_of(people, "wins", scaled=True), f"days={size.days}"])
        for people in (size.people, size.people_max)
    )
    # A start costs as much for few people as for many: counted, it would flatter the many. (Tiny sizes may take no longer.)
    cost = {
        people: max(took.cpu_s - idle.cpu_s, 1e-3) / people / size.days
        for people, took in ((size.people, few), (size.people_max, many))
    }
    name = f"{size.people_max:,} people"
    lines = [
        Line(f"{name}: peak memory", "bytes", [many.peak_bytes], (), 4e9, True),
        Line(f"{size.people:,} people: peak memory", "bytes", [few.peak_bytes], (), None, True),
        Line(f"{name}: wall", "s", [many.wall_s]),
        Line(f"{name}: CPU", "s", [many.cpu_s]),
        Line(f"{name}: person-days a CPU-second", "days/CPU-s", [1 / cost[size.people_max]]),
        Line(f"{size.people:,} people: person-days a CPU-second", "days/CPU-s", [1 / cost[size.people]]),
        Line("cost of a person-day, many against few", "x", [cost[size.people_max] / cost[size.people]], (), 1.3, True),
    ]
    remark = f"Person-days: without the start, {spelled(idle.cpu_s, 's')} of CPU (quickstart, one day)."
    title = f"Many people, whole process: {size.days} days, log: wins, SQLite, budgets in proportion"
    return Table.of(title, lines, [remark])


def epoch(bench: Bench) -> Table:
    """A hundred worlds of a thousand people, with each number of workers."""
    size = bench.size
    sets = [f"days={size.days}"] + ([f"population.people={size.people}"] if size.people < 1_000 else [])
    _warm(bench)

    def with_workers(workers: int) -> Work:
        return lambda: _run(bench, "many_worlds", sets, ["--worlds", str(size.worlds), "--workers", str(workers)])

    taken = side_by_side(size.long_repeats, {str(workers): with_workers(workers) for workers in size.workers})
    lines = []
    for workers, took in taken.items():
        lines.append(Line(f"workers {workers}: wall", "s", [one.wall_s for one in took], (), 10.0, True))
        lines.append(Line(f"workers {workers}: CPU", "s", [one.cpu_s for one in took]))
    title = f"An epoch, whole process: {size.worlds} worlds x 1,000 people x {size.days} days, rule, log: wins, SQLite"
    return Table.of(title, lines)


def start(bench: Bench) -> Table:
    """`gaelp --help`: how long it takes, and what it and a run don't import."""
    bare = "a bare Python"
    help_, nothing = gaelp("--help"), [sys.executable, "-c", "pass"]
    taken = side_by_side(2 * bench.size.repeats, {
        "ours": lambda: launched(help_, bench.folder), bare: lambda: launched(nothing, bench.folder),
    })
    ours = [one.wall_s for one in taken["ours"]]
    lines = [Line("gaelp --help, wall", "s", ours, (Peer(bare, [one.wall_s for one in taken[bare]]),), 0.2, True)]
    imported = _imported(bench, ["--help"], HEAVY)
    lines.append(Line(f"of {', '.join(HEAVY)}: imported by --help", "modules", [len(imported)], (), 0, True))
    with bench.database() as url:
        torch = _imported(bench, ["--db", url, "run", "quickstart", "--days", "1"], ("torch",))
    lines.append(Line("torch imported by a run", "modules", [len(torch)], (), 0, True))
    return Table.of("Start", lines, [f"imported: {' '.join([*imported, *torch])}"] if imported or torch else [])


def _run(bench: Bench, scenario: str, sets: Sequence[str], options: Sequence[str] = ()) -> Took:
    """`gaelp run` into a fresh SQLite file."""
    chosen = [word for one in sets for word in ("--set", one)]
    with bench.database() as url:
        return launched(gaelp("-q", "--db", url, "run", scenario, *chosen, *options), bench.folder)


def _warm(bench: Bench) -> None:
    """Once unmeasured: files are read, bytecode and kernels compiled."""
    if bench.size.repeats > 1:
        _run(bench, "quickstart", ["days=1"])


def _imported(bench: Bench, arguments: list[str], names: Sequence[str]) -> list[str]:
    """Which of these modules a command imports; an empty torch stands in, so that trying to import it shows."""
    decoys, report = bench.folder / "decoys", bench.folder / "imported.txt"
    decoys.mkdir(exist_ok=True)
    (decoys / "torch.py").write_text("", encoding="utf-8")
    code = _COUNTED.format(arguments=arguments, names=tuple(names), report=str(report))
    launched([sys.executable, "-c", code], bench.folder, {"PYTHONPATH": str(decoys)})
    return report.read_text(encoding="utf-8").split()
