"""State as bytes: named plain arrays behind a JSON header, compressed; no pickle."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np

from gaelp_sim.errors import CorruptStoreError
from gaelp_sim.events import Column

_MAGIC = b"GAELP2\n"
_LEVEL = 1


def pack(arrays: dict[str, Column]) -> bytes:
    """Arrays by name as bytes; the same arrays always give the same bytes."""
    names = sorted(arrays)
    stored = {name: _narrowest(arrays[name]) for name in names}
    header = [[name, arrays[name].dtype.str, list(arrays[name].shape), stored[name].str] for name in names]
    front = json.dumps(header).encode()
    # Piece by piece: a state joined before it is compressed would stand in memory twice.
    squeeze = zlib.compressobj(_LEVEL)
    pieces = [_MAGIC, squeeze.compress(len(front).to_bytes(8, "little") + front)]
    for name in names:
        array = np.ascontiguousarray(arrays[name], dtype=stored[name])
        pieces.append(squeeze.compress(array.reshape(-1).view(np.uint8).data))
    return b"".join([*pieces, squeeze.flush()])


def _narrowest(array: Column) -> np.dtype[Any]:
    """The narrowest integer type that holds an array of integers: compressing takes time by the byte."""
    if array.dtype.kind != "i" or not array.size:
        return array.dtype
    low, high = int(array.min()), int(array.max())
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.dtype(kind)
    return array.dtype


def unpack(packed: bytes) -> dict[str, Column]:
    """The arrays that `pack` was given.

    Raises CorruptStoreError where the bytes are no such state.
    """
    if not packed.startswith(_MAGIC):
        raise CorruptStoreError("checkpoint state: unknown format; run `gaelp db verify`, then start the run anew")
    try:
        raw = zlib.decompress(packed[len(_MAGIC) :])
        size = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + size])
    except (zlib.error, ValueError) as error:
        raise CorruptStoreError(f"checkpoint state: {error}; start the run anew") from error
    arrays, place = {}, 8 + size
    for name, kind, shape, stored in header:
        count = int(np.prod(shape)) if shape else 1
        array = np.frombuffer(raw, dtype=np.dtype(stored), count=count, offset=place)
        place += array.nbytes
        arrays[name] = array.reshape(shape).astype(np.dtype(kind))
    return arrays
