"""Agents from outside: the same answers give the same rows, whatever became of run, agent and rows on the way."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.analyse.incrementality import Request, incrementality
from gaelp_sim.errors import InterruptedRunError, StoreBusyError, UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Store, row_hash
from gaelp_sim.store.verify import verify_run
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.request import Progress
from gaelp_sim.world.simulate import RunRequest, resume, run
from tests.postgres import NoPostgresError, empty_database, postgres_server
from tests.source_tree import ROOT
from tests.worlds.agents import ASKED, Row, answering, plain, put

SMALL = ("population.people=120", "days=2")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    try:
        with postgres_server() as url:
            yield url
    except NoPostgresError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store of either kind, with its tables."""
    if request.param == "sqlite":
        yield _store(tmp_path)
        return
    with empty_database(request.getfixturevalue("server")) as there:
        Store.open(there).close()
        yield there


def _store(folder: Path) -> str:
    made = f"sqlite:///{folder / 'gaelp.db'}"
    Store.open(made).close()
    return made


def _scenario(*sets: str, wait_s: float = 20.0) -> Scenario:
    return load_scenario("outside", [*SMALL, f"agent.wait_s={wait_s}", *sets])


def _hash(url: str, ref: str) -> str:
    with Store.open(url) as store:
        record = store.find_run(ref)
        assert all(passed for _, passed, _ in verify_run(store, record))
        return row_hash(store, record)


def _bids(url: str, ref: str = "@last") -> np.ndarray:
    """(hours, signals) of world 0"""
    with Store.open(url) as store:
        rows = store.read(store.find_run(ref), "bid_sheet", columns=("bid_micros",), where={"world_id": 0})
    return np.asarray(rows["bid_micros"]).reshape(-1, 6)


def _rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    with Store.open(url) as store, store.database.reading() as link:
        return link.all(sql)


def _stopping_after(hours: int) -> Any:
    def stop(progress: Progress) -> None:
        if progress.waiting is None and progress.hours_done == hours:
            raise KeyboardInterrupt
    return stop


def test_the_same_answers_give_the_same_rows(url: str) -> None:
    """Quick or slow, row by row or at once; stopped within a day and resumed; replayed, where nobody is asked."""
    scenario = _scenario("worlds=2")
    with answering(url):
        first = run(RunRequest(scenario, url)).run_id
    expected = _hash(url, first)
    with answering(url, lambda asked: plain(asked)[:5], pause_s=0.01):
        assert _hash(url, run(RunRequest(scenario, url)).run_id) == expected
    with answering(url):
        for hours in (1, 7, 24, 30):
            with pytest.raises(InterruptedRunError):
                (run(RunRequest(scenario, url), _stopping_after(hours)) if hours == 1
                 else resume(url, "@last", ALONE, _stopping_after(hours)))
        resumed = resume(url, "@last").run_id
    assert _hash(url, resumed) == expected
    for workers in (1, 2):
        assert replay(ReplayRequest(url, resumed, crew=Crew(workers))).equal
    assert replay(ReplayRequest(url, replay(ReplayRequest(url, first)).run.run_id)).equal, "a replay's replay"
    assert set(_rows(url, "SELECT verdict FROM observed_answers")) == {("ACCEPTED",)}
    assert _rows(url, "SELECT COUNT(*) FROM outside_bid") == [(0,)] == _rows(url, "SELECT COUNT(*) FROM outside_ask")


def test_what_is_answered_is_what_is_bid(tmp_path: Path) -> None:
    """To the micro: in the sheet, and in each decision at the market's level, by night as by day."""
    url = _store(tmp_path)
    with answering(url, lambda asked: [(*row[:5], 3_000_000 + row[2]) for row in asked]):
        summary = run(RunRequest(_scenario("us.policy.exploration=0.001", "population.people=1500"), url))
    assert (_bids(url) == 3_000_000 + np.arange(48)[:, None]).all()
    with Store.open(url) as store:
        record = store.find_run(summary.run_id)
        rows = store.read(record, "decision", columns=("occurred_s", "level", "bid_micros"))
    level, bid = np.asarray(rows["level"]), np.asarray(rows["bid_micros"])
    hour = (np.asarray(rows["occurred_s"]) - record.start_s) // 3600
    market = level == 6
    assert market.sum() > 20 and (bid[market] == 3_000_000 + hour[market]).all()
    assert np.isin(hour[market] % 24, range(1, 6)).any(), "the rule would bid a level lower at night"


