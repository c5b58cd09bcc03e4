"""Is the run like the world outside, and how is it made again?"""

from __future__ import annotations

import json

from markupsafe import Markup

from gaelp_sim import __version__
from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts

DIGITS = 4


def realism(facts: Facts) -> Markup:
    """The run's figures beside published or chosen bands."""
    found = facts.realism
    if isinstance(found, str):
        return page.section("realism", "Realism", page.say(f"Not judged: {found}"))
    inside = sum(check.passed for check in found.checks)
    rows = [
        [
            check.quantity,
            "yes" if check.passed else Markup('<span class="bad">no</span>'),
            _short(check.got),
            f"{_short(check.got_low)} to {_short(check.got_high)}",
            f"{_short(check.low)} to {_short(check.high)}",
            check.source,
        ]
        for check in found.checks
    ]
    told = f"{inside} of {len(found.checks)} figures lie in their band, as far as luck can tell." + (
        f" Too few observations to judge {len(found.left_out)} more." if found.left_out else ""
    )
    heads = ("quantity", "in its band", "figure", "95 % interval", "band", "where the band comes from")
    return page.section(
        "realism",
        "Realism: this run beside published figures",
        page.say(told),
        page.table("", heads, rows, words=2, tail=1),
        page.say(f"With the economy of the scenario as well: gaelp verify realism {facts.run.run_id}", "muted"),
    )


def _short(number: float) -> str:
    return f"{number:.{DIGITS}g}"


def reproduction(facts: Facts) -> Markup:
    """The commands, and what must be the same for the rows to be."""
    run = facts.run
    rows: list[list[page.Cell]] = [
        ["run", run.run_id],
        ["scenario", f"{run.scenario_name}, SHA-256 {run.scenario_hash}"],
        ["settings changed", _changed(run.overrides)],
        ["seed", str(run.seed)],
        ["policy", run.policy],
        ["worlds, cells", f"{run.worlds:,}, {run.cells:,}"],
        ["log", run.log],
        ["status", run.status.lower()],
        [
            "made by",
            f"gaelp-sim {run.engine_version}, Python {run.python_version}, numpy {run.numpy_version}, "
            f"numba {run.numba_version}" + (f", torch {run.torch_version}" if run.torch_version else ""),
        ],
        ["CPU features", run.cpu_features],
        ["row hash", facts.row_hash],
        ["this page by", f"gaelp-sim {__version__}"],
    ]
    return page.section(
        "reproduce",
        "How to make it again",
        page.say(
            "The same seed gives the same rows on SQLite or PostgreSQL, with any number of workers. In the folder "
            "of the store:"
        ),
        Markup("<pre>{}</pre>").format(
            f"gaelp replay {run.run_id} --policy logged        # lives it again and compares every row\n"
            f"gaelp db verify --hash {run.run_id}              # must print the row hash below\n"
            f"gaelp runs show {run.run_id} --scenario > same.yaml   # or start anew from the scenario in full\n"
            f"gaelp run same.yaml --seed {run.seed} --policy '{run.policy}'"
        ),
        page.table("What decides the rows", ("", ""), rows, words=2),
    )


def _changed(overrides: str) -> str:
    found = json.loads(overrides)
    return ", ".join(f"{name}={value}" for name, value in found.items()) if found else "none"
