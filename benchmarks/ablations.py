"""What each part of training brings: `python -m benchmarks.ablations [SCENARIO]`, the same small training without it.

Every variant learns from the same worlds with several seeds and is judged acting in the same other worlds: what its
decisions gain on average, as a share of what an observer who knows the constants would gain there, and profit.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gaelp_sim.learn.course import Plan
from gaelp_sim.learn.policy import FLOOR
from gaelp_sim.learn.rollout import Conduct, live
from gaelp_sim.learn.train import Training
from gaelp_sim.planning.compared import interval
from gaelp_sim.planning.seeds import validation_seed
from gaelp_sim.scenario.loading import load_scenario

BASE = Plan(
    epochs=16, worlds=16, people=300, believed_share=0.75, taught_share=1.0, validate_every=1_000, validation_worlds=1
)
VARIANTS = {
    "all of it: believed gains, then true ones": BASE,
    "believed gains alone": replace(BASE, believed_share=1.0),
    "true gains alone": replace(BASE, believed_share=0.0),
    "PPO alone, paid by profit": replace(BASE, believed_share=0.0, taught_share=0.0),
    "PPO alone, paid by the document's rule": replace(BASE, believed_share=0.0, taught_share=0.0, reward="document_signed"),
    "believed gains, then PPO": replace(BASE, believed_share=0.5, taught_share=0.5),
    "believed gains, then PPO with V-trace": replace(BASE, believed_share=0.5, taught_share=0.5, retraces=8),
    "all of it, the auxiliary head rehearsed": replace(BASE, rehearsals=8),
    "all of it, crisis parents 3 times as often": replace(BASE, crisis_factor=3.0, decisions_max=6_000),
    "all of it, as few decisions but all alike": replace(BASE, decisions_max=6_000),
    "all of it, crisis parents count 10 times": replace(BASE, crisis_value=10.0),
    "all of it, easy rivals first": replace(BASE, curriculum=True, validate_every=2),
}
JUDGING_WORLDS, JUDGING_SEED = 64, validation_seed(9_999)


@dataclass(frozen=True)
class Judged:
    """How one training came out."""

    share: float
    profit_usd: float


def trained(scenario_name: str, plan: Plan, seed: int) -> Judged:
    """Train once; how the last policy acts in the judging worlds."""
    scenario = load_scenario(scenario_name)
    with tempfile.TemporaryDirectory() as folder:
        training = Training.begin(scenario, replace(plan, seed=seed), Path(folder))
        training.run(lambda epoch: None)
        room = Training.begin(scenario, replace(BASE, seed=seed), Path(folder) / "judge").room.of_worlds(JUDGING_WORLDS)
        figures = live(room, training.learner.net.eval(), JUDGING_SEED, Conduct(FLOOR, greedy=True)).figures
    return Judged(figures["taken_gain_usd"] / figures["believed_gain_usd"], figures["profit_usd"])


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("scenario", nargs="?", default="short")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--worlds", type=int, default=BASE.worlds)
    parser.add_argument("--people", type=int, default=BASE.people)
    parser.add_argument("--only", default="", help="variants whose names hold this, beside the first one")
    asked = parser.parse_args()
    print(f"{'':45}  {'share of the gain':>24}  {'less the first':>24}  {'profit per 10,000':>22}")
    first: list[Judged] = []
    for name, plan in VARIANTS.items():
        if first and asked.only not in name:
            continue
        sized = replace(plan, worlds=asked.worlds, people=asked.people)
        found = [trained(asked.scenario, sized, seed) for seed in range(1, asked.seeds + 1)]
        first = first or found
        share, profit = (np.array([getattr(one, key) for one in found]) for key in ("share", "profit_usd"))
        less = share - np.array([one.share for one in first])
        print(f"{name:45}  {_told(share, 3):>24}  {_told(less, 3):>24}  {_told(profit, 0):>22}", flush=True)


def _told(values: np.ndarray, digits: int) -> str:
    mean, low, high = interval(values)
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
