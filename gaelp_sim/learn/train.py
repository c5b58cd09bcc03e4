"""Training: worlds are lived through, the network is changed, and validation worlds say whether it has become better.

An epoch is a function of its number, the seed, the weights and the optimiser's state, all of which are kept: training
that is killed goes on from its last epoch to the same weights (on the same machine).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from gaelp_sim.draws import Draws
from gaelp_sim.errors import UsageError
from gaelp_sim.learn.checkpoints import MANIFEST, Manifest, load_checkpoint, save_checkpoint
from gaelp_sim.learn.journeys import Journeys, sampled
from gaelp_sim.learn.network import JourneyNet, Shape
from gaelp_sim.learn.returns import Steps, advantages, rewards_usd
from gaelp_sim.learn.rollout import Classroom, Lived, live
from gaelp_sim.learn.update import Learner, Lesson
from gaelp_sim.market.actions import Actions
from gaelp_sim.planning.seeds import training_seed, validation_seed
from gaelp_sim.scenario.schema import Scenario

OPTIMISER = "optimiser.safetensors"
SCALE_USD = 0.1
"""Gains are learned in units of so many dollars."""
VALUE_USD = 20.0
"""The critic's unit."""
FLOOR = 0.02
"""Share of decisions that are taken at random while learning."""
OnEpoch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Plan:
    """What training is to do."""

    epochs: int = 1_000
    budget_s: float = float("inf")
    """Seconds after which no further epoch begins"""
    worlds: int = 100
    people: int = 1_000
    decisions_max: int = 200_000
    """Decisions learned from in an epoch; of more, whole users are drawn"""
    taught_share: float = 0.8
    """Share of the epochs in which the teacher is followed; then PPO goes on with what truly comes"""
    heat_usd: tuple[float, float] = (0.02, 0.0005)
    """What a unit of entropy is worth, from the first taught epoch to the last"""
    crisis_factor: float = 1.0
    """How much more often crisis parents are learned from, at a weight of one over it"""
    validate_every: int = 10
    validation_worlds: int = 24
    patience: int = 10
    """Validations without a better one after which training ends"""
    discount_per_day: float = 1.0
    trace: float = 0.95
    seed: int = 1
    lesson: Lesson = field(default_factory=Lesson)


