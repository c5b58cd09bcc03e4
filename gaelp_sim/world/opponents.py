"""Rivals as a run left them: taken into other runs as opponents, frozen or learning on; exported as JSON."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.draws import Draws
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats, Ints
from gaelp_sim.market.cast import DIFFICULTIES, Cast, Strategy, cast_of, who_learns
from gaelp_sim.market.learning import AGGRESSION_MAX, VALUE_BOUNDS, Minds
from gaelp_sim.scenario.scalars import one_line
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Store, check_finished
from gaelp_sim.world.snapshot import unpack
from gaelp_sim.world.stored_scenario import stored_scenario

FORMAT = "gaelp-rivals-1"
_FRONT = "world.mind."
NAME_MAX = 255
VALUES = (1e-3, 1e3)
_COUNTS = (0.0, 1e12)
BOUNDS = {
    "worth": (-1e6, 1e6), "samples": _COUNTS, "baseline": (-1e6, 1e6), "click_value": VALUE_BOUNDS, "clicks": _COUNTS,
    "sales": _COUNTS, "aggression": (1.0, AGGRESSION_MAX), "recent": _COUNTS, "usual_loss": (0.0, 1.0), "hours": _COUNTS,
}
"""What a mind's figures can be, so that no file bids what no rival could."""


@dataclass(frozen=True)
class Opponents:
    """What the rivals of some worlds had learned, and by which strategy."""

    names: tuple[str, ...]
    strategy: Ints
    """(worlds, rivals)"""
    value: Floats
    """(worlds, rivals), at full difficulty"""
    minds: Minds

    def cast(self, own: Cast, worlds: Ints, scenario: Scenario) -> Cast:
        """These worlds' seats with our strategies and values; budgets, and who may learn, are the scenario's."""
        at = self._source(worlds)
        strategy, value = self.strategy[at], self.value[at] * DIFFICULTIES[scenario.difficulty].value
        return own._replace(strategy=strategy, value=value, learns=who_learns(scenario, strategy))

    def minds_of(self, worlds: Ints) -> Minds:
        """What the seats of these worlds begin with."""
        at = self._source(worlds)
        return Minds(*(part[at].copy() for part in self.minds))

    def _source(self, worlds: Ints) -> Ints:
        """World w meets the rivals of source world w modulo their number."""
        return worlds % len(self.strategy)

    def as_json(self) -> dict[str, Any]:
        """Plain lists; floats come back exactly."""
        return {
            "format": FORMAT, "rivals": list(self.names),
            "strategy": [[Strategy(code).name.lower() for code in row] for row in self.strategy.tolist()],
            "value": self.value.tolist(), "minds": {name: part.tolist() for name, part in self.minds._asdict().items()},
        }

    def text(self) -> str:
        """One compact line, to keep beside the run that uses it."""
        return base64.b64encode(zlib.compress(json.dumps(self.as_json()).encode())).decode()

    def fitting(self, scenario: Scenario, where: str) -> Opponents:
        """These opponents, if they fit the scenario's seats; raises UsageError otherwise."""
        names = tuple(rival.name for rival in scenario.rivals)
        if names != self.names:
            raise UsageError(f"{where}: its rivals are {', '.join(self.names)}; the scenario's are {', '.join(names)}")
        seats = (len(names), len(scenario.channels), sum(len(channel.signals) for channel in scenario.channels))
        expected = [part.shape[1:] for part in Minds.fresh(1, seats)]
        if [part.shape[1:] for part in self.minds] != expected:
            raise UsageError(f"{where}: its rivals learned on other channels or signals than the scenario has")
        return self


def opponents_from_text(text: str) -> Opponents | None:
    """What `Opponents.text` gave; None for the empty text."""
    return _parsed(json.loads(zlib.decompress(base64.b64decode(text))), "stored opponents") if text else None


def opponents_named(ref: str, db_url: str) -> Opponents:
    """The rivals of a JSON file, or those that a finished run ended with.

    Raises UsageError for a file that holds no rivals, RunNotFoundError for a run that is not there.
    """
    path = Path(ref)
    if path.suffix == ".json" or (len(ref) < NAME_MAX and path.exists()):
        try:
            return _parsed(json.loads(path.read_text()), ref)
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{one_line(ref)}: {error}; next: gaelp rivals export RUN FILE") from error
    with Store.open(db_url, must_exist=True) as store:
        return opponents_of_run(store, ref)


def opponents_of_run(store: Store, ref: str) -> Opponents:
    """What a finished run's rivals had learned at its end."""
    run = store.find_run(ref)
    check_finished(run, "has rivals that can be taken")
    last = store.checkpoint(run)
    assert last is not None, "a finished run has a checkpoint"
    state = unpack(last.state)
    scenario = stored_scenario(run)
    minds = Minds(**{name: state[_FRONT + name] for name in Minds._fields})
    if not scenario.rivals:
        raise UsageError(f"run {run.run_id} has no rivals; name a run that has some")
    cast = cast_of(scenario, Draws(run.seed), state["world.id"])
    earlier = opponents_from_text(run.opponents)
    if earlier is not None:
        cast = earlier.cast(cast, state["world.id"], scenario)
    value = cast.value / DIFFICULTIES[scenario.difficulty].value
    return Opponents(tuple(rival.name for rival in scenario.rivals), cast.strategy, value, minds)


def _parsed(told: Any, where: str) -> Opponents:
    try:
        if told["format"] != FORMAT:
            raise UsageError(f"{where}: its format is {told['format']!r}, not {FORMAT!r}; export it anew")
        strategy = [[Strategy[str(name).upper()] for name in row] for row in told["strategy"]]
        minds = Minds(**{name: np.array(told["minds"][name], dtype=np.float64) for name in Minds._fields})
        value = np.array(told["value"], dtype=np.float64)
        found = Opponents(tuple(map(str, told["rivals"])), np.array(strategy, dtype=np.int64), value, minds)
        shape = (len(strategy), len(found.names))
        sound = found.strategy.shape == value.shape == shape and all(part.shape[:2] == shape for part in minds)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: no rivals in it ({type(error).__name__}: {error}); export it anew") from error
    if not sound:
        raise UsageError(f"{where}: its arrays do not fit together; export it anew")
    for name, part, (low, high) in (("value", value, VALUES), *((n, getattr(minds, n), BOUNDS[n]) for n in Minds._fields)):
        if not ((part >= low) & (part <= high)).all():
            raise UsageError(f"{where}: {name} must lie in {low:g} to {high:g}; export it anew")
    return found
