"""The console's child process: runs one query within limits of memory and time, and answers in JSON.

Started by path with `python -I -S`, it imports nothing but the standard library (and psycopg for Postgres), so that it
starts quickly and no slip of it can touch the parent's memory. It reads one request and writes one answer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from typing import Any

ANSWER_BYTES_MAX = 32 * 1024 * 1024


class QueryRefused(Exception):
    """The query gets no answer: `kind` says why, `detail` in whose words."""

    def __init__(self, kind: str, detail: str = "", **facts: Any) -> None:
        super().__init__(kind, detail)
        self.answer = {"error": {"kind": kind, "detail": " ".join(str(detail).split()), **facts}}


class Rows:
    """Rows of an answer, at most `limit` of them and ANSWER_BYTES_MAX bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rows: list[list[Any]] = []
        self.more = False
        self._bytes = 0

    def add(self, row: tuple[Any, ...]) -> bool:
        """Keep a row; False once enough are kept."""
        if len(self.rows) >= self.limit:
            self.more = True
            return False
        values = [plain_value(value) for value in row]
        self._bytes += sum(len(value) if isinstance(value, str) else 16 for value in values)
        if self._bytes > ANSWER_BYTES_MAX:
            raise QueryRefused("size")
        self.rows.append(values)
        return True


def plain_value(value: Any) -> Any:
    """A value as JSON can carry it; bytes become {"hex": ...}."""
    if value is None or isinstance(value, (int, float, str)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"hex": bytes(value).hex()}
    if hasattr(value, "as_tuple"):  # a Decimal, which PostgreSQL makes of sums and averages
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def chosen_run(runs: list[tuple[int, str]], ref: str) -> tuple[int, str]:
    """Key and id of the run that `ref` names among `runs` (oldest first): `@last` or a prefix that fits no other."""
    if not runs:
        raise QueryRefused("no_runs")
    if ref == "@last":
        return runs[-1]
    fitting = [run for run in runs if ref and run[1].startswith(ref.lower())]
    if len(fitting) == 1:
        return fitting[0]
    ids = [run_id for _, run_id in (fitting or runs)]
    raise QueryRefused("no_run", ref, fitting=len(fitting), ids=ids[-200:])


def _limit_resources(request: dict[str, Any]) -> None:
    try:
        import resource
    except ImportError:  # not a POSIX system: the parent's deadline remains
        return
    memory = request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = int(request["timeout_s"]) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _dialect_module(dialect: str) -> Any:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"console_{dialect}.py")
    spec = importlib.util.spec_from_file_location(f"console_{dialect}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Read a request from standard input, answer on standard output."""
    sys.modules.setdefault("console_child", sys.modules["__main__"])
    request = json.load(sys.stdin)
    sys.path.extend(request.get("module_path", ()))
    try:
        # Modules first: loading them may need more address space than a query should.
        module = _dialect_module(request["dialect"])
        _limit_resources(request)
        answer = module.answer(request)
    except QueryRefused as refused:
        answer = refused.answer
    except MemoryError:
        answer = {"error": {"kind": "memory", "detail": ""}}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the answer is out: threads that still read a lake would abort an orderly end
