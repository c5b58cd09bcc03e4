"""The journey network: what was seen of a user, opportunity by opportunity, to what to do now and what it is worth.

One LSTM over a user's whole sequence of opportunities. Columns that are codes are embedded; the others are brought to a
common size. The days since the user's opportunity before are an input of their own, so that the memory's gates can let what
was remembered fade with time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.events import FEATURE_COUNT
from gaelp_sim.observe.table import COLUMN, HIGH, LOW

CODED = ("last_channel_1", "last_channel_2", "last_channel_3", "device", "channel", "signal", "weekday")
"""Columns that are codes."""
CODES_MAX = 128
EMBEDDING = 8
LOGGED_FROM = 20.0
"""Columns that reach further are read by their logarithm."""
FORBIDDEN = -1e9


@dataclass(frozen=True)
class Shape:
    """What a network is made of."""

    actions: int
    creatives: int
    hidden: int = 96
    encoder: int = 96

    def record(self) -> dict[str, int]:
        """As numbers by name, for a checkpoint's manifest."""
        return dict(vars(self))


class Encoder(nn.Module):
    """(…, 41) observations and (…,) days since the one before to (…, width): codes embedded, the rest scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        coded = [COLUMN[name] for name in CODED]
        plain = [column for column in range(FEATURE_COUNT) if column not in coded]
        self.embeddings = nn.ModuleList([nn.Embedding(CODES_MAX, EMBEDDING) for _ in coded])
        self.body = nn.Sequential(nn.Linear(EMBEDDING * len(coded) + len(plain) + 1, width), nn.ReLU())
        low, high = torch.tensor(LOW[plain]), torch.tensor(HIGH[plain])
        self.coded: Tensor
        self.plain: Tensor
        self.logged: Tensor
        self.low: Tensor
        self.span: Tensor
        self.register_buffer("coded", torch.tensor(coded), persistent=False)
        self.register_buffer("plain", torch.tensor(plain), persistent=False)
        self.register_buffer("logged", (high - low) > LOGGED_FROM, persistent=False)
        span = torch.where((high - low) > LOGGED_FROM, torch.log1p(high - low), high - low)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("span", span, persistent=False)

    def forward(self, observation: Tensor, days: Tensor) -> Tensor:
        """Encode."""
        codes = observation[..., self.coded].long().clamp(0, CODES_MAX - 1)
        embedded = [table(codes[..., place]) for place, table in enumerate(self.embeddings)]
        plain = observation[..., self.plain] - self.low
        plain = torch.where(self.logged, torch.log1p(plain.clamp(min=0)), plain) / self.span * 2
        return self.body(torch.cat([*embedded, plain, torch.log1p(days.clamp(min=0))[..., None]], dim=-1))


class JourneyNet(nn.Module):
    """Actor and critic over journeys."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape.encoder)
        self.memory = nn.LSTM(shape.encoder, shape.hidden, batch_first=True)
        self.actor = nn.Sequential(
            nn.Linear(shape.hidden + shape.encoder, shape.hidden), nn.ReLU(), nn.Linear(shape.hidden, shape.actions)
        )
        self.value = nn.Linear(shape.hidden, 1)
        self.lift = nn.Linear(shape.hidden + shape.encoder, shape.creatives)
        """What winning now is worth over losing, by creative: learned besides, from the planner"""

    @staticmethod
    def born(shape: Shape, draws: Draws) -> JourneyNet:
        """A network with keyed first weights: uniform within one over the root of the number of inputs."""
        net = JourneyNet(shape)
        draw_weights(net, draws, shape.hidden)
        return net

    def heads(self, encoded: Tensor, remembered: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (…, actions), value (…,), lifts (…, creatives)."""
        both = torch.cat([remembered, encoded], dim=-1)
        return self.actor(both), self.value(remembered).squeeze(-1), self.lift(both)

    def step(
        self, observation: Tensor, state: tuple[Tensor, Tensor], days: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """One opportunity each: logits (n, actions), value (n,), and the memory after it.

        observation: (n, 41); state: (1, n, hidden) twice; days: (n,) since the user's opportunity before
        """
        encoded = self.encoder(observation, days)
        remembered, state = self.memory(encoded[:, None], state)
        logits = self.actor(torch.cat([remembered[:, 0], encoded], dim=-1))
        return logits, self.value(remembered[:, 0]).squeeze(-1), state

    def along(
        self, observation: Tensor, state: tuple[Tensor, Tensor], days: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Whole journeys: logits (n, steps, actions), values (n, steps), lifts (n, steps, creatives).

        observation: (n, steps, 41), days: (n, steps); what lies behind a journey's end is of no account
        """
        encoded = self.encoder(observation, days)
        remembered, _ = self.memory(encoded, state)
        return self.heads(encoded, remembered)

    def nothing(self, n: int) -> tuple[Tensor, Tensor]:
        """The memory of users who were never met."""
        zero = torch.zeros(1, n, self.shape.hidden)
        return zero, zero.clone()


def permitted(logits: Tensor, allowed: Tensor) -> Tensor:
    """Logits with what is not allowed made impossible."""
    return torch.where(allowed, logits, torch.full_like(logits, FORBIDDEN))


def probabilities(logits: np.ndarray, allowed: np.ndarray, floor: float) -> np.ndarray:
    """(n, actions) float64: the softmax over what is allowed, mixed with `floor` of the uniform."""
    shifted = np.where(allowed, logits.astype(np.float64), -np.inf)
    shifted -= shifted.max(axis=1, keepdims=True)
    weights = np.exp(shifted, out=shifted)
    weights /= weights.sum(axis=1, keepdims=True)
    return mixed(weights, allowed, floor) if floor else weights


def mixed(chances: np.ndarray, allowed: np.ndarray, floor: float) -> np.ndarray:
    """(n, actions): chances mixed with `floor` of the uniform over what is allowed."""
    return (1.0 - floor) * chances + floor * allowed / allowed.sum(axis=1, keepdims=True)


def draw_weights(net: nn.Module, draws: Draws, inputs_of_vectors: int) -> None:
    """Draw a network's first weights, keyed: uniform within one over the root of the number of inputs."""
    with torch.no_grad():
        for number, weights in enumerate(net.parameters()):
            inputs = inputs_of_vectors if weights.dim() < 2 else weights.shape[1]
            luck = uniform(draws.words(Purpose.WEIGHTS, 0, np.arange(weights.numel()), number)[0])
            weights.copy_(torch.from_numpy((2.0 * luck - 1.0) / inputs**0.5).reshape(weights.shape))
