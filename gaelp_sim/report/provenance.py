"""Is the run like the world outside, and how is it made again?"""

from __future__ import annotations

import json
import shlex

from markupsafe import Markup

from gaelp_sim import __version__
from gaelp_sim.analyse.economy import BANDS as ECONOMY
from gaelp_sim.analyse.realism import Check, Realism
from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.world.stored_scenario import is_imported

DIGITS = 4


def realism(facts: Facts) -> Markup:
    """The run's figures beside published or chosen bands, and its scenario's economy where that was worked out."""
    found, economy = facts.realism, facts.economy
    if isinstance(found, str) and economy is None:
        return page.section("realism", "Realism", page.say(f"Not judged: {found}"), page.say(_ask(facts), "muted"))
    checks = ([] if isinstance(found, str) else found.checks) + (economy.checks if economy else [])
    rows = [_row(check) for check in checks]
    if economy is None and not is_imported(facts.run):
        rows.append([f"{len(ECONOMY)} figures of the scenario's economy", "not asked for", "", "", "", _command(facts)])
    heads = ("quantity", "in its band", "figure", "95 % interval", "band", "where the band comes from")
    notes = dict.fromkeys(f"{check.quantity}: {check.note}" for check in (economy.checks if economy else []) if check.note)
    return page.section(
        "realism",
        "Realism: this run beside published figures",
        page.say(_told(found, economy)),
        page.table("", heads, rows, words=2, tail=1),
        *(page.say(note, "muted") for note in notes),
    )


def _told(found: Realism | str, economy: Realism | None) -> str:
    """How many figures lie in their band, and what could not be judged."""
    parts = [one for one in (found, economy) if isinstance(one, Realism)]
    checks = [check for part in parts for check in part.checks]
    left_out = [name for part in parts for name in part.left_out]
    inside = sum(check.passed for check in checks)
    told = [f"{inside} of {len(checks)} figures lie in their band, as far as luck can tell."] if checks else []
    if isinstance(found, str):
        told.append(f"The run itself was not judged: {found}.")
    if left_out:
        told.append(f"Not to be judged: {len(left_out)} more; gaelp verify realism -v names them.")
    return " ".join(told)


def _row(check: Check) -> list[page.Cell]:
    return [
        check.quantity,
        "yes" if check.passed else Markup('<span class="bad">no</span>'),
        _short(check.got),
        f"{_short(check.got_low)} to {_short(check.got_high)}",
        f"{_short(check.low)} to {_short(check.high)}",
        check.source,
    ]


def _ask(facts: Facts) -> str:
    return "" if is_imported(facts.run) else f"The economy of its scenario, in some ten seconds more: {_command(facts)}"


def _command(facts: Facts) -> str:
    return f"gaelp report {facts.run.run_id} --economy"


def _short(number: float) -> str:
    return f"{number:.{DIGITS}g}"


def deciding(facts: Facts) -> dict[str, str]:
    """What decides the rows, and what they are: name and value."""
    run = facts.run
    torch = f", torch {run.torch_version}" if run.torch_version else ""
    return {
        "run": run.run_id,
        "scenario": f"{run.scenario_name}, SHA-256 {run.scenario_hash}",
        "settings changed": _changed(run.overrides),
        "seed": str(run.seed),
        "policy": run.policy,
        "people, worlds, cells": f"{run.people:,}, {run.worlds:,}, {run.cells:,}",
        "hours": f"{run.start_hour:,} to {run.hours_done:,}, {run.status.lower()}",
        "log": run.log,
        "made by": f"gaelp-sim {run.engine_version}, Python {run.python_version}, numpy {run.numpy_version}, "
        f"numba {run.numba_version}{torch}",
        "CPU features": run.cpu_features,
        "row hash": facts.row_hash,
    }


def commands(facts: Facts) -> str:
    """What to type in the folder of the store to see the run's rows come out again."""
    run = facts.run
    if is_imported(run):
        return (
            f"gaelp import FILE --mapping {run.scenario_name}    # the log that it was read from\n"
            f"gaelp db verify --hash {run.run_id}    # prints the row hash"
        )
    lines = [
        f"gaelp db verify --hash {run.run_id}    # prints the row hash",
        f"gaelp replay {run.run_id} --policy logged    # lives it again, and compares every row",
    ]
    if run.parent_run_key == -1 and not run.opponents and run.rival_bidders == "[]":
        lines += [
            f"gaelp runs show {run.run_id} --scenario > same.yaml    # or from the scenario in full, in any store:",
            f"gaelp run same.yaml --seed {run.seed} --policy {shlex.quote(run.policy)}",
        ]
    return "\n".join(lines)


def reproduction(facts: Facts) -> Markup:
    """The commands, and what must be the same for the rows to be."""
    rows = [[name, value] for name, value in deciding(facts).items()]
    return page.section(
        "reproduce",
        "How to make it again",
        page.say("The same seed gives the same rows, on SQLite or PostgreSQL and with any number of workers."),
        Markup("<pre>{}</pre>").format(commands(facts)),
        page.table("What decides the rows", ("", ""), [*rows, ["this page by", f"gaelp-sim {__version__}"]], words=2),
    )


def _changed(overrides: str) -> str:
    found = json.loads(overrides)
    told = (f"{name}={', '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in found.items())
    return "; ".join(told) or "none"
