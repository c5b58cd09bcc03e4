"""`--fail-if`: METRIC OP NUMBER on what was graded, and nothing else."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from gaelp_sim.errors import UsageError
from gaelp_sim.planning.compared import Compared

_FORM = re.compile(r"\s*([a-z_]+)\s*(<=|>=|<|>)\s*(\S+)\s*")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}
METRICS = tuple(field.name for field in fields(Compared) if field.name not in ("policy", "kind"))


@dataclass(frozen=True)
class Condition:
    """A figure that must not be on one side of a number."""

    metric: str
    sign: str
    number: float

    @staticmethod
    def of(text: str) -> Condition:
        """Read one; raises UsageError for anything else than METRIC OP NUMBER.

        >>> Condition.of("cac_incremental_usd > 100")
        Condition(metric='cac_incremental_usd', sign='>', number=100.0)
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise UsageError(f"--fail-if {text!r}: write METRIC OP NUMBER, OP one of < <= > >=, as cac_incremental_usd>100")
        metric, sign, said = found.groups()
        if f"{metric}_usd" in METRICS:  # dollars may be left unsaid
            metric = f"{metric}_usd"
        if metric not in METRICS:
            near = get_close_matches(metric, METRICS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(METRICS)}"
            raise UsageError(f"--fail-if {text!r}: no such metric; {hint}")
        try:
            number = float(said)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(f"--fail-if {text!r}: {said!r} is no number")
        return Condition(metric, sign, number)

    def failed(self, row: dict[str, Any]) -> str | None:
        """What a policy's row fails by, in a line; None where it does not. A figure that does not exist fails."""
        value = row[self.metric]
        if value is None:
            return f"{row['policy']}: {self.metric} does not exist here, so it can't be held to {self.sign} {self.number:g}"
        if _OPERATORS[self.sign](float(value), self.number):
            return f"{row['policy']}: {self.metric} is {value:,.4g}, which is {self.sign} {self.number:g}"
        return None
