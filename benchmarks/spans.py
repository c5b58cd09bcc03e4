"""`gaelp` in this process with a stop watch: where its CPU time goes.

    python -m benchmarks.spans REPORT ARGUMENTS...

Time is charged to the innermost span that is open, so that the parts add up to the whole. REPORT gets them as JSON.
"""

from __future__ import annotations

import time

_STARTED_S = time.process_time()

import builtins  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

START, IMPORTS, BIRTH, HOURS, ROWS, WRITING, REST = (
    "Python starts", "imports", "people are born", "hours are simulated", "last rows and states", "the store writes",
    "the rest: command line, scenario, joining, packing",
)


class Spans:
    """CPU seconds by the name of the innermost open span."""

    def __init__(self) -> None:
        self.taken = {START: _STARTED_S, IMPORTS: 0.0, BIRTH: 0.0, HOURS: 0.0, ROWS: 0.0, WRITING: 0.0, REST: 0.0}
        self.open = [REST]
        self.since = _STARTED_S

    def charge(self) -> None:
        """Give the time since the last call to the span that is open."""
        now = time.process_time()
        self.taken[self.open[-1]] += now - self.since
        self.since = now

    def within(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time charged to a span of that name."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self.charge()
            self.open.append(name)
            try:
                return function(*arguments, **named)
            finally:
                self.charge()
                self.open.pop()

        return timed


def main(report: str, arguments: list[str]) -> int:
    """Run `gaelp` with these arguments and write the report."""
    spans = Spans()
    builtins.__import__ = spans.within(IMPORTS, builtins.__import__)
    from gaelp_sim.cli.main import exit_code
    from gaelp_sim.store import Store
    from gaelp_sim.world.shard import Shard

    _watch(spans, Shard, {"__init__": BIRTH, "advance": HOURS})
    _watch(spans, Shard, dict.fromkeys(("births", "finish", "state", "carry_over"), ROWS))
    _watch(spans, Store, dict.fromkeys(("begin_run", "commit", "finish_run", "close"), WRITING))
    Store.open = spans.within(WRITING, Store.open)  # type: ignore[method-assign]
    code: int = exit_code(arguments)
    spans.charge()
    with open(report, "w", encoding="utf-8") as file:
        json.dump(spans.taken, file)
    return code


def _watch(spans: Spans, owner: type, methods: dict[str, str]) -> None:
    for name, span in methods.items():
        setattr(owner, name, spans.within(span, getattr(owner, name)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
