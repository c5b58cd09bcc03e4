"""Disks that fail: the n-th write or sync of the store's files, a file that may grow no more, a disk that is full."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.cases import LABEL, failed_checks, hash_of, watched_id
from tests.crash.children import Child, gaelp

FAULTS = int(os.environ.get("GAELP_FAULTS", "100"))
WAYS = ("eio", "enospc", "torn", "death")
IO_FAILED, DIED, NO_RUN = 74, 137, 66
SCENARIO = ("quickstart", "--set", "population.people=200", "--days", "12")


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preloaded library, built here."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the failing writes with")
    library = tmp_path_factory.mktemp("shim") / "failing_writes.so"
    source = Path(__file__).with_name("failing_writes.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60)
    return library


@dataclass(frozen=True)
class Undisturbed:
    """The run without failures: its row hash, and how many writes and syncs it made."""

    row_hash: str
    calls: int


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, shim: Path) -> Undisturbed:
    """Simulated once, with the calls counted."""
    folder = tmp_path_factory.mktemp("undisturbed")
    url, counter = url_in(folder), folder / "calls"
    ended = gaelp(*run_at(url), folder=folder, LD_PRELOAD=str(shim), GAELP_FAIL_COUNT=str(counter))
    assert ended.code == 0, ended.err
    return Undisturbed(hash_of(url, "@last"), counter.stat().st_size)


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'gaelp.db'}"


def run_at(url: str) -> list[str]:
    return ["run", *SCENARIO, "--db", url, "--name", LABEL, "--watch"]


def finished(url: str, folder: Path, told: list[int]) -> Child:
    """Resume the run; where none was begun, and so nothing told, begin it anew."""
    child = Child(["resume", "@last", "--db", url, "--watch"], folder)
    if child.ended().code == NO_RUN:
        assert not told, f"day {told[-1]} was told, and there is no run: {child.said}"
        child = Child(run_at(url), folder)
    return child


def troubles_of(url: str, folder: Path, child: Child, row_hash: str) -> list[str]:
    """What is wrong after a child met a failing disk and the disk works again."""
    met = child.ended()
    found = [] if met.code in (0, DIED) or met.tells_one_error() else [f"says {met.err!r}"]
    if met.code not in (0, IO_FAILED, DIED):
        found.append(f"exit {met.code}: {met.last_line}")
    again = finished(url, folder, child.days)
    ended = again.ended()
    if ended.code != 0:
        return [*found, f"resume ends with {ended.code}: {ended.last_line}"]
    run_id = watched_id(url)
    assert run_id is not None
    found += [f"day {day} was told and is simulated again" for day in sorted(set(child.days) & set(again.days))]
    found += failed_checks(url, run_id)
    if hash_of(url, run_id) != row_hash:
        found.append("the row hash is another")
    return found + [f"left a report: {report.name}" for report in folder.glob("gaelp-bug*")]


@dataclass(frozen=True)
class Point:
    """One failure: which call, and how."""

    call: int
    way: str


def points(count: int, calls: int) -> Iterator[Point]:
    """`count` failures, the ways in turn, the calls spread evenly over a run with a little luck."""
    draw = random.Random(f"writes-{count}")
    for number in range(count):
        step = calls * (number + draw.random()) / count
        yield Point(1 + int(step), WAYS[number % len(WAYS)])


def suffered(point: Point, folder: Path, shim: Path, undisturbed: Undisturbed) -> tuple[int, list[str]]:
    """Run into the failure; the exit code it made, and what was wrong then or after resuming."""
    folder.mkdir()
    url = url_in(folder)
    failing = {"LD_PRELOAD": str(shim), "GAELP_FAIL_AT": str(point.call), "GAELP_FAIL_HOW": point.way}
    child = Child(run_at(url), folder, failing)
    code = child.ended().code
    found = troubles_of(url, folder, child, undisturbed.row_hash)
    if point.way == "death" and code != DIED:
        found.append(f"ended with {code}, was to die")
    return code, [f"{point}: {trouble}" for trouble in found]


def test_a_few_failing_writes(tmp_path: Path, shim: Path, undisturbed: Undisturbed) -> None:
    found = []
    for number, point in enumerate(points(4, undisturbed.calls)):
        found += suffered(point, tmp_path / str(number), shim, undisturbed)[1]
    assert not found, "\n".join(found)


@pytest.mark.campaign
def test_many_failing_writes(
    tmp_path: Path, shim: Path, undisturbed: Undisturbed, capsys: pytest.CaptureFixture[str]
) -> None:
    """FAULTS points over all calls of a run, four ways to fail; prints a table."""
    codes: Counter[tuple[str, int]] = Counter()
    wrong: Counter[str] = Counter()
    found: list[str] = []
    for number, point in enumerate(points(FAULTS, undisturbed.calls)):
        code, troubles = suffered(point, tmp_path / str(number), shim, undisturbed)
        codes[point.way, code] += 1
        wrong[point.way] += bool(troubles)
        found += troubles
    with capsys.disabled():
        print("\n" + "\n".join(table(codes, wrong, undisturbed.calls)))
    assert not found, "\n".join(found[:20])


def table(codes: Counter[tuple[str, int]], wrong: Counter[str], calls: int) -> list[str]:
    """A row per way to fail."""
    lines = [f"failing call of {calls}  points  exit 74  died  unharmed, exit 0  other exits  lost, torn or unlike"]
    for way in WAYS:
        counts = {code: count for (its_way, code), count in codes.items() if its_way == way}
        total = sum(counts.values())
        known = [counts.get(code, 0) for code in (IO_FAILED, DIED, 0)]
        lines.append(
            f"{way:<19}  {total:>6}  {known[0]:>7}  {known[1]:>4}  {known[2]:>16}  {total - sum(known):>11}  "
            f"{wrong[way]:>20}"
        )
    return lines


@pytest.mark.parametrize("limit_kib", [16, 400, 1_000])
def test_a_file_that_may_grow_no_more(tmp_path: Path, undisturbed: Undisturbed, limit_kib: int) -> None:
    url = url_in(tmp_path)
    child = Child(run_at(url), tmp_path)
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (limit_kib << 10, limit_kib << 10))
    assert child.ended().code == IO_FAILED
    assert not troubles_of(url, tmp_path, child, undisturbed.row_hash)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Function (KiB) -> a folder on a file system of its own of that size; called again it grows."""
    place = tmp_path / "disk"
    place.mkdir()

    def sized(size_kib: int) -> Path:
        options = f"{'remount,' if os.path.ismount(place) else ''}size={size_kib}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("no small disk may be mounted here")
        return place

    yield sized
    if os.path.ismount(place):
        subprocess.run(["umount", place], check=True, timeout=20)


@pytest.mark.parametrize("size_kib", [64, 1_000, 2_000])
def test_a_full_disk(small_disk: Callable[[int], Path], undisturbed: Undisturbed, size_kib: int) -> None:
    folder = small_disk(size_kib)
    url = url_in(folder)
    child = Child(run_at(url), folder)
    ended = child.ended()
    assert ended.code == IO_FAILED and "free some disk space" in ended.err
    small_disk(64 << 10)
    assert not troubles_of(url, folder, child, undisturbed.row_hash)
