"""Runs from request to stored rows: begin, commit day by day, finish; resume and continue."""

from __future__ import annotations

import json
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import FrameType
from typing import Any

import numpy as np

from gaelp_sim import __version__
from gaelp_sim.errors import BidderError, InterruptedRunError, StoreBusyError, UsageError, UserModelError
from gaelp_sim.scenario.resolved import resolved_text, scenario_hash
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Batch, RunRecord, Store
from gaelp_sim.store.lake import checked_place
from gaelp_sim.store.outside import Mailbox
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_HOUR, epoch_seconds, from_micros
from gaelp_sim.world.asking import Asking, asks, check_askable
from gaelp_sim.world.cell_starts import first_people
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.estimate import estimated
from gaelp_sim.world.executors import Executor, check_reached, executor_of, noted
from gaelp_sim.world.followed import Followed
from gaelp_sim.world.hosts import LostHostError
from gaelp_sim.world.inherit import follows, inherited, parent_of
from gaelp_sim.world.log import Table, joined_columns
from gaelp_sim.world.machine import cpu_features, numba_version, torch_version
from gaelp_sim.world.model import model_of
from gaelp_sim.world.opponents import opponents_named
from gaelp_sim.world.outside_users import user_model_named
from gaelp_sim.world.outsiders import additive, makers
from gaelp_sim.world.policies import PLANNERS, default_policy, is_learned, pinned, policy_named
from gaelp_sim.world.pool import Base
from gaelp_sim.world.request import Estimate, OnProgress, Progress, RunRequest, RunSummary, Waiting, ignore
from gaelp_sim.world.rows import auction_hour_rows, world_parameter_rows
from gaelp_sim.world.shard import Tables, Task
from gaelp_sim.world.snapshot import pack
from gaelp_sim.world.stack import Place
from gaelp_sim.world.state import State
from gaelp_sim.world.stored_scenario import stored_scenario
from gaelp_sim.world.stored_sheets import sheets_of
from gaelp_sim.world.taken_up import state_before, stored_tally, stored_touches
from gaelp_sim.world.tally import Tally
from gaelp_sim.world.twin import sales_without_ads

STATE_EVERY_DAYS = 10
"""A state is stored with every tenth day's commit and with the last; resuming replays the days since, which costs less
than packing a state every day (being keyed, they come out the same)."""

__all__ = ["Estimate", "Progress", "RunRequest", "RunSummary", "estimate", "resume", "run"]


@dataclass
class Writing:
    """A run being written: where, by whom, and what it has come to."""

    store: Store
    run: RunRecord
    task: Task
    executor: Executor
    tally: Tally
    on_progress: OnProgress
    began_s: float
    without_ads: Callable[[], int] | None = None
    """Counts the sales of the same worlds without our ads, where they are asked for"""
    asking: Asking | None = None
    """The agent from outside that is asked each hour, where one is"""

    @cached_property
    def cell_starts(self) -> np.ndarray | None:
        """First person of each cell (worlds, cells), where the run has a lake whose parts are named by cells."""
        if not self.run.lake or self.run.cells == 1:
            return None
        return first_people(self.scenario, self.run.seed)

    @property
    def scenario(self) -> Scenario:
        """What is simulated."""
        return self.task.scenario

    @property
    def first_hour(self) -> int:
        """Hour since the root run's start at which this run begins."""
        return self.run.start_hour


def run(request: RunRequest, on_progress: OnProgress = ignore) -> RunSummary:
    """Simulate a scenario into the store.

    Raises ScenarioError, UsageError, store errors, and InterruptedRunError at a commit point after Ctrl-C.
    """
    began_s = time.perf_counter()
    scenario = _scenario_of(request)
    policy = pinned(request.policy or default_policy(scenario))
    policy_named(policy, scenario)
    if policy in PLANNERS and request.continue_ref:
        raise UsageError(f"--policy {policy}: its plan begins with a run's first hour, so it can't --continue one; "
                         "run the whole with more --days")
    user_model_named(scenario)
    with Store.open(request.db_url) as store:
        parent = store.find_run(request.continue_ref) if request.continue_ref else None
        state = _inherited(store, parent, scenario) if parent else None
        record = _record(request, scenario, policy, parent)
        check_askable(record, request.crew)
        task = _task(record, scenario, record.start_hour, state)
        return written(store, Beginning(record, task, began_s), request.crew, on_progress)


@dataclass(frozen=True)
class Beginning:
    """A run that is about to begin."""

    record: RunRecord
    task: Task
    began_s: float
    """When it was asked for, by the clock that counts its seconds"""