@pytest.mark.parametrize(("name", "sets"), [
    ("randomised", ("population.people=100", "worlds=2", "days=1")), ("cells", ("population.people=400", "days=1")),
    ("email_retarget", ("population.people=200", "days=1", "identity.mode=linked", "us.policy.pacing=dual")),
])
def test_any_scenario_may_have_an_agent(name: str, sets: tuple[str, ...], tmp_path: Path) -> None:
    """Worlds with parameters of their own, cells, linked users, an adaptive pace; and one that goes on from it."""
    url = _store(tmp_path)
    scenario = load_scenario(name, [*sets, "agent.external=sql", "agent.missing=last"])
    with answering(url):
        first = run(RunRequest(scenario, url)).run_id
        later = None if name == "randomised" else run(RunRequest(scenario, url, continue_ref=first)).run_id
    for ref in (first, later):
        if ref is not None:
            assert replay(ReplayRequest(url, ref, crew=Crew(2))).equal
            assert _hash(url, ref)
    if later is not None:
        assert replay(ReplayRequest(url, later, rivals_react=False)).summary.opportunities > 0


def test_nobody_answers(tmp_path: Path) -> None:
    """Each hour goes on without: by the rule, by the hour before's, or not at all."""
    url = _store(tmp_path)
    runs = {missing: run(RunRequest(_scenario(f"agent.missing={missing}", wait_s=0.01), url))
            for missing in ("rule", "last", "nothing")}
    ruled = _bids(url, runs["rule"].run_id)
    assert (ruled[0] == [2_500_000, 5_500_000, 11_000_000, 22_000_000, 12_000_000, 18_000_000]).all()
    assert (_bids(url, runs["last"].run_id) == ruled[0]).all(), "of the first hour the rule's, then the hour before's"
    assert not _bids(url, runs["nothing"].run_id).any() and runs["nothing"].spend_usd == 0.0
    assert replay(ReplayRequest(url, runs["rule"].run_id)).equal


