"""Checkpoints: what was saved is loaded; whatever is damaged, foreign or old is refused in one line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import GaelpError, UsageError
from gaelp_sim.scenario.loading import load_scenario

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.learn.checkpoints import (  # noqa: E402
    MANIFEST,
    WEIGHTS,
    Manifest,
    learned_policy,
    load_checkpoint,
    save_checkpoint,
)
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.market.actions import Actions  # noqa: E402 - only where torch is there

FLIPS = 2_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small checkpoint."""
    scenario = load_scenario("short")
    actions = Actions.of(scenario)
    net = JourneyNet(Shape(actions.count, actions.creatives, hidden=4, encoder=4))
    save_checkpoint(tmp_path / "best", net, Manifest.of(net, scenario, 3, {"profit": 1.5}))
    return tmp_path / "best"


def test_what_was_saved_is_loaded(folder: Path) -> None:
    net, manifest = load_checkpoint(folder)
    again, _ = load_checkpoint(folder)
    assert manifest.epoch == 3 and manifest.figures == {"profit": 1.5}
    assert all(bool((a == b).all()) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))
    assert learned_policy(load_scenario("short"), f"checkpoint:{folder}").actions.count == net.shape.actions


def _refused(folder: Path) -> str:
    with pytest.raises(GaelpError) as told:
        load_checkpoint(folder)
    assert "\n" not in str(told.value) and str(folder) in str(told.value)
    return str(told.value)


def test_flipped_bits_are_found(folder: Path) -> None:
    """Anywhere in the weights or the manifest: the checkpoint is refused, or (in a comment-like figure) is the same
    network."""
    rng = np.random.default_rng(1)
    sound = {name: (folder / name).read_bytes() for name in (WEIGHTS, MANIFEST)}
    right = {name: tensor.clone() for name, tensor in load_checkpoint(folder)[0].state_dict().items()}
    for turn in range(FLIPS):
        name = WEIGHTS if turn % 2 else MANIFEST
        content = bytearray(sound[name])
        at = int(rng.integers(0, len(content)))
        content[at] ^= 1 << int(rng.integers(0, 8))
        (folder / name).write_bytes(bytes(content))
        try:
            net, _ = load_checkpoint(folder)
        except UsageError as error:
            assert "\n" not in str(error)
        else:
            assert name == MANIFEST
            assert all(bool((right[key] == value).all()) for key, value in net.state_dict().items())
        (folder / name).write_bytes(sound[name])


@pytest.mark.parametrize("keep", [0, 1, 100, -3])
def test_cut_files_are_refused(folder: Path, keep: int) -> None:
    for name in (WEIGHTS, MANIFEST):
        sound = (folder / name).read_bytes()
        (folder / name).write_bytes(sound[:keep])
        _refused(folder)
        (folder / name).write_bytes(sound)


def test_a_pickle_is_never_read(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps({"net": [1, 2]}))
    assert "SHA-256" in _refused(folder)
    (folder / MANIFEST).write_bytes(pickle.dumps({"format": 1}))
    _refused(folder)


@pytest.mark.parametrize("change, told", [
    ({"features": ["age"]}, "features"), ({"levels": [0.0, 1.0]}, "levels"), ({"format": 99}, "format 99"),
    ({"shape": {"actions": 5}}, "shape"),
    ({"shape": {"actions": 61, "creatives": 4, "hidden": 5, "encoder": 4}}, "do not fit"),
    ({"weights_sha256": "0" * 64}, "SHA-256"), ({"epoch": "three"}, "epoch"),
])
def test_what_is_old_or_foreign_is_refused(folder: Path, change: dict[str, object], told: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | change))
    assert told in _refused(folder)


def test_another_scenario_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="it was trained on short's"):
        learned_policy(load_scenario("parental_controls"), f"checkpoint:{folder}")


def test_no_folder_is_one_line(tmp_path: Path) -> None:
    assert "name a checkpoint's folder" in _refused(tmp_path / "nothing")


def test_the_folder_of_a_training_is_told_from_its_policies(folder: Path) -> None:
    """What `gaelp train --out` was given holds `best` and `last`."""
    assert f"did you mean checkpoint:{folder}?" in _refused(folder.parent)
