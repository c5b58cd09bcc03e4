"""Measuring: a piece of work in this process or a whole process, several times, side by side with its peers."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Took:
    """What a piece of work took: units done, seconds of wall and of CPU, peak memory of a whole process."""

    count: int
    wall_s: float
    cpu_s: float
    peak_bytes: int = 0

    @property
    def per_cpu_s(self) -> float:
        """Units per CPU-second."""
        return self.count / self.cpu_s

    @property
    def per_wall_s(self) -> float:
        """Units per second of wall time."""
        return self.count / self.wall_s


Work = Callable[[], Took]


def timed(work: Callable[[], int]) -> Took:
    """Time work that returns how many units it did; CPU counts every thread of this process."""
    gc.collect()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    count = work()
    return Took(count, time.perf_counter() - wall_s, time.process_time() - cpu_s)


def side_by_side(repeats: int, works: Mapping[str, Work]) -> dict[str, list[Took]]:
    """Every work once per repetition, one after the other, so that a slow minute of the machine strikes all alike."""
    taken: dict[str, list[Took]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            taken[name].append(work())
    return taken


def launched(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Took:
    """Run a command as a process of its own in `folder`; raises RuntimeError with its last words when it fails."""
    output = folder / "output.txt"
    words = [sys.executable, "-I", "-S", str(_LAUNCHER), str(output), *command]
    given = {**_own_environment(), **(environment or {})}
    done = subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, check=True)
    took = json.loads(done.stdout)
    if took.pop("status"):
        raise RuntimeError(f"{' '.join(command)}: {output.read_text(encoding='utf-8', errors='replace')[-2_000:]}")
    return Took(1, **took)


def gaelp(*arguments: str) -> list[str]:
    """The installed command of this environment with some arguments."""
    return [str(Path(sys.executable).with_name("gaelp")), *arguments]


def _own_environment() -> dict[str, str]:
    """Ours, without settings that would send a run elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GAELP_")}
