"""Behaviour cloning: a network that does what a stored run's policy did, learned from its log alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.errors import UsageError
from gaelp_sim.learn.checkpoints import Manifest, load_checkpoint, save_checkpoint
from gaelp_sim.learn.journeys import Journeys
from gaelp_sim.learn.keeping import BEST, LAST, OPTIMISER, kept, optimiser_bytes, restore_optimiser
from gaelp_sim.learn.logged import Logged
from gaelp_sim.learn.nearest import HOW, nearest_actions
from gaelp_sim.learn.network import JourneyNet, Shape, permitted
from gaelp_sim.market.actions import Actions
from gaelp_sim.scenario.schema import Scenario

PASSES = "epochs.jsonl"
SEEN = ("observation", "days", "allowed", "action")
USERS_MIN = 10
OnPass = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Copying:
    """How to copy, and for how long."""

    epochs: int = 1_000
    budget_s: float = float("inf")
    """No pass is begun after so long"""
    seed: int = 1
    held_out: float = 0.1
    """Share of users whose decisions only say how well the others are copied"""
    learning_rate: float = 2e-3
    batch_steps: int = 4_096
    slower: int = 2
    """Passes without a better one after which the rate is halved; after twice as many, copying ends"""
    grad_norm: float = 1.0
    hidden: int = 96


def journeys_of(logged: Logged, actions: Actions) -> Journeys:
    """A log's journeys for the network, cut at 128 decisions, with the nearest of the network's actions."""
    action, allowed = nearest_actions(logged, actions)
    return Journeys.of({
        "user": logged.user, "observation": logged.observation, "days": logged.days, "allowed": allowed, "action": action,
    })


def clone(logged: Logged, scenario: Scenario, folder: Path, asked: Copying, on_pass: OnPass) -> dict[str, Any]:
    """Copy until held-out users are copied no better; `folder`/best and `folder`/last are kept, the best figures told.

    `log_likelihood` is the mean logarithm of the probability that held-out users' actions have, `agreement` how often the
    likeliest action is what was done. The loss is the mean over decisions of minus that logarithm, weighted by journey.
    Interrupted, it goes on after the last pass kept, to the same weights. Raises UsageError for a log of fewer than ten
    users and for a folder that holds something else.
    """
    actions = Actions.of(scenario)
    learned, held = split(journeys_of(logged, actions), asked)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, asked.hidden, asked.hidden), Draws(asked.seed))
    about = {"algo": "clone", "run_id": logged.run_id, "actions": HOW, "asked": numbers(_told(asked)),
             "decisions": int(learned.begins[-1]), "held_out_decisions": int(held.begins[-1])}
    copier = _Copier(net, asked, torch.optim.Adam(net.parameters(), lr=asked.learning_rate))
    copier.take_up(folder, about)
    began = time.perf_counter()
    while copier.goes_on and time.perf_counter() - began < asked.budget_s:
        loss = copier.learn(learned)
        told = {"epoch": copier.passes, "loss": loss, **agreement(net, held, asked.batch_steps)}
        better = copier.judge(told)
        manifest = Manifest.of(net, scenario, copier.passes, numbers(told), **about, **copier.standing)
        if better:
            save_checkpoint(folder / BEST, net, manifest)
        save_checkpoint(folder / LAST, net, manifest, {OPTIMISER: optimiser_bytes(copier.optimiser)})
        note(folder, told | {"seconds": time.perf_counter() - began}, on_pass)
    return copier.best


def _told(asked: Copying) -> dict[str, Any]:
    """What a copy depends on: not how long it may take."""
    return {name: value for name, value in vars(asked).items() if name not in ("epochs", "budget_s")}


@dataclass
class _Copier:
    net: JourneyNet
    asked: Copying
    optimiser: torch.optim.Adam
    passes: int = 0
    unchanged: int = 0
    """Passes since the best one"""
    best: dict[str, Any] = field(default_factory=lambda: {"log_likelihood": float("-inf")})

    @property
    def goes_on(self) -> bool:
        """Whether another pass is asked for and may help."""
        return self.passes < self.asked.epochs and self.unchanged < 2 * self.asked.slower

    @property
    def standing(self) -> dict[str, Any]:
        """What the next pass depends on besides weights and optimiser."""
        return {"best": self.best, "unchanged": self.unchanged, "rate": self.optimiser.param_groups[0]["lr"]}

    def take_up(self, folder: Path, about: dict[str, Any]) -> None:
        """Go on from what the folder holds; raises UsageError where that is something else."""
        found = kept(folder)
        if found is None:
            return
        net, manifest = load_checkpoint(found)
        told = manifest.trained_on
        if any(told.get(name) != value for name, value in about.items()):
            raise UsageError(f"{folder}: it holds a checkpoint of something else; name another folder for --out")
        self.net.load_state_dict(net.state_dict())
        restore_optimiser(self.optimiser, found / OPTIMISER)
        for group in self.optimiser.param_groups:
            group["lr"] = float(told["rate"])
        self.passes, self.unchanged, self.best = manifest.epoch, int(told["unchanged"]), dict(told["best"])

    def judge(self, told: dict[str, Any]) -> bool:
        """Count a pass; whether it is the best so far. The rate falls where passes bring nothing."""
        self.passes, self.unchanged = self.passes + 1, self.unchanged + 1
        if told["log_likelihood"] > self.best["log_likelihood"]:
            self.best, self.unchanged = told, 0
            return True
        if self.unchanged % self.asked.slower == 0:
            self.slow_down()
        return False

    def learn(self, journeys: Journeys) -> float:
        """One pass over journeys in an order keyed by seed and pass; the mean loss."""
        turn = self.passes
        self.net.train()
        sums = np.zeros(2)
        for which, told, here in journeys.batches(self.asked.batch_steps, SEEN, self.asked.seed * 100_000 + turn):
            weight = torch.from_numpy(journeys.weight[which]).float()[:, None] * here
            log_chance = _log_chances(self.net, told).gather(-1, told["action"][..., None]).squeeze(-1)
            total = -(log_chance * weight).sum()
            self.optimiser.zero_grad()
            (total / weight.sum()).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.net.parameters(), self.asked.grad_norm)
            self.optimiser.step()
            sums += np.array([float(total.detach()), float(weight.sum())])
        self.net.eval()
        return float(sums[0] / sums[1])

    def slow_down(self) -> None:
        """Halve the learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] /= 2


