"""The mailbox between a run and an agent from outside: what is asked, what came, and what became of each row.

An agent reads views and inserts into `outside_bid`. Each row leaves it in the transaction that judges it, and stands from
then on, with its verdict, in `outside_answer`: whoever is killed in between, no row is lost and none is judged twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.store.code_names import VERDICTS
from gaelp_sim.store.columns import NumberColumn, ObjectColumn, Rows
from gaelp_sim.store.encode import insert_rows
from gaelp_sim.store.engines import Database, Link
from gaelp_sim.store.layout import LAYOUTS, MAILBOX
from gaelp_sim.store.records import FINISHED, RunRecord

BID_MICROS_MOST = 1_000_000_000
"""1,000 units of money per click, or per thousand impressions: no answer may be higher."""
ROWS_AT_ONCE = 10_000
"""Rows judged in one transaction: a flood costs time, never memory."""
_LETTERS = 40  # of a stranger's text that are kept: no name of ours is longer
ACCEPTED, LATE, EARLY, DUPLICATE, FOREIGN, ABSURD = VERDICTS
_TEXTS = ("run_id", "channel", "signal")

Cell = tuple[int, str, str]
"""World, channel and signal by name: what a bid is for"""


@dataclass(frozen=True)
class Given:
    """What has come for the hour that is asked."""

    bids: dict[tuple[int, int, int], int]
    """Bid by (world, channel, signal), all by code"""
    asked: int
    refused: int
    """Rows refused since the hour was asked"""

    @property
    def complete(self) -> bool:
        """Whether everything that was asked has an answer."""
        return len(self.bids) == self.asked


@dataclass(frozen=True)
class _Row:
    """One row of the mailbox, cut to what is kept."""

    key: int
    run_id: str
    world: int
    hour: int
    channel: str
    signal: str
    bid_micros: int


class Mailbox:
    """The mailbox as one run sees it."""

    def __init__(self, database: Database, run: RunRecord) -> None:
        self.database, self.run = database, run

    def ask(self, hour: int, sheet: Mapping[str, NumberColumn | ObjectColumn]) -> None:
        """Put up the sheet of an hour (columns of `outside_ask`, but for the hour) in place of an older one."""
        rows = Rows.of(LAYOUTS["outside_ask"], {**sheet, "hour": np.full(len(sheet["world_id"]), hour, dtype=np.int64)})
        with self.database.writing() as link:
            self._withdraw(link)
            insert_rows(link, self.run.run_key, rows)

    def has_rows(self) -> bool:
        """Whether anything lies there that this run has to judge."""
        with self.database.reading() as link:
            return link.one(f"SELECT 1 FROM {MAILBOX} AS b WHERE {_OURS} LIMIT 1", (self.run.run_id, FINISHED)) is not None

    def take(self, hour: int, *, closing: bool = False) -> Given:
        """Judge what lies there; an hour whose sheet is complete, or that is `closing`, is asked no more."""
        with self.database.writing() as link:
            cells, given = self._cells(link), self._accepted(link, hour)
            last = int(link.all(f"SELECT COALESCE(MAX(bid_key), -1) FROM {MAILBOX}", ())[0][0])
            while True:
                rows = self._rows(link, last)
                verdicts = [_judged(row, self.run.run_id, hour, cells, given) for row in rows]
                refused = self._keep(link, hour, rows, verdicts)
                if not closing or len(rows) < ROWS_AT_ONCE:  # closing, all that lay there in time is judged
                    break
            bids = {cells[cell]: bid for cell, bid in given.items() if cell in cells}
            if closing or len(bids) == len(cells):
                self._withdraw(link)
        return Given(bids, len(cells), refused)

    def _withdraw(self, link: Link) -> None:
        link.execute("DELETE FROM outside_ask WHERE run_key = ?", (self.run.run_key,))

    def _cells(self, link: Link) -> dict[Cell, tuple[int, int, int]]:
        """What is asked: codes by names."""
        found = link.all(_ASKED, (self.run.run_key,))
        return {(world, channel, signal): (world, code, of) for world, channel, signal, code, of in found}

    def _accepted(self, link: Link, hour: int) -> dict[Cell, int]:
        found = link.all(
            "SELECT to_world, channel, signal, bid_micros FROM outside_answer WHERE run_key = ? AND hour = ? "
            "AND verdict = ?", (self.run.run_key, hour, VERDICTS.index(ACCEPTED)),
        )
        return {(world, channel, signal): bid for world, channel, signal, bid in found}

    def _rows(self, link: Link, last: int) -> list[_Row]:
        names = ", ".join(_shortened(link.dialect, name) if name in _TEXTS else f"b.{name}" for name in _GIVEN)
        sql = f"SELECT {names} FROM {MAILBOX} AS b WHERE {_OURS} AND b.bid_key <= ? ORDER BY b.bid_key LIMIT {ROWS_AT_ONCE}"
        return [_Row(*map(_plain, row)) for row in link.all(sql, (self.run.run_id, FINISHED, last))]

    def _keep(self, link: Link, hour: int, rows: list[_Row], verdicts: list[str]) -> int:
        """Move rows from the mailbox to the answers; returns how many the hour has seen refused."""
        run_key = self.run.run_key
        first, refused = link.all(
            "SELECT COUNT(*), SUM(CASE WHEN verdict <> 0 THEN 1 ELSE 0 END) FROM outside_answer "
            "WHERE run_key = ? AND hour = ?", (run_key, hour),
        )[0]
        if rows:
            insert_rows(link, run_key, Rows.of(LAYOUTS["outside_answer"], _columns(hour, int(first), rows, verdicts)))
            link.execute_many(f"DELETE FROM {MAILBOX} WHERE bid_key = ?", [(row.key,) for row in rows])
        return int(refused or 0) + sum(verdict != ACCEPTED for verdict in verdicts)


_GIVEN = ("bid_key", "run_id", "world_id", "hour", "channel", "signal", "bid_micros")
# Rows for nobody are judged by whoever reads them first; those for a run that is being written, or may be resumed, wait.
_OURS = (
    "(b.run_id = ? OR NOT EXISTS (SELECT 1 FROM run AS q WHERE q.run_id = b.run_id AND q.status <> ?))"
)
_ASKED = (
    "SELECT t.world_id, c.name, s.name, t.channel, t.signal FROM outside_ask AS t "
    "JOIN name AS c ON c.run_key = t.run_key AND c.kind = 'channel' AND c.code = t.channel "
    "JOIN name AS s ON s.run_key = t.run_key AND s.kind = 'signal' AND s.code = t.signal WHERE t.run_key = ?"
)


def _shortened(dialect: str, name: str) -> str:
    """A stranger's text, cut; as bytes on SQLite, where it need not be UTF-8 and the driver would refuse to read it."""
    cut = f"substr(b.{name}, 1, {_LETTERS})"
    return f"CAST({cut} AS BLOB)" if dialect == "sqlite" else cut


