"""Tables that benchmarks print: measured figures, what stands beside them, ratios, targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

_RATES = ((1e6, "M"), (1e3, "k"), (1.0, ""))
_BYTES = ((1e9, " GB"), (1e6, " MB"), (1e3, " kB"))
HEADER = ("what", "unit", "median", "min", "max", "ratio", "target", "reached")


@dataclass(frozen=True)
class Peer:
    """What stands beside a figure: its name, and one figure per repetition in the same unit."""

    name: str
    figures: Sequence[float]


@dataclass(frozen=True)
class Line:
    """One measured figure: a value per repetition, and what it has to reach (None: nothing)."""

    what: str
    unit: str
    figures: Sequence[float]
    peers: tuple[Peer, ...] = ()
    target: float | None = None
    less_is_better: bool = False

    def reached(self) -> str:
        """`yes` or `no` by the median; empty without a target."""
        if self.target is None:
            return ""
        value = median(self.figures)
        return "yes" if (value <= self.target if self.less_is_better else value >= self.target) else "no"

    def ratio(self, peer: Peer) -> float:
        """How many times better than the peer: the median over pairs measured one after the other; above 1 is better."""
        pairs = zip(self.figures, peer.figures, strict=True)
        return median(theirs / ours if self.less_is_better else ours / theirs for ours, theirs in pairs)

    def cells(self) -> list[list[str]]:
        """The printed lines of this figure, and one below it for each peer with our ratio to it."""
        sign = "<=" if self.less_is_better else ">="
        target = "" if self.target is None else f"{sign} {spelled(self.target, self.unit)}"
        first = [self.what, self.unit, *_spread(self.figures, self.unit), "", target, self.reached()]
        beside = [
            [f"  beside {peer.name}", "", *_spread(peer.figures, self.unit), f"{self.ratio(peer):.2f}x", "", ""]
            for peer in self.peers
        ]
        return [first, *beside]


@dataclass
class Table:
    """A titled table of text cells with remarks below it; words are set left, figures right."""

    title: str
    header: Sequence[str]
    cells: Sequence[Sequence[str]]
    remarks: list[str] = field(default_factory=list)

    @staticmethod
    def of(title: str, lines: Sequence[Line], remarks: Sequence[str] = ()) -> Table:
        """The table of some measured figures."""
        return Table(title, HEADER, [row for line in lines for row in line.cells()], list(remarks))

    def text(self) -> str:
        """The table as it is printed."""
        rows = [list(self.header), *map(list, self.cells)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.header))]
        left = {column for column, name in enumerate(self.header) if column == 0 or name in ("unit", "reached")}
        printed = [
            "  ".join(f"{cell:{'<' if at in left else '>'}{widths[at]}}" for at, cell in enumerate(row)).rstrip()
            for row in (rows[0], ["-" * width for width in widths], *rows[1:])
        ]
        return "\n".join([self.title, *printed, *self.remarks, ""])


def _spread(figures: Sequence[float], unit: str) -> list[str]:
    return [spelled(value, unit) for value in (median(figures), min(figures), max(figures))]


def spelled(value: float, unit: str) -> str:
    """A figure as people read it.

    >>> spelled(1_234_567, "rows/s"), spelled(0.0456, "s"), spelled(3.2e9, "bytes"), spelled(1.1, "x")
    ('1.23M', '46 ms', '3.20 GB', '1.10x')
    """
    if unit == "s":
        return f"{value * 1e3:.0f} ms" if value < 0.0995 else f"{value:.2f} s"
    if unit == "x":
        return f"{value:.2f}x"
    if unit == "modules":
        return f"{value:.0f}"
    scale = _BYTES if unit == "bytes" else _RATES
    size, word = next((step for step in scale if abs(value) >= step[0]), scale[-1])
    number = value / size
    return f"{number:.{0 if number >= 99.5 else 1 if number >= 9.95 else 2}f}{word}"
