"""State as bytes: named plain arrays behind a JSON header, compressed; no pickle."""

from __future__ import annotations

import json
import zlib

import numpy as np

from gaelp_sim.errors import CorruptStoreError
from gaelp_sim.events import Column

_MAGIC = b"GAELP1\n"
_LEVEL = 1


def pack(arrays: dict[str, Column]) -> bytes:
    """Arrays by name as bytes; the same arrays always give the same bytes."""
    header = [[name, arrays[name].dtype.str, list(arrays[name].shape)] for name in sorted(arrays)]
    front = json.dumps(header).encode()
    # Piece by piece: a state joined before it is compressed would stand in memory twice.
    squeeze = zlib.compressobj(_LEVEL)
    pieces = [_MAGIC, squeeze.compress(len(front).to_bytes(8, "little") + front)]
    for name in sorted(arrays):
        pieces.append(squeeze.compress(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data))
    return b"".join([*pieces, squeeze.flush()])


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
    for name, kind, shape in header:
        count = int(np.prod(shape)) if shape else 1
        array = np.frombuffer(raw, dtype=np.dtype(kind), count=count, offset=place)
        place += array.nbytes
        arrays[name] = array.reshape(shape).copy()
    return arrays
