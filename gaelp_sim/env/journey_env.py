"""A user's journey in Gymnasium's form: a step is an opportunity of the user, the action a bid with a creative.

The world around the user is the one of any run: other people, rivals, budgets, caps and e-mails; everybody else is bid
for by a policy of the house. The user is the resolved one, as an advertiser knows it: devices that cannot be told to be
theirs belong to others.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from gaelp_sim.env.hourly import WORLDS_MAX, Observation, Setting
from gaelp_sim.env.journey import Earned, End, Journey, Who
from gaelp_sim.env.journey_seat import Met
from gaelp_sim.errors import UsageError
from gaelp_sim.events import FEATURE_COUNT, NONE
from gaelp_sim.market.actions import Actions
from gaelp_sim.observe.table import HIGH, LOW
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import MICROS_PER_UNIT
from gaelp_sim.world.policies import DEFAULT_POLICY, named_from_outside

TRIES = 10
"""So many worlds are tried for one in which anybody meets an opportunity."""


class JourneyEnv(gymnasium.Env[Observation, np.int64]):
    """One user of a scenario's world. Observation: float32 (41,), the features of `gaelp_sim.observe.table`.

    Action: 0 stays out, then every creative at every bid level (`gaelp_sim.market.actions`), multiples of the market's
    price; info["action_mask"] tells which ones the channel's campaign allows, the others stay out. Reward: dollars, the
    value of our sale to the user less what was spent on them since the last step, our e-mails too. Terminated: the user
    has decided to buy, from whomever; truncated: the days are over.

    >>> env = JourneyEnv("short", people=50, days=5)
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape, info["action_mask"].shape == (env.action_space.n,)
    ((41,), True)
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self, scenario: str | Scenario = "short", people: int | None = None, days: int | None = None,
        policy: str = DEFAULT_POLICY, features: str = "observed",
    ) -> None:
        """A scenario as `BiddingEnv` takes it; policy: bids for everybody else, by its name in `gaelp run`.

        features: "observed", or "full" for the truth in those that are latent
        Raises UsageError for other features, and for a policy from outside, as it may not be told what ours is.
        """
        if features not in ("observed", "full"):
            raise UsageError(f"features={features!r}: not a mode; give 'observed' or 'full'")
        if named_from_outside(policy):
            raise UsageError(f"policy={policy!r}: a bidder from outside; name one of the house, such as {DEFAULT_POLICY!r}")
        self.setting, self.policy, self.full = Setting.of(scenario, people, days), policy, features == "full"
        self.actions = Actions.of(self.setting.scenario)
        self.observation_space = Box(LOW, HIGH, (FEATURE_COUNT,), np.float32)
        self.action_space = Discrete(self.actions.count)
        self._journey: Journey | None = None
        self._closing: weakref.finalize[Any, Any] | None = None
        self._who, self._met, self._paid = Who(NONE, NONE, policy, self.full), _NOBODY, Earned(0, 0)
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """The first opportunity of a user in a world newly born; seed k is world k of a run of the scenario.

        options={"person": k} picks the user; else one is drawn, evenly among the people who meet an opportunity.
        Raises UsageError for a person who is not there or meets no opportunity.
        """
        super().reset(seed=seed)
        unknown = sorted(set(options or {}) - {"person"})
        if unknown:
            raise UsageError(f"reset: no option {unknown[0]!r}; there is 'person'")
        asked = (options or {}).get("person")
        for _ in range(1 if asked is not None else TRIES):
            self._who = self._drawn(seed, asked)
            if self._found() or (asked is None and self._met_instead()):
                return self._met.features.copy(), self._told()
            seed = None
        who = f"nobody of {TRIES} worlds" if asked is None else f"person {asked} of world {self._who.seed} never"
        raise UsageError(f"reset: {who} met an opportunity in {self.setting.hours} hours; next: more days or people")

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Answer the opportunity; the last step's observation is that of the last opportunity, with nothing allowed.

        Raises UsageError for an action that there is not, and after the end.
        """
        if self._over or self._journey is None:
            raise UsageError("step: no journey goes on; reset the environment first")
        if not 0 <= int(action) < self.actions.count:
            raise UsageError(f"step: action {action!r}; there are 0 to {self.actions.count - 1}")
        told = self._journey.act(int(action))
        earned = self._journey.earned()
        gain_micros = earned.value_micros - self._paid.value_micros - (earned.spent_micros - self._paid.spent_micros)
        self._paid, ended, cut = earned, False, False
        if isinstance(told, End):
            self._over, ended, cut = True, told.bought, not told.bought
        else:
            self._met = told
        return self._met.features.copy(), gain_micros / MICROS_PER_UNIT, ended, cut, self._told()

    def action_masks(self) -> NDArray[np.bool_]:
        """(actions,): what the opportunity's channel allows, for agents that take a mask."""
        allowed = self.actions.allowed[self._met.channel].copy()
        allowed[1:] &= not self._over
        return allowed

    def close(self) -> None:
        """Let the world go."""
        if self._closing is not None:
            self._closing()
        self._journey, self._closing, self._over = None, None, True

    def _drawn(self, seed: int | None, person: int | None) -> Who:
        people = self.setting.scenario.population.people
        if person is not None and not 0 <= person < people:
            raise UsageError(f"reset: person {person}; there are 0 to {people - 1}")
        born = int(self.np_random.integers(WORLDS_MAX)) if seed is None else seed
        return Who(born, int(self.np_random.integers(people)) if person is None else person, self.policy, self.full)

    def _met_instead(self) -> bool:
        """Begin again with one of those who were met in the world that has been lived through without its user.

        Up to a person's first opportunity the world is the same whoever the user is, so that they are met again.
        """
        assert self._journey is not None
        met = sorted(self._journey.seat.others_met)
        if not met:
            return False
        self._who = replace(self._who, person=met[int(self.np_random.integers(len(met)))])
        return self._found()

    def _found(self) -> bool:
        """Begin the journey; whether its user meets anything."""
        self.close()
        self._journey = Journey(self.setting, self._who)
        self._closing = weakref.finalize(self, self._journey.close)
        first = self._journey.begin()
        if isinstance(first, End):
            return False
        self._met, self._paid, self._over = first, self._journey.earned(), False
        return True

    def _told(self) -> dict[str, Any]:
        paid = self._paid
        return {
            "action_mask": self.action_masks().astype(np.int8), "seed": self._who.seed, "person_id": self._who.person,
            "resolved_user_id": self._met.user, "hour": self._met.hour,
            "spend_usd": paid.spent_micros / MICROS_PER_UNIT, "value_usd": paid.value_micros / MICROS_PER_UNIT,
        }


_NOBODY = Met(np.zeros(FEATURE_COUNT, dtype=np.float32), 0, 0, NONE)
