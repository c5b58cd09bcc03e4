"""The grid of `gaelp ope --coverage`: estimators graded on many small logs whose truth is known.

Answers are kept line by line, so that a campaign can go on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate import bandit, judged, log_checks, marginal, reward_models, sequences, steps
from gaelp_sim.evaluate.coverage_cells import ALL, CHOICE, Cell, Grid, Kind, Target, chosen
from gaelp_sim.evaluate.coverage_choices import Chosen, choices_graded
from gaelp_sim.evaluate.coverage_graded import Graded, Said, Truth, graded
from gaelp_sim.evaluate.coverage_logs import WorldRows, earned, steps_of, worlds_lived
from gaelp_sim.evaluate.judged import Estimator, Judge, checks_of, estimated, named
from gaelp_sim.evaluate.targets import RULE, chances
from gaelp_sim.events import Floats
from gaelp_sim.learn.threads import one_thread
from gaelp_sim.planning.seeds import GRID_LOGS_SEED, GRID_TRUTH_SEED
from gaelp_sim.world.crew import ALONE, Crew, Hands

PEOPLE_AT_ONCE = 100_000
"""As many worlds are lived through side by side as have so many people"""
FORMAT = 1
FILE, LOGS = "coverage.jsonl", 400
"""Where answers are kept, and logs in each cell, where nothing else is asked"""
SLOW = ("fqe",)
"""Asked only by name: each of its answers trains a network"""
_JUDGES = (bandit, judged, log_checks, marginal, reward_models, sequences, steps)
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What is asked of a campaign."""

    logs: int = LOGS
    """In each cell"""
    estimators: tuple[str, ...] = ("all",)
    """all: all but SLOW"""
    cells: tuple[str, ...] = ()
    """Parts of the names of the cells to grade; none for all"""
    grid: Grid = field(default_factory=Grid)
    crew: Crew = ALONE


@dataclass(frozen=True)
class Campaign:
    """What a campaign has found."""

    cells: list[Graded]
    """A grade for each estimator in each cell"""
    choices: list[Chosen]
    """A grade for each estimator's choices, where all candidates were among the cells"""


def coverage(asked: Asked, out: Path, on_step: OnStep) -> Campaign:
    """Grade estimators cell by cell, and what is chosen by them; what `out` holds already is not made again.

    Raises UsageError for unknown names, and for a file that other worlds or another program wrote.
    """
    ways = {
        name: way for name, way in named(asked.estimators).items() if name not in SLOW or name in asked.estimators
    }
    cells = chosen(asked.grid, asked.cells)
    kept = Kept.opened(out, asked.grid)
    with Hands(asked.crew) as hands:
        for kind in dict.fromkeys(cell.kind for cell in cells):
            here = [cell for cell in cells if cell.kind == kind]
            _find_truths(kept, asked.grid, (here, hands), on_step)
            batches = [
                Batch(max(asked.grid.people), worlds, [
                    (cell, [tuple(kept.missing(cell, world, ways)) for world in worlds]) for cell in here
                ]) for worlds in _batches(asked, kept, here, ways)
            ]
            if batches:
                on_step(f"{kind.name}, {kind.days} days: {sum(len(batch.worlds) for batch in batches)} logs to be made")
            for batch, answers in zip(batches, hands.each(_judged, batches), strict=True):
                for cell, world, said in answers:
                    kept.add_said(cell, world, said)
                on_step(f"{kind.name}, {kind.days} days: logs to {batch.worlds.stop} of {asked.logs} are judged")
    return Campaign(
        [graded(cell, name, _answers(kept, cell, name, asked), kept.truths[_truth_name(cell)])
         for cell in cells for name in ways],
        _choices(asked, kept, [cell for cell in cells if cell.kind.name == CHOICE], ways),
    )


def _answers(kept: Kept, cell: Cell, name: str, asked: Asked) -> list[Said]:
    return [kept.said[cell.name, log][name] for log in range(asked.logs)]


def _choices(asked: Asked, kept: Kept, cells: list[Cell], ways: Iterable[str]) -> list[Chosen]:
    """How well candidates are chosen by each estimator, log by log; nothing where some of them were not asked for."""
    if len(cells) < len(asked.grid.choices):
        return []
    truths = [kept.truths[_truth_name(cell)] for cell in cells]
    return [choices_graded(name, [_answers(kept, cell, name, asked) for cell in cells], truths) for name in ways]


