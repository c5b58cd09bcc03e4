"""Who bids for us from outside: another process that answers, hour by hour, in the store itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gaelp_sim.scenario.parts import Part


class Agent(Part):
    """A process in any language that reads `observed_*` views and writes each hour's bids (docs/outside.md)."""

    external: Literal["sql"]
    """By rows of the store: it reads `observed_sheet` and inserts into `outside_bid`."""
    wait_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """How long an hour waits for its bids; it goes on as soon as all are there."""
    missing: Literal["rule", "last", "nothing"] = "rule"
    """What is bid where no answer came in time: what the default rule would, the hour before's bid, or nothing."""
