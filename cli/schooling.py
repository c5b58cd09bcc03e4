"""The doors from the command line into learning and grading; like `library`, each opens on use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaelp_sim.cli.library import Record
from gaelp_sim.errors import GaelpError, UsageError

if TYPE_CHECKING:
    from gaelp_sim.scenario.schema import Scenario

SECONDS_PER_MINUTE = 60.0


def _scenario(source: str, sets: Sequence[str]) -> Scenario:
    """The scenario of that name or file, with options applied."""
    from gaelp_sim.scenario.loading import load_scenario

    return load_scenario(source, sets)


def _needs_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("safetensors") is None:
        raise UsageError("learning needs torch and safetensors; next: pip install 'gaelp-sim[learn]'")


def trained(
    scenario: str, sets: Sequence[str], out: Path, asked: dict[str, Any], on_epoch: Callable[[Record], None]
) -> Record:
    """Train a policy; the last epoch's figures."""
    _needs_torch()
    from gaelp_sim.learn.train import Plan, Training

    minutes = asked.pop("budget_minutes")
    plan = Plan(budget_s=minutes * SECONDS_PER_MINUTE if minutes else float("inf"), **asked)
    training = Training.begin(_scenario(scenario, sets), plan, out)
    told: Record = {"epoch": training.epoch}

    def keep(epoch: Record) -> None:
        told.update(epoch)
        on_epoch(epoch)

    training.run(keep)
    return {"folder": str(out)} | told


def epoch_line(told: Record) -> str:
    """One epoch in a line."""
    text = (
        f"epoch {told['epoch']:>4}  {'taught' if told['taught'] else 'PPO   '}  profit {told['profit_usd']:>9,.0f}"
        f"  spend {told['spend_usd']:>8,.0f}  sales {told['sales']:>6,.1f}  won {told['win_rate']:.2f}"
        f"  gain {told['taken_gain_usd']:.4f} of {told['best_gain_usd']:.4f}  {told['seconds']:,.0f} s"
    )
    if "validation_taken_gain_usd" in told:
        text += f"  validation {told['validation_taken_gain_usd']:.4f}"
    return text


def graded(
    scenario: str, sets: Sequence[str], policies: Sequence[str], worlds: tuple[int, int],
    on_step: Callable[[str], None],
) -> list[Record]:
    """Grade policies on the hold-out."""
    from gaelp_sim.evaluate.grade import Asked, evaluate
    from gaelp_sim.world.policies import policy_named

    ours = _scenario(scenario, sets)
    for name in policies:  # a misspelt name is told before hours of tuning, not after
        policy_named(name, ours)
    return [row.as_json() for row in evaluate(ours, Asked(tuple(policies), *worlds), on_step)]


def checkpoints_in(folder: Path) -> list[Record]:
    """Every checkpoint in a folder, by name."""
    _needs_torch()
    from gaelp_sim.learn.checkpoints import MANIFEST, load_checkpoint

    found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not found:
        raise UsageError(f"{folder}: no checkpoint lies there; next: gaelp train SCENARIO --out {folder}")
    rows = []
    for path in found:
        try:
            _, manifest = load_checkpoint(path)
            row = {"scenario": manifest.scenario_name, "epoch": manifest.epoch,
                   "engine_version": manifest.engine_version, "sound": True}
        except GaelpError as error:
            row = {"sound": False, "reason": str(error)}
        rows.append({"checkpoint": path.name} | row)
    return rows


def manifest_of(folder: Path) -> Record:
    """A checkpoint's manifest."""
    _needs_torch()
    from gaelp_sim.learn.checkpoints import read_manifest

    return asdict(read_manifest(folder))


def verified(folder: Path) -> None:
    """Load a checkpoint; raises UsageError for anything that is not sound."""
    _needs_torch()
    from gaelp_sim.learn.checkpoints import load_checkpoint

    load_checkpoint(folder)