@dataclass
class Training:
    """Training as it stands."""

    room: Classroom
    plan: Plan
    folder: Path
    learner: Learner
    epoch: int = 0
    best: float = float("-inf")
    unchanged: int = 0
    """Validations since the best one"""

    @staticmethod
    def begin(scenario: Scenario, plan: Plan, folder: Path) -> Training:
        """New training, or that of the folder, where it was left off."""
        room = Classroom.of(scenario, plan.people, plan.worlds)
        actions = Actions.of(scenario)
        net = JourneyNet.born(Shape(actions.count, actions.creatives), Draws(plan.seed))
        training = Training(room, plan, folder, Learner.of(net, plan.lesson, FLOOR))
        if (folder / "last" / MANIFEST).exists():
            training._take_up()
        return training

    def run(self, on_epoch: OnEpoch) -> None:
        """Train until the epochs, the time or the patience are over."""
        began = time.perf_counter()
        while self.epoch < self.plan.epochs and time.perf_counter() - began < self.plan.budget_s:
            told = self._epoch()
            self.epoch += 1
            last = self.epoch == self.plan.epochs
            if self.epoch % self.plan.validate_every == 0 or last:
                told |= self._validate()
            self._keep("last", told)
            told["seconds"] = time.perf_counter() - began
            self._log(told)
            on_epoch(told)
            if self.unchanged >= self.plan.patience:
                break

    def _epoch(self) -> dict[str, Any]:
        number, plan = self.epoch, self.plan
        progress = number / max(plan.epochs - 1, 1)
        for group in self.learner.optimiser.param_groups:
            group["lr"] = plan.lesson.learning_rate * (1.0 - 0.95 * progress)
        lived = live(self.room, self.learner.net.eval(), training_seed(plan.seed, number), floor=FLOOR)
        journeys = self._sampled(lived, number)
        self.learner.net.train()
        taught = number < round(plan.taught_share * plan.epochs)
        if taught:
            first, last = plan.heat_usd
            heat = first * (last / first) ** (progress / plan.taught_share)
            figures = self.learner.follow(journeys, SCALE_USD, heat, number)
        else:
            figures = self.learner.improve(journeys, number)
        return {"epoch": number, "taught": taught, "learned_from": int(journeys.begins[-1]), **lived.figures, **figures}

    def _sampled(self, lived: Lived, number: int) -> Journeys:
        """The journeys to learn from, with what truly came of them."""
        kept = lived.kept
        segments = self.room.scenario.population.segments
        share = np.full(len(segments), min(1.0, self.plan.decisions_max / max(len(kept["user"]), 1)))
        crisis = np.array([segment.crisis for segment in segments])
        share = np.minimum(np.where(crisis, share * self.plan.crisis_factor, share), 1.0)
        kept, weight = sampled(kept, share, Draws(self.plan.seed), number)
        journeys = Journeys.of(kept, weight)
        columns = journeys.columns
        reward = rewards_usd(columns, lived.sales, float(self.room.scenario.economics.ltv_usd))
        ended = np.isin(columns["user"][journeys.begins[1:] - 1], lived.sales["user"])
        value = columns["value"].astype(np.float64) * VALUE_USD
        rule = (self.plan.discount_per_day, self.plan.trace)
        steps = Steps(reward, value, columns["days"].astype(np.float64), journeys.begins, ended)
        advantage, target = advantages(steps, rule)
        columns["advantage"] = ((advantage - advantage.mean()) / max(advantage.std(), 1e-9)).astype(np.float32)
        columns["target"] = (target / VALUE_USD).astype(np.float32)
        return journeys

    def _validate(self) -> dict[str, Any]:
        """How the policy does in worlds that nothing is learned from; the best so far is kept."""
        room = self.room if self.plan.validation_worlds == self.room.scenario.worlds else Classroom(
            self.room.scenario.model_copy(update={"worlds": self.plan.validation_worlds}), self.room.oracle
        )
        figures = live(room, self.learner.net.eval(), validation_seed(self.plan.seed), floor=FLOOR).figures
        told = {f"validation_{name}": value for name, value in figures.items()}
        # What a decision gains on average has far less luck in it than the sales that came.
        score = figures["taken_gain_usd"]
        self.unchanged += 1
        if score > self.best:
            self.best, self.unchanged = score, 0
            self._keep("best", told)
        return told

    def _keep(self, name: str, figures: dict[str, Any]) -> None:
        numbers = {key: float(value) for key, value in figures.items() if isinstance(value, int | float)}
        told = {"plan": asdict(self.plan) | {"budget_s": None}, "best": self.best if np.isfinite(self.best) else None,
                "unchanged": self.unchanged}
        manifest = Manifest.of(self.learner.net, self.room.scenario, self.epoch, numbers, **told)
        extra = {OPTIMISER: save(self._optimiser_state())} if name == "last" else {}
        save_checkpoint(self.folder / name, self.learner.net, manifest, extra)

    def _optimiser_state(self) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        for number, state in self.learner.optimiser.state_dict()["state"].items():
            found |= {f"{number}.{name}": torch.as_tensor(value).contiguous() for name, value in state.items()}
        return found

    def _take_up(self) -> None:
        """Go on from the last epoch kept."""
        net, manifest = load_checkpoint(self.folder / "last")
        told = manifest.trained_on
        mine = json.loads(json.dumps(asdict(self.plan) | {"budget_s": None}))
        if told.get("plan") != mine or manifest.scenario_name != self.room.scenario.name:
            raise UsageError(f"{self.folder}: it holds training with other settings; name another folder, or ask the same")
        self.learner.net.load_state_dict(net.state_dict())
        try:
            state = load((self.folder / "last" / OPTIMISER).read_bytes())
        except (OSError, SafetensorError) as error:
            raise UsageError(f"{self.folder / 'last' / OPTIMISER}: {error}; start anew in another folder") from None
        whole = self.learner.optimiser.state_dict()
        for key, value in state.items():
            number, _, name = key.partition(".")
            whole["state"].setdefault(int(number), {})[name] = value
        self.learner.optimiser.load_state_dict(whole)
        self.epoch, self.unchanged = manifest.epoch, int(told["unchanged"])
        self.best = float(told["best"]) if told["best"] is not None else float("-inf")

    def _log(self, told: dict[str, Any]) -> None:
        with (self.folder / "epochs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
