"""The doors from the command line into learning and grading; like `library`, each opens on use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaelp_sim.cli.library import Record, crew_of
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
    """Train a policy; the last epoch's figures, and the learning curve's picture where it can be drawn."""
    _needs_torch()
    from gaelp_sim.learn.course import Plan
    from gaelp_sim.learn.curve import PICTURE, drawn
    from gaelp_sim.learn.train import EPOCHS, Training
    from gaelp_sim.world.crew import Hands

    minutes, tracked = asked.pop("budget_minutes"), asked.pop("wandb_offline")
    crew = crew_of(asked.pop("workers"), asked.pop("ray"))
    plan = Plan(budget_s=minutes * SECONDS_PER_MINUTE if minutes else float("inf"), **asked)
    track = _wandb(out, plan.record()) if tracked else None
    training = Training.begin(_scenario(scenario, sets), plan, out)
    told: Record = {"epoch": training.epoch}

    def keep(epoch: Record) -> None:
        told.update(epoch)
        on_epoch(epoch)
        if track is not None:
            track(epoch)

    with Hands(crew) as hands:
        training.hands = hands
        training.run(keep)
    try:
        told["picture"] = str(drawn(out / EPOCHS, out / PICTURE))
    except UsageError as error:  # the training stands without it
        told["picture"] = f"none: {error}"
    return {"folder": str(out)} | told


def learned_from(
    run_ref: tuple[str, str], scenario: tuple[str, Sequence[str]], way: tuple[str, Path], asked: dict[str, Any],
    on_pass: Callable[[Record], None],
) -> Record:
    """Learn from a stored run alone; the figures of what is kept.

    run_ref: (store's URL, run); scenario: (name or file, options); way: (clone or cql, folder)
    """
    _needs_torch()
    from gaelp_sim.learn.cloning import Copying, clone
    from gaelp_sim.learn.cql import Conservative, learn_conservatively
    from gaelp_sim.learn.logged import read_logged
    from gaelp_sim.learn.nearest import check_names
    from gaelp_sim.store import Store

    ours, (algo, out) = _scenario(*scenario), way
    with Store.open(run_ref[0], must_exist=True) as store:
        run = store.find_run(run_ref[1])
        logged = read_logged(store, run)
        check_names(store, run, ours)
    minutes = asked["budget_minutes"]
    limits = {"epochs": asked["epochs"], "seed": asked["seed"],
              "budget_s": minutes * SECONDS_PER_MINUTE if minutes else float("inf")}
    if algo == "clone":
        told = clone(logged, ours, out, Copying(**limits), on_pass)
    else:
        told = learn_conservatively(logged, ours, out, Conservative(**limits), on_pass)
    return {"folder": str(out), "run_id": run.run_id} | told


def _wandb(out: Path, settings: Record) -> Callable[[Record], None]:
    """A run of Weights & Biases kept in the folder; it talks to nobody."""
    try:
        import wandb
    except ImportError:
        raise UsageError("--wandb-offline needs wandb; next: pip install 'gaelp-sim[track]'") from None
    out.mkdir(parents=True, exist_ok=True)
    run = wandb.init(mode="offline", project="gaelp-sim", dir=str(out), config=settings, settings={"silent": True})

    def log(epoch: Record) -> None:
        run.log({key: value for key, value in epoch.items() if isinstance(value, int | float)}, step=epoch["epoch"])

    return log


def epoch_line(told: Record) -> str:
    """One epoch in a line."""
    text = (
        f"epoch {told['epoch']:>4}  {told['lesson']:<8}  profit {told['profit_usd']:>9,.0f}"
        f"  spend {told['spend_usd']:>8,.0f}  sales {told['sales']:>6,.1f}  won {told['win_rate']:.2f}"
        f"  loses {told['lost_usd']:>6,.0f}  {told['seconds']:,.0f} s"
    )
    if "validation_lost_usd" in told:
        text += f"  in validation {told['validation_lost_usd']:,.0f}"
    return text


def graded(
    scenario: str, sets: Sequence[str], policies: Sequence[str], asked: dict[str, Any], on_step: Callable[[str], None]
) -> tuple[list[Record], list[str]]:
    """Grade policies on the hold-out; rows, and what fails the conditions asked for."""
    from gaelp_sim.evaluate.candidates import BASELINES
    from gaelp_sim.evaluate.conditions import Condition
    from gaelp_sim.evaluate.grade import Asked, evaluate
    from gaelp_sim.planning.compared import GRADED
    from gaelp_sim.world.policies import policy_named

    conditions = [Condition.of(text) for text in asked.pop("fail_if")]
    wanted = asked.pop("baselines")
    names = tuple(BASELINES) if wanted == "all" else tuple(dict.fromkeys(wanted.split(",")))
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise UsageError(f"--baselines {unknown[0]}: no such baseline; known: {', '.join(BASELINES)}")
    rivals = asked.pop("rivals")
    ours = _scenario(scenario, sets if rivals is None else (*sets, f"rivals_learn={str(rivals == 'learning').lower()}"))
    for name in policies:  # a misspelt name is told before hours of tuning, not after
        policy_named(name, ours)
    shifts = {name: _factor(name, value) for name, _, value in (text.partition("=") for text in asked.pop("shift"))}
    crew = crew_of(asked.pop("workers"), asked.pop("ray"))
    graded_by = Asked(tuple(policies), shifts=shifts, baselines=names, crew=crew, **asked)
    rows = [row.as_json() for row in evaluate(ours, graded_by, on_step)]
    failed = [one.failed(row) for row in rows if row["kind"] == GRADED for one in conditions]
    return rows, [line for line in failed if line]


def judged(
    db_url: str, run_ref: str, policies: Sequence[str], asked: dict[str, Any], on_step: Callable[[str], None]
) -> Record:
    """What a run's log says of policies, and what is to be said about that."""
    _needs_torch()
    from gaelp_sim.evaluate.ope import Asked, ope
    from gaelp_sim.store import Store

    wanted = Asked(tuple(policies), tuple(asked["estimators"]), tuple(asked["sets"]), asked["settled_days"])
    with Store.open(db_url, must_exist=True) as store:
        crew = crew_of(asked["workers"], asked["ray"])
        answers = ope(store, store.find_run(run_ref), wanted, on_step, crew).as_json()
    return answers | {"remarks": _remarks(answers)}


def covered(
    db_url: str, run_ref: str, policies: Sequence[str], asked: dict[str, Any], on_step: Callable[[str], None]
) -> list[Record]:
    """How estimators do on many logs of a run's scenario."""
    _needs_torch()
    from gaelp_sim.evaluate.coverage import Asked, coverage
    from gaelp_sim.store import Store
    from gaelp_sim.world.replay import replayable
    from gaelp_sim.world.stored_scenario import stored_scenario

    if len(policies) != 1:
        raise UsageError("--coverage grades estimators on one policy; name one --policy")
    with Store.open(db_url, must_exist=True) as store:
        run = replayable(store, run_ref)
    if run.policy != "rule":
        raise UsageError(f"--coverage: run {run.run_id} was bid by {run.policy}; logs are drawn under the rule: grade on "
                         "a run of it")
    scenarios = stored_scenario(run), stored_scenario(run, asked["sets"])
    wanted = Asked(*scenarios, policies[0], asked["logs"], tuple(asked["estimators"]))
    return [one.as_json() for one in coverage(wanted, on_step)]


def covered_by_cell(
    estimators: Sequence[str], graded: dict[str, Any], on_step: Callable[[str], None]
) -> dict[str, list[Record]]:
    """How estimators do in the cells of a grid, and what is chosen by them; graded: logs, cells and out, None for the usual
    file."""
    _needs_torch()
    from gaelp_sim.evaluate.coverage_grid import FILE, Asked, coverage

    crew = crew_of(graded["workers"], graded["ray"])
    wanted = Asked(graded["logs"], tuple(estimators), tuple(graded["cells"]), crew=crew)
    found = coverage(wanted, graded["out"] or Path(FILE), on_step)
    return {"cells": [row.as_json() for row in found.cells], "choices": [row.as_json() for row in found.choices]}


def by_cell(rows: Sequence[Record]) -> list[Record]:
    """A row for each cell, a column for each estimator: coverage, bias and root mean square error, and in brackets the
    percentage refused where there are such."""
    found: dict[str, Record] = {}
    for row in rows:
        about = {"cell": row["cell"], "logs": row["logs"], "truth": f"{row['truth']:.1f}"}
        cell = found.setdefault(row["cell"], about)
        told = "" if row["coverage"] is None else f"{row['coverage']:.2f} {row['bias']:+.1f} {row['rmse']:.1f}"
        share = f"({100 * row['refused']:.0f})" if row["refused"] else ""
        cell[row["estimator"]] = f"{told} {share}".strip()
    return list(found.values())


def _remarks(answers: Record) -> list[str]:
    """What the tables do not say: reasons of refusals, each once; the users' youth; what one would deploy."""
    reasons: dict[str, list[str]] = {}
    for one in answers["estimates"]:
        if one["refused"]:
            reasons.setdefault(f"{one['policy']}: {one['reason']}", []).append(one["estimator"])
    lines = [f"refused {reason} ({', '.join(names)})" for reason, names in reasons.items()]
    lines.append(f"{answers['users']:,} users, {answers['decisions']:,} decisions; logged: {answers['logged_usd']:.4f} USD "
                 f"a user; {answers['young_users']:,} users were first met in the last week, and may still buy")
    if answers["ranking"]:
        first = answers["ranking"][0]
        known = first["low"] > 0
        lines.append(f"by {answers['chosen_by']}, {first['policy']} is the best in {first['best_share']:.0%} of drawn "
                     f"samples; {'deploy it' if known else 'whether it beats what was logged is not known'}")
    return lines


def _factor(name: str, said: str) -> float:
    try:
        return float(said)
    except ValueError:
        raise UsageError(f"--shift {name}={said}: {said!r} is no number; a factor is wanted, as {name}=0.7") from None


def decisions_for(policy: str, file: Path, scenario: str | None, seed: int) -> list[Record]:
    """What a learned policy does with the rows of a file."""
    _needs_torch()
    from gaelp_sim.learn.acting import act, read_rows
    from gaelp_sim.learn.checkpoints import learned_policy, manifest_named
    from gaelp_sim.world.policies import is_learned

    if not is_learned(policy):
        raise UsageError(f"{policy}: only learned policies act on rows; name ppo, or checkpoint:FOLDER")
    ours = _scenario(scenario or manifest_named(policy).scenario_name, ())
    return act(learned_policy(ours, policy), ours, read_rows(file, ours), seed)


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


def rehearsed(
    scenario: str, sets: Sequence[str], policies: tuple[str, ...], asked: dict[str, Any], on_step: Callable[[str], None]
) -> Record:
    """An experiment between two policies, planned and rehearsed."""
    from gaelp_sim.analyse.experiment import Asked, experiment
    from gaelp_sim.analyse.experiment_units import Design

    names = ("by", "share", "regions", "matched", "block_hours", "washout_hours")
    design = Design(asked.pop("design"), **{name: asked.pop(name) for name in names})
    return experiment(_scenario(scenario, sets), design, Asked((policies[0], policies[1]), **asked), on_step)
