"""One user's way through a world, told opportunity by opportunity.

The engine passes hours whole and asks its bidders in the middle of them. It runs in a thread of its own that stands
still while the agent thinks, and the agent's side stands still while the engine runs: never both at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from gaelp_sim.env.hourly import Setting
from gaelp_sim.env.journey_seat import JourneySeat, Met
from gaelp_sim.market.actions import Actions
from gaelp_sim.world.log import Table
from gaelp_sim.world.policies import policy_named
from gaelp_sim.world.shard import Shard, Tables, Task
from gaelp_sim.world.stack import Place


@dataclass(frozen=True)
class Who:
    """Whose journey: a person of the world of an environment's seed, and how the rest of it is played."""

    seed: int
    person: int
    policy: str
    """Bids for everybody else"""
    full: bool
    """The truth in the latent features"""


@dataclass(frozen=True)
class End:
    """The journey is over: the user has bought, or else the days have passed."""

    bought: bool


@dataclass(frozen=True)
class Earned:
    """Our money with the user, since the world's birth."""

    value_micros: int
    spent_micros: int


class _Stopped(BaseException):
    """Nobody waits for the rest of the journey."""


class Journey:
    """A world with its user, from birth on; `close` it where it is left before its end."""

    def __init__(self, setting: Setting, who: Who) -> None:
        """Nothing has happened yet."""
        scenario = setting.scenario
        run_seed, worlds = setting.place_of(who.seed)
        others = policy_named(who.policy, scenario)
        self.seat = JourneySeat(others, Actions.of(scenario), who.person, who.full, self._ask)
        self.shard = Shard(Task(scenario, run_seed, who.policy, Place(worlds, range(1)), 0, None), us=self.seat)
        self.seat.stack = self.shard.stack
        self.hours, self.hour = setting.hours, 0
        self._whole = Earned(0, 0)
        """Of the hours that have passed"""
        self._told: SimpleQueue[Met | End | BaseException] = SimpleQueue()
        self._answers: SimpleQueue[int | None] = SimpleQueue()
        self._thread = Thread(target=self._play, name="gaelp-journey", daemon=True)

    def begin(self) -> Met | End:
        """Live until the user's first opportunity, or to the end where there is none."""
        self._thread.start()
        return self._next()

    def act(self, action: int) -> Met | End:
        """Answer the opportunity and live until the next one, or the end; a forbidden action stays out."""
        self._answers.put(action)
        return self._next()

    def earned(self) -> Earned:
        """Up to now, in the middle of an hour too; to be asked between `begin` and the end."""
        log = self.shard.stack.log
        return self._and(log.so_far("conversion"), log.so_far("touch"))

    def close(self) -> None:
        """Let the engine go; once is enough."""
        if self._thread.is_alive():
            self._answers.put(None)
            self._thread.join()

    def _next(self) -> Met | End:
        told = self._told.get()
        if isinstance(told, BaseException):
            raise told
        return told

    def _ask(self, met: Met) -> int:
        """In the engine's thread: tell of the opportunity and wait for the action."""
        self._told.put(met)
        action = self._answers.get()
        if action is None:
            raise _Stopped
        return action

    def _play(self) -> None:
        try:
            while self.hour < self.hours and not self.seat.bought():
                self._take_in(self.shard.advance(self.hour + 1))
                self.hour += 1
            self._told.put(End(self.seat.bought()))
        except _Stopped:
            return
        except BaseException as error:  # told on the agent's side, where somebody can catch it
            self._told.put(error)

    def _take_in(self, tables: Tables) -> None:
        self._whole = self._and(tables.get("conversion", {}), tables.get("touchpoint", {}))

    def _and(self, sales: Table, touches: Table) -> Earned:
        value_micros = self._whole.value_micros + self.seat.value_micros(sales)
        return Earned(value_micros, self._whole.spent_micros + self.seat.spent_micros(touches))
