"""What an agent from outside reads of its own affairs: which run waits for it, its sheet, what became of its rows."""

from __future__ import annotations

from gaelp_sim.store.code_names import VERDICTS
from gaelp_sim.store.view_parts import RUN_ID, WORLD, View, coded, columns, moment, money, named, plain, run_of

RUNS = View(
    "observed_runs", "runs and how far they are: an agent from outside ends when its run does",
    columns(
        RUN_ID,
        plain("status", "RUNNING, INTERRUPTED, FAILED or FINISHED", "r.status"),
        plain("first_hour", "hour of the run's clock at which it began", "r.start_hour"),
        plain("hours_done", "hours of the run's clock that are committed", "r.hours_done"),
        plain("end_hour", "hour of the run's clock at which it ends", "r.end_hour"),
        moment("clock_start", "when the run's clock began", "r.start_s"),
    ),
    "FROM @run AS r",
)

_NAMES = "SELECT n.name FROM @name AS n WHERE n.run_key = s.run_key AND n.kind = '{0}' AND n.code = s.{0}"
_SAME = f"channel = ({_NAMES.format('channel')}) AND {{0}}.signal = ({_NAMES.format('signal')})"
# A row that lies in the mailbox counts before it is judged: an agent that looks again at once need not write again.
_ANSWERED = (
    "EXISTS (SELECT 1 FROM @outside_answer AS a WHERE a.run_key = s.run_key AND a.hour = s.hour"
    f" AND a.verdict = {VERDICTS.index('ACCEPTED')} AND a.to_world = s.world_id AND a.{_SAME.format('a')})"
    " OR EXISTS (SELECT 1 FROM @outside_bid AS b WHERE b.run_id = r.run_id AND b.hour = s.hour"
    f" AND b.world_id = s.world_id AND b.{_SAME.format('b')})"
)

SHEET = View(
    "observed_sheet", "our bid sheet, hour by hour, and the one that waits for an agent's bids",
    columns(
        plain("run_id", RUN_ID.meaning, "t.run_id"), WORLD,
        plain("hour", "hour of the run's clock, from 0"),
        moment("begins", "when the hour begins", "t.start_s + CAST(t.hour AS BIGINT) * 3600"),
        named("channel", "channel", "channel"),
        named("signal", "query class or audience signal", "signal"),
        plain("asked", "1 while the simulator waits for a bid for this row"),
        money("bid", "what was bid, per click or per thousand impressions; NULL before the hour has passed", none=True),
        money("default", "what will be bid without an answer; NULL once the hour has passed", none=True),
        money("budget", "what our budgets leave for the channel as the hour begins; NULL: no limit", none=True),
    ),
    f"""
    FROM (
      SELECT r.run_id, r.start_s, s.run_key, s.world_id, s.hour, s.channel, s.signal, 0 AS asked, s.bid_micros,
        -1 AS default_micros, s.budget_micros
      FROM @run AS r JOIN @bid_sheet AS s ON s.run_key = r.run_key
      UNION ALL
      SELECT r.run_id, r.start_s, s.run_key, s.world_id, s.hour, s.channel, s.signal,
        CASE WHEN {_ANSWERED} THEN 0 ELSE 1 END, -1, s.default_micros, s.budget_micros
      FROM @run AS r JOIN @outside_ask AS s ON s.run_key = r.run_key
    ) AS t
    """,
)

ANSWERS = View(
    "observed_answers", "every row that agents from outside wrote, and what became of it",
    columns(
        RUN_ID,
        plain("hour", "hour of the run's clock that was asked when the row was read"),
        plain("number", "order among the rows read for that hour, from 0"),
        plain("to_run", "run that the row was written for"),
        plain("to_world", "world that it was written for"),
        plain("to_hour", "hour that it was written for"),
        plain("channel", "channel, as written"),
        plain("signal", "query class or audience signal, as written"),
        plain("bid_micros", "bid, as written, micros (exact)"),
        coded("verdict", "what became of it", VERDICTS),
    ),
    run_of("outside_answer"),
)