def test_half_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there counts, the rest is the hour before's; also where the run was stopped on a stored state's hour."""
    url = _store(tmp_path)
    scenario = _scenario("agent.missing=last", wait_s=0.05)
    first = run(RunRequest(scenario, url), _Half(url)).run_id
    bids, urgent = _bids(url), 3
    others = np.delete(bids, urgent, axis=1)
    assert (others == others[0]).all() and (bids[1::2, urgent] == 9_000_000 + np.arange(1, 48, 2)).all()
    assert (bids[2::2, urgent] == bids[1:-1:2, urgent]).all()
    monkeypatch.setattr("gaelp_sim.world.simulate.STATE_EVERY_DAYS", 1)
    with pytest.raises(InterruptedRunError):
        run(RunRequest(scenario, url), _Half(url, stop_after=24))
    assert _hash(url, resume(url, "@last", ALONE, _Half(url)).run_id) == _hash(url, first)


class _Half:
    """An agent whose rows lie there before their hour is asked, so that no clock decides: a sheet, then some bids."""

    def __init__(self, url: str, *, stop_after: int = 0) -> None:
        self.url, self.stop_after = url, stop_after

    def __call__(self, progress: Progress) -> None:
        hour = progress.hours_done
        if progress.waiting is not None and hour == 0:
            with Store.open(self.url) as store, store.database.writing() as link:
                put(link, plain(link.all(ASKED)))
        if progress.waiting is None and hour % 2:
            with Store.open(self.url) as store, store.database.writing() as link:
                put(link, [(progress.run_id, 0, hour, "search", "urgent", 9_000_000 + hour)])
        if progress.waiting is None and hour == self.stop_after:
            raise KeyboardInterrupt


def test_bad_rows_change_nothing(url: str) -> None:
    """Late, early, foreign, absurd and second rows in between: refused and kept, and the world is as without them."""
    scenario = _scenario("days=1")
    with answering(url):
        expected = _hash(url, run(RunRequest(scenario, url)).run_id)

    def noisy(asked: list[Row]) -> list[Row]:
        first = asked[0]
        bad = [
            (*first[:5], -5), (*first[:5], 10**12), (*first[:2], first[2] - 1, *first[3:5], 1),
            (*first[:2], first[2] + 1, *first[3:5], 1), ("nobody", *first[1:5], 1), (first[0], 7, *first[2:5], 1),
            (*first[:3], "no channel", first[4], 1),
        ]
        return [*bad, *plain(asked), (*first[:5], 77)]

    with answering(url, noisy):
        assert _hash(url, run(RunRequest(scenario, url)).run_id) == expected
    counted = dict(_rows(url, "SELECT verdict, COUNT(*) FROM observed_answers GROUP BY verdict"))
    assert counted == {"ACCEPTED": 2 * 144, "ABSURD": 48, "LATE": 24, "EARLY": 24, "FOREIGN": 72, "DUPLICATE": 24}


def test_a_lock_that_the_agent_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as an hour would wait; then the run ends in a line and can be resumed."""
    from gaelp_sim.store import engines

    pragmas = tuple(p.replace(str(engines.BUSY_TIMEOUT_MS), "20") for p in engines._SQLITE_PRAGMAS)
    monkeypatch.setattr(engines, "_SQLITE_PRAGMAS", pragmas)
    url = _store(tmp_path)

    def holding(progress: Progress) -> None:
        if progress.waiting is None and progress.hours_done == 3:
            taken = threading.Event()
            threading.Thread(target=_hold_lock, args=(url, hold_s, taken)).start()
            taken.wait()

    hold_s = 0.5
    with answering(url):
        run(RunRequest(_scenario("days=1"), url), holding)
    hold_s = 1.5
    with pytest.raises(StoreBusyError, match="try again"):
        run(RunRequest(_scenario("days=1", wait_s=0.05), url), holding)
    time.sleep(hold_s)
    assert _rows(url, "SELECT hours_done FROM observed_runs ORDER BY hours_done") == [(3,), (24,)]
    assert resume(url, "@last").days == 1


def _hold_lock(url: str, hold_s: float, taken: threading.Event) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        taken.set()
        time.sleep(hold_s)
        raw.execute("ROLLBACK")


def test_a_reader_that_never_ends_holds_up_nothing(tmp_path: Path) -> None:
    url = _store(tmp_path)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as raw:
        raw.execute("BEGIN")
        assert raw.execute("SELECT COUNT(*) FROM observed_sheet").fetchone() == (0,)
        with answering(url):
            run(RunRequest(_scenario("days=1"), url))
        assert raw.execute("SELECT COUNT(*) FROM observed_sheet").fetchone() == (0,)


def test_what_cannot_ask_is_refused_in_a_line(tmp_path: Path) -> None:
    """Several processes, a lake, worlds that are only thought through, a run that asked nobody; nothing is stored."""
    url = _store(tmp_path)
    for request, told in (
        (RunRequest(_scenario(), url, crew=Crew(2)), "asked by one process"),
        (RunRequest(_scenario(), url, lake=str(tmp_path / "lake")), "in the database"),
        (RunRequest(load_scenario("short"), url, policy="outside"), "names no agent"),
    ):
        with pytest.raises(UsageError, match=told):
            run(request)
    with Store.open(url) as store:
        assert not store.runs()
    ruled = run(RunRequest(_scenario("days=1"), url, policy="rule")).run_id
    with pytest.raises(UsageError, match="was bid by rule, and a replay asks nobody"):
        replay(ReplayRequest(url, ruled, policy="outside"))


