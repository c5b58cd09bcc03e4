"""The door from the command line into reports; it opens on use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gaelp_sim.cli.library import Record
from gaelp_sim.errors import StoreWriteError


def written(db_url: str, run_refs: Sequence[str], out: Path | None) -> Record:
    """Write the page of a run, or of several side by side; where it stands, and how large it is."""
    from gaelp_sim.report.beside import beside_of
    from gaelp_sim.report.comparison import comparison_html
    from gaelp_sim.report.report import report_html

    first, others = beside_of(db_url, run_refs)
    told = [first, *(one.facts for one in others)]
    text = comparison_html(first, others) if others else report_html(first)
    path = out or Path(f"report-{'-'.join(one.run.run_id for one in told)}.html")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreWriteError(f"--out {path}: {error.strerror or error}; next: name a file that can be written") from error
    return {"file": str(path), "runs": [one.run.run_id for one in told], "bytes": len(text.encode())}
