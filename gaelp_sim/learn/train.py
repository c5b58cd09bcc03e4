"""Training: epochs of worlds lived through and learned from, validation in other worlds, checkpoints; resumable.

An epoch's worlds, its users' luck, the order of its lessons and the first weights are keyed by seed and epoch: training
that was killed goes on from the last epoch kept and comes to the same weights (on the same machine).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.draws import Draws
from gaelp_sim.learn.course import BELIEVED, DIFFICULTIES, PPO, Plan, passed
from gaelp_sim.learn.journeys import Journeys, sampled
from gaelp_sim.learn.keeping import BEST, LAST, keep, kept, take_up
from gaelp_sim.learn.network import JourneyNet, Shape
from gaelp_sim.learn.policy import FLOOR as ACTING_FLOOR
from gaelp_sim.learn.replay_memory import ReplayMemory
from gaelp_sim.learn.returns import Pay, Steps, advantages, rewards_usd
from gaelp_sim.learn.rollout import Classroom, Conduct, Lived, live
from gaelp_sim.learn.update import Learner
from gaelp_sim.learn.vtrace import Clips
from gaelp_sim.market.actions import Actions
from gaelp_sim.planning.seeds import training_seed, validation_seed
from gaelp_sim.planning.shifted import drawn_factors, shifted
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.crew import Hands

VALUE_USD = 20.0
"""The critic's unit."""
FLOOR = 0.02
"""Share of decisions that are taken at random while learning."""
EPOCHS = "epochs.jsonl"
BATCHES_MAX = 10_000
REMEMBERED = (
    "observation", "days", "allowed", "action", "log_propensity", "reward", "ended", "believed_lift",
)
OnEpoch = Callable[[dict[str, Any]], None]