def test_what_an_agents_ads_caused_can_be_asked(tmp_path: Path) -> None:
    """The worlds live again by the stored sheets, also after the run's end, where we advertise no more."""
    url = _store(tmp_path)
    with answering(url):
        stored = run(RunRequest(_scenario(), url)).run_id
    asked = Request(estimands=("M", "W"), run_out_days=1)
    with Store.open(url) as store:
        found = incrementality(store, store.find_run(stored), asked, lambda share: None)
    assert found.effects


# The examples, as their readers run them


def test_the_python_example_bids_for_a_whole_run(tmp_path: Path) -> None:
    url = _store(tmp_path)
    example = ROOT / "examples" / "outside_agent.py"
    assert len(example.read_text().splitlines()) <= 40
    agent = subprocess.Popen([sys.executable, "-I", "-S", str(example), "gaelp.db", "3"], cwd=tmp_path,
                             stdout=subprocess.PIPE, text=True)
    run(RunRequest(_scenario("days=1"), url))
    said, _ = agent.communicate(timeout=60)
    assert said == "144 bids given\n" and agent.returncode == 0
    assert _rows(url, "SELECT verdict, COUNT(*) FROM observed_answers GROUP BY 1") == [("ACCEPTED", 144)]


def test_the_sql_example_bids_for_a_whole_run(url: str) -> None:
    text = (ROOT / "examples" / "outside_agent.sql").read_text()
    stop = threading.Event()

    def loop() -> None:
        with Store.open(url) as store:
            while not stop.is_set():
                with store.database.writing() as link:
                    link.execute(text.rstrip().rstrip(";"))
                time.sleep(0.01)

    agent = threading.Thread(target=loop)
    agent.start()
    try:
        run(RunRequest(_scenario("days=1"), url))
    finally:
        stop.set()
        agent.join()
    assert _rows(url, "SELECT verdict, COUNT(*) FROM observed_answers GROUP BY 1") == [("ACCEPTED", 144)]


def _gaelp(*words: str, folder: Path) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("gaelp")), *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_ctrl_c_while_it_waits_ends_it_so_that_it_can_go_on(tmp_path: Path) -> None:
    url = _store(tmp_path)
    words = ["run", "outside", *(word for key in SMALL for word in ("--set", key)), "--days", "1"]
    waiting = _gaelp(*words, folder=tmp_path)
    deadline = time.monotonic() + 120
    while not _rows(url, "SELECT 1 FROM observed_sheet WHERE asked = 1"):
        assert time.monotonic() < deadline and waiting.poll() is None
        time.sleep(0.1)
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=60)
    assert waiting.returncode == 130 and "waits for an agent: it reads observed_sheet" in told
    assert "nothing is lost: gaelp resume" in told and "Traceback" not in told
    assert _rows(url, "SELECT status, hours_done FROM observed_runs") == [("INTERRUPTED", 0)]
    assert _rows(url, "SELECT COUNT(*) FROM observed_sheet") == [(0,)], "it asks nothing any more"
    with answering(url):
        assert resume(url, "@last").days == 1


def test_a_killed_run_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    """The process is gone in the middle of an hour; what it had accepted for the hour still counts."""
    url = _store(tmp_path)
    scenario = _scenario("agent.missing=nothing", wait_s=30.0)
    with answering(url):
        expected = _hash(url, run(RunRequest(scenario, url)).run_id)
    words = [word for key in (*SMALL, "agent.missing=nothing") for word in ("--set", key)]
    with answering(url, lambda asked: plain(asked)[:4]):
        killed = _gaelp("run", "outside", *words, folder=tmp_path)
        deadline = time.monotonic() + 120
        while _rows(url, "SELECT COUNT(*) FROM observed_runs WHERE hours_done >= 9") < [(2,)]:
            assert time.monotonic() < deadline and killed.poll() is None
            time.sleep(0.01)
        killed.kill()
        killed.communicate()
        assert _rows(url, "SELECT COUNT(*) FROM observed_runs WHERE status = 'RUNNING'") == [(1,)]
        resumed = resume(url, "@last").run_id
    assert _hash(url, resumed) == expected
    assert set(_rows(url, "SELECT verdict FROM observed_answers")) == {("ACCEPTED",)}
