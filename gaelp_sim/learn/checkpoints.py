"""Checkpoints: weights as safetensors beside a manifest that says what they are; never a pickle.

A checkpoint is a folder with `weights.safetensors` and `manifest.json`. Loading compares the weights' SHA-256 with the
manifest's, and the manifest with what this version can run: another number of features, another network or other actions
than the scenario's are refused in one line.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from gaelp_sim import __version__
from gaelp_sim.errors import UsageError
from gaelp_sim.events import FEATURE_COUNT
from gaelp_sim.learn.network import JourneyNet, Shape
from gaelp_sim.learn.policy import FLOOR, LearnedPolicy
from gaelp_sim.learn.q_network import QNet
from gaelp_sim.market.actions import LEVELS, Actions
from gaelp_sim.observe.table import NAMES
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.policies import CHECKPOINT, PIN, SHIPPED

WEIGHTS, MANIFEST = "weights.safetensors", "manifest.json"
FORMAT = 1
JOURNEY, Q = "journey", "q"
NETS: dict[str, type[JourneyNet] | type[QNet]] = {JOURNEY: JourneyNet, Q: QNet}
BYTES_MAX = 512 << 20
SIZE_MAX = 4_096
PIN_DIGITS = 12
SHIPPED_FOLDER = Path(__file__).with_name("shipped")
_PINNED = re.compile(f"{PIN}[0-9a-f]{{{PIN_DIGITS}}}$")


@dataclass(frozen=True)
class Manifest:
    """What weights are."""

    shape: dict[str, int]
    scenario_name: str
    creatives: list[str]
    channels: list[str]
    signals: list[str]
    epoch: int
    figures: dict[str, float]
    """What was measured on the validation worlds"""
    trained_on: dict[str, Any] = field(default_factory=dict)
    """Seeds, worlds, people, lessons"""
    features: list[str] = field(default_factory=lambda: list(NAMES))
    levels: list[float] = field(default_factory=lambda: [float(level) for level in LEVELS])
    engine_version: str = __version__
    torch_version: str = field(default_factory=lambda: str(torch.__version__))
    kind: str = JOURNEY
    """`journey`: a network with a memory of each user; `q`: values of actions by what is seen now. Older manifests have
    none and mean the first"""
    format: int = FORMAT
    weights_sha256: str = ""

    @staticmethod
    def of(
        net: JourneyNet | QNet, scenario: Scenario, epoch: int, figures: dict[str, float], **trained_on: Any
    ) -> Manifest:
        """Of a network that learned on a scenario."""
        return Manifest(
            net.shape.record(), scenario.name, [one.name for one in scenario.creatives],
            [one.name for one in scenario.channels],
            [one.name for channel in scenario.channels for one in channel.signals], epoch, figures, trained_on,
            kind=next(kind for kind, made in NETS.items() if isinstance(net, made)),
        )


def save_checkpoint(
    folder: Path, net: JourneyNet | QNet, manifest: Manifest, extra: Mapping[str, bytes] | None = None
) -> Manifest:
    """Write a checkpoint, and extra files beside it; a folder of that name gives way only once the new one is whole."""
    weights = save({name: tensor.contiguous() for name, tensor in net.state_dict().items()})
    told = Manifest(**{**asdict(manifest), "weights_sha256": hashlib.sha256(weights).hexdigest()})
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        (aside / WEIGHTS).write_bytes(weights)
        for name, content in (extra or {}).items():
            (aside / name).write_bytes(content)
        (aside / MANIFEST).write_text(json.dumps(asdict(told), indent=1) + "\n", encoding="utf-8")
        aside.chmod(0o755)
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(aside, folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror or error}; name a folder that can be written") from None
    return told


def read_manifest(folder: Path) -> Manifest:
    """A checkpoint's manifest; raises UsageError with one line for anything else."""
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
        told = json.loads(text)
    except OSError as error:
        inside = sorted(found.parent for found in folder.glob(f"*/{MANIFEST}"))
        way = f"did you mean {CHECKPOINT}{inside[0]}?" if inside else "name a checkpoint's folder"
        raise UsageError(f"{path}: {error.strerror or error}; {way}") from None
    except ValueError:
        raise UsageError(f"{path}: that is no JSON; the checkpoint is damaged: use another, or train again") from None
    wanted = set(Manifest.__annotations__)
    if isinstance(told, dict):
        told.setdefault("kind", JOURNEY)
    if not isinstance(told, dict) or set(told) != wanted:
        other = sorted(set(told) ^ wanted) if isinstance(told, dict) else ["mapping"]
        raise UsageError(f"{path}: {', '.join(other[:3])}: it is not a manifest of this version; train again")
    for name, kind in (("shape", dict), ("creatives", list), ("features", list), ("levels", list), ("epoch", int),
                       ("weights_sha256", str), ("format", int), ("kind", str), ("scenario_name", str), ("figures", dict)):
        if not isinstance(told[name], kind):
            raise UsageError(f"{path}: {name}: {str(told[name])[:40]!r} is no {kind.__name__}; the manifest is damaged")
    return Manifest(**told)


