"""A state comes back as it was, whatever its columns hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gaelp_sim.errors import CorruptStoreError
from gaelp_sim.world.snapshot import pack, unpack

ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.int8, np.int32, np.int64, np.float32, np.float64, np.bool_]),
    shape=hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=6),
)


@given(st.dictionaries(st.text("abc._", min_size=1, max_size=5), ARRAYS, max_size=4))
def test_what_was_packed_comes_back(arrays: dict[str, np.ndarray]) -> None:
    """Types, shapes and every bit, NaN and the ends of each range included."""
    again = unpack(pack(arrays))
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype and again[name].shape == array.shape
        assert again[name].tobytes() == array.tobytes()


def test_the_ends_of_every_range() -> None:
    for bits in (7, 8, 15, 16, 31, 32, 63):
        edge = np.array([-(2**bits), 2**bits - 1], dtype=np.int64)
        assert (unpack(pack({"edge": edge}))["edge"] == edge).all()


def test_narrow_numbers_take_little_room() -> None:
    random = np.random.default_rng(1).integers(-1, 100, 100_000)
    assert len(pack({"a": random})) < 110_000


@pytest.mark.parametrize("spoiled", [b"", b"GAELP1\nold", b"GAELP2\nnothing"])
def test_what_is_no_state_is_told(spoiled: bytes) -> None:
    with pytest.raises(CorruptStoreError, match="^checkpoint state: "):
        unpack(spoiled)
