"""The lake: a run's large tables as Parquet parts in a folder or an object store; the SQL store is their catalogue.

A part's name is a function of (run, table, world, cell, day, commit point), and it appears whole or not at all: written
again after a failure it is the same part. A part counts once its row stands in `lake_part`, which is written in the
transaction of its commit point; readers ask the catalogue and never list folders.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.errors import CorruptStoreError, GaelpError, StoreIOError, StoreWriteError, UsageError
from gaelp_sim.store.columns import Rows
from gaelp_sim.store.layout import LAYOUTS, ColumnKind
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY

INSTALL = "next: pip install 'gaelp-sim[lake]'"
_GO_ON = "nothing that was committed is lost; next: check the lake, then gaelp resume"
_LOOK = "next: check the lake's address and the credentials in your environment, then try again"
_LOOK_HERE = "next: check the disk, and the rights on the lake's folder"
FILE_ORDER = {
    "touchpoint": ("person_id", "occurred_s", "touch_slot"),
    "decision": ("person_id", "occurred_s"),
    "journey": ("person_id", "journey_index"),
}
"""Columns that the rows of a part are sorted by, of one world each."""
_COMPRESSION_LEVEL = 1
_ROW_GROUP_ROWS = 131_072


@dataclass(frozen=True)
class Part:
    """One file of a lake, as the catalogue knows it."""

    table: str
    world: int
    cell: int
    day: int
    hour: int
    path: str
    rows: int
    size: int
    """Bytes of the file"""
    sha256: bytes


def checked_place(place: str) -> str:
    """A lake's place as it is stored: an absolute folder, or an fsspec URL; raises UsageError, StoreWriteError."""
    if place == "" or "://" not in place:
        if not place.strip():
            raise UsageError("--lake is empty; it must be a folder or a URL such as s3://BUCKET/FOLDER")
        place = os.path.abspath(os.path.expanduser(place))
        if os.path.exists(place) and not os.path.isdir(place):
            raise StoreWriteError(f"{place}: is a file, and a lake is a folder; next: name another with --lake")
    elif "@" in place.partition("://")[2].partition("/")[0]:
        raise UsageError("--lake: a URL with a password would be stored; next: give credentials by the environment")
    _pyarrow()
    lake = lake_at(place)
    if isinstance(lake, Folder):
        try:
            os.makedirs(lake.root, exist_ok=True)
        except OSError as error:
            raise StoreWriteError(f"{place}: {error.strerror or error}; next: name a folder that can be written") from error
    check_lake(place)
    return place.rstrip("/")


def check_clearable(place: str) -> None:
    """Whether a lake's files can be removed, or its bucket is gone with them; raises StoreWriteError, in one line."""
    try:
        check_lake(place)
    except StoreWriteError as refusal:
        if not isinstance(refusal.__cause__, FileNotFoundError):
            raise


def check_lake(place: str) -> None:
    """Whether an object store can be reached, and may be written and cleared; raises StoreWriteError, in one line."""
    lake = lake_at(place)
    if isinstance(lake, Folder):
        return
    try:
        lake.try_out()
    except Exception as error:
        raise StoreWriteError(f"{place}: {_line(error)}; {_LOOK}") from error


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as missing:
        raise StoreWriteError(f"a lake needs pyarrow, duckdb and fsspec; {INSTALL}") from missing
    return pyarrow


class Folder:
    """A lake in a folder of this machine: parts are written beside, synced and renamed into place."""

    is_local = True

    def __init__(self, root: str) -> None:
        """`root`: an absolute path; it is made with the first part."""
        self.root = root

    def put(self, path: str, content: bytes) -> None:
        """Make `path` hold `content`, whole or not at all; raises OSError."""
        target = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        beside = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}.tmp")
        try:
            with open(beside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, target)
        except BaseException:
            if os.path.exists(beside):
                os.unlink(beside)
            raise

    def get(self, path: str) -> bytes:
        """The content of `path`; raises OSError."""
        with open(os.path.join(self.root, path), "rb") as file:
            return file.read()

    def remove(self, folder: str) -> None:
        """Remove `folder` with all that is in it; nothing where there is none. Raises OSError."""
        target = os.path.join(self.root, folder)
        if os.path.isdir(target):
            shutil.rmtree(target)