def load_checkpoint(folder: Path) -> tuple[JourneyNet | QNet, Manifest]:
    """The network of a checkpoint; raises UsageError, naming file and rule, for anything damaged, foreign or old."""
    manifest, path = read_manifest(folder), folder / WEIGHTS
    _check_version(folder, manifest)
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UsageError(f"{path}: larger than {BYTES_MAX >> 20} MiB; that is no checkpoint of ours")
        weights = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; the checkpoint is not whole") from None
    if hashlib.sha256(weights).hexdigest() != manifest.weights_sha256:
        raise UsageError(f"{path}: its SHA-256 is not the manifest's; the weights were changed or cut: use another one")
    try:
        net = NETS[manifest.kind](Shape(**manifest.shape))
        net.load_state_dict(load(weights))
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())[:120]
        raise UsageError(f"{path}: the weights do not fit the manifest's network ({told}); use another one") from None
    return net.eval(), manifest


def _check_version(folder: Path, manifest: Manifest) -> None:
    path = folder / MANIFEST
    if manifest.format != FORMAT:
        raise UsageError(f"{path}: format {manifest.format}; this version reads {FORMAT}: train again")
    if manifest.features != list(NAMES) or len(manifest.features) != FEATURE_COUNT:
        raise UsageError(f"{path}: features: it saw other features than the 41 of this version; train again")
    if manifest.levels != [float(level) for level in LEVELS]:
        raise UsageError(f"{path}: levels: it bid other levels than those of this version; train again")
    if manifest.kind not in NETS:
        raise UsageError(f"{path}: kind: {manifest.kind!r} is no network of this version ({', '.join(NETS)}); train again")
    shape = manifest.shape
    sound = all(isinstance(size, int) and 0 < size <= SIZE_MAX for name, size in shape.items() if name != "hidden")
    sound &= 0 < shape.get("hidden", 0) <= SIZE_MAX if manifest.kind == JOURNEY else shape.get("hidden") == 0
    if set(shape) != set(Shape.__annotations__) or not sound:
        raise UsageError(f"{path}: shape: {str(shape)[:60]} is no network of this version; train again")


def manifest_named(name: str) -> Manifest:
    """The manifest of the policy `checkpoint:FOLDER`, or of a shipped one."""
    return read_manifest(_named(name)[0])


def pinned(name: str) -> str:
    """A checkpoint's name, ending with the first digits of its weights' SHA-256."""
    return f"{_PINNED.sub('', name)}{PIN}{manifest_named(name).weights_sha256[:PIN_DIGITS]}"


def _named(name: str) -> tuple[Path, str]:
    """The folder that a name means, and how the weights' SHA-256 must begin."""
    found = _PINNED.search(name)
    bare = _PINNED.sub("", name)
    folder = SHIPPED_FOLDER / bare if bare in SHIPPED else Path(bare.removeprefix(CHECKPOINT))
    return folder, found[0].removeprefix(PIN) if found else ""


def learned_policy(scenario: Scenario, name: str) -> LearnedPolicy:
    """The policy `checkpoint:FOLDER`, or a shipped one, as a bidder: its likeliest action, the floor's exploration aside.

    Raises UsageError where it was trained for other ads or channels.
    """
    folder, pin = _named(name)
    net, manifest = load_checkpoint(folder)
    if not manifest.weights_sha256.startswith(pin):
        raise UsageError(f"--policy {name}: {folder} holds other weights by now ({manifest.weights_sha256[:PIN_DIGITS]}); "
                         "put those of the run back")
    here = Manifest.of(net, scenario, 0, {})
    for what in ("channels", "signals", "creatives"):
        if getattr(here, what) != getattr(manifest, what):
            raise UsageError(
                f"--policy {name}: {what}: it was trained on {manifest.scenario_name}'s, {scenario.name} has others; "
                "train it here"
            )
    if Actions.of(scenario).count != net.shape.actions:
        raise UsageError(f"--policy {name}: it has {net.shape.actions} actions, {scenario.name} has others; train it here")
    torch.set_num_threads(1)  # rounds are small: a second thread waits more than it works
    return LearnedPolicy.of(scenario, net, floor=FLOOR, greedy=True)
