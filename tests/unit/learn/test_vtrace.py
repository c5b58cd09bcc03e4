"""V-trace: targets by hand, the return where nothing has changed since, and the updates that are made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.draws import Draws

torch = pytest.importorskip("torch")

from gaelp_sim.learn.journeys import Journeys  # noqa: E402 - only where torch is there
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.learn.returns import Steps, advantages  # noqa: E402
from gaelp_sim.learn.update import Learner, Lesson  # noqa: E402
from gaelp_sim.learn.vtrace import Clips, vtrace  # noqa: E402


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


def test_retracing_follows_rho_times_the_advantage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the clips the actor's gradient is the mean of ratio x (r + discounted target - V) x that of log pi: once."""
    journeys, net = _old(40, 5), JourneyNet.born(Shape(3, 1, hidden=8, encoder=8), Draws(1))
    learner, found = Learner.of(net, Lesson(clip=10.0)), []
    bias = net.actor[2].bias
    monkeypatch.setattr(learner, "_descend", lambda loss: found.append(torch.autograd.grad(loss, bias)[0].numpy()))
    learner.retrace(journeys, (0.9, Clips(5.0, 1.0)), 10.0)
    value, chance = _now(net, journeys)
    columns, n = journeys.columns, len(value)
    ratio = chance[np.arange(n), columns["action"]] / np.exp(columns["log_propensity"])
    assert ratio.max() > 1.1 and ratio.max() < 5.0
    steps = Steps(columns["reward"] / 10.0, value, columns["days"].astype(float), journeys.begins,
                  columns["ended"][journeys.begins[1:] - 1])
    _, weighted = vtrace(steps, ratio, 0.9, Clips(5.0, 1.0))
    score = np.eye(3)[columns["action"]] - chance
    wanted = -(weighted[:, None] * score).mean(0) / (weighted / ratio).std()
    assert found[0] == pytest.approx(wanted, abs=2e-6)


def test_rehearsal_moves_heads_alone() -> None:
    """Encoder, memory and actor stay bit for bit, though the optimiser has momentum for them; both heads learn."""
    journeys, net = _old(80, 4), JourneyNet.born(Shape(3, 1, hidden=16, encoder=16), Draws(1))
    learner = Learner.of(net, Lesson(learning_rate=5e-2, lift_weight=1.0))
    rule = (0.9, Clips())
    learner.retrace(journeys, rule, 10.0)
    before = {name: weights.clone() for name, weights in net.named_parameters()}
    first = learner.rehearse(journeys, "")
    kept = {name for name, weights in net.named_parameters() if torch.equal(weights, before[name])}
    assert {name.partition(".")[0] for name in set(before) - kept} == {"lift"}
    for _ in range(150):
        errors = learner.rehearse(journeys, "", (rule, 10.0))
    kept = {name for name, weights in net.named_parameters() if torch.equal(weights, before[name])}
    assert {name.partition(".")[0] for name in set(before) - kept} == {"lift", "value"}
    assert errors.mean() < 0.5 * first.mean()


def test_a_journeys_weight_counts_in_rehearsal() -> None:
    """A journey of weight 0 teaches nothing: heads come out as without it."""
    journeys = _old(20, 3)
    some = np.where(np.arange(20) < 10, 1.0, 0.0)
    rows = slice(0, int(journeys.begins[10]))
    part = Journeys({name: column[rows] for name, column in journeys.columns.items()}, journeys.begins[:11], some[:10])
    heads = []
    for those in (replace(journeys, weight=some), part):
        net = JourneyNet.born(Shape(3, 1, hidden=8, encoder=8), Draws(1))
        Learner.of(net, Lesson()).rehearse(those, "", ((0.9, Clips()), 10.0))
        heads.append(torch.cat([weights.flatten() for weights in (*net.lift.parameters(), *net.value.parameters())]))
    assert torch.allclose(heads[0], heads[1], atol=1e-6)


def _old(users: int, steps_max: int) -> Journeys:
    """Journeys of one step up to so many, decided by the uniform policy over three actions."""
    rng = np.random.default_rng(users)
    user = np.repeat(np.arange(users), 1 + np.arange(users) % steps_max)
    n, seen = len(user), rng.random((len(user), 41)).astype(np.float32)
    return Journeys.of({
        "user": user, "observation": seen, "days": rng.random(n).astype(np.float32), "allowed": np.ones((n, 3), dtype=bool),
        "action": rng.integers(0, 3, n), "log_propensity": np.full(n, np.log(1 / 3), dtype=np.float32),
        "reward": rng.normal(size=n) * 10.0, "ended": user % 2 == 0, "lift": seen[:, 20:21],
    })


def _now(net: JourneyNet, journeys: Journeys) -> tuple[np.ndarray, np.ndarray]:
    """Values and chances, journey by journey, without any padding."""
    values, chances = [], []
    with torch.inference_mode():
        for first, end in zip(journeys.begins, journeys.begins[1:], strict=False):
            seen, days = (torch.from_numpy(journeys.columns[name][None, first:end]) for name in ("observation", "days"))
            logits, value, _ = net.along(seen, net.nothing(1), days)
            values.append(value[0].numpy())
            chances.append(torch.softmax(logits[0], -1).numpy())
    return np.concatenate(values).astype(float), np.concatenate(chances).astype(float)
