"""What `gaelp watch` asks of a run, over and over, while another process writes it."""

from __future__ import annotations

from gaelp_sim.store.worked_query import NamedQuery

WATCH_QUERIES = (
    NamedQuery(
        "watch_totals", "How does the run stand: hours done, auctions, spend, limits and sales so far?",
        """
        SELECT r.run_id, r.label, r.scenario_name, r.policy, r.status, r.people, r.worlds, r.start_hour, r.hours_done,
          r.end_hour, COALESCE(a.opportunities, 0) AS opportunities, COALESCE(a.wins, 0) AS wins,
          COALESCE(s.spend_micros, 0) AS spend_micros, b.limit_micros, COALESCE(c.sales, 0) AS sales,
          COALESCE(c.rival_sales, 0) AS rival_sales, COALESCE(c.value_micros, 0) AS value_micros
        FROM runs AS r
        LEFT JOIN (
          SELECT run_id, SUM(opportunities) AS opportunities, SUM(wins) AS wins FROM auctions_hourly WHERE ours = 1
          GROUP BY run_id
        ) AS a ON a.run_id = r.run_id
        LEFT JOIN (SELECT run_id, SUM(amount_micros) AS spend_micros FROM charges GROUP BY run_id) AS s
          ON s.run_id = r.run_id
        LEFT JOIN (
          SELECT run_id, SUM(limit_micros) AS limit_micros FROM budgets_daily WHERE ours = 1 AND campaign IS NULL
          GROUP BY run_id
        ) AS b ON b.run_id = r.run_id
        LEFT JOIN (
          SELECT run_id, SUM(ours) AS sales, SUM(1 - ours) AS rival_sales, SUM(ours * value_micros) AS value_micros
          FROM conversions GROUP BY run_id
        ) AS c ON c.run_id = r.run_id
        """,
    ),
    NamedQuery(
        "watch_stages", "How many people stand in each stage at the run's end?",
        "SELECT stage, COUNT(*) AS people FROM people GROUP BY stage ORDER BY people DESC, stage",
    ),
    NamedQuery(
        "watch_recent", "Which were our latest sales?",
        """
        SELECT decided_at, world_id, person_id, segment, last_channel, touches, cost_usd
        FROM paths_to_conversion ORDER BY decided_s DESC, world_id, person_id LIMIT 5
        """,
    ),
)
