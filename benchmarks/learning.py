"""Learning: recurrent PPO beside a peer's, acting, the sum tree, and an epoch of the flagship.

Where it falls short: on one thread the network alone decides 219,000 to 259,000 times a second, not 300,000. Multiplying
matrices is most of it: of the 8 to 9 ms of a batch of 2,048 the memory takes 4.0 (3.5 of them one product, at 86
GFLOP/s), the actor 1.3, the encoder 1.0, and reading and writing memories the rest; all products at that rate alone would
come to some 400,000. Two threads reach 334,000 to 415,000. Whole decisions (floor, propensities, draws) come to four fifths
of that or more. All else is measured on one thread: on two cores, one of which another process held, four rounds of the
first table on two threads had not ended after nine minutes; one thread takes forty seconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bench import FLAGSHIP, Bench
from benchmarks.journeys import ACTIONS, FEATURES, HIDDEN, JOURNEY_STEPS, MINIBATCH, PASSES, STEPS, USERS
from benchmarks.tables import Line, Peer, Table
from benchmarks.timing import Took, Work, side_by_side, timed
from gaelp_sim.draws import Draws
from gaelp_sim.events import Opportunities
from gaelp_sim.learn.course import Plan
from gaelp_sim.learn.journeys import Journeys
from gaelp_sim.learn.network import JourneyNet, Shape
from gaelp_sim.learn.policy import BATCH, LearnedPolicy
from gaelp_sim.learn.priorities import SumTree
from gaelp_sim.learn.replay_memory import ReplayMemory
from gaelp_sim.learn.returns import Steps, advantages
from gaelp_sim.learn.train import Training
from gaelp_sim.learn.update import Learner, Lesson
from gaelp_sim.market.actions import Actions
from gaelp_sim.market.bidder import Known
from gaelp_sim.scenario.loading import load_scenario
from tests.checks.bidders import moment, opportunities

ENTRIES, DRAWN = 100_000, 256
WORLDS, PEOPLE = 100, 1_000


def learning(bench: Bench) -> list[Table]:
    """All of it."""
    torch.set_num_threads(1)
    return [_beside_the_peer(bench), _acting(bench), _replay(bench), _epoch(bench)]


def _beside_the_peer(bench: Bench) -> Table:
    title = "Recurrent PPO on journeys of 30 steps: 64 users x 128 steps, 4 passes of 4 minibatches, one LSTM of 128"
    ways = {"ours": _Ours().iterate} | (_peers() if find_spec("sb3_contrib") is not None else {})
    for way in ways.values():
        way()
    works: dict[str, Work] = {name: partial(timed, way) for name, way in ways.items()}
    took = side_by_side(bench.size.repeats, works)
    rates = {name: [one.per_wall_s for one in runs] for name, runs in took.items()}
    ours = rates.pop("ours")
    peers = tuple(Peer(name, figures) for name, figures in rates.items())
    lines = [Line("rollout and update, one thread", "steps/s", ours, peers)]
    for peer, target in zip(peers, (4.0, 1.7), strict=False):
        over = [mine / theirs for mine, theirs in zip(ours, peer.figures, strict=True)]
        lines.append(Line(f"ours over {peer.name}", "x", over, (), target))
    missing = ["sb3-contrib is not installed: pip install 'gaelp-sim[rl]' puts it beside"]
    return Table.of(title, lines, [] if peers else missing)


def _peers() -> dict[str, Callable[[], int]]:
    from benchmarks.peer_ppo import peer

    def learned(model: Any) -> int:
        model.learn(USERS * STEPS, reset_num_timesteps=False)
        return USERS * STEPS

    return {"RecurrentPPO, its default of two LSTMs": partial(learned, peer(shared=False)),
            "RecurrentPPO, one shared LSTM": partial(learned, peer(shared=True))}


class _Ours:
    """Our network and our update on the same kind of journeys."""

    def __init__(self) -> None:
        self.net = JourneyNet.born(Shape(ACTIONS, 1, HIDDEN, HIDDEN), Draws(1))
        self.learner = Learner.of(self.net, Lesson(batch_steps=MINIBATCH, passes=PASSES))
        rng = np.random.default_rng(1)
        self.ended = rng.random((STEPS, USERS)) < 1 / JOURNEY_STEPS
        self.seen = rng.random((STEPS, USERS, FEATURES), dtype=np.float32)
        self.turn = 0

    def iterate(self) -> int:
        """A rollout and an update; steps."""
        journeys = self._rolled_out()
        self.turn += 1
        self.learner.improve(journeys, self.turn)
        return int(journeys.begins[-1])

    def _rolled_out(self) -> Journeys:
        rng = np.random.default_rng(self.turn)
        user, state = np.arange(USERS), self.net.nothing(USERS)
        kept: dict[str, list[np.ndarray]] = {}
        for step in range(STEPS):
            with torch.inference_mode():
                logits, value, (h, c) = self.net.step(torch.from_numpy(self.seen[step]), state, torch.zeros(USERS))
            chances = torch.softmax(logits, -1).numpy()
            action = (chances.cumsum(1) < rng.random((USERS, 1))).sum(1).clip(max=ACTIONS - 1)
            done = self.ended[step]
            now = {
                "user": user.copy(), "observation": self.seen[step], "days": np.zeros(USERS, dtype=np.float32),
                "action": action, "log_propensity": np.log(chances[np.arange(USERS), action]), "ended": done,
                "allowed": np.ones((USERS, ACTIONS), dtype=bool), "reward": (action == 3).astype(float),
                "value": value.numpy().astype(float),
            }
            for name, column in now.items():
                kept.setdefault(name, []).append(column)
            user = np.where(done, user.max() + 1 + np.arange(USERS), user)
            alive = torch.from_numpy(~done).float()[None, :, None]
            state = (h * alive, c * alive)
        return _judged(Journeys.of({name: np.concatenate(parts) for name, parts in kept.items()}))


def _judged(journeys: Journeys) -> Journeys:
    """With advantages and returns."""
    columns, ended = journeys.columns, journeys.columns["ended"][journeys.begins[1:] - 1]
    steps = Steps(columns["reward"], columns["value"], columns["days"].astype(float), journeys.begins, ended)
    advantage, target = advantages(steps, (0.99, 0.95))
    spread = (advantage - advantage.mean()) / advantage.std()
    columns["advantage"], columns["target"] = spread.astype(np.float32), target.astype(np.float32)
    return journeys


def _acting(bench: Bench) -> Table:
    scenario = load_scenario(FLAGSHIP)
    actions, n = Actions.of(scenario), 8 * BATCH
    policy = LearnedPolicy.of(scenario, JourneyNet.born(Shape(actions.count, actions.creatives), Draws(1)))
    slots, now = opportunities(scenario, n), moment(scenario, n)
    slots = Opportunities(**{**vars(slots), "unit": np.zeros(n, dtype=np.int64)})
    notes, days = np.zeros((n, policy.notes), dtype=np.float32), np.zeros(n, dtype=np.float32)
    seen = np.random.default_rng(1).random((n, FEATURES), dtype=np.float32)
    known = Known(np.arange(n), np.zeros(n, dtype=bool), notes, None, seen)
    ways: dict[str, Callable[[], int]] = {
        "the network alone": lambda: len(policy._run((seen, notes[:, :-2], days), None)[0]),
        "decisions, memories read and written": lambda: len(policy.decide(slots, now, known).action),
    }
    lines = []
    for name, way in ways.items():
        works: dict[str, Work] = {str(threads): partial(_on_threads, threads, way) for threads in (1, 2)}
        side_by_side(1, works)
        took = side_by_side(bench.size.repeats, works)
        target = 300_000 if name == "the network alone" else None
        lines += [Line(f"{name}, threads: {threads}", "decisions/s", [one.per_wall_s for one in runs], (), target)
                  for threads, runs in took.items()]
    return Table.of(f"Acting in batches of {BATCH:,}, {actions.count} actions", lines)


def _on_threads(threads: int, way: Callable[[], int]) -> Took:
    torch.set_num_threads(threads)
    try:
        return timed(way)
    finally:
        torch.set_num_threads(1)


def _replay(bench: Bench) -> Table:
    tree, rng, rounds = SumTree.of(ENTRIES), np.random.default_rng(1), 100
    tree.put(np.arange(ENTRIES), rng.random(ENTRIES))
    luck, some = rng.random(DRAWN), rng.integers(0, ENTRIES, DRAWN)
    memory = _remembered(ENTRIES)

    def repeated(way: Callable[[], object]) -> int:
        for _ in range(rounds):
            way()
        return rounds

    ways: dict[str, tuple[Callable[[], object], float | None]] = {
        f"draw {DRAWN}": (lambda: tree.draw(luck), 100.0),
        f"draw {DRAWN}, with importance weights": (lambda: tree.weights(tree.draw(luck), 0.4), None),
        f"put {DRAWN}": (lambda: tree.put(some, luck), None),
        f"draw {DRAWN} whole journeys": (lambda: memory.draw(Draws(1), 1), None),
    }
    works: dict[str, Work] = {name: partial(timed, partial(repeated, way)) for name, (way, _) in ways.items()}
    side_by_side(1, works)
    took = side_by_side(bench.size.repeats, works)
    return Table.of(f"Replay: a sum tree over {ENTRIES:,} journeys", [
        Line(name, "us", [one.wall_s / rounds * 1e6 for one in took[name]], (), target, True)
        for name, (_, target) in ways.items()
    ])


def _remembered(journeys: int) -> ReplayMemory:
    """A memory of journeys of three steps."""
    user = np.repeat(np.arange(journeys), 3)
    seen = np.zeros((len(user), FEATURES), dtype=np.float32)
    memory = ReplayMemory.of(journeys, ("observation", "days", "action"))
    memory.add(Journeys.of({"user": user, "observation": seen, "days": seen[:, 0], "action": user % ACTIONS}))
    return memory


def _epoch(bench: Bench) -> Table:
    worlds = min(WORLDS, max(4, bench.size.people // PEOPLE))
    plan = Plan(epochs=4, worlds=worlds, people=PEOPLE, believed_share=0.5, taught_share=0.5)
    with tempfile.TemporaryDirectory() as folder:
        scenario = load_scenario(FLAGSHIP, [f"days={bench.size.days}"])
        training = Training.begin(scenario, replace(plan, worlds=2), Path(folder))
        training._epoch()
        training.plan, training.rooms = plan, {}
        times = {}
        for name, epoch in (("taught by believed gains", 1), ("PPO", 2)):
            training.epoch = epoch
            times[name] = timed(lambda: int(training._epoch()["decisions"]))
    title = f"An epoch of the flagship: {worlds} worlds of {PEOPLE:,} people, {bench.size.days} days, one thread"
    return Table.of(title, [Line(name, "s", [took.wall_s], (), 36.0, True) for name, took in times.items()])
