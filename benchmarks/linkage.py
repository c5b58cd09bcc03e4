"""Linkage of devices into users, ours and Splink's on the same devices: seconds, F1, and what probabilities are worth."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.tables import Line, Table
from benchmarks.timing import Took, side_by_side, timed
from gaelp_sim.events import Floats, Ints
from gaelp_sim.identity.evidence import Evidence, Tally
from gaelp_sim.identity.fitting import fit_parameters
from gaelp_sim.identity.linker import resolve
from gaelp_sim.identity.quality import Quality, quality
from tests.evidence import Known, known_devices

DEVICES_PER_PERSON = 1.95
TELLING_MAX = 80
"""Addresses of more devices than this are left out for Splink, as ours leaves them out: its pairs would fill the memory."""
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 0.9999)


def linkage(bench: Bench) -> Table:
    """A month of requests of about as many devices as the size has people."""
    known = known_devices(int(bench.size.people / DEVICES_PER_PERSON))
    aliases, evidence, devices = known.aliases, known.evidence, len(known.person)
    parameters = fit_parameters(aliases, evidence)
    ways: dict[str, Callable[[], Took]] = {
        "link": lambda: timed(lambda: len(resolve(aliases, evidence, parameters).user)),
        "fit": lambda: timed(lambda: len(resolve(aliases, evidence).user)),
    }
    for way in ways.values():
        way()
    took = side_by_side(bench.size.repeats, ways)
    found = resolve(aliases, evidence, parameters)
    best = max(_f1(resolve(aliases, evidence, parameters, threshold).user, known.person) for threshold in THRESHOLDS)
    pairs = found.pairs.one, found.pairs.other
    lines = [
        Line("ours", "s", [one.wall_s for one in took["link"]], (), 1.5, True),
        Line("ours, parameters fitted too", "s", [one.wall_s for one in took["fit"]], (), None, True),
        Line("ours, F1 at the best threshold", "", [best], (), 0.58, False),
        Line("ours, probabilities' error", "", [_off(pairs, found.probability, known.person)], (), None, True),
    ]
    title = f"Linkage: {devices:,} devices of {known.person.max() + 1:,} people, seen for a month"
    if find_spec("splink") is None:
        return Table.of(title, lines, ["Splink is not installed: pip install 'gaelp-sim[bench]' puts it beside"])
    return Table.of(title, lines + _splink(bench, known, evidence))


def _f1(user: Ints, person: Ints) -> float:
    grade: Quality = quality(user, person)
    return grade.f(1.0)


def _off(pairs: tuple[Ints, Ints], probability: Floats, person: Ints) -> float:
    """Mean |said - right| over tenths of probability, weighted by pairs of probability above .05."""
    right = person[pairs[0]] == person[pairs[1]]
    tenth = np.minimum((probability * 10).astype(np.int64), 9)
    off = total = 0.0
    for place in range(10):
        here = (tenth == place) & (probability > 0.05)
        if here.any():
            off += abs(float(probability[here].sum()) - float(right[here].sum()))
            total += float(here.sum())
    return off / max(total, 1.0)


def _splink(bench: Bench, known: Known, evidence: Evidence) -> list[Line]:
    """The same devices linked by Splink, with the threshold that suits it best."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        source, target = Path(folder) / "devices.npz", Path(folder) / "pairs.npz"
        np.savez(source, **_records(evidence))  # type: ignore[arg-type]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "benchmarks.splink_links", str(source), str(target)], check=True)
        whole = time.perf_counter() - began
        with np.load(target) as told:
            one, other, probability, seconds = told["one"], told["other"], told["probability"], float(told["seconds"])
    apart = known.aliases.kind[one] != known.aliases.kind[other]  # two phones are two people's, as ours knows
    one, other, probability = one[apart], other[apart], probability[apart]
    best = max(_f1(_components(len(known.person), one, other, probability >= at), known.person) for at in THRESHOLDS)
    return [
        Line("Splink", "s", [seconds], (), None, True),
        Line("Splink, the whole process", "s", [whole], (), None, True),
        Line("Splink, F1 at the best threshold", "", [best], (), None, False),
        Line("Splink, probabilities' error", "", [_off((one, other), probability, known.person)], (), None, True),
    ]


def _records(evidence: Evidence) -> dict[str, np.ndarray]:
    """What Splink is told of each device: every telling address, the commonest one, the place, the busiest hours."""
    devices, seen = len(evidence.hours), evidence.addresses
    _, at, count = np.unique(seen.code, return_inverse=True, return_counts=True)
    telling = count[at] <= TELLING_MAX
    few = Tally(seen.alias[telling], seen.code[telling], seen.count[telling])
    return {
        "device": np.arange(devices), "address": few.most(devices), "place": evidence.places.most(devices),
        "hours": evidence.hours.argmax(axis=1), "addresses": few.code,
        "first": np.searchsorted(few.alias, np.arange(devices + 1)),
    }


def _components(n: int, one: Ints, other: Ints, kept: np.ndarray) -> Ints:
    """Connected components of the pairs kept, as Splink's clustering has them."""
    parent = list(range(n))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for left, right in zip(one[kept].tolist(), other[kept].tolist(), strict=True):
        a, b = root(left), root(right)
        parent[max(a, b)] = min(a, b)
    return np.array([root(at) for at in range(n)], dtype=np.int64)
