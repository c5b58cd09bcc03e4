"""Where the cells of a run's worlds begin: what names the cell of a row."""

from __future__ import annotations

import numpy as np

from gaelp_sim.population.people import cell_of, household_of
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.model import model_of


def first_people(scenario: Scenario, seed: int) -> np.ndarray:
    """First person of each cell (worlds, cells): a cell's people follow one another, scripted ones end the last."""
    starts = np.empty((scenario.worlds, scenario.cells), dtype=np.int64)
    for world in range(scenario.worlds):
        drawn = scenario.drawn(seed, world)
        households = household_of(model_of(drawn, seed).draws, drawn, world)
        starts[world] = np.searchsorted(cell_of(households, scenario.cells), np.arange(scenario.cells))
    return starts
