"""gaelp-sim: a flight simulator for ad bidding.

>>> import gaelp_sim as gaelp
>>> done = gaelp.run("quickstart", db="sqlite://", sets=["population.people=200", "days=2"])  # doctest: +SKIP
>>> done.query("SELECT stage, COUNT(*) AS journeys FROM journeys GROUP BY 1")  # doctest: +SKIP
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
