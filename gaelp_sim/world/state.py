"""The state of a run between hours as plain arrays, the same however it was spread over processes.

People stand in the order (world, person), units in the order (world, cell). Any stack can be cut out of it.
"""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import Column, Ints
from gaelp_sim.observe.memory import SLOTS, from_arrays, to_arrays
from gaelp_sim.population.people import People, cell_of
from gaelp_sim.world.journeys import no_touches
from gaelp_sim.world.log import Table, joined_columns
from gaelp_sim.world.model import Model
from gaelp_sim.world.outside_users import OutsideUsers
from gaelp_sim.world.stack import Place, Stack

State = dict[str, Column]

_PER_PERSON = ("login_s", "first_seen_s", "last_seen_s")
_LISTS = ("pending", "carried", "closed", "memory", "frequency", "notes")
"""Rows about people: they name the person by key, and stand in the order (key, then as they happened)."""


def state_of(stack: Stack) -> State:
    """Everything of a stack that the next hour depends on, and what its journeys' rows will need."""
    state: State = {f"people.{name}": column for name, column in stack.people.arrays().items() if name != "unit"}
    state.update({f"person.{name}": getattr(stack, name) for name in _PER_PERSON})
    if stack.linkage is not None:
        state.update({f"linkage.{name}": column for name, column in stack.linkage.arrays(stack.people).items()})
    if stack.outside is not None:
        state.update({f"outside.{name}": column for name, column in stack.outside.arrays().items()})
    closed = joined_columns(stack.closed) if stack.closed else {}
    lists = (stack.pending, stack.carried, closed, _remembered(stack), _impressions(stack), _noted(stack))
    for name, table in zip(_LISTS, lists, strict=True):
        if table:
            state.update({f"{name}.{key}": column for key, column in table.items() if key != "row"})
            state[f"{name}.key"] = stack.keys(table["row"])
    units = stack.place.units()
    state["unit.world"] = np.array([world for world, _ in units])
    state["unit.cell"] = np.array([cell for _, cell in units])
    state["unit.dropped"], state["unit.exhausted_s"] = stack.budgets.dropped, stack.budgets.exhausted_s
    state["unit.reported_micros"], state["unit.rival_sales"] = stack.reported_micros, stack.rival_sales
    return state


def _remembered(stack: Stack) -> Table:
    arrays = to_arrays(stack.memory)
    row, slot = np.divmod(arrays.pop("at"), SLOTS)
    del arrays["people"]
    return {"row": row, "slot": slot, **arrays}


def _impressions(stack: Stack) -> Table:
    """Impressions that a frequency cap still counts."""
    if stack.frequency is None:
        return {}
    users, second = stack.frequency.rows(stack.settled_s + 1)
    row, slot = np.divmod(users, SLOTS)
    return {"row": row, "slot": slot, "second": second}


def _noted(stack: Stack) -> Table:
    """What an informed policy keeps of users."""
    if not stack.notes.size:
        return {}
    users = np.flatnonzero(stack.notes[:, -1])
    row, slot = np.divmod(users, SLOTS)
    return {"row": row, "slot": slot, "kept": stack.notes[users]}


def merged(states: list[State]) -> State:
    """The state of several stacks as one, in the common order."""
    names = sorted({name for state in states for name in state})
    whole = dict(states[0]) if len(states) == 1 else {}
    for name in names if not whole else ():
        axis = -1 if name == "people.level" else 0
        whole[name] = np.concatenate([state[name] for state in states if name in state], axis=axis)
    _order(whole, ("people", "person", "linkage", "outside"), whole["people.world"] << 32 | whole["people.person"])
    _order(whole, ("unit",), whole["unit.world"] << 32 | whole["unit.cell"])
    for part in _LISTS:
        if f"{part}.key" in whole:
            _order(whole, (part,), whole[f"{part}.key"])
    return whole


def _order(whole: State, parts: tuple[str, ...], key: Ints) -> None:
    if (key[1:] >= key[:-1]).all():
        return
    order = np.argsort(key, kind="stable")
    for name in whole:
        if name.split(".", 1)[0] in parts:
            whole[name] = whole[name][..., order] if name == "people.level" else whole[name][order]


