"""An agent from outside, with Python's standard library alone: bids by hour, and less where the budget runs low.

In one terminal:  gaelp run outside
In another one:   python examples/outside_agent.py gaelp.db
"""

import sqlite3
import sys
import time
from contextlib import closing

ASKED = "SELECT run_id, world_id, hour, channel, signal, default_micros, budget_micros FROM observed_sheet WHERE asked = 1"
BID = "INSERT INTO outside_bid (run_id, world_id, hour, channel, signal, bid_micros) VALUES (?, ?, ?, ?, ?, ?)"


def bid_micros(hour: int, default: int, budget: int | None) -> int:
    """A tenth more in the evening, a quarter less at night, never more than a tenth of what the budget leaves."""
    wanted = default * (110 if 18 <= hour % 24 < 23 else 75 if hour % 24 < 6 else 100) // 100
    return wanted if budget is None else min(wanted, budget // 10)


def main(path: str, idle_s: float) -> None:
    """Answer whatever is asked, until nothing has been for `idle_s` seconds."""
    answered, seen_s = 0, time.monotonic()
    with closing(sqlite3.connect(path, timeout=30)) as store:
        while time.monotonic() - seen_s < idle_s:
            try:
                asked = store.execute(ASKED).fetchall()
                with store:  # one transaction a sheet: all of its bids are there at once, or none
                    store.executemany(BID, [(*row[:5], bid_micros(row[2], row[5], row[6])) for row in asked])
            except sqlite3.OperationalError:
                asked = []  # the run has made no tables yet, or writes for longer than we wait
            if asked:
                answered, seen_s = answered + len(asked), time.monotonic()
            time.sleep(0.01)
    print(f"{answered} bids given")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "gaelp.db", float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)
