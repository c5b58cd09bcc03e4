"""A user's state as plain values: taken out of a user model's `_user_state`, kept as columns, and put back."""

from __future__ import annotations

import copy
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.errors import UserModelError
from gaelp_sim.events import Column

Plain = dict[str, Column]
"""Values by attribute: 0-d or longer arrays."""
_UNCHANGING = (str, bytes, type(None), set, frozenset, dict, tuple, list)


@dataclass(frozen=True)
class Layout:
    """Which attributes of a user's state are numbers or arrays of numbers; the others must never change."""

    name: str
    """Of the user model, for messages"""
    kinds: dict[str, type]
    """The Python type of each number, or list, or ndarray"""
    first: Plain
    fixed: dict[str, Any]

    @staticmethod
    def of(name: str, state: object) -> Layout:
        """The layout of a model whose first user stands in `state`.

        Raises UserModelError for an attribute that is neither plain nor something that can stay as it is.
        """
        if not hasattr(state, "__dict__"):
            raise UserModelError(f"user model {name}: {type(state).__name__} has no __dict__; drop its __slots__")
        kinds: dict[str, type] = {}
        first: Plain = {}
        fixed: dict[str, Any] = {}
        for attribute, value in vars(state).items():
            array = _as_array(value)
            if array is not None:
                kinds[attribute], first[attribute] = _kind(value), array
            elif isinstance(value, _UNCHANGING) or callable(value):
                fixed[attribute] = copy.deepcopy(value)
            else:
                raise UserModelError(
                    f"user model {name}: its user state's {attribute} is a {type(value).__name__}; numbers and arrays of "
                    "numbers can be kept, move the rest into the model"
                )
        return Layout(name, kinds, first, fixed)

    def taken(self, state: object) -> Plain:
        """The state's values, as copies.

        Raises UserModelError where an attribute came, went, changed its shape, or changed without being plain.
        """
        values = vars(state)
        if set(values) != set(self.kinds) | set(self.fixed):
            odd = sorted(set(values) ^ (set(self.kinds) | set(self.fixed)))
            raise UserModelError(f"user model {self.name}: attributes of its user state came or went: {', '.join(odd)}")
        for attribute, kept in self.fixed.items():
            if values[attribute] != kept:
                raise UserModelError(
                    f"user model {self.name}: {attribute} of its user state changes, but is no number or array of numbers"
                )
        return {attribute: self._one(attribute, values[attribute]) for attribute in self.kinds}

    def _one(self, attribute: str, value: object) -> Column:
        array, first = _as_array(value), self.first[attribute]
        if array is None or array.shape != first.shape:
            found = type(value).__name__ if array is None else str(array.shape)
            raise UserModelError(
                f"user model {self.name}: {attribute} of its user state turned into {found}; it was {first.shape} at first "
                "and keeps its shape"
            )
        return array

    def put(self, state: object, plain: Plain) -> None:
        """Give a state the values back, each in its first type; arrays are copies."""
        values = vars(state)
        for attribute, kind in self.kinds.items():
            values[attribute] = _restored(plain[attribute], kind)

    def columns(self, n: int) -> dict[str, Column]:
        """Room for the states of n users: (n, ...) by attribute."""
        return {name: np.zeros((n, *array.shape), dtype=array.dtype) for name, array in self.first.items()}


def _kind(value: object) -> type:
    for kind in (bool, list, tuple, np.ndarray):
        if isinstance(value, kind):
            return kind
    return int if isinstance(value, numbers.Integral) else float


def _as_array(value: object) -> Column | None:
    """A copy as an array, None where the value is not made of numbers.

    Numbers outside of arrays become floats: a budget that starts as 60 may end as 59.5.
    """
    if isinstance(value, np.ndarray):
        return value.copy() if value.dtype.kind in "bif" else None
    if isinstance(value, list | tuple):
        plain = bool(value) and all(isinstance(part, numbers.Real) for part in value)
        return np.array(value, dtype=np.float64) if plain else None
    if isinstance(value, numbers.Real | np.bool_):
        return np.array(float(value))
    return None


def _restored(array: Column, kind: type) -> object:
    if kind is np.ndarray:
        return array.copy()
    if kind in (list, tuple):
        return kind(array.tolist())
    value = float(array)
    return int(value) if kind is int and value.is_integer() else bool(value) if kind is bool else value
