"""Learning: recurrent PPO beside a peer's, acting, the sum tree, and an epoch of the flagship."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from benchmarks.bench import FLAGSHIP, Bench
from benchmarks.journeys import ACTIONS, FEATURES, HIDDEN, JOURNEY_STEPS, MINIBATCH, PASSES, STEPS, USERS
from benchmarks.tables import Line, Table
from benchmarks.timing import Took, Work, side_by_side, timed
from gaelp_sim.draws import Draws
from gaelp_sim.events import Opportunities
from gaelp_sim.learn.course import Plan
from gaelp_sim.learn.journeys import Journeys
from gaelp_sim.learn.network import JourneyNet, Shape
from gaelp_sim.learn.policy import BATCH, LearnedPolicy
from gaelp_sim.learn.priorities import SumTree
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
    return [_beside_the_peer(bench), _parts(bench), _epoch(bench)]


def _beside_the_peer(bench: Bench) -> Table:
    title = "Recurrent PPO on journeys of 30 steps: 64 users x 128 steps, 4 passes of 4 minibatches, one LSTM of 128"
    ours = _Ours()
    ways = {"ours": lambda: timed(ours.iterate)}
    if find_spec("sb3_contrib") is None:
        notes = ["sb3-contrib is not installed: pip install 'gaelp-sim[rl]' puts it beside"]
        took = side_by_side(bench.size.long_repeats, ways)
        return Table.of(title, [Line("ours", "steps/s", [one.per_wall_s for one in took["ours"]])], notes)
    from benchmarks.peer_ppo import peer

    def learned(model: object) -> int:
        model.learn(USERS * STEPS, reset_num_timesteps=False)  # type: ignore[attr-defined]
        return USERS * STEPS

    default, shared = peer(shared=False), peer(shared=True)
    ways |= {"default": lambda: timed(lambda: learned(default)), "shared": lambda: timed(lambda: learned(shared))}
    for way in ways.values():
        way()
    took = side_by_side(bench.size.long_repeats, ways)
    rates = {name: [one.per_wall_s for one in runs] for name, runs in took.items()}

    def over(name: str) -> list[float]:
        return [ours / theirs for ours, theirs in zip(rates["ours"], rates[name], strict=True)]

    return Table.of(title, [
        Line("ours", "steps/s", rates["ours"]), Line("RecurrentPPO, its default of two LSTMs", "steps/s", rates["default"]),
        Line("RecurrentPPO, one shared LSTM", "steps/s", rates["shared"]),
        Line("ours over the default", "x", over("default"), (), 4.0),
        Line("ours over the shared one", "x", over("shared"), (), 1.7),
    ])


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
            now = {
                "user": user.copy(), "observation": self.seen[step], "days": np.zeros(USERS, dtype=np.float32),
                "action": action, "log_propensity": np.log(chances[np.arange(USERS), action]),
                "allowed": np.ones((USERS, ACTIONS), dtype=bool), "advantage": (action == 3).astype(np.float32),
                "target": value.numpy(),
            }
            for name, column in now.items():
                kept.setdefault(name, []).append(column)
            done = self.ended[step]
            user = np.where(done, user.max() + 1 + np.arange(USERS), user)
            alive = torch.from_numpy(~done).float()[None, :, None]
            state = (h * alive, c * alive)
        return Journeys.of({name: np.concatenate(parts) for name, parts in kept.items()})


def _parts(bench: Bench) -> Table:
    scenario = load_scenario(FLAGSHIP)
    actions, n = Actions.of(scenario), 8 * BATCH
    net = JourneyNet.born(Shape(actions.count, actions.creatives), Draws(1))
    policy = LearnedPolicy.of(scenario, net)
    slots, now = opportunities(scenario, n), moment(scenario, n)
    slots = Opportunities(**{**vars(slots), "unit": np.zeros(n, dtype=np.int64)})
    notes = np.zeros((n, policy.notes), dtype=np.float32)
    seen = np.random.default_rng(1).random((n, 41), dtype=np.float32)
    known = Known(np.arange(n), np.zeros(n, dtype=bool), notes, None, seen)
    tree, rng = SumTree.of(ENTRIES), np.random.default_rng(1)
    tree.put(np.arange(ENTRIES), rng.random(ENTRIES))
    luck, some = rng.random(DRAWN), rng.integers(0, ENTRIES, DRAWN)
    def network(threads: int) -> Took:
        torch.set_num_threads(threads)
        took = timed(lambda: len(policy._run((seen, notes[:, :-2], np.zeros(n, dtype=np.float32)), None)[0]))
        torch.set_num_threads(1)
        return took

    works: dict[str, Work] = {
        "act": lambda: timed(lambda: len(policy.decide(slots, now, known).action)),
        "one": lambda: network(1), "two": lambda: network(2),
        "draw": lambda: timed(lambda: sum(len(tree.draw(luck)) for _ in range(100))),
        "put": lambda: timed(lambda: sum(tree.put(some, luck) is None for _ in range(100))),
    }
    for work in works.values():
        work()
    took = side_by_side(bench.size.repeats, works)
    rate = {name: [one.per_wall_s for one in took[name]] for name in ("act", "one", "two")}
    micros = {name: [one.wall_s / 100 * 1e6 for one in took[name]] for name in ("draw", "put")}
    return Table.of(f"Acting in batches of {BATCH:,}, and replay", [
        Line("the network alone, one thread", "decisions/s", rate["one"], (), 300_000),
        Line("the network alone, two threads", "decisions/s", rate["two"], (), 300_000),
        Line("decisions, memories read and written", "decisions/s", rate["act"]),
        Line(f"sum tree of {ENTRIES:,}: draw {DRAWN}", "us", micros["draw"], (), 100, True),
        Line(f"sum tree of {ENTRIES:,}: put {DRAWN}", "us", micros["put"], (), None, True),
    ])


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