def _batches(asked: Asked, kept: Kept, cells: list[Cell], ways: dict[str, Estimator]) -> Iterator[range]:
    """Logs still to be made, side by side."""
    step = max(1, PEOPLE_AT_ONCE // max(asked.grid.people))
    for first in range(0, asked.logs, step):
        worlds = range(first, min(first + step, asked.logs))
        left = [log for log in worlds if any(kept.missing(cell, log, ways) for cell in cells)]
        if left:
            yield range(left[0], left[-1] + 1)


@dataclass(frozen=True)
class Batch:
    """Logs to be made and judged side by side."""

    people: int
    worlds: range
    left: list[tuple[Cell, list[tuple[str, ...]]]]
    """Of each cell, which estimators are still to be asked about each of the worlds"""


Answer = tuple[Cell, int, dict[str, Said]]


@one_thread()
def _judged(batch: Batch) -> list[Answer]:
    """Live through a batch's worlds and judge their logs; pure, so it can be done anywhere."""
    kind, answers = batch.left[0][0].kind, list[Answer]()
    for rows in worlds_lived(kind.scenario(batch.people), GRID_LOGS_SEED, batch.worlds):
        place = rows.world - batch.worlds.start
        answers += _judged_world(rows, [(cell, names[place]) for cell, names in batch.left if names[place]])
    return answers


def _judged_world(rows: WorldRows, asked: list[tuple[Cell, tuple[str, ...]]]) -> Iterator[Answer]:
    """Every cell's estimates of a world's log; cells that differ only by target share a model of rewards."""
    models: dict[tuple[int, str], Floats] = {}
    for cell, left in asked:
        log = rows.log(cell.people, late=cell.kind.late)
        target = chances(log, RULE, cell.kind.scenario(cell.people, cell.target))
        taken, slopes = steps_of(log, target, everything=cell.seen == ALL)
        judge = Judge(taken, slopes, models.get((cell.people, cell.seen)))
        models[cell.people, cell.seen] = judge.model
        told = estimated(judge, cell.target.name, named(left), checks_of(judge, log.signal))
        yield cell, rows.world, {one.estimator: Said.of(one) for one, _ in told}


def _truth_name(cell: Cell) -> str:
    return f"{cell.kind.name}-{cell.kind.days}d-{cell.target.name}"


def _find_truths(kept: Kept, grid: Grid, of: tuple[list[Cell], Hands], on_step: OnStep) -> None:
    """What users of a kind of worlds are worth under each target, in worlds that no log was made of."""
    cells, hands = of
    wanted = {_truth_name(cell): cell for cell in cells if _truth_name(cell) not in kept.truths}
    if not wanted:
        return
    on_step(f"{cells[0].kind.name}, {cells[0].kind.days} days: what truly happens, in {grid.truth_worlds} worlds of "
            f"{max(grid.people):,} people")
    targets = [None, *(cell.target for cell in wanted.values())]
    logging, *worth = hands.each(partial(_worth, grid, cells[0].kind), targets)
    for name, found in zip(wanted, worth, strict=True):
        kept.add_truth(name, Truth.of(found, logging))


def _worth(grid: Grid, kind: Kind, target: Target | None) -> list[tuple[float, int]]:
    """Of each world what its users earned and how many they are."""
    people = max(grid.people)
    step, found = max(1, PEOPLE_AT_ONCE // people), []
    for first in range(0, grid.truth_worlds, step):
        worlds = range(first, min(first + step, grid.truth_worlds))
        found += [earned(rows, people) for rows in worlds_lived(kind.scenario(people, target), GRID_TRUTH_SEED, worlds)]
    return found


@dataclass
class Kept:
    """What a campaign has found so far, in memory and line by line in a file."""

    path: Path
    truths: dict[str, Truth] = field(default_factory=dict)
    said: dict[tuple[str, int], dict[str, Said]] = field(default_factory=dict)
    """By cell and log, then by estimator"""

    @staticmethod
    def opened(path: Path, grid: Grid) -> Kept:
        """What a file holds; a new file where there is none. A line that was cut off at the end is dropped."""
        kept, head = Kept(path), {"coverage": FORMAT, "worlds": print_of(grid)}
        lines = _lines(path)
        if not lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(head) + "\n", encoding="utf-8")
        elif lines[0] != head:
            raise UsageError(f"{path}: other worlds, or another program, wrote it, so it can't be gone on with; next: "
                             "another --out, or move it away")
        for line in lines[1:]:
            kept._take(line)
        return kept

    def _take(self, line: dict[str, Any]) -> None:
        if "truth" in line:
            self.truths[line["truth"]] = Truth(**line["is"])
            return
        told = {name: Said.kept(said) for name, said in line["said"].items()}
        self.said.setdefault((line["cell"], line["log"]), {}).update(told)

    def missing(self, cell: Cell, log: int, ways: Iterable[str]) -> list[str]:
        """Estimators that have not been asked about a log yet."""
        known = self.said.get((cell.name, log), {})
        return [name for name in ways if name not in known]

    def add_truth(self, name: str, truth: Truth) -> None:
        """Keep a truth."""
        self._add({"truth": name, "is": truth._asdict()})

    def add_said(self, cell: Cell, log: int, said: dict[str, Said]) -> None:
        """Keep what estimators said of a log; what is no number is kept as null."""
        rows = {name: [None if one != one else one for one in told] for name, told in said.items()}
        self._add({"cell": cell.name, "log": log, "said": rows})

    def _add(self, line: dict[str, Any]) -> None:
        text = json.dumps(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
        self._take(json.loads(text))


def print_of(grid: Grid) -> str:
    """A print of all that decides which worlds are lived through, and of the estimators' own sources and refusals.

    Answers given by other rules can't stand in one table with today's.
    """
    texts = [f"{GRID_LOGS_SEED} {GRID_TRUTH_SEED} {grid.people} {grid.truth_worlds}"]
    texts += [
        kind.scenario(max(grid.people), target).model_dump_json()
        for kind in grid.kinds for target in (None, *grid.targets_of(kind))
    ]
    texts += [Path(str(module.__file__)).read_text(encoding="utf-8") for module in _JUDGES]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _lines(path: Path) -> list[dict[str, Any]]:
    """A file's lines; what was cut off at its end is taken out of it. Raises UsageError for other text."""
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        path.write_bytes(whole)
    found = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            raise UsageError(f"{path}:{number}: no line of a campaign; next: another --out, or move it away") from None
    return found