class ObjectStore:
    """A lake behind an fsspec URL: a put is one request, and an object appears whole or not at all."""

    is_local = False

    def __init__(self, url: str) -> None:
        """`url`: such as s3://bucket/folder; credentials come from the environment."""
        try:
            import fsspec
        except ImportError as missing:
            raise StoreWriteError(f"{url}: a lake behind a URL needs fsspec; {INSTALL}") from missing
        try:
            self.files, self.root = fsspec.core.url_to_fs(url)
        except ImportError as missing:
            text = " ".join(str(missing).split()).rstrip(".")
            raise StoreWriteError(f"{url}: {text}; next: install that package, then try again") from missing
        except ValueError as unknown:
            raise UsageError(f"--lake {url}: {unknown}; next: a folder, or a URL that fsspec knows") from unknown
        self.root = self.root.rstrip("/")

    def try_out(self) -> None:
        """Write an object and take it away again; raises what the store says against it."""
        name = f"{self.root}/.trial-{os.urandom(8).hex()}"
        self.files.pipe_file(name, b"gaelp-sim")
        self.files.rm_file(name)

    def put(self, path: str, content: bytes) -> None:
        """Make `path` hold `content`; raises OSError."""
        self.files.pipe_file(f"{self.root}/{path}", content)

    def get(self, path: str) -> bytes:
        """The content of `path`; raises OSError."""
        content: bytes = self.files.cat_file(f"{self.root}/{path}")
        return content

    def begin_of(self, path: str) -> bytes:
        """The first bytes of `path`; raises OSError."""
        content: bytes = self.files.cat_file(f"{self.root}/{path}", start=0, end=4)
        return content

    def remove(self, folder: str) -> None:
        """Remove all below `folder`; raises OSError."""
        self.files.invalidate_cache()
        if self.files.exists(f"{self.root}/{folder}"):
            self.files.rm(f"{self.root}/{folder}", recursive=True)


def lake_at(place: str) -> Folder | ObjectStore:
    """The lake at a folder or URL; raises StoreWriteError where a package is missing."""
    if place.startswith("file://"):
        return Folder(place.removeprefix("file://"))
    return ObjectStore(place) if "://" in place else Folder(place)


@dataclass(frozen=True)
class Writing:
    """Where a commit point's parts go: a lake, a run, its clock, the first person of each cell (worlds, cells)."""

    place: str
    run_id: str
    start_s: int
    hour: int
    cell_starts: np.ndarray | None


def write_parts(writing: Writing, rows: Rows) -> list[Part]:
    """Write one table's rows of a commit point into the lake; raises StoreIOError, after which the call may be repeated."""
    lake = lake_at(writing.place)
    parts: list[Part] = []
    for (world, cell, day), at in _groups(writing, rows):
        piece = rows.take(at[_file_order(rows, at)])
        path = part_path(rows.layout.name, writing.run_id, (world, cell, day), writing.hour)
        content = encoded(piece)
        try:
            lake.put(path, content)
        except Exception as error:
            raise _told(writing.place, path, error, _GO_ON) from error
        parts.append(Part(rows.layout.name, world, cell, day, writing.hour, path, piece.count, len(content),
                          hashlib.sha256(content).digest()))
    return parts


def part_path(table: str, run_id: str, where: tuple[int, int, int], hour: int) -> str:
    """A part's name below the lake's root: always the same for the same rows."""
    world, cell, day = where
    return f"{table}/run={run_id}/world={world}/cell={cell}/day={day}/hour-{hour:06d}.parquet"


def read_part(place: str, part: Part) -> bytes:
    """A part's content, held against the catalogue; raises CorruptStoreError, StoreIOError."""
    content = _fetched(place, part, lake_at(place).get)
    if hashlib.sha256(content).digest() != part.sha256:
        raise CorruptStoreError(f"{place}: {part.path} was changed; next: restore a copy, or run it anew")
    return content


def _fetched(place: str, part: Part, fetch: Callable[[str], bytes]) -> bytes:
    try:
        return fetch(part.path)
    except FileNotFoundError as missing:
        raise CorruptStoreError(f"{place}: {part.path} is missing; next: restore a copy, or run it anew") from missing
    except Exception as error:
        raise _told(place, part.path, error, _LOOK if "://" in place else _LOOK_HERE) from error


def remove_run(place: str, run_id: str) -> None:
    """Remove all parts of a run, those of a commit point that never was among them; raises StoreIOError."""
    lake = lake_at(place)
    for table in FILE_ORDER:
        folder = f"{table}/run={run_id}"
        try:
            lake.remove(folder)
        except Exception as error:
            gone = f"run {run_id} is deleted, but not its files; next: remove {place}/*/run={run_id} with another tool"
            raise _told(place, folder, error, gone) from error


