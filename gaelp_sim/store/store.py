"""The store: one object that opens a database, keeps runs in it and gives their rows back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from gaelp_sim.store import lifecycle, schema, writer
from gaelp_sim.store.engines import Database, connect
from gaelp_sim.store.lake import check_clearable, remove_run
from gaelp_sim.store.reader import ColumnValues, Selection, read_in_parts, read_paths, read_table
from gaelp_sim.store.records import RUNNING, Batch, Checkpoint, RunRecord


class Store:
    """Runs in a database. One process writes a run at a time; any number may read."""

    def __init__(self, database: Database) -> None:
        """Use `open` instead: it also makes or checks the schema."""
        self.database = database
        self._positions: dict[int, writer.Position] = {}
        self._held: dict[int, str] = {}

    @classmethod
    def open(cls, url: str, *, must_exist: bool = False) -> Store:
        """Open the store at an SQLAlchemy URL; an empty database gets its tables and views first.

        Raises SchemaVersionError for another version's store, RunNotFoundError when `must_exist` and there is none.
        """
        database = connect(url, must_exist=must_exist)
        try:
            schema.ensure(database)
        except BaseException:
            database.engine.dispose()
            raise
        return cls(database)

    @property
    def url(self) -> str:
        """Where the store is, fit to print (no password)."""
        return self.database.url

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.database.dialect

    def close(self) -> None:
        """Let go of every run and connection."""
        for token in self._held.values():
            lifecycle.release(token)
        self._held.clear()
        self._positions.clear()
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def begin_run(self, record: RunRecord, names: Mapping[str, Sequence[str]]) -> RunRecord:
        """Store a new run with the names behind its codes ({kind: [name of code 0, ...]}); this process writes it."""
        with self.database.writing() as link:
            run = lifecycle.begin(link, record)
            position = writer.write_names(link, run, {kind: list(listed) for kind, listed in names.items()})
        self._keep(run, position)
        return run

    def claim_run(self, ref: str) -> tuple[RunRecord, Checkpoint | None]:
        """Take up an unfinished run where its last checkpoint left it; this process writes it from now on.

        Raises RunNotFoundError, StoreBusyError (another process writes it), CorruptStoreError (rows changed since).
        """
        with self.database.writing() as link:
            run = lifecycle.claim(link, lifecycle.find(link, ref, self.url), self.url)
            position, last = writer.stored_position(link, run, self.url)
        self._keep(run, position)
        return run, last

    def _keep(self, run: RunRecord, position: writer.Position) -> None:
        lifecycle.hold(run.writer_token)
        self._held[run.run_key] = run.writer_token
        self._positions[run.run_key] = position

    def commit(self, run: RunRecord, batch: Batch) -> None:
        """Write one commit point in one transaction; after an error the same call may be made again.

        Raises CorruptStoreError (books don't balance), StoreBusyError (taken over; server gone), StoreIOError.
        """
        if run.run_key not in self._positions:
            raise ValueError(f"run {run.run_id!r} is not held by this store: begin_run or claim_run first")
        self._positions[run.run_key] = writer.commit(self.database, run, self._positions[run.run_key], batch)

    def finish_run(self, run: RunRecord, status: str, summary: Mapping[str, Any]) -> RunRecord:
        """Close a run with FINISHED, INTERRUPTED or FAILED and its summary (JSON-able), and let go of it."""
        if status == RUNNING:
            raise ValueError("a run is finished as FINISHED, INTERRUPTED or FAILED")
        with self.database.writing() as link:
            done = lifecycle.finish(link, run, status, dict(summary))
        lifecycle.release(self._held.pop(run.run_key, ""))
        self._positions.pop(run.run_key, None)
        schema.tidy_up(self.database)
        return done

    def abandon_run(self, run: RunRecord) -> None:
        """Let go of a run that this store holds, and remove it with all of its rows."""
        lifecycle.release(self._held.pop(run.run_key, ""))
        self._positions.pop(run.run_key, None)
        self.delete_run(run)

    def find_run(self, ref: str) -> RunRecord:
        """The run that a unique id prefix or `@last` names; raises RunNotFoundError with the nearest ids."""
        with self.database.reading() as link:
            return lifecycle.find(link, ref, self.url)

    def writer_is_gone(self, run: RunRecord) -> bool:
        """Whether nobody writes the run any more, though it is said to be running, as far as can be known from here."""
        return lifecycle.is_gone(self.find_run(run.run_id))

    def runs(self) -> list[RunRecord]:
        """Every run, oldest first."""
        with self.database.reading() as link:
            return lifecycle.all_runs(link)

    def delete_run(self, run: RunRecord) -> None:
        """Remove a run and its rows; raises UsageError when a child continues it, store errors where its lake is away."""
        if run.lake:
            check_clearable(run.lake)
        with self.database.writing() as link:
            lifecycle.delete(link, run, self.url)
        if run.lake:  # after the catalogue: it must never name a part that is gone
            remove_run(run.lake, run.run_id)

    def read(
        self, run: RunRecord, table: str, *, columns: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None, order: bool = True,
    ) -> dict[str, ColumnValues]:
        """Columns (n,) of a run's rows: int64 or float64 arrays, lists of bytes or text; in key order if `order`."""
        return read_table(self.database, run.run_key, table, selection=Selection(columns, where, order))

    def read_parts(self, run: RunRecord, table: str, columns: Sequence[str]) -> Iterator[dict[str, ColumnValues]]:
        """The same in key order, at most 65,536 rows at a time: for tables that should not be held whole."""
        return read_in_parts(self.database, run.run_key, table, Selection(columns))

    def read_paths(self, run: RunRecord) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
        """Person (`world_id << 32 | person_id`), status and path of every journey, in the order of person and journey."""
        return read_paths(self.database, run.run_key)

    def add_analysis(
        self, run: RunRecord, tables: Mapping[str, Mapping[str, Any]], *, replacing: Mapping[str, Any]
    ) -> None:
        """Write rows of ANALYSIS_TABLES beside a run, all or none; rows of these tables with `replacing` give way."""
        with self.database.writing() as link:
            writer.replace_analysis(link, run, tables, replacing)

    def checkpoint(self, run: RunRecord, hour: int | None = None) -> Checkpoint | None:
        """The checkpoint of `hour` (default: the newest), or None; most have an empty state."""
        with self.database.reading() as link:
            return lifecycle.checkpoint_at(link, run.run_key, hour)

    def state_before(self, run: RunRecord, hour: int) -> Checkpoint | None:
        """The newest checkpoint of the run at or before `hour` whose state is kept, or None."""
        with self.database.reading() as link:
            return lifecycle.state_before(link, run.run_key, hour)
