"""Prioritised replay and V-trace: draws by priority, weights that undo it, whole journeys, old ones forgotten, targets by
hand."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.learn.priorities import SumTree
from gaelp_sim.observe.table import COLUMN

torch = pytest.importorskip("torch")

from gaelp_sim.learn.journeys import Journeys  # noqa: E402 - only where torch is there
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.learn.replay_memory import ReplayMemory  # noqa: E402
from gaelp_sim.learn.returns import Steps, advantages  # noqa: E402
from gaelp_sim.learn.update import Learner, Lesson  # noqa: E402
from gaelp_sim.learn.vtrace import Clips, vtrace  # noqa: E402

NAMES = ("observation", "days", "lift", "user")


def _luck(n: int, turn: int) -> np.ndarray:
    return uniform(Draws(1).words(Purpose.LESSON, 9, np.arange(n), turn)[0])


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_draws_come_in_proportion_to_priorities(size: int) -> None:
    """Chi-square over its degrees of freedom is near 1, or less, as strata lower it; what has none never comes."""
    rng = np.random.default_rng(size)
    priorities = rng.gamma(1.0, size=size) * (rng.random(size) < 0.8) + np.eye(size)[0]
    tree = SumTree.of(size)
    tree.put(np.arange(size), priorities * 0 + 5.0)
    tree.put(np.arange(size), priorities)
    assert tree.total == pytest.approx(priorities.sum())
    drawn = np.concatenate([tree.draw(_luck(256, turn)) for turn in range(400)])
    counts, expected = np.bincount(drawn, minlength=size), len(drawn) * priorities / priorities.sum()
    assert (counts[priorities == 0] == 0).all()
    often = expected > 5
    chi2 = ((counts[often] - expected[often]) ** 2 / expected[often]).sum() / max(often.sum() - 1, 1)
    assert chi2 < 1.2


def test_weights_undo_the_priorities() -> None:
    """The weighted mean of what is drawn is the plain mean over all entries; without weights it is far off."""
    rng = np.random.default_rng(3)
    value = rng.gamma(2.0, size=500)
    tree = SumTree.of(500)
    tree.put(np.arange(500), value**2)
    drawn = np.concatenate([tree.draw(_luck(256, turn)) for turn in range(300)])
    weights = tree.weights(drawn, 1.0)
    assert weights.max() == 1.0
    assert (value[drawn] * weights).sum() / weights.sum() == pytest.approx(value.mean(), rel=0.02)
    assert value[drawn].mean() > 1.3 * value.mean()


def test_sums_stay_exact_after_many_changes() -> None:
    rng = np.random.default_rng(4)
    tree, plain = SumTree.of(300), np.zeros(300)
    for _ in range(2_000):
        entries, values = rng.integers(0, 300, 5), rng.random(5) * 10.0 ** rng.integers(-6, 6, 5)
        tree.put(entries, values)
        for entry, value in zip(entries.tolist(), values.tolist(), strict=True):
            plain[entry] = value
    assert (tree.priorities(np.arange(300)) == plain).all()
    assert tree.total == pytest.approx(plain.sum(), rel=1e-12)


def _journeys(users: int, steps: int, seed: int) -> Journeys:
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users) + 1_000 * seed, steps)
    n = len(user)
    seen = rng.random((n, 41)).astype(np.float32)
    kept = {
        "observation": seen, "days": rng.random(n).astype(np.float32), "user": user,
        "lift": seen[:, [COLUMN["attention"], COLUMN["urgency"]]],
    }
    return Journeys.of(kept)


def test_journeys_are_whole_and_the_oldest_go() -> None:
    memory = ReplayMemory.of(25, NAMES)
    for seed in range(4):
        memory.add(_journeys(10, 3, seed))
    assert len(memory) == 25
    slots, drawn = memory.draw(Draws(1), 0, 200)
    assert (drawn.lengths == 3).all() and len(drawn) == 200
    users = drawn.columns["user"].reshape(-1, 3)
    assert (users == users[:, :1]).all()
    assert set(np.unique(users).tolist()) == {1_005 + k for k in range(5)} | {2_000 + k for k in range(10)} | {
        3_000 + k for k in range(10)
    }
    memory.surprised(slots, np.where(users[:, 0] == 2_003, 20.0, 0.0))
    _, again = memory.draw(Draws(1), 1, 200)
    assert (again.columns["user"][::3] == 2_003).mean() > 0.9
    assert again.weight.min() < 1.0 == again.weight.max()
    assert set(memory.chunks) == {1, 2, 3}


def test_rehearsal_teaches_the_auxiliary_head() -> None:
    """Errors fall, surprising journeys come more often, and heads of actor and critic keep their weights."""
    net = JourneyNet.born(Shape(5, 2, hidden=16, encoder=16), Draws(1))
    learner = Learner.of(net, Lesson(learning_rate=5e-3, lift_weight=1.0))
    memory = ReplayMemory.of(200, NAMES)
    memory.add(_journeys(150, 4, 1))
    head = [weights.clone() for weights in (*net.actor.parameters(), *net.value.parameters())]
    errors = []
    for turn in range(150):
        slots, drawn = memory.draw(Draws(2), turn, 64)
        found = learner.rehearse(drawn, "")
        memory.surprised(slots, found)
        errors.append(found.mean())
    assert np.mean(errors[-5:]) < 0.3 * np.mean(errors[:5])
    assert all(torch.equal(a, b) for a, b in zip(head, (*net.actor.parameters(), *net.value.parameters()), strict=True))


def _steps(seed: int, n: int = 40) -> Steps:
    rng = np.random.default_rng(seed)
    begins = np.array([0, 7, 8, 20, n])
    return Steps(rng.normal(size=n), rng.normal(size=n), rng.random(n) * 3, begins, np.array([True, False, True, False]))


def test_v_trace_on_policy_is_the_return() -> None:
    """With ratios of one it is the sum of what came: the advantage estimate with lambda 1."""
    steps = _steps(1)
    target, advantage = vtrace(steps, np.ones(40), 0.9, Clips())
    wanted, returns = advantages(steps, (0.9, 1.0))
    assert target == pytest.approx(returns)
    for first, end in zip(steps.begins, steps.begins[1:], strict=False):
        assert advantage[first : end] == pytest.approx(wanted[first : end])


@pytest.mark.parametrize("clips", [Clips(), Clips(0.7, 0.5), Clips(2.0, 1.5)])
def test_v_trace_is_the_sum_of_its_definition(clips: Clips) -> None:
    """v_s = V(s) + sum over t of discount x product of c x rho x temporal difference, written out."""
    steps, rng = _steps(2), np.random.default_rng(5)
    ratio = rng.gamma(1.0, size=40)
    target, advantage = vtrace(steps, ratio, 0.95, clips)
    reward, value, days, begins, ended = steps
    for journey, (first, end) in enumerate(zip(begins, begins[1:], strict=False)):
        for s in range(first, end):
            total, product = value[s], 1.0
            for t in range(s, end):
                after = value[t + 1] if t + 1 < end else (0.0 if ended[journey] else value[t])
                fade = 0.95 ** days[t + 1] if t + 1 < end else 1.0
                total += product * min(ratio[t], clips.rho) * (reward[t] + fade * after - value[t])
                product *= fade * min(ratio[t], clips.c)
            assert target[s] == pytest.approx(total)
            following = target[s + 1] if s + 1 < end else (0.0 if ended[journey] else value[s])
            fade = 0.95 ** days[s + 1] if s + 1 < end else 1.0
            assert advantage[s] == pytest.approx(min(ratio[s], clips.rho) * (reward[s] + fade * following - value[s]))


def test_retracing_raises_what_paid() -> None:
    """Old decisions under a uniform policy, one action of which paid: it becomes likelier."""
    rng = np.random.default_rng(6)
    n = 600
    action = rng.integers(0, 3, n)
    kept = {
        "observation": np.zeros((n, 41), dtype=np.float32), "days": np.zeros(n, dtype=np.float32),
        "allowed": np.ones((n, 3), dtype=bool), "action": action, "reward": (action == 2) * 10.0,
        "log_propensity": np.full(n, np.log(1 / 3), dtype=np.float32), "ended": np.ones(n, dtype=bool),
        "user": np.arange(n),
    }
    journeys = Journeys.of(kept)
    net = JourneyNet.born(Shape(3, 1, hidden=8, encoder=8), Draws(1))
    learner = Learner.of(net, Lesson(learning_rate=1e-2, clip=10.0))

    def likely() -> float:
        with torch.inference_mode():
            logits, _, _ = net.along(torch.zeros(1, 1, 41), net.nothing(1), torch.zeros(1, 1))
        return float(torch.softmax(logits, -1)[0, 0, 2])

    before = likely()
    for _ in range(30):
        figures = learner.retrace(journeys, (1.0, Clips()), 10.0)
    assert likely() > before + 0.2 and figures["retraced_value_error"] < 0.5
