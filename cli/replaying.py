"""The doors from the command line into replays and sweeps; they open on use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gaelp_sim.cli.library import Record, crew_of
from gaelp_sim.errors import UsageError


def replayed(db_url: str, run_ref: str, policy: str, asked: dict[str, Any], on_progress: Callable[[Any], None]) -> Record:
    """Simulate a stored run's worlds again and hold the two lives against each other."""
    from gaelp_sim.analyse.paired import paired_runs
    from gaelp_sim.store import Store
    from gaelp_sim.world.replay import ReplayRequest, replay

    done = replay(
        ReplayRequest(
            db_url, run_ref, policy, tuple(asked["sets"]), asked["worlds"], crew_of(asked["workers"], asked["ray"]),
            not asked["without_rival_reaction"], asked["incremental"],
        ),
        on_progress,
    )
    with Store.open(db_url, must_exist=True) as store:
        pairing, changed = paired_runs(store, done.origin, done.run)
    stored, again = done.hashes or (None, None)
    record: Record = {
        "run_id": done.origin.run_id, "replay_id": done.run.run_id, "policy": done.run.policy, "equal": done.equal,
        "stored_hash": stored, "replayed_hash": again, "machine": done.machine, "changed_people": changed,
        "variance_saved": pairing.variance_saved, "clusters": pairing.clusters,
        "figures": [asdict(one) for one in pairing.figures], "channels": [asdict(one) for one in pairing.channels],
        "segments": [asdict(one) for one in pairing.segments],
    }
    return record | {"remarks": _remarks(record)}


def _remarks(told: Record) -> list[str]:
    """What the tables do not say."""
    lines = []
    if told["equal"]:
        lines.append(f"every row came back: {told['stored_hash']}")
    if told["machine"]:
        lines.append(f"the run was made elsewhere, last bits may differ: {told['machine']}")
    if told["variance_saved"] is not None:
        lines.append(f"the same luck for both: the difference in profit varies {told['variance_saved']:.1f} times less (as "
                     "variance) than between two runs of other people")
    if told["changed_people"]:
        lines.append(f"{told['changed_people']:,} people bought from us in one and not in the other, or more often; next: "
                     f"gaelp query \"SELECT outcome, why, COUNT(*) FROM replay_diff GROUP BY 1, 2\" "
                     f"--run {told['replay_id']}")
    return lines


def swept(
    db_url: str, source: str, asked: dict[str, Any], told: tuple[Callable[..., None], Callable[[Any], None]]
) -> list[Record]:
    """Run a grid of settings, and compare each cell with the first."""
    from gaelp_sim.analyse.sweep import cells_of, sweep, varied
    from gaelp_sim.scenario.loading import load_scenario

    always = [f"{key}={asked[key]}" for key in ("worlds", "seed") if asked[key] is not None]
    varying = [varied(text) for text in asked["varying"]]

    def load(sets: Sequence[str]) -> Any:
        return load_scenario(source, [*asked["sets"], *always, *sets])

    cells = cells_of(load, varying, asked["policies"] or ["rule"])
    return [one.as_json() for one in sweep(db_url, cells, crew_of(asked["workers"], asked["ray"]), told)]


def searched(
    db_url: str, source: str, asked: dict[str, Any], told: tuple[Callable[..., None], Callable[[Any], None]]
) -> list[Record]:
    """Search for the settings that score highest; the best first."""
    from gaelp_sim.analyse.search import MAXIMISED, Range, Search, search
    from gaelp_sim.scenario.loading import load_scenario

    always = [] if asked["worlds"] is None else [f"worlds={asked['worlds']}"]
    policies = asked["policies"] or ("rule",)
    if asked["maximise"] not in MAXIMISED:
        raise UsageError(f"--maximise {asked['maximise']}: one of {', '.join(MAXIMISED)}")
    if not asked["varying"] or len(policies) > 1 or asked["seed"] is not None:
        raise UsageError("--search needs a --vary KEY=LOW..HIGH, takes one --policy, and has worlds of its own (no --seed)")

    def load(sets: Sequence[str]) -> Any:
        return load_scenario(source, [*asked["sets"], *always, *sets])

    wanted = Search([Range.of(text) for text in asked["varying"]], asked["trials"], asked["maximise"], policies[0],
                    crew_of(asked["workers"], asked["ray"]))
    return [one.as_json() for one in search(db_url, load, wanted, told)]


def drawn_sweep(rows: list[Record], keys: list[str], picture: Path) -> None:
    """Profit over one key as lines, over two as a heat map; other keys must have one value."""
    from gaelp_sim.analyse.sweep_picture import draw

    draw(rows, keys, picture)
