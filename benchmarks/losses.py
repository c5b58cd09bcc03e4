"""What policies lose: `python -m benchmarks.losses ppo checkpoint:FOLDER ... [--scenario NAME]`, in the same worlds.

A decision loses what the best action would have gained more, worked out exactly; summed over a policy's decisions that is
on average what the policy earns less than the clairvoyant, without the luck of sales. Worlds are no one's training worlds.
"""

from __future__ import annotations

import argparse

import numpy as np

from gaelp_sim.events import Floats
from gaelp_sim.learn.checkpoints import learned_policy
from gaelp_sim.learn.network import JourneyNet
from gaelp_sim.learn.policy import FLOOR
from gaelp_sim.learn.rollout import Classroom, Conduct, live
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.planning.compared import interval
from gaelp_sim.planning.seeds import validation_seed
from gaelp_sim.scenario.loading import load_scenario

JUDGING_SEED = validation_seed(9_998)
PER_PEOPLE = 10_000


def lost_usd(room: Classroom, policy: str, seed: int) -> Floats:
    """(worlds,): what a checkpoint's decisions lose, acting as it would, per 10,000 people."""
    net = learned_policy(room.scenario, policy).net
    assert isinstance(net, JourneyNet), f"{policy}: only policies with a memory of journeys learn in worlds"
    kept = live(room, net.eval(), seed, Conduct(FLOOR, greedy=True)).kept
    people, worlds = room.scenario.population.people, room.scenario.worlds
    world = kept["user"] // SLOTS // people
    lost = np.bincount(world, weights=kept["best"].astype(np.float64) - kept["took"], minlength=worlds)
    return lost * PER_PEOPLE / people


def main() -> None:
    """Print a row a policy: what it loses, and how much more than the first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losses", description=__doc__)
    parser.add_argument("policies", nargs="+", metavar="POLICY", help="ppo, or checkpoint:FOLDER")
    parser.add_argument("--scenario", default="parental_controls")
    parser.add_argument("--worlds", type=int, default=36)
    parser.add_argument("--people", type=int, default=1_000)
    asked = parser.parse_args()
    room = Classroom.of(load_scenario(asked.scenario), asked.people, asked.worlds)
    print(f"{'policy':40}  {'loses, USD':>24}  {'more than the first':>24}")
    first: Floats | None = None
    for policy in asked.policies:
        lost = lost_usd(room, policy, JUDGING_SEED)
        first = lost if first is None else first
        told = ["{:,.0f} ({:,.0f} to {:,.0f})".format(*interval(one)) for one in (lost, lost - first)]
        print(f"{policy:40}  {told[0]:>24}  {told[1]:>24}", flush=True)


if __name__ == "__main__":
    main()
