"""Which worlds are for what: training, validation, tuning, the hold-out, grades of estimators and experiments have seeds of
their own.

The hold-out's seed was fixed before anything was trained, and only `gaelp evaluate` opens it.
"""

from __future__ import annotations

EPOCHS_MAX, TRAININGS_MAX = 100_000, 10_000
HOLDOUT_SEED = 93_407
TUNING_SEED, TUNING_SEEDS = 55_001, 8
"""Baselines' values are learned and their dials tuned in worlds of these."""
COVERAGE_SEED = 77_003
"""Logs by which estimators are graded, and the truth that they are held against, come from worlds of these on."""
GRID_LOGS_SEED, GRID_TRUTH_SEED = 71_003, 71_004
"""The same for the grid of cells, whose truth comes from worlds that no log was made of."""
PILOT_SEED, REHEARSAL_SEED = 61_001, 62_003
"""Experiments are planned in worlds of the first and rehearsed in worlds of the second."""
SEARCH_SEED = 66_001
"""Settings are searched for in worlds of this; each trial's proposal is drawn with it and the trial's number."""
_TRAINING, _VALIDATION = 1_000_000, 2_000_000_000


def training_seed(training: int, epoch: int) -> int:
    """Seed of the worlds of an epoch of the training with that seed."""
    return _TRAINING + training * EPOCHS_MAX + epoch


def validation_seed(training: int) -> int:
    """Seed of a training's validation worlds."""
    return _VALIDATION + training
