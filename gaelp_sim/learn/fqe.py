"""Fitted Q evaluation by a small network: what an action, and following a policy afterwards, is worth."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.learn.network import draw_weights

WIDTH, ROUNDS, BATCH = 64, 5, 2_048
_RIDGE, _AT_ONCE = 1e-5, 32_768


class Decisions(Protocol):
    """What is needed of a log, as `evaluate.steps.Steps` has it."""

    @property
    def action(self) -> Ints:
        """(n,)."""
        ...

    @property
    def target(self) -> Floats:
        """(n, actions): the policy's chances."""
        ...

    @property
    def reward(self) -> Floats:
        """(n,): dollars."""
        ...

    @property
    def features(self) -> NDArray[np.float32]:
        """(n, features)."""
        ...

    @property
    def last(self) -> Bools:
        """(n,): the user's last decision."""
        ...


def worths_by_network(steps: Decisions, seed: int) -> Floats:
    """(n, actions): dollars. Hidden units are learned round by round, the weights of the last layer are then solved for.

    A network's own last layer is never quite right on average, and errors of rare large rewards add up along a journey; the
    fixed point on the learned units has no such error. Same seed, same network.
    Source: Le, Voloshin & Yue (2019); Lagoudakis & Parr (2003) for the last layer.
    """
    inputs, chances = _inputs(steps.features), torch.tensor(steps.target, dtype=torch.float32)
    action, last = torch.tensor(steps.action), torch.tensor(steps.last)
    scale = max(float(steps.reward.std()), 1e-9)
    reward = torch.tensor(steps.reward / scale, dtype=torch.float32)
    net = _Units(inputs.shape[1], chances.shape[1])
    draw_weights(net, Draws(seed), WIDTH)
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    wanted = reward
    for turn in range(ROUNDS):
        for part in _batches(len(reward), seed, turn):
            loss = nn.functional.mse_loss(net.head(net(inputs[part], action[part]))[:, 0], wanted[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            solved, mean = _solved(net, (inputs, action, chances), reward, last)
            wanted = reward + _following((mean @ solved)[:, None], last)[:, 0]
    with torch.no_grad():
        return np.asarray(_said(net, inputs, solved).numpy(), dtype=np.float64) * scale


class _Units(nn.Module):
    """Hidden units of a decision and an action."""

    def __init__(self, inputs: int, actions: int) -> None:
        super().__init__()
        self.seen, self.taken = nn.Linear(inputs, WIDTH), nn.Embedding(actions, WIDTH)
        self.mixed, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, inputs: Tensor, action: Tensor) -> Tensor:
        """(n, WIDTH)."""
        units: Tensor = torch.tanh(self.mixed(torch.tanh(self.seen(inputs) + self.taken(action))))
        return units


def _solved(net: _Units, log: tuple[Tensor, Tensor, Tensor], reward: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Last weights, a constant first, at which what is said of a decision is its reward and what follows: (WIDTH + 1,); and
    the units' means over the policy's chances, (n, WIDTH + 1).
    """
    inputs, action, chances = log
    here = _with_one(torch.cat([net(x, a) for x, a in zip(_cut(inputs), _cut(action), strict=True)]))
    mean = _with_one(torch.cat([_mean_units(net, x, p) for x, p in zip(_cut(inputs), _cut(chances), strict=True)]))
    left = here.double()
    system = left.T @ (left - _following(mean, last).double())
    system += torch.eye(len(system), dtype=torch.float64) * (_RIDGE * len(here))
    return torch.linalg.solve(system, left.T @ reward.double()).float(), mean


def _mean_units(net: _Units, inputs: Tensor, chances: Tensor) -> Tensor:
    found = torch.zeros(len(inputs), WIDTH)
    for action in range(chances.shape[1]):
        one = chances[:, action]
        rows = torch.nonzero(one > 0)[:, 0]
        if len(rows) == len(inputs):
            found += one[:, None] * net(inputs, torch.full((len(rows),), action))
        elif len(rows):
            found[rows] += one[rows, None] * net(inputs[rows], torch.full((len(rows),), action))
    return found


def _said(net: _Units, inputs: Tensor, weights: Tensor) -> Tensor:
    """(n, actions): what the units and last weights say of every action."""
    parts, actions = [], net.taken.num_embeddings
    for part in _cut(inputs):
        told = [_with_one(net(part, torch.full((len(part),), action))) @ weights for action in range(actions)]
        parts.append(torch.stack(told, dim=1))
    return torch.cat(parts)


def _cut(rows: Tensor) -> list[Tensor]:
    return list(torch.split(rows, _AT_ONCE))


def _with_one(units: Tensor) -> Tensor:
    return torch.cat([torch.ones(len(units), 1), units], dim=1)


def _following(rows: Tensor, last: Tensor) -> Tensor:
    """(n, k): rows of the user's next decision, zeros after the last."""
    after = torch.cat([rows[1:], torch.zeros_like(rows[:1])])
    return torch.where(last[:, None], torch.zeros_like(after), after)


def _inputs(features: NDArray[np.float32]) -> Tensor:
    spread = features.std(axis=0)
    kept = spread > 1e-6
    return torch.tensor(((features - features.mean(axis=0)) / np.where(kept, spread, 1.0))[:, kept])


def _batches(n: int, seed: int, turn: int) -> list[Tensor]:
    words = Draws(seed).words(Purpose.LESSON, 6, np.arange(n), turn)[0]
    return list(torch.split(torch.tensor(np.argsort(words, kind="stable")), BATCH))
