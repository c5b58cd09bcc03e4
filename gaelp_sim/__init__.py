"""gaelp-sim: a flight simulator for ad bidding.

`run` simulates a scenario into a SQL store and gives a `Run`, which answers `query` and `view` with numpy columns and
lives again under another policy with `replay`; `open_run` and `runs` find what is stored. docs/python.md shows each.
"""

from importlib import import_module

__version__ = "0.1.0"
_FRONT = {
    "Frame": "frames", "Replay": "runs", "Run": "runs", "open_run": "runs", "run": "runs", "runs": "runs",
}
"""What is offered here, and the file of `front` that holds it: loaded on first use, so that importing costs nothing."""
__all__ = [*_FRONT, "__version__"]  # noqa: PLE0604 - names of a table, in its order


def __getattr__(name: str) -> object:
    if name not in _FRONT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.front.{_FRONT[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FRONT])
