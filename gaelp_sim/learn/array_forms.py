"""A run's log in the arrays that off-policy tools read: d3rlpy's MDPDataset, OBP's feedback, SCOPE-RL's logged dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.learn.log_chances import Choices
from gaelp_sim.learn.logged import Logged, closed

KNOWN = "told as `pi_b`"
UNKNOWN = "not known: the log tells the chance of what was chosen alone, so `pi_b` is left out"
STATE_BYTES_MAX = 4 * 2**30
"""A padded table of states may be so large"""


@dataclass(frozen=True)
class Array:
    """One array of a form, and what it holds."""

    values: np.ndarray
    unit: str
    meaning: str


@dataclass(frozen=True)
class Form:
    """Arrays by name, and facts that are no arrays."""

    arrays: dict[str, Array]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A log as every form takes it."""

    logged: Logged
    features: int
    """The first so many columns of its observations were told"""
    reward: Floats
    """(n,)"""
    reward_unit: str
    position: Ints
    """(n,): place on the page from 0, where the log tells it before the choice; else 0"""
    choices: Choices

    @property
    def action(self) -> Ints:
        """(n,): numbers of what was done, among `actions` of them."""
        return self.choices.action

    @property
    def actions(self) -> int:
        """How many there are."""
        return len(self.choices.triples)

    @property
    def observation(self) -> np.ndarray:
        """(n, features) float32."""
        return self.logged.observation[:, : self.features]


_OBSERVED = "what was seen before deciding; columns in the order of `features`"
_ACTION = "number of the action, an index of `actions`"
_PSCORE = "chance of the action taken under the policy that decided"


def mdp_form(source: Source) -> Form:
    """d3rlpy's MDPDataset: an episode a user, ended by a purchase from us, else cut by the run's end.

    d3rlpy drops a timeout's last step, as it lacks what came next; so a cut episode gets a closing row that repeats the
    last observation, with action 0 and no reward, and every decision is a step.
    """
    logged = source.logged
    row, closing = closed(logged)

    def of(values: np.ndarray) -> np.ndarray:
        return values[row]

    return Form({
        "observations": Array(of(source.observation), "see `features`", _OBSERVED),
        "actions": Array(np.where(closing, 0, of(source.action))[:, None], "index", f"{_ACTION}; 0 in a closing row"),
        "rewards": Array(np.where(closing, 0.0, of(source.reward)).astype(np.float32)[:, None], source.reward_unit,
                         "reward of the row's action; 0 in a closing row"),
        "terminals": Array(of(logged.terminal).astype(np.float32), "1 or 0", "1 at a buyer's last decision"),
        "timeouts": Array(closing.astype(np.float32), "1 or 0", "1 in a closing row: the run's end cut the journey there"),
        "closing": Array(closing, "true or false", "rows that are no decisions: they only tell d3rlpy of a timeout"),
        "pscore": Array(np.where(closing, 1.0, of(logged.propensity)), "probability", f"{_PSCORE}; 1 in a closing row"),
        "user": Array(of(logged.user), "index", "whose journey it is: users as we resolve them, in the order of rows"),
        "second": Array(of(logged.second), "Unix seconds", "when it was decided"),
    }, {"action_size": source.actions, "episodes": len(logged.begins) - 1})


def obp_form(source: Source) -> Form:
    """OBP's bandit feedback: a round a decision; what it brings later than its own round is not told."""
    logged = source.logged
    arrays = {
        "context": Array(source.observation.astype(np.float64), "see `features`", _OBSERVED),
        "action": Array(source.action, "index", _ACTION),
        "reward": Array(source.reward, source.reward_unit, "reward of the round"),
        "pscore": Array(logged.propensity, "probability", _PSCORE),
        "position": Array(source.position, "index", "place on the page to be filled, from 0; 0 where an auction decides "
                          "on it afterwards"),
        "user": Array(logged.user, "index", "whom the round met: rounds of one user are not independent"),
        "second": Array(logged.second, "Unix seconds", "when it was decided"),
    }
    places = int(source.position.max()) + 1
    if source.choices.pi_b is not None:
        whole = np.repeat(source.choices.pi_b[:, :, None], places, axis=2)
        arrays["pi_b"] = Array(whole, "probability", "chances of all actions under the policy that decided")
    return Form(arrays, {
        "n_rounds": len(logged.user), "n_actions": source.actions, "len_list": places, "action_context": None,
        "expected_reward": None,
        "whole_distributions": KNOWN if source.choices.pi_b is not None else UNKNOWN,
    })


def scope_rl_form(source: Source) -> Form:
    """SCOPE-RL's logged dataset: a journey a user, padded to one length with the last action, `ended`, of chance 1.

    Each journey has at least one such step: `disable_reward_after_done=True`, SCOPE-RL's default, also drops the reward of
    the step that says done, so done is said one step after the last decision and no sale is lost. Raises UsageError where
    the padded states would be too large.
    """
    logged, ended = source.logged, source.actions
    lengths = np.diff(logged.begins)
    steps, users = int(lengths.max()) + 1, len(lengths)
    if users * steps * source.features * 4 > STATE_BYTES_MAX:
        raise UsageError(f"run {logged.run_id}: {users:,} journeys padded to {steps:,} steps are more than "
                         f"{STATE_BYTES_MAX // 2**30} GB of states; next: --to mdp, or a run of fewer days or people")
    place = np.arange(steps)[None, :]
    over = (place >= lengths[:, None]).ravel()
    row = (logged.begins[:-1, None] + np.minimum(place, lengths[:, None] - 1)).ravel()
    padded = _Padding(over, row)
    return Form({
        "state": Array(np.where(over[:, None], np.float32(0), source.observation[row]), "see `features`",
                       f"{_OBSERVED}; zeros after the journey's end"),
        "action": Array(padded.of(source.action, ended), "index", f"{_ACTION}; the last one, {ended}, after the end"),
        "reward": Array(padded.of(source.reward, 0.0), source.reward_unit, "reward of the action; 0 after the end"),
        "done": Array(over.astype(np.float64), "1 or 0", "1 after the journey's end, from the step that follows it"),
        "terminal": Array((np.arange(len(over)) % steps == steps - 1).astype(np.float64), "1 or 0",
                          "1 at the last step of a trajectory's fixed length"),
        "pscore": Array(padded.of(logged.propensity, 1.0), "probability", f"{_PSCORE}; 1 after the end"),
        "padded": Array(over, "true or false", "steps that are no decisions: a policy under evaluation takes their action "
                        "for certain"),
        "cut": Array(padded.of(logged.timeout, False), "true or false", "last decision of a journey cut by the run's end"),
    }, {
        "size": len(over), "n_trajectories": users, "step_per_trajectory": steps, "action_type": "discrete",
        "n_actions": ended + 1, "action_dim": None, "action_keys": None, "state_dim": source.features, "dataset_id": 0,
    })


@dataclass(frozen=True)
class _Padding:
    over: Bools
    row: Ints

    def of(self, values: np.ndarray, after: float) -> np.ndarray:
        """Decisions' values in their places, and `after` behind each journey's end."""
        return np.where(self.over, np.asarray(after, dtype=values.dtype), values[self.row])


FORMS: dict[str, Callable[[Source], Form]] = {"mdp": mdp_form, "obp": obp_form, "scope_rl": scope_rl_form}
"""By the name that `gaelp export --to` knows."""


def places_of(imported: bool, position: Ints) -> Ints:
    """(n,): a log's places on the page from 0; in a run of ours an auction decides on them, after the choice."""
    return np.maximum(position - 1, 0) if imported else np.full(len(position), 0)


