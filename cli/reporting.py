"""The door from the command line into reports; it opens on use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gaelp_sim.cli.library import Record
from gaelp_sim.errors import StoreWriteError, UsageError

Economy = Callable[[float], None] | None
"""Called with the share of the economy that is worked out; None where it is not asked for"""


def written(db_url: str, run_refs: Sequence[str], out: Path | None, economy: Economy = None) -> Record:
    """Write the page of a run, or of several side by side; where it stands, and how large it is."""
    if economy is not None and len(run_refs) > 1:
        raise UsageError("--economy goes with one run: a page of several has no table of realism; next: name one run")
    from gaelp_sim.report.beside import beside_of
    from gaelp_sim.report.comparison import comparison_html
    from gaelp_sim.report.facts import with_economy
    from gaelp_sim.report.report import report_html

    first, others = beside_of(db_url, run_refs)
    if economy is not None:
        first = with_economy(first, economy)
    told = [first, *(one.facts for one in others)]
    text = comparison_html(first, others) if others else report_html(first)
    path = out or Path(f"report-{'-'.join(one.run.run_id for one in told)}.html")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreWriteError(f"--out {path}: {error.strerror or error}; next: name a file that can be written") from error
    return {"file": str(path), "runs": [one.run.run_id for one in told], "bytes": len(text.encode())}