def written(store: Store, begins: Beginning, crew: Crew, on_progress: OnProgress) -> RunSummary:
    """Simulate a run's worlds into the store, from its first hour to its last."""
    task, scenario = begins.task, begins.task.scenario
    makers(scenario, task.policy, task.bidders)
    executor = executor_of(task, crew)
    try:
        begun = store.begin_run(begins.record, model_of(scenario, task.seed).names())
        writing = Writing(
            store, begun, task, executor, Tally(), on_progress, begins.began_s,
            _without_ads(store, begun, scenario, crew),
        )
        writing.asking = _asking(writing)
        with _resumable(store, begun):
            return _write(writing, begun.start_hour)
    finally:
        executor.close()


def resume(db_url: str, run_ref: str, crew: Crew = ALONE, on_progress: OnProgress = ignore) -> RunSummary:
    """Finish an interrupted run from its last commit point; its rows end as if it had never stopped.

    A finished run is left alone: its summary is returned.
    """
    began_s = time.perf_counter()
    with Store.open(db_url, must_exist=True) as store:
        found = store.find_run(run_ref)
        scenario = stored_scenario(found)
        if found.status == "FINISHED":
            return stored_summary(found)
        check_askable(found, crew)
        check_reached(crew)
        record, last = store.claim_run(found.run_id)
        done = last.hour if last else record.start_hour
        # What a bidder keeps to itself is in no stored state: such a run is lived through again from its start.
        state, from_hour = state_before(store, record, record.start_hour if _learns_alone(record, scenario) else done)
        task = replace(
            _task(record, scenario, from_hour, state), followed=_followed(store, record), sheets=sheets_of(store, record)
        )
        executor = executor_of(task, crew)
        try:
            with _resumable(store, record):
                executor.advance(done)
                if done % HOURS_PER_DAY:
                    executor.ask("books", done // HOURS_PER_DAY)  # stored already: only what follows is still to be written
                executor.ask("recall", *stored_touches(store, record, from_hour, done))
                writing = Writing(
                    store, record, task, executor, stored_tally(store, record), on_progress, began_s,
                    _without_ads(store, record, scenario, crew),
                )
                writing.asking = _asking(writing)
                return _write(writing, done)
        finally:
            executor.close()


def estimate(request: RunRequest) -> Estimate:
    """Rows, disk and seconds that a run would take."""
    return estimated(_scenario_of(request))


def _scenario_of(request: RunRequest) -> Scenario:
    changes: dict[str, Any] = {"seed": request.seed, "days": request.days, "worlds": request.worlds}
    changes = {name: value for name, value in changes.items() if value is not None}
    return request.scenario.model_copy(update=changes)


def _task(record: RunRecord, scenario: Scenario, start_hour: int, state: State | None) -> Task:
    """What to simulate, before it is dealt out."""
    bidders = tuple((name, ref) for name, ref in json.loads(record.rival_bidders))
    return Task(
        scenario, record.seed, record.policy, Place(range(0), range(0)), start_hour, state, record.opponents, bidders
    )


def task_of(store: Store, record: RunRecord) -> Task:
    """A stored run's worlds as they were born, all in one place.

    Raises UsageError for a replay whose rivals did not react: what they were lies in the run that it replays.
    """
    if follows(record):
        raise UsageError(f"run {record.run_id} is a replay with rivals as they had been; ask the run that it replays, or "
                         "replay that without --without-rival-reaction")
    scenario = stored_scenario(record)
    whole = Place(range(scenario.worlds), range(scenario.cells))
    return replace(_task(record, scenario, 0, None), place=whole, sheets=sheets_of(store, record))


def _without_ads(store: Store, record: RunRecord, scenario: Scenario, crew: Crew) -> Callable[[], int] | None:
    """Counts the sales of the same worlds without our ads from the run's beginning, where the run asks for them."""
    if not record.incremental:
        return None
    state, hour = state_before(store, record, record.start_hour)
    task = replace(_task(record, scenario, hour, state), followed=_followed(store, record))
    return partial(sales_without_ads, task, record.end_hour, crew)


def _opponents(request: RunRequest, scenario: Scenario, parent: RunRecord | None) -> str:
    """What rivals begin with: another run's or file's, else the parent's; raises UsageError where they do not fit."""
    if request.rivals_from is None:
        return parent.opponents if parent else ""
    if parent is not None:
        raise UsageError("--rivals-from and --continue don't go together: a continued run keeps its rivals. Leave one out.")
    return opponents_named(request.rivals_from, request.db_url).fitting(scenario, request.rivals_from).text()


def _bidders(request: RunRequest, parent: RunRecord | None) -> str:
    """Who bids from outside in rivals' seats, as JSON; a continued run keeps its parent's."""
    if parent is not None and request.bidders:
        raise UsageError("--bidder and --continue don't go together: a continued run keeps its bidders. Leave one out.")
    return parent.rival_bidders if parent else json.dumps([list(pair) for pair in request.bidders])


def _record(request: RunRequest, scenario: Scenario, policy: str, parent: RunRecord | None) -> RunRecord:
    start_hour = parent.end_hour if parent else 0
    return RunRecord(
        scenario_name=scenario.name, scenario_text=resolved_text(scenario), scenario_hash=scenario_hash(scenario),
        seed=parent.seed if parent else scenario.seed, people=scenario.population.people, days=scenario.days,
        worlds=scenario.worlds, start_s=epoch_seconds(scenario.start), start_hour=start_hour,
        end_hour=start_hour + scenario.days * HOURS_PER_DAY, hours_done=start_hour, label=request.label,
        cells=scenario.cells, log=scenario.log, policy=policy, currency=scenario.currency,
        parent_run_key=parent.run_key if parent else -1, root_run_key=parent.root_run_key if parent else -1,
        engine_version=__version__, python_version=platform.python_version(), numpy_version=np.__version__,
        numba_version=numba_version(), torch_version=torch_version() if is_learned(policy) else "",
        cpu_features=cpu_features(), incremental=int(request.incremental), opponents=_opponents(request, scenario, parent),
        rival_bidders=_bidders(request, parent), lake=checked_place(request.lake) if request.lake is not None else "",
    )


def _inherited(store: Store, parent: RunRecord, scenario: Scenario) -> State:
    if _learns_alone(parent, scenario):
        raise UsageError(
            f"--continue {parent.run_id}: its bidders from outside keep what they learn to themselves (no state and "
            "restore), so nothing of it is stored; run the whole time at once"
        )
    return inherited(store, parent, scenario)


def begun_task(store: Store, record: RunRecord, scenario: Scenario, origin: RunRecord) -> Task:
    """A replay of `origin`, begun where that began."""
    state, hour = state_before(store, origin, origin.start_hour)
    return _task(record, scenario, hour, state)


def rivals_of(store: Store, origin: RunRecord) -> Followed:
    """What rivals were in every hour of a finished run; it is simulated for that, and nothing is written."""
    task = begun_task(store, origin, stored_scenario(origin).model_copy(update={"log": "wins"}), origin)
    return noted(replace(task, followed=_followed(store, origin), sheets=sheets_of(store, origin)), origin.end_hour)


def _followed(store: Store, record: RunRecord) -> Followed | None:
    """The rivals that a replay meets as they were; None where they react."""
    return rivals_of(store, parent_of(store, record)) if follows(record) else None


def _learns_alone(record: RunRecord, scenario: Scenario) -> bool:
    """Whether a bidder from outside learns in a way that cannot be added up, nor stored."""
    made = makers(scenario, record.policy, [(name, ref) for name, ref in json.loads(record.rival_bidders)])
    return any(not additive(make()) for make in made.values())


def _asking(writing: Writing) -> Asking | None:
    """The conversation with an agent from outside, where the run has one."""
    agent = writing.scenario.agent
    if agent is None or not asks(writing.run):
        return None

    def tell(waiting: Waiting) -> None:
        writing.on_progress(replace(_progress(writing, waiting.hour), waiting=waiting))

    return Asking(Mailbox(writing.store.database, writing.run), agent, writing.executor, tell)


def _write(writing: Writing, hour: int) -> RunSummary:
    """Commit day after day from `hour` to the end; hour after hour where an agent from outside looks on."""
    record, asking = writing.run, writing.asking
    step = HOURS_PER_DAY if asking is None else 1
    with _stop_asked() as stop:
        for end in range(hour + step, record.end_hour + 1, step):
            if asking is not None and not asking.hear(end - 1, stop.is_set):
                raise _interrupted(writing, end - 1)
            _commit(writing, end)
            if stop.is_set() and end < record.end_hour:
                raise _interrupted(writing, end)
    if asking is not None:
        asking.close(record.end_hour)
    writing.executor.close()  # whoever lives the twin needs the room
    summary = _summary(writing)
    writing.store.finish_run(record, "FINISHED", summary.as_json())
    return summary


def _interrupted(writing: Writing, hour: int) -> InterruptedRunError:
    """Close the run at a commit point; returns what to tell the user."""
    record = writing.run
    writing.store.finish_run(record, "INTERRUPTED", {})
    day, of_day = divmod(hour - record.start_hour, HOURS_PER_DAY)
    after = f"day {day} of {record.days}" if of_day == 0 else f"hour {of_day} of day {day + 1} of {record.days}"
    return InterruptedRunError(f"interrupted after {after}; nothing is lost: gaelp resume {record.run_id}")


def _commit(writing: Writing, end: int) -> None:
    """Write what happened up to `end`: a day, or an hour of one."""
    record, executor = writing.run, writing.executor
    final, (days_done, of_day) = end == record.end_hour, divmod(end - record.start_hour, HOURS_PER_DAY)
    tables = _joined(executor.advance(end))
    _fold(tables, writing)
    if of_day:
        tables.update(_joined(executor.ask("books", end // HOURS_PER_DAY)))
    if end == record.start_hour + (HOURS_PER_DAY if writing.asking is None else 1):
        tables.update(_joined(executor.ask("births")))
        if writing.scenario.intervals:
            tables["world_parameter"] = world_parameter_rows(writing.scenario, record.seed)
    if final:
        executor.ask("carry_over")
    keeps = final or (of_day == 0 and days_done % STATE_EVERY_DAYS == 0)
    state = pack(executor.state()) if keeps else b""
    if final:
        tables.update(_joined(executor.ask("finish", end * SECONDS_PER_HOUR)))
    if keeps and not final and not _learns_alone(record, writing.scenario):
        executor.rest_on(partial(_stored_base, writing, end))
    if not final and writing.asking is None:
        executor.begin(end + HOURS_PER_DAY)
    writing.tally.add(tables, record.start_s + record.end_hour * SECONDS_PER_HOUR)
    if "conversion" in tables:
        del tables["conversion"]["our_touches"]
    _store(writing, Batch(tables, end, state, final, writing.cell_starts))
    writing.on_progress(_progress(writing, end))


def _store(writing: Writing, batch: Batch) -> None:
    """Commit; an agent that holds the database's lock for a while is waited for."""
    if writing.asking is None:
        writing.store.commit(writing.run, batch)
    else:
        writing.asking.patiently(lambda: writing.store.commit(writing.run, batch))


def _progress(writing: Writing, hour: int) -> Progress:
    record, tally = writing.run, writing.tally
    return Progress(
        hour - record.start_hour, record.end_hour - record.start_hour, record.people * record.worlds,
        tally.opportunities, tally.spend_micros, tally.conversions, tally.cac_usd(), record.run_id,
        writing.executor.losses,
    )


def _stored_base(writing: Writing, done: int) -> Base:
    """Where a lost host begins again: what `resume` would begin with."""
    state, from_hour = state_before(writing.store, writing.run, done)
    task = replace(writing.task, state=state, start_hour=from_hour)
    return Base(task, stored_touches(writing.store, writing.run, from_hour, done))


def _fold(tables: Tables, writing: Writing) -> None:
    """Turn the day's outcomes into hourly rollups."""
    outcome = tables.pop("outcome", None)
    if outcome is not None and len(outcome["hour"]):
        tables["auction_hour"] = auction_hour_rows(outcome, len(writing.scenario.channels))


def _joined(parts: list[Tables]) -> Tables:
    names = sorted({name for part in parts for name in part})
    return {name: _join_table([part[name] for part in parts if name in part]) for name in names}


def _join_table(pieces: list[Table]) -> Table:
    if len(pieces) == 1 or not any("path" in piece for piece in pieces):
        return joined_columns(pieces)
    paths = [path for piece in pieces for path in piece["path"]]
    table = joined_columns([{n: c for n, c in piece.items() if n != "path"} for piece in pieces])
    return {**table, "path": paths}  # type: ignore[dict-item]


def _summary(writing: Writing) -> RunSummary:
    record, tally = writing.run, writing.tally
    organic = writing.without_ads() if writing.without_ads else None
    return RunSummary(
        record.run_id, record.scenario_name, record.seed, record.worlds, record.people, record.days,
        1 + len(writing.scenario.rivals), tally.opportunities, tally.decisions, tally.touchpoints, tally.conversions,
        tally.conversions_paid, tally.rival_conversions, tally.reports_due, from_micros(tally.spend_micros),
        from_micros(tally.revenue_micros), tally.cac_usd(), tally.cac_paid_usd(), tally.cac_incremental_usd(organic),
        tally.win_rate(), time.perf_counter() - writing.began_s, organic,
    )


def stored_summary(record: RunRecord) -> RunSummary:
    """The summary a finished run was stored with."""
    return RunSummary(**json.loads(record.summary))


@contextmanager
def _resumable(store: Store, record: RunRecord) -> Iterator[None]:
    """Tell how to go on where a run ends between two commit points: interrupted at once, or workers died again and again.

    A run that its own bidder, user model or script stops is FAILED: it would stop there again.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(f"interrupted at once; no commit is lost: gaelp resume {record.run_id}") from stop
    except (BidderError, UserModelError, UsageError):
        store.finish_run(record, "FAILED", {})
        raise
    except LostHostError as error:
        raise StoreBusyError(f"{error}; no commit is lost; next: gaelp resume {record.run_id}") from error


@contextmanager
def _stop_asked() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C (the run then stops at its next commit point); a second one interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
