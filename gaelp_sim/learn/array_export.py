"""`gaelp export --to mdp|obp|scope_rl`: a run's log as arrays without pickle, and a manifest that explains each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.analyse.export import appearing, sha256_of, write_manifest
from gaelp_sim.errors import UsageError
from gaelp_sim.learn.array_forms import FORMS, Form, Source, places_of
from gaelp_sim.learn.log_chances import Choices, choices_of
from gaelp_sim.learn.log_words import Word, action_words, feature_words, rewards, touched
from gaelp_sim.learn.logged import read_logged
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.stored_scenario import IMPORTED

REWARDS = ("profit", "click")


@dataclass(frozen=True)
class ArrayRequest:
    """What is to be written where."""

    to: str
    """A name of FORMS"""
    folder: Path
    reward: str = "profit"
    """One of REWARDS"""
    force: bool = False
    """An existing folder gives way"""


def export_arrays(
    store: Store, run: RunRecord, request: ArrayRequest, on_file: Callable[[str, int], None]
) -> dict[str, Any]:
    """Write a run's arrays and their manifest; the folder appears when all is written, or not at all.

    Returns the manifest. Raises UsageError for what `read_logged` and `rewards` refuse, for an import whose mapping named
    no features, and for a folder that exists; StoreIOError where the disk refuses.
    """
    logged, features = read_logged(store, run), feature_words(run)
    if not features:
        raise UsageError(f"run {run.run_id}: its mapping named no features, so what decisions saw is not told; next: "
                         "import the log again with `features` in the mapping")
    reward, unit = rewards(store, run, logged, request.reward)
    places = places_of(run.policy == IMPORTED, touched(store, run, logged)[0])
    choices = choices_of(run, logged)
    form = FORMS[request.to](Source(logged, len(features), reward, unit, places, choices))
    words = {"features": features, "actions": _actions(store, run, choices, form)}
    with appearing(request.folder, request.force) as aside:
        return _written(aside, run, request, (form, words), on_file)


def _actions(store: Store, run: RunRecord, choices: Choices, form: Form) -> list[Word]:
    """All actions in words, and the one that stands behind a journey's end, where the form has one."""
    words = action_words(store, run, choices.triples)
    more = form.facts.get("n_actions", len(words)) > len(words)
    ended = {"action": len(words), "participate": None, "level": None, "creative": None, "ended": True}
    return [*words, ended] if more else words


def _written(
    folder: Path, run: RunRecord, request: ArrayRequest, told: tuple[Form, dict[str, list[Word]]],
    on_file: Callable[[str, int], None],
) -> dict[str, Any]:
    form, words = told
    path = folder / f"{request.to}.npz"
    arrays = {name: np.ascontiguousarray(one.values) for name, one in form.arrays.items()}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    rows = len(next(iter(arrays.values())))
    on_file(path.name, rows)
    return write_manifest(folder, run, {
        "to": request.to, "reward": request.reward, "facts": form.facts,
        "files": [{"file": path.name, "rows": rows, "sha256": sha256_of(path), "arrays": {
            name: {"shape": list(arrays[name].shape), "dtype": str(arrays[name].dtype), "unit": one.unit,
                   "meaning": one.meaning}
            for name, one in form.arrays.items()
        }}], **words,
    })
