"""Conservative Q-learning from a stored run's log, by d3rlpy (the extra [offline]); our own network acts by its values.

Source: Kumar et al. (2020). Journeys that the run's end cut are handed on as timeouts. d3rlpy drops a timeout's last step,
as it lacks what came next; so each gets a closing row that repeats the last observation, and the last decision's step is
learned from with that state's own value for what would have come, as PPO does it. Without that row the last decisions of
those who bought would be kept and those of all others dropped: sales would look likelier than they are.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Ints
from gaelp_sim.learn.checkpoints import Manifest, save_checkpoint
from gaelp_sim.learn.cloning import OnPass, fresh, note, numbers
from gaelp_sim.learn.keeping import BEST, LAST
from gaelp_sim.learn.logged import Logged, closed
from gaelp_sim.learn.nearest import HOW, nearest_actions
from gaelp_sim.learn.network import Shape
from gaelp_sim.learn.q_network import QNet, seen
from gaelp_sim.market.actions import Actions
from gaelp_sim.scenario.schema import Scenario

STEPS_PER_EPOCH = 1_000


@dataclass(frozen=True)
class Conservative:
    """How to learn, and for how long."""

    epochs: int = 20
    """Of 1,000 gradient steps"""
    budget_s: float = float("inf")
    seed: int = 1
    batch: int = 256
    alpha: float = 0.1
    """How strongly actions that were not taken are held to be worse"""
    discount: float = 0.95
    """From a decision to the user's next one, however long that takes: about 20 decisions ahead count"""
    unit_usd: float = 1.0
    """Rewards are learned in units of so many dollars"""
    learning_rate: float = 3e-4
    target_every: int = 500
    width: int = 256
    """Of its two layers"""


def dataset_of(logged: Logged, action: Ints, actions: int, unit_usd: float) -> Any:
    """The log as d3rlpy's MDPDataset: an episode a user, ended by a purchase from us, else by a timeout's closing row.

    action: (n,) below `actions`. Observations are (rows, 170) as `q_network.seen` makes them; a closing row repeats the
    last one, with action 0 and no reward. Raises UsageError without d3rlpy.
    """
    d3rlpy = _d3rlpy()
    row, closing = closed(logged)
    with torch.inference_mode():
        observation = seen(torch.from_numpy(logged.observation[row])).numpy()
    reward = np.where(closing, 0.0, logged.reward_usd[row] / unit_usd).astype(np.float32)
    return d3rlpy.dataset.MDPDataset(
        observation, np.where(closing, 0, action[row]).reshape(-1, 1), reward.reshape(-1, 1),
        terminals=logged.terminal[row].astype(np.float32), timeouts=closing.astype(np.float32),
        action_space=d3rlpy.ActionSpace.DISCRETE, action_size=actions,
    )


def learn_conservatively(
    logged: Logged, scenario: Scenario, folder: Path, asked: Conservative, on_pass: OnPass
) -> dict[str, Any]:
    """Learn values of actions; the network as it stands is kept in `folder`/last and `folder`/best after every epoch.

    No figure of a log says which epoch acts best, so that both are the last one. Returns its figures: means of d3rlpy's
    losses. Raises UsageError without d3rlpy and for a folder that holds a checkpoint.
    """
    d3rlpy, actions = _d3rlpy(), Actions.of(scenario)
    fresh(folder)
    action, _ = nearest_actions(logged, actions)
    dataset = dataset_of(logged, action, actions.count, asked.unit_usd)
    d3rlpy.seed(asked.seed)
    algo, told = _algorithm(d3rlpy, asked), dict[str, Any]()
    about = {"algo": "cql", "run_id": logged.run_id, "actions": HOW, "asked": numbers(vars(asked)),
             "decisions": len(logged.user), "d3rlpy_version": str(d3rlpy.__version__)}
    began = time.perf_counter()
    for epoch, figures in algo.fitter(
        dataset, n_steps=asked.epochs * STEPS_PER_EPOCH, n_steps_per_epoch=STEPS_PER_EPOCH, show_progress=False,
        logger_adapter=d3rlpy.logging.NoopAdapterFactory(), save_interval=asked.epochs + 1,
    ):
        told = {"epoch": epoch - 1, **{name: float(value) for name, value in figures.items() if name.endswith("loss")}}
        net = copied(algo, Shape(actions.count, actions.creatives, hidden=0, encoder=asked.width))
        for name in (LAST, BEST):
            save_checkpoint(folder / name, net, Manifest.of(net, scenario, epoch, numbers(told), **about))
        seconds = time.perf_counter() - began
        note(folder, told | {"seconds": seconds}, on_pass)
        if seconds > asked.budget_s:
            break
    return told


def _algorithm(d3rlpy: Any, asked: Conservative) -> Any:
    """Double DQN with CQL's penalty and two plain layers."""
    return d3rlpy.algos.DiscreteCQLConfig(
        encoder_factory=d3rlpy.models.VectorEncoderFactory([asked.width, asked.width]), batch_size=asked.batch,
        gamma=asked.discount, learning_rate=asked.learning_rate, target_update_interval=asked.target_every,
        alpha=asked.alpha,
    ).create(device=False)


def copied(algo: Any, shape: Shape) -> QNet:
    """Our network with the weights of d3rlpy's Q function: its own files are pickles and are never kept.

    Raises UsageError where its layers are not three plain ones of that shape.
    """
    theirs = list(algo.impl.modules.q_funcs[0].state_dict().values())
    net = QNet(shape)
    ours = net.state_dict()
    if [tensor.shape for tensor in theirs] != [tensor.shape for tensor in ours.values()]:
        raise UsageError("d3rlpy's Q function has other layers than this version knows; install the d3rlpy of "
                         "constraints-offline.txt")
    net.load_state_dict({name: tensor.detach().clone() for name, tensor in zip(ours, theirs, strict=True)})
    return net.eval()


def _d3rlpy() -> Any:
    """The library, its log of itself silenced: it would go to stdout."""
    try:
        import d3rlpy
        import structlog
    except ImportError:
        raise UsageError("--algo cql needs d3rlpy, in an environment of its own; next: make offline") from None
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return d3rlpy
