"""Training as files: the last three epochs and the best, each a checkpoint; what goes on from the last whole one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from gaelp_sim.errors import UsageError
from gaelp_sim.learn.checkpoints import MANIFEST, Manifest, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from gaelp_sim.learn.train import Training

OPTIMISER, MEMORY = "optimiser.safetensors", "memory.safetensors"
LAST, BEFORE, BEST = "last", ("last_1", "last_2"), "best"


def keep(training: Training, name: str, figures: dict[str, Any]) -> None:
    """Keep the network as it stands; `last` with all that is needed to go on, and the two epochs before it."""
    numbers = {key: float(value) for key, value in figures.items() if isinstance(value, int | float)}
    best = training.best if np.isfinite(training.best) else None
    told = {"plan": training.plan.record(), "best": best, "unchanged": training.unchanged, "level": training.level}
    manifest = Manifest.of(training.learner.net, training.scenario, training.epoch, numbers, **told)
    if name == LAST:
        _shift(training.folder)
    extra = {OPTIMISER: optimiser_bytes(training.learner.optimiser)} if name == LAST else {}
    if name == LAST and len(training.memory):
        arrays = training.memory.arrays()
        extra[MEMORY] = save({key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in arrays.items()})
    save_checkpoint(training.folder / name, training.learner.net, manifest, extra)


def _shift(folder: Path) -> None:
    """Make room for a new `last`."""
    names = (LAST, *BEFORE)
    shutil.rmtree(folder / names[-1], ignore_errors=True)
    for newer, older in zip(names[-2::-1], names[:0:-1], strict=True):
        if (folder / newer).exists():
            os.replace(folder / newer, folder / older)


def kept(folder: Path) -> Path | None:
    """The last whole epoch in a folder; None where nothing was kept. A kill may have come between two files."""
    return next((folder / name for name in (LAST, *BEFORE) if (folder / name / MANIFEST).exists()), None)


def take_up(training: Training, path: Path) -> None:
    """Go on from an epoch that was kept.

    Raises UsageError where it is of other training, and where a file is damaged.
    """
    net, manifest = load_checkpoint(path)
    told = manifest.trained_on
    if told.get("plan") != training.plan.record() or manifest.scenario_name != training.scenario.name:
        raise UsageError(
            f"{training.folder}: it holds training with other settings; name another folder, or ask the same"
        )
    training.learner.net.load_state_dict(net.state_dict())
    if training.plan.rehearsals or training.plan.retraces:
        training.memory.restore({key: tensor.numpy() for key, tensor in _loaded(path / MEMORY).items()})
    restore_optimiser(training.learner.optimiser, path / OPTIMISER)
    training.epoch, training.unchanged, training.level = manifest.epoch, int(told["unchanged"]), int(told["level"])
    training.best = float(told["best"]) if told["best"] is not None else float("-inf")


def _loaded(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: {error}; start anew in another folder") from None


def optimiser_bytes(optimiser: torch.optim.Optimizer) -> bytes:
    """An optimiser's averages as safetensors."""
    found: dict[str, torch.Tensor] = {}
    for number, state in optimiser.state_dict()["state"].items():
        found |= {f"{number}.{name}": torch.as_tensor(value).contiguous() for name, value in state.items()}
    return save(found)


def restore_optimiser(optimiser: torch.optim.Optimizer, path: Path) -> None:
    """Give an optimiser averages that were kept; raises UsageError for a damaged file."""
    whole = optimiser.state_dict()
    for key, value in _loaded(path).items():
        number, _, name = key.partition(".")
        whole["state"].setdefault(int(number), {})[name] = value
    optimiser.load_state_dict(whole)
