"""`gaelp export`: a run's views, or a form that other tools read, as files with a manifest."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gaelp_sim.analyse import exchange
from gaelp_sim.analyse.terms import terms_of
from gaelp_sim.errors import StoreIOError, UsageError
from gaelp_sim.store import RunRecord, Store, check_finished
from gaelp_sim.store.view_rows import view_rows
from gaelp_sim.store.views import VIEW_COLUMNS
from gaelp_sim.units import MICROS_PER_UNIT

BLOCK_ROWS = 50_000
VIEW_FORMS = ("csv", "ndjson", "parquet")
MANIFEST = "manifest.json"
OTHER_FORMS = ("auctionnet", "paths", "mmm")
Block = list[tuple[Any, ...]]
OnFile = Callable[[str, int], None]


@dataclass(frozen=True)
class Request:
    """What is to be written where."""

    to: str
    """One of VIEW_FORMS or OTHER_FORMS"""
    folder: Path
    views: tuple[str, ...] = ()
    """Views to write; none for all"""
    force: bool = False
    """An existing folder gives way"""


@dataclass(frozen=True)
class _Part:
    """One file to be written."""

    name: str
    columns: Mapping[str, str]
    """Names with meanings"""
    blocks: Callable[[], Iterator[Block]]
    """Rows from their beginning, as often as asked"""


def export(store: Store, run: RunRecord, request: Request, on_file: OnFile) -> dict[str, Any]:
    """Write a run's files and their manifest; the folder appears when all is written, or not at all.

    Returns the manifest. Raises UsageError for a view that is not there, a folder that exists, an unfinished run, and
    Parquet without pyarrow; StoreIOError where the disk refuses.
    """
    check_finished(run, "can be exported")
    with appearing(request.folder, request.force) as aside:
        return _written(run, request, (_parts(store, run, request), _writer(request.to), aside), on_file)


@contextmanager
def appearing(target: Path, force: bool) -> Iterator[Path]:
    """A folder to fill beside `target`, which takes its name when all is written; or nothing is left of it.

    force: an existing folder gives way. Raises UsageError for one that may not, StoreIOError where the disk refuses.
    """
    if target.exists() and not force:
        raise UsageError(f"{target}: it exists already; name another folder, or let it give way with --force")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise StoreIOError(f"{target}: {error.strerror or error}; next: name a folder that can be written") from error
    try:
        yield aside
        aside.chmod(0o755)  # made for nobody else to read while it was unfinished
        if target.exists():
            shutil.rmtree(target)
        os.replace(aside, target)
    except OSError as error:
        raise StoreIOError(f"{target}: {error.strerror or error}; next: check the disk") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _parts(store: Store, run: RunRecord, request: Request) -> list[_Part]:
    if request.to in OTHER_FORMS:
        if request.views:
            raise UsageError(f"--view goes with {', '.join(VIEW_FORMS)}; {request.to} has columns of its own")
        return [_other(store, run, request.to)]
    for view in request.views:
        if view not in VIEW_COLUMNS:
            raise UsageError(f"--view {view}: no such view; next: gaelp query --views")
    return [
        _Part(view, VIEW_COLUMNS[view], partial(view_rows, store.database, view, run.run_id, BLOCK_ROWS))
        for view in request.views or VIEW_COLUMNS
    ]


def _other(store: Store, run: RunRecord, to: str) -> _Part:
    if to == "paths":
        return _Part("paths", exchange.PATHS, lambda: _blocks(exchange.path_rows(store, run)))
    if to == "mmm":
        return _Part("mmm", exchange.mix_columns(store, run), lambda: _blocks(exchange.mix_rows(store, run)))
    target = terms_of(run).cac_target_micros / MICROS_PER_UNIT
    return _Part("auctionnet", exchange.AUCTIONNET, lambda: _blocks(exchange.auctionnet_rows(store, run, target)))


def _blocks(rows: Iterator[tuple[Any, ...]]) -> Iterator[Block]:
    block: Block = []
    for row in rows:
        block.append(row)
        if len(block) == BLOCK_ROWS:
            yield block
            block = []
    if block:
        yield block


Writer = Callable[[Path, Sequence[str], Callable[[], Iterator[Block]]], int]


def _written(
    run: RunRecord, request: Request, work: tuple[list[_Part], tuple[str, Writer], Path], on_file: OnFile
) -> dict[str, Any]:
    parts, (ending, write), folder = work
    files = []
    for part in parts:
        path = folder / f"{part.name}.{ending}"
        rows = write(path, list(part.columns), part.blocks)
        files.append({"file": path.name, "rows": rows, "sha256": sha256_of(path), "columns": dict(part.columns)})
        on_file(path.name, rows)
    return write_manifest(folder, run, {"to": request.to, "files": files})


def sha256_of(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, run: RunRecord, told: dict[str, Any]) -> dict[str, Any]:
    """Write manifest.json: the run, then what is told; returns it."""
    manifest = {
        "run_id": run.run_id, "scenario": run.scenario_name, "scenario_hash": run.scenario_hash, "seed": run.seed,
        "policy": run.policy, "currency": run.currency, "engine_version": run.engine_version, **told,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def _writer(to: str) -> tuple[str, Writer]:
    if to == "ndjson":
        return "ndjson", _write_ndjson
    if to == "parquet":
        return "parquet", _write_parquet
    return "csv", _write_csv


def _write_csv(path: Path, columns: Sequence[str], blocks: Callable[[], Iterator[Block]]) -> int:
    """RFC 4180 under a header line; none is an empty cell, bytes are hexadecimal."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for block in blocks():
            writer.writerows([[value.hex() if isinstance(value, bytes) else value for value in row] for row in block])
            count += len(block)
    return count


def _write_ndjson(path: Path, columns: Sequence[str], blocks: Callable[[], Iterator[Block]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for block in blocks():
            for row in block:
                plain = [value.hex() if isinstance(value, bytes) else value for value in row]
                file.write(json.dumps(dict(zip(columns, plain, strict=True)), ensure_ascii=False) + "\n")
            count += len(block)
    return count


def _write_parquet(path: Path, columns: Sequence[str], blocks: Callable[[], Iterator[Block]]) -> int:
    """zstd; a column's type is that of all its values, found on a first pass."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("Parquet needs pyarrow; next: pip install 'gaelp-sim[logs]', or --to csv") from None
    kinds: list[set[type]] = [set() for _ in columns]
    for block in blocks():
        for place, values in enumerate(zip(*block, strict=True)):
            kinds[place].update(map(type, values))
    types = [_arrow_type(pa, kind - {type(None)}) for kind in kinds]
    schema = pa.schema(list(zip(columns, types, strict=True)))
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in blocks():
            arrays = [pa.array(values, type) for values, type in zip(zip(*block, strict=True), types, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
            count += len(block)
    return count


def _arrow_type(pa: Any, kinds: set[type]) -> Any:
    if kinds <= {int, bool}:
        return pa.int64() if kinds else pa.null()
    if kinds <= {int, bool, float}:
        return pa.float64()
    return pa.binary() if kinds == {bytes} else pa.string()