@dataclass
class Training:
    """Training as it stands."""

    scenario: Scenario
    plan: Plan
    folder: Path
    learner: Learner
    epoch: int = 0
    best: float = float("-inf")
    unchanged: int = 0
    """Validations since the best one"""
    level: int = len(DIFFICULTIES) - 1
    """Of the curriculum"""
    rooms: dict[int, Classroom] = field(default_factory=dict)
    memory: ReplayMemory = field(default_factory=lambda: ReplayMemory.of(1, REMEMBERED))
    hands: Hands = field(default_factory=Hands)
    """Who lives through the worlds; the weights do not depend on it"""

    @staticmethod
    def begin(scenario: Scenario, plan: Plan, folder: Path) -> Training:
        """New training, or that of the folder, where it was left off."""
        actions = Actions.of(scenario)
        net = JourneyNet.born(Shape(actions.count, actions.creatives), Draws(plan.seed))
        training = Training(scenario, plan, folder, Learner.of(net, plan.lesson, FLOOR))
        if plan.curriculum:
            training.level = 0
        if plan.rehearsals or plan.retraces:
            training.memory = ReplayMemory.of(plan.memory, REMEMBERED)
        found = kept(folder)
        if found is not None:
            take_up(training, found)
        training.room  # noqa: B018 - what can't be learned in is refused before anything is written
        return training

    @property
    def room(self) -> Classroom:
        """Where it learns at its level."""
        if self.level not in self.rooms:
            self.rooms[self.level] = Classroom.of(self._at_level(), self.plan.people, self.plan.worlds)
        return self.rooms[self.level]

    def _at_level(self) -> Scenario:
        if not self.plan.curriculum:
            return self.scenario
        return self.scenario.model_copy(update={"difficulty": DIFFICULTIES[self.level]})

    def _room_of(self, epoch: int) -> Classroom:
        """Where an epoch learns: the level's room, or one whose worlds are off by the epoch's own factors."""
        plan = self.plan
        if plan.randomise == 1.0:
            return self.room
        other = shifted(self._at_level(), drawn_factors(plan.seed, epoch, plan.randomise))
        return Classroom.of(other, plan.people, plan.worlds)

    def run(self, on_epoch: OnEpoch) -> None:
        """Train until the epochs, the time or the patience are over."""
        began = time.perf_counter()
        while self.epoch < self.plan.epochs and time.perf_counter() - began < self.plan.budget_s:
            told = self._epoch()
            self.epoch += 1
            last = self.epoch == self.plan.epochs
            if self.epoch % self.plan.validate_every == 0 or last:
                told |= self._validate()
            keep(self, LAST, told)
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
        lived = live(self._room_of(number), self.learner.net.eval(), training_seed(plan.seed, number), Conduct(FLOOR),
                     self.hands)
        journeys = self._sampled(lived, number)
        self.learner.net.train()
        lesson = plan.lesson_of(number)
        if lesson == PPO:
            figures = self.learner.improve(journeys, number)
        else:
            told_by = "believed_" if lesson == BELIEVED else ""
            figures = self.learner.follow(journeys, told_by, plan.heat_of(progress), number)
        figures |= self._remember(journeys, number, lesson)
        about = {"epoch": number, "lesson": lesson, "level": DIFFICULTIES[self.level]}
        return {**about, "learned_from": int(journeys.begins[-1]), **lived.figures, **figures}

    def _remember(self, journeys: Journeys, number: int, lesson: str) -> dict[str, float]:
        """Learn from past journeys, too, where the plan asks for it; these are past from now on."""
        plan, figures = self.plan, dict[str, float]()
        if not (plan.rehearsals or plan.retraces):
            return figures
        self.memory.add(journeys)
        for batch in range(plan.retraces if lesson == PPO else 0):
            _, drawn = self.memory.draw(Draws(plan.seed), number * BATCHES_MAX + batch)
            figures |= self.learner.retrace(drawn, (plan.discount_per_day, Clips()), VALUE_USD)
        critic = ((plan.discount_per_day, Clips()), VALUE_USD) if lesson == PPO else None
        for batch in range(plan.rehearsals):
            slots, drawn = self.memory.draw(Draws(plan.seed), number * BATCHES_MAX + BATCHES_MAX // 2 + batch)
            errors = self.learner.rehearse(drawn, "believed_", critic)
            self.memory.surprised(slots, errors)
            figures["rehearsed_error"] = float(errors.mean())
        return figures

    def _sampled(self, lived: Lived, number: int) -> Journeys:
        """The journeys to learn from, with what truly came of them."""
        plan, columns = self.plan, lived.kept
        segments = self.scenario.population.segments
        share = np.full(len(segments), min(1.0, plan.decisions_max / max(len(columns["user"]), 1)))
        crisis = np.array([segment.crisis for segment in segments])
        share = np.minimum(np.where(crisis, share * plan.crisis_factor, share), 1.0)
        columns, weight = sampled(columns, share, Draws(plan.seed), number)
        weight = np.where(crisis[columns["segment"]], weight * plan.crisis_value, weight)
        journeys = Journeys.of(columns, weight)
        self._rewarded(journeys, lived)
        return journeys

    def _rewarded(self, journeys: Journeys, lived: Lived) -> None:
        """Add returns and advantages to the decisions."""
        economics, columns = self.scenario.economics, journeys.columns
        pay = Pay(self.plan.reward, float(economics.ltv_usd), float(economics.cac_target_usd))
        reward = rewards_usd(columns, lived.sales, pay)
        ended = np.isin(columns["user"][journeys.begins[1:] - 1], lived.sales["user"])
        value = columns["value"].astype(np.float64) * VALUE_USD
        columns["reward"], columns["ended"] = reward, np.repeat(ended, journeys.lengths)
        steps = Steps(reward, value, columns["days"].astype(np.float64), journeys.begins, ended)
        advantage, target = advantages(steps, (self.plan.discount_per_day, self.plan.trace))
        columns["advantage"] = ((advantage - advantage.mean()) / max(advantage.std(), 1e-9)).astype(np.float32)
        columns["target"] = (target / VALUE_USD).astype(np.float32)

    def _validate(self) -> dict[str, Any]:
        """How the policy does, acting as it will, in worlds that nothing is learned from; the best so far is kept."""
        net, seed = self.learner.net.eval(), validation_seed(self.plan.seed)
        room = self.room.of_worlds(self.plan.validation_worlds)
        figures = live(room, net, seed, Conduct(ACTING_FLOOR, greedy=True), self.hands).figures
        told = {f"validation_{name}": value for name, value in figures.items()}
        if self.level < len(DIFFICULTIES) - 1:
            self.level += passed(figures)
            return told
        # What decisions lose to the best ones tells what the policy earns without the luck of the sales that came.
        score = -figures["lost_usd"]
        self.unchanged += 1
        if score > self.best:
            self.best, self.unchanged = score, 0
            keep(self, BEST, told)
        return told

    def _log(self, told: dict[str, Any]) -> None:
        with (self.folder / EPOCHS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