def _log_chances(net: JourneyNet, told: dict[str, Tensor]) -> Tensor:
    """(journeys, longest, actions)"""
    logits, _, _ = net.along(told["observation"], net.nothing(len(told["days"])), told["days"])
    return torch.log_softmax(permitted(logits, told["allowed"]), dim=-1)


def agreement(net: JourneyNet, journeys: Journeys, batch_steps: int) -> dict[str, float]:
    """Mean log-likelihood of what was done, and how often the likeliest action is it; per decision."""
    sums = np.zeros(3)
    with torch.inference_mode():
        for _, told, here in journeys.batches(batch_steps, SEEN, 0):
            log_chance = _log_chances(net, told)
            done = log_chance.gather(-1, told["action"][..., None]).squeeze(-1)
            same = log_chance.argmax(-1) == told["action"]
            sums += np.array([float(done[here].sum()), float(same[here].sum()), float(here.sum())])
    return {"log_likelihood": float(sums[0] / sums[2]), "agreement": float(sums[1] / sums[2])}


def split(journeys: Journeys, asked: Copying) -> tuple[Journeys, Journeys]:
    """Journeys to learn from and held-out ones; whole users, at least one on each side."""
    user = journeys.columns["user"][journeys.begins[:-1]]
    users = int(user.max()) + 1
    if users < USERS_MIN:
        raise UsageError(f"run logged decisions about {users} users; at least {USERS_MIN} are needed to copy and to check")
    luck = uniform(Draws(asked.seed).words(Purpose.LESSON, 5, np.arange(users), 0)[0])
    held = luck < max(asked.held_out, float(luck.min()) + 1e-12)
    return journeys.only(np.flatnonzero(~held[user])), journeys.only(np.flatnonzero(held[user]))


def fresh(folder: Path) -> None:
    """Raise UsageError where a folder holds a checkpoint already: learning from logs begins anew."""
    if kept(folder) is not None:
        raise UsageError(f"{folder}: it holds a checkpoint already; name another folder for --out")


def note(folder: Path, told: dict[str, Any], on_pass: OnPass) -> None:
    """Write a pass's figures down, and tell them."""
    with (folder / PASSES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
    on_pass(told)


def numbers(told: dict[str, Any]) -> dict[str, float]:
    """The finite numbers among figures."""
    return {key: float(value) for key, value in told.items() if isinstance(value, int | float) and np.isfinite(value)}
