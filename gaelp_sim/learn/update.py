"""How the network is changed: towards actions that gain most on average (with a teacher), and by PPO on what truly came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gaelp_sim.events import Floats
from gaelp_sim.learn.journeys import Journeys
from gaelp_sim.learn.network import JourneyNet, permitted
from gaelp_sim.learn.returns import Steps
from gaelp_sim.learn.vtrace import Clips, vtrace

SCALE_USD = 0.1
"""Gains are learned in units of so many dollars."""
SEEN = ("observation", "days", "allowed")
Trace = tuple[float, Clips]
"""How far what came is traced back: (discount per day, clips)"""
_LEAST_RATIO = 1e-8


@dataclass(frozen=True)
class Lesson:
    """How strongly what is learned."""

    learning_rate: float = 2e-3
    batch_steps: int = 4_096
    passes: int = 2
    entropy: float = 0.003
    lift_weight: float = 0.02
    """Of the auxiliary head, which learns what winning is worth"""
    clip: float = 0.2
    value_weight: float = 0.5
    grad_norm: float = 1.0


@dataclass
class Learner:
    """A network with its optimiser."""

    net: JourneyNet
    lesson: Lesson
    optimiser: torch.optim.Adam
    floor: float = 0.0
    """Share of decisions that were taken at random"""

    @staticmethod
    def of(net: JourneyNet, lesson: Lesson, floor: float = 0.0) -> Learner:
        """Begin to change a network."""
        return Learner(net, lesson, torch.optim.Adam(net.parameters(), lr=lesson.learning_rate), floor)

    def follow(self, journeys: Journeys, told_by: str, heat_usd: float, turn: int) -> dict[str, float]:
        """Follow a teacher: raise the expected gain of the policy over all actions at once.

        told_by: what stands before the columns `gain` and `lift`, "" for the truth or "believed_". heat_usd: what a unit
        of entropy is worth; the policy tends to softmax(mean gain / heat). The gradient of sum over a of pi(a) gain(a) is
        exact; no action has to be tried to be learned about. Returns means of the gain per decision, the entropy and the
        lift head's error, over the last pass.
        """
        sums, scale, (gain, worth) = np.zeros(4), SCALE_USD, (f"{told_by}gain", f"{told_by}lift")
        for this in range(self.lesson.passes):
            sums[:] = 0.0
            for which, told, here in journeys.batches(self.lesson.batch_steps, (*SEEN, gain, worth), turn * 100 + this):
                weight = torch.from_numpy(journeys.weight[which]).float()[:, None] * here
                logits, _, lift = self.net.along(told["observation"], self.net.nothing(len(which)), told["days"])
                log_chance = torch.log_softmax(permitted(logits, told["allowed"]), dim=-1)
                chance = log_chance.exp()
                gained = (chance * told[gain]).sum(-1)
                entropy = -(chance * log_chance.clamp(min=-30.0)).sum(-1)
                missed = nn.functional.smooth_l1_loss(lift, told[worth] / scale, reduction="none").sum(-1)
                each = -gained / scale - heat_usd / scale * entropy + self.lesson.lift_weight * missed
                self._descend((each * weight).sum() / weight.sum())
                told_sums = [float((one * weight).sum().detach()) for one in (gained, entropy, missed)]
                sums += np.array([*told_sums, float(weight.sum())])
        gain_mean, entropy_mean, miss = (sums[:3] / sums[3]).tolist()
        return {"gain_usd": gain_mean, "entropy": entropy_mean, "lift_error": miss}

    def improve(self, journeys: Journeys, turn: int) -> dict[str, float]:
        """Proximal policy optimisation on advantages and returns of what truly came (columns `advantage`, `target`).

        Source: Schulman et al. (2017). The first batch's largest |log ratio| is 0 up to rounding: it is returned.
        """
        names = (*SEEN, "action", "log_propensity", "advantage", "target")
        sums, first_ratio = np.zeros(4), -1.0
        for this in range(self.lesson.passes):
            for which, told, here in journeys.batches(self.lesson.batch_steps, names, turn * 100 + this):
                weight = torch.from_numpy(journeys.weight[which]).float()[:, None] * here
                logits, value, _ = self.net.along(told["observation"], self.net.nothing(len(which)), told["days"])
                log_chance = torch.log_softmax(permitted(logits, told["allowed"]), dim=-1)
                taken = self._mixed(log_chance, told["allowed"], told["action"])
                ratio_log = (taken - told["log_propensity"]) * here
                if first_ratio < 0:
                    first_ratio = float(ratio_log.detach().abs().max())
                surrogate = _clipped(ratio_log.exp(), told["advantage"], self.lesson.clip)
                entropy = -(log_chance.exp() * log_chance.clamp(min=-30.0)).sum(-1)
                off = (value - told["target"]) ** 2
                each = -surrogate - self.lesson.entropy * entropy + self.lesson.value_weight * off
                self._descend((each * weight).sum() / weight.sum())
                told_sums = [float((one * weight).sum().detach()) for one in (surrogate, entropy, off)]
                sums += np.array([*told_sums, float(weight.sum())])
        surrogate_mean, entropy_mean, off_mean = (sums[:3] / max(sums[3], 1.0)).tolist()
        return {
            "surrogate": surrogate_mean, "entropy": entropy_mean, "value_error": off_mean, "first_log_ratio": first_ratio,
        }

    def rehearse(self, journeys: Journeys, told_by: str, critic: tuple[Trace, float] | None = None) -> Floats:
        """Teach the auxiliary head from past journeys, and the critic if asked; errors of the head before, (journeys,).

        critic: (rule, unit) as in `retrace`, for V-trace targets under the policy as it is now. What encoder and memory
        make of the journeys is taken as given: their weights and the actor's stay as they are bit for bit, so that the
        policy cannot move, and what its own updates assume of fresh decisions stays true.
        """
        worth = f"{told_by}lift"
        names = ("observation", "days", worth) if critic is None else (*SEEN, "action", "log_propensity", worth)
        _, told, here = journeys.padded(np.arange(len(journeys)), names)
        with torch.no_grad():
            encoded = self.net.encoder(told["observation"], told["days"])
            remembered, _ = self.net.memory(encoded, self.net.nothing(len(journeys)))
        logits, value, lift = self.net.heads(encoded, remembered)
        missed = nn.functional.smooth_l1_loss(lift, told[worth] / SCALE_USD, reduction="none").sum(-1) * here
        by_journey = missed.sum(-1) / here.sum(-1)
        weight = torch.from_numpy(journeys.weight).float()
        loss = self.lesson.lift_weight * (by_journey * weight).sum() / weight.sum()
        if critic is not None:
            ratio = self._ratio(logits.detach(), told)
            target, _ = _traced(journeys, here, (value, ratio), critic)
            of_step = weight[:, None] * here
            loss = loss + self.lesson.value_weight * ((value - target) ** 2 * of_step).sum() / of_step.sum()
        self._descend(loss)
        return np.asarray(by_journey.detach().numpy(), dtype=np.float64)

    def retrace(self, journeys: Journeys, rule: Trace, unit_usd: float) -> dict[str, float]:
        """An off-policy update of actor and critic from past journeys, by V-trace, within PPO's clip as its trust region.

        rule: (discount per day, clips); unit_usd: the critic's. Columns `reward` and `ended` tell what came. The ratio that
        weighs a step's advantage is the surrogate's own: its gradient within the clip is ratio x advantage x that of the
        log probability, as V-trace has it.
        """
        names = (*SEEN, "action", "log_propensity")
        _, told, here = journeys.padded(np.arange(len(journeys)), names)
        logits, value, _ = self.net.along(told["observation"], self.net.nothing(len(journeys)), told["days"])
        ratio = self._ratio(logits, told)
        target, advantage = _traced(journeys, here, (value, ratio), (rule, unit_usd))
        # V-trace's advantages are weighted by rho; the surrogate weighs them itself.
        gained = advantage / ratio.detach().clamp(_LEAST_RATIO, rule[1].rho)
        gained = gained / gained[here].std(correction=0).clamp(min=1e-9)
        each = -_clipped(ratio, gained, self.lesson.clip) + self.lesson.value_weight * (value - target) ** 2
        weight = torch.from_numpy(journeys.weight).float()[:, None] * here
        self._descend((each * weight).sum() / weight.sum())
        off = float((((value - target) ** 2) * weight).sum().detach() / weight.sum())
        return {"retraced_value_error": off, "retraced_ratio": float(ratio.detach()[here].mean())}

    def _ratio(self, logits: Tensor, told: dict[str, Tensor]) -> Tensor:
        """Chance of each action now over that when it was taken, (journeys, steps)."""
        log_chance = torch.log_softmax(permitted(logits, told["allowed"]), dim=-1)
        return (self._mixed(log_chance, told["allowed"], told["action"]) - told["log_propensity"]).exp()

    def _mixed(self, log_chance: Tensor, allowed: Tensor, action: Tensor) -> Tensor:
        """Logarithm of the probability with which an action was taken: the policy's, mixed with the floor of the
        uniform."""
        chance = log_chance.gather(-1, action[..., None]).squeeze(-1).exp()
        return torch.log((1.0 - self.floor) * chance + self.floor / allowed.sum(-1).clamp(min=1))

    def _descend(self, loss: Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), self.lesson.grad_norm)
        self.optimiser.step()


def _clipped(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def _traced(
    journeys: Journeys, here: Tensor, now: tuple[Tensor, Tensor], critic: tuple[Trace, float]
) -> tuple[Tensor, Tensor]:
    """V-trace targets and advantages in the critic's unit, (journeys, steps); now: (values, ratios), 0 behind the end."""
    (value, ratio), (rule, unit_usd), columns = now, critic, journeys.columns
    steps = Steps(
        columns["reward"].astype(np.float64) / unit_usd, value.detach()[here].double().numpy(),
        columns["days"].astype(np.float64), journeys.begins, columns["ended"][journeys.begins[1:] - 1],
    )
    target, advantage = vtrace(steps, ratio.detach()[here].double().numpy(), *rule)
    blank = torch.zeros(here.shape)
    return (blank.masked_scatter(here, torch.from_numpy(target).float()),
            blank.masked_scatter(here, torch.from_numpy(advantage).float()))
