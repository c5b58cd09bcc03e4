"""`gaelp sweep --search optuna`: settings that earn most, searched for in worlds of their own, each trial a stored run.

The study lives in the store as its runs: it is told anew from them, so an interrupted search goes on with the same
command, and comes to the same trials. (Optuna's own tables would share the name of ours for the schema's version.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gaelp_sim.analyse.life_sums import life_of
from gaelp_sim.analyse.paired import paired
from gaelp_sim.analyse.sweep import Cell, OnCell, run_of
from gaelp_sim.errors import UsageError
from gaelp_sim.planning.seeds import SEARCH_SEED
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.inherit import check_same_people
from gaelp_sim.world.policies import pinned
from gaelp_sim.world.request import OnProgress

MAXIMISED = ("profit_usd", "conversions", "roas")
DIGITS = 6
"""Of a setting, so that a trial's key is the same text again"""


@dataclass(frozen=True)
class Range:
    """A key of the scenario, and between which values it is searched."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    @staticmethod
    def of(text: str) -> Range:
        """From `KEY=LOW..HIGH`, or `KEY=LOW..HIGH:log` for a search by ratio; whole numbers stay whole.

        >>> Range.of("us.policy.bid_multiplier=0.25..4:log")
        Range(key='us.policy.bid_multiplier', low=0.25, high=4.0, log=True, whole=False)
        """
        key, equals, rest = text.partition("=")
        bounds, colon, kind = rest.partition(":")
        ends = bounds.split("..")
        try:
            low, high = (float(end) for end in ends)
        except ValueError:
            low = high = math.nan
        log = kind == "log"
        fits = math.isfinite(low) and math.isfinite(high) and low < high and not (log and low <= 0)
        if not (key and equals and fits and (log or not colon)):
            raise UsageError(f"--vary {text}: with --search give KEY=LOW..HIGH, LOW below HIGH, or KEY=LOW..HIGH:log "
                             "with both above 0")
        return Range(key, low, high, log, all(end.strip().lstrip("-").isdigit() for end in ends))


@dataclass(frozen=True)
class Search:
    """What is searched for."""

    ranges: Sequence[Range]
    trials: int
    maximise: str = MAXIMISED[0]
    policy: str = "rule"
    crew: Crew = ALONE


@dataclass(frozen=True)
class Trial:
    """One set of values, and what it came to."""

    number: int
    cell: Cell
    run: RunRecord
    score: float

    def as_json(self) -> dict[str, Any]:
        """Settings, the run and the score."""
        return {"trial": self.number, **dict(self.cell.settings), "run_id": self.run.run_id, "score": self.score}


def search(
    db_url: str, load: Callable[[Sequence[str]], Scenario], asked: Search, told: tuple[OnCell, OnProgress]
) -> list[Trial]:
    """All trials, the best first. load: the scenario with `key=value` settings applied.

    Trials meet worlds of `SEARCH_SEED`, so that the scenario's own and the hold-out stay unseen. Raises UsageError without
    Optuna, and for settings under which people would be others.
    """
    optuna = _optuna()
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEARCH_SEED))
    ways = {one.key: _distribution(optuna, one) for one in asked.ranges}
    found: list[Trial] = []
    for number in range(asked.trials):
        # A sampler of its own for each trial: what it draws depends on the trials before, not on who asked for them.
        study.sampler = optuna.samplers.TPESampler(seed=SEARCH_SEED + number)
        drawn = study.ask(ways).params
        values = {key: _rounded(value) for key, value in drawn.items()}
        cell = _cell(load, values, asked.policy)
        check_same_people("sweep", found[0].cell.scenario if found else cell.scenario, cell.scenario)
        told[0](number + 1, asked.trials, cell.told)
        record = run_of(db_url, cell, asked.crew, told[1])
        score = _score(db_url, record, asked.maximise)
        study.tell(number, score)
        found.append(Trial(number, cell, record, score))
    return sorted(found, key=lambda one: (-one.score, one.number))


def _cell(load: Callable[[Sequence[str]], Scenario], values: dict[str, str], policy: str) -> Cell:
    sets = [f"{key}={value}" for key, value in values.items()]
    return Cell(tuple(values.items()), pinned(policy), load([*sets, f"seed={SEARCH_SEED}"]))


def _rounded(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.{DIGITS}g}"


def _score(db_url: str, record: RunRecord, figure: str) -> float:
    """The run's figure; a ratio over nothing counts as 0."""
    with Store.open(db_url, must_exist=True) as store:
        life = life_of(store, record, record.worlds)
    return next(one.replayed for one in paired(life, life).figures if one.figure == figure) or 0.0


def _distribution(optuna: Any, one: Range) -> Any:
    if one.whole:
        return optuna.distributions.IntDistribution(int(one.low), int(one.high), log=one.log)
    return optuna.distributions.FloatDistribution(one.low, one.high, log=one.log)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UsageError("--search optuna needs the extra [search]; next: pip install optuna") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
