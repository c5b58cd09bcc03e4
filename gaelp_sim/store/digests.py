"""Fingerprints of rows: 64 bits a row, summed per table, so that stored rows can be held against what was committed.

A sum does not depend on order and can be carried from commit to commit; a row that is replaced leaves the sum
before its successor enters. Every step of the mixing is a bijection: another number in one column is another print.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from gaelp_sim.store.columns import Rows
from gaelp_sim.store.layout import SIMULATION_TABLES

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def row_prints(rows: Rows) -> np.ndarray:
    """Fingerprints (n,) uint64 of whole rows, `run_key` left out."""
    return _prints(rows, tuple(column.name for column in rows.layout.columns))


def key_prints(rows: Rows) -> np.ndarray:
    """Fingerprints (n,) uint64 of the rows' keys."""
    return _prints(rows, tuple(column.name for column in rows.layout.key))


def _prints(rows: Rows, names: tuple[str, ...]) -> np.ndarray:
    salt = hashlib.sha256(rows.layout.name.encode()).digest()[:8]
    prints = np.full(rows.count, int.from_bytes(salt, "little"), dtype=np.uint64)
    kinds = {column.name: column.kind for column in rows.layout.columns}
    for name in names:
        column = rows.columns[name]
        if kinds[name].is_number:
            _mix(prints, column.view(np.uint64))  # type: ignore[union-attr]
        else:
            _mix_blobs(prints, column)
    return prints


def _mix(prints: np.ndarray, words: np.ndarray | np.uint64) -> None:
    np.bitwise_xor(prints, words, out=prints)
    np.multiply(prints, _MULTIPLIER, out=prints)
    np.bitwise_xor(prints, prints >> _SHIFT, out=prints)


def _mix_blobs(prints: np.ndarray, column: np.ndarray | list[bytes] | list[str]) -> None:
    if isinstance(column, np.ndarray):
        _mix_matrix(prints, column)
        return
    blobs = [text.encode() if isinstance(text, str) else text for text in column]
    lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs))
    for length in np.unique(lengths):  # blobs of one length form a matrix
        at = np.flatnonzero(lengths == length)
        matrix = np.frombuffer(b"".join(blobs[i] for i in at.tolist()), dtype=np.uint8).reshape(len(at), int(length))
        part = prints[at]
        _mix_matrix(part, matrix)
        prints[at] = part


def _mix_matrix(prints: np.ndarray, matrix: np.ndarray) -> None:
    width = matrix.shape[1]
    _mix(prints, np.uint64(width))
    padded = np.zeros((len(matrix), -(-width // 8) * 8), dtype=np.uint8)
    padded[:, :width] = matrix
    for words in padded.view(np.uint64).T:
        _mix(prints, words)


def total(prints: np.ndarray) -> int:
    """Sum of fingerprints modulo 2^64."""
    return int(np.add.reduce(prints, dtype=np.uint64)) if len(prints) else 0


@dataclass
class KnownRows:
    """Fingerprints of the rows that a replaceable table holds now, by the fingerprint of their key."""

    keys: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))  # sorted
    prints: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))

    def replace(self, rows: Rows, prints: np.ndarray) -> tuple[KnownRows, int]:
        """The known rows once `rows` are written, and the sum of the fingerprints that they replace."""
        keys = key_prints(rows)
        order = np.argsort(keys, kind="stable")
        keys, prints = keys[order], prints[order]
        at = np.searchsorted(self.keys, keys)
        inside = np.minimum(at, max(len(self.keys) - 1, 0))
        known = self.keys[inside] == keys if len(self.keys) else np.zeros(len(keys), bool)
        gone = total(self.prints[at[known]])
        after = self.prints.copy()
        after[at[known]] = prints[known]
        return KnownRows(np.insert(self.keys, at[~known], keys[~known]), np.insert(after, at[~known], prints[~known])), gone


@dataclass(frozen=True)
class TableSums:
    """Sum of fingerprints and what is needed to carry it on, for every simulation table of a run."""

    sums: dict[str, int] = field(default_factory=dict)
    known: dict[str, KnownRows] = field(default_factory=dict)

    def after(self, rows: Rows) -> TableSums:
        """The sums once `rows` are written."""
        name, prints = rows.layout.name, row_prints(rows)
        added, known = total(prints), self.known
        if rows.layout.replaced:
            replaced, gone = self.known.get(name, KnownRows()).replace(rows, prints)
            known, added = self.known | {name: replaced}, added - gone
        return TableSums(self.sums | {name: (self.sums.get(name, 0) + added) % 2**64}, known)

    def packed(self) -> bytes:
        """The sums of SIMULATION_TABLES in order, 8 bytes each, little-endian."""
        return b"".join(self.sums.get(name, 0).to_bytes(8, "little") for name in SIMULATION_TABLES)


def unpacked(digests: bytes) -> dict[str, int]:
    """Sums by table from their packed form."""
    return {name: int.from_bytes(digests[8 * i : 8 * i + 8], "little") for i, name in enumerate(SIMULATION_TABLES)}


def chain_link(previous: bytes, hour: int, rows: int, digests: bytes, state_hash: bytes) -> bytes:
    """The hash chain's next value, SHA-256 (32 bytes) over everything a checkpoint says."""
    head = hour.to_bytes(8, "little", signed=True) + rows.to_bytes(8, "little")
    return hashlib.sha256(previous + head + digests + state_hash).digest()