def opened(place: str, parts: Sequence[Part]) -> Any:
    """Parts of an object store as a dataset of Arrow; raises CorruptStoreError, StoreIOError."""
    import pyarrow.dataset

    lake = lake_at(place)
    assert isinstance(lake, ObjectStore)
    _fetched(place, parts[0], lake.begin_of)  # a store that is away says so here at once, and in its own words
    try:
        files = [f"{lake.root}/{part.path}" for part in parts]
        return pyarrow.dataset.dataset(files, filesystem=lake.files, format="parquet")
    except Exception as error:
        raise _unreadable(place, parts, error) from error


def _unreadable(place: str, parts: Sequence[Part], error: Exception) -> GaelpError:
    """What to tell where parts could not be opened: what is wrong with the first that can't be read, else the error."""
    for part in parts:
        try:
            read_part(place, part)
        except GaelpError as found:
            return found
    return _told(place, "its parts", error, _LOOK)


def _told(place: str, path: str, error: Exception, next_step: str) -> StoreIOError:
    """A failure in one line: object stores raise errors of their own kinds."""
    return StoreIOError(f"{place}: {path}: {_line(error)}; {next_step}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _groups(writing: Writing, rows: Rows) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """Positions of the rows of each (world, cell, day), in that order.

    The day of a journey is the run's last: journeys are written once, as they stand at its end.
    """
    if not rows.count:
        return
    world = rows.number("world_id")
    cell = _cell(writing.cell_starts, world, rows.number("person_id"))
    if "occurred_s" in rows.columns:
        day = (rows.number("occurred_s") - writing.start_s) // SECONDS_PER_DAY
    else:
        day = np.full(rows.count, (writing.hour - 1) // HOURS_PER_DAY)
    order = np.lexsort([day, cell, world])
    keys = np.stack([world, cell, day])[:, order]
    edges = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    for at in np.split(order, edges):
        yield (int(world[at[0]]), int(cell[at[0]]), int(day[at[0]])), at


def _cell(starts: np.ndarray | None, world: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Cell of each person: a world's cells are runs of person ids."""
    cell = np.zeros(len(person), dtype=np.int64)
    if starts is None or starts.shape[1] == 1:
        return cell
    for number, first in enumerate(starts):
        here = world == number
        cell[here] = np.searchsorted(first, person[here], side="right") - 1
    return cell


def _file_order(rows: Rows, at: np.ndarray) -> np.ndarray:
    columns = [rows.number(name)[at] for name in FILE_ORDER[rows.layout.name]]
    return np.lexsort(columns[::-1])


def encoded(rows: Rows) -> bytes:
    """Rows as one Parquet file, zstd: the same rows give the same bytes."""
    pa = _pyarrow()
    table = pa.table({column.name: _arrow(column.kind, rows.columns[column.name]) for column in rows.layout.columns})
    plain = [column.name for column in rows.layout.columns if column.name in ("occurred_s", "person_id", "propensity")]
    sink = io.BytesIO()
    pa.parquet.write_table(
        table, sink, compression="zstd", compression_level=_COMPRESSION_LEVEL, row_group_size=_ROW_GROUP_ROWS,
        use_dictionary=[name for name in table.column_names if name not in plain],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in plain if name != "propensity"}, store_schema=False,
    )
    return sink.getvalue()


def arrow_type(kind: ColumnKind) -> Any:
    """The Arrow type of a column."""
    pa = _pyarrow()
    return {
        ColumnKind.SMALL: pa.int16(), ColumnKind.INT: pa.int32(), ColumnKind.BIG: pa.int64(),
        ColumnKind.DOUBLE: pa.float64(), ColumnKind.BYTES: pa.binary(), ColumnKind.TEXT: pa.string(),
    }[kind]


def _arrow(kind: ColumnKind, column: Any) -> Any:
    pa = _pyarrow()
    if kind is ColumnKind.BYTES and isinstance(column, np.ndarray):
        count, width = column.shape
        offsets = np.arange(count + 1, dtype=np.int32) * width
        return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(column.tobytes())])
    return pa.array(column, type=arrow_type(kind), from_pandas=False)


def decoded(content: bytes, columns: list[str], where: list[tuple[str, str, Any]]) -> Any:
    """Columns of a part as an Arrow table, only rows that fit every (column, "=", value)."""
    pa = _pyarrow()
    return pa.parquet.read_table(pa.BufferReader(content), columns=columns, filters=where or None)


LAKE_LAYOUTS = {name: LAYOUTS[name] for name in FILE_ORDER}