def stack_from(model: Model, place: Place, state: State, hour: int) -> Stack:
    """Cut the stack of some units out of a whole state, which stood at the beginning of `hour`."""
    rows, people = _people_of(model, place, state)
    keys = people.world << 32 | people.person
    remembered = _listed(state, "memory", keys)
    remembered["at"] = remembered.pop("row") * SLOTS + remembered.pop("slot")
    remembered["people"] = np.array([len(rows)])
    stack = Stack.of_people(model, place, people, from_arrays(remembered, model.beliefs))
    for name in _PER_PERSON:
        getattr(stack, name)[:] = state[f"person.{name}"][rows]
    if stack.linkage is not None:
        known = (stack.first_seen_s, stack.login_s)
        stack.linkage.restore(people, hour, _part(state, "linkage", rows), known)
    stack.outside = OutsideUsers.restored(model.scenario, _part(state, "outside", rows))
    stack.pending = _listed(state, "pending", keys) or stack.pending
    stack.carried = _listed(state, "carried", keys) or no_touches()
    closed = _listed(state, "closed", keys)
    stack.closed = [closed] if closed else []
    shown = _listed(state, "frequency", keys)
    if stack.frequency is not None and shown:
        stack.frequency.note(shown["row"] * SLOTS + shown["slot"], shown["second"])
    noted = _listed(state, "notes", keys)
    if noted and noted["kept"].shape[1] == stack.notes.shape[1]:  # else the parent had another policy
        stack.notes[noted["row"] * SLOTS + noted["slot"]] = noted["kept"]
    wanted = [world << 32 | cell for world, cell in place.units()]
    units = np.searchsorted(state["unit.world"] << 32 | state["unit.cell"], wanted)
    stack.budgets.dropped[:] = state["unit.dropped"][units]
    stack.budgets.exhausted_s[:] = state["unit.exhausted_s"][units]
    stack.reported_micros[:] = state["unit.reported_micros"][units]
    if state["unit.rival_sales"].shape[1:] == stack.rival_sales.shape[1:]:  # else the parent's rivals did not learn
        stack.rival_sales[:] = state["unit.rival_sales"][units]
    return stack


def _people_of(model: Model, place: Place, state: State) -> tuple[Ints, People]:
    world = state["people.world"]
    cells = model.scenario.cells
    cell = np.zeros(len(world), dtype=np.int64)
    for number in place.worlds:
        here = np.flatnonzero(world == number)
        natural = here[state["people.person"][here] < model.scenario.population.people]
        cell[here] = cells - 1  # where scripted people live
        cell[natural] = cell_of(state["people.household"][natural], cells)
    keep = (world >= place.worlds.start) & (world < place.worlds.stop)
    rows = np.flatnonzero(keep & (cell >= place.cells.start) & (cell < place.cells.stop))
    columns = _part(state, "people", rows)
    columns["level"] = state["people.level"][:, rows].copy()
    unit = (columns["world"] - place.worlds.start) * len(place.cells) + cell[rows] - place.cells.start
    return rows, People(unit=unit.astype(np.int32), **columns)


def _part(state: State, part: str, rows: Ints) -> State:
    front = part + "."
    return {
        name[len(front) :]: column[rows]
        for name, column in state.items()
        if name.startswith(front) and name != "people.level"
    }


def _listed(state: State, part: str, keys: Ints) -> Table:
    """The rows of a list whose people live here, with their rows in the stack."""
    if f"{part}.key" not in state:
        return {}
    key = state[f"{part}.key"]
    row = np.searchsorted(keys, key)
    here = np.flatnonzero((row < len(keys)) & (keys[np.minimum(row, len(keys) - 1)] == key))
    front = part + "."
    table = {
        name[len(front) :]: column[here].copy()
        for name, column in state.items()
        if name.startswith(front) and name != f"{part}.key"
    }
    table["row"] = row[here]
    return table
