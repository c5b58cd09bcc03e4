"""Values of actions by what is seen now, as offline learners of the field make them; a policy without a memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gaelp_sim.learn.network import LOGGED_FROM, Shape
from gaelp_sim.observe.table import COLUMN, HIGH, LOW, NAMES

SIGNALS = int(HIGH[COLUMN["signal"]]) + 1
WIDTH = len(NAMES) + SIGNALS
"""Columns that the layers see."""


def seen(observation: Tensor) -> Tensor:
    """(…, 41) observations to (…, 41 + 129): columns brought to about [0, 1], and one column a signal."""
    low, span = torch.tensor(LOW), torch.tensor(HIGH - LOW)
    plain = observation - low
    plain = torch.where(span > LOGGED_FROM, torch.log1p(plain.clamp(min=0)) / torch.log1p(span), plain / span)
    signal = observation[..., COLUMN["signal"]].long().clamp(0, SIGNALS - 1)
    return torch.cat([plain, nn.functional.one_hot(signal, SIGNALS).to(plain.dtype)], dim=-1)


class QNet(nn.Module):
    """A value for every action; it stands where a journey network stands, and remembers nothing."""

    def __init__(self, shape: Shape) -> None:
        """shape: `encoder` is the width of its two layers; `hidden`, the width of a memory, is 0 here."""
        super().__init__()
        self.shape = shape
        self.body = nn.Sequential(
            nn.Linear(WIDTH, shape.encoder), nn.ReLU(), nn.Linear(shape.encoder, shape.encoder), nn.ReLU(),
            nn.Linear(shape.encoder, shape.actions),
        )

    def forward(self, observation: Tensor) -> Tensor:
        """(…, 41) to values of actions (…, actions)."""
        found: Tensor = self.body(seen(observation))
        return found

    def step(
        self, observation: Tensor, state: tuple[Tensor, Tensor], days: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Values of actions (n, actions), the best of them (n,), and the memory as it was."""
        values = self(observation)
        return values, values.max(dim=-1).values, state
