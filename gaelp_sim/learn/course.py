"""What training is to do: how much of what, by which lessons, in which order."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from gaelp_sim.learn.update import Lesson

BELIEVED, TAUGHT, PPO = "believed", "taught", "ppo"
DIFFICULTIES = ("easy", "moderate", "hard", "full")
"""A curriculum's: how hard rivals make it."""
PASSING_WIN_RATE, PASSING_SHARE = 0.7, 0.9


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
    believed_share: float = 0.5
    """Share of the epochs in which gains are averaged over what an observer may believe of people"""
    taught_share: float = 0.9
    """Share of the epochs by whose end the true gains have been followed, too; then PPO goes on with what truly comes"""
    heat_usd: tuple[float, float] = (0.02, 0.0005)
    """What a unit of entropy is worth, from the first taught epoch to the last"""
    reward: str = "profit"
    """What PPO is paid by: a rule of `attribution.reward`"""
    crisis_factor: float = 1.0
    """How much more often crisis parents are learned from, at a weight of one over it"""
    crisis_value: float = 1.0
    """How much more a crisis parent's decision counts, on purpose"""
    curriculum: bool = False
    """Begin with easy rivals"""
    randomise: float = 1.0
    """Domain randomisation: each epoch's click rates, prices, sales and decay are off by factors drawn up to this"""
    rehearsals: int = 0
    """Batches of past journeys an epoch that the auxiliary head rehearses"""
    retraces: int = 0
    """Batches of past journeys that each epoch of PPO also learns from, by V-trace"""
    memory: int = 20_000
    """Journeys that are remembered for both"""
    validate_every: int = 10
    validation_worlds: int = 24
    patience: int = 10
    """Validations without a better one after which training ends"""
    discount_per_day: float = 1.0
    trace: float = 0.95
    seed: int = 1
    lesson: Lesson = field(default_factory=Lesson)

    def lesson_of(self, epoch: int) -> str:
        """What is learned by in an epoch."""
        if epoch < round(self.believed_share * self.epochs):
            return BELIEVED
        return TAUGHT if epoch < round(self.taught_share * self.epochs) else PPO

    def heat_of(self, progress: float) -> float:
        """What a unit of entropy is worth when such a share of the epochs is over."""
        first, last = self.heat_usd
        taught = max(self.taught_share, self.believed_share, 1e-9)
        return float(first * (last / first) ** min(progress / taught, 1.0))

    def record(self) -> dict[str, Any]:
        """Everything but the time it may take, as JSON has it: training goes on only under the same."""
        return dict(json.loads(json.dumps(asdict(self) | {"budget_s": None})))


def passed(figures: dict[str, float]) -> bool:
    """Whether a level of the curriculum is passed: most auctions are won, or the gain is near the observer's."""
    near = figures["taken_gain_usd"] >= PASSING_SHARE * figures["believed_gain_usd"] > 0
    return figures["win_rate"] > PASSING_WIN_RATE or near