def _plain(value: Any) -> Any:
    """Text that either database can hold."""
    if not isinstance(value, bytes | str):
        return value
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text.replace("\0", "\ufffd")


def _judged(row: _Row, run_id: str, hour: int, cells: dict[Cell, tuple[int, int, int]], given: dict[Cell, int]) -> str:
    """The verdict on a row; one that is accepted stands in `given` from now on."""
    cell = (row.world, row.channel, row.signal)
    if row.run_id != run_id or (cells and cell not in cells):
        return FOREIGN
    if row.hour != hour:
        return LATE if row.hour < hour else EARLY
    if not 0 <= row.bid_micros <= BID_MICROS_MOST:
        return ABSURD
    if not cells:
        return LATE  # the hour is closed
    if cell in given:
        return DUPLICATE
    given[cell] = row.bid_micros
    return ACCEPTED


def _columns(hour: int, first: int, rows: list[_Row], verdicts: list[str]) -> dict[str, NumberColumn | ObjectColumn]:
    numbers = {
        "hour": [hour] * len(rows), "number": range(first, first + len(rows)), "to_world": [row.world for row in rows],
        "to_hour": [row.hour for row in rows], "bid_micros": [row.bid_micros for row in rows],
        "verdict": [VERDICTS.index(verdict) for verdict in verdicts],
    }
    texts = {"to_run": [row.run_id for row in rows], "channel": [row.channel for row in rows],
             "signal": [row.signal for row in rows]}
    return {**{name: np.array(column, dtype=np.int64) for name, column in numbers.items()}, **texts}
