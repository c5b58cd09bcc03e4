"""What a report asks of a run: money, stages, delays and channels, one small answer each, whatever the run's size.

Each answer has as many rows as the run has hours, channels or segments, never as many as it has people.
"""

from __future__ import annotations

from gaelp_sim.store.worked_query import NamedQuery

MONEY_QUERIES = (
    NamedQuery(
        "report_money",
        "What did we spend, sell and earn, and how much does that vary from home to home (-p by_world=1: by world)?",
        """
        SELECT COUNT(*) AS clusters, SUM(people) AS people, SUM(spend_micros) AS spend_micros,
          SUM(value_micros) AS value_micros, SUM(sales) AS sales, SUM(paid) AS paid_sales, SUM(reported) AS reported_sales,
          SUM(spend * spend) AS spend_spend, SUM(spend * value) AS spend_value, SUM(value * value) AS value_value,
          SUM(spend * sales) AS spend_sales, SUM(spend * paid) AS spend_paid, SUM(sales * sales) AS sales_sales,
          SUM(paid * paid) AS paid_paid
        FROM (
          SELECT SUM(people) AS people, SUM(spend_micros) AS spend_micros, SUM(value_micros) AS value_micros,
            SUM(sales) AS sales, SUM(paid) AS paid, SUM(reported) AS reported,
            CAST(SUM(spend_micros) AS DOUBLE PRECISION) / 1000000 AS spend,
            CAST(SUM(value_micros) AS DOUBLE PRECISION) / 1000000 AS value
          FROM (
            SELECT p.run_id, p.world_id, p.household_id, 1 AS people, 0 AS spend_micros, 0 AS value_micros, 0 AS sales,
              0 AS paid, 0 AS reported
            FROM people AS p
            UNION ALL
            SELECT p.run_id, p.world_id, p.household_id, 0, c.amount_micros, 0, 0, 0, 0
            FROM charges AS c JOIN people AS p ON p.run_id = c.run_id AND p.world_id = c.world_id
              AND p.person_id = c.person_id
            UNION ALL
            SELECT p.run_id, p.world_id, p.household_id, 0, 0, s.value_micros, 1,
              CASE WHEN s.touches > 0 THEN 1 ELSE 0 END,
              CASE WHEN s.reported_s <= r.start_s + 3600 * r.hours_done THEN 1 ELSE 0 END
            FROM paths_to_conversion AS s JOIN people AS p ON p.run_id = s.run_id AND p.world_id = s.world_id
              AND p.person_id = s.person_id
            JOIN runs AS r ON r.run_id = s.run_id
          ) AS u
          GROUP BY run_id, world_id, CASE WHEN :by_world = 1 THEN 0 ELSE household_id END
        ) AS h
        """,
        {"by_world": 0},
    ),
    NamedQuery(
        "report_hours", "In how many auctions did we stand, and how many did we win, hour by hour?",
        """
        SELECT hour, SUM(opportunities) AS opportunities, SUM(wins) AS wins, SUM(clicks) AS clicks
        FROM auctions_hourly WHERE ours = 1 GROUP BY hour ORDER BY hour
        """,
    ),
    NamedQuery(
        "report_spend", "What did we spend, hour by hour of the run and of the day (UTC)?",
        """
        SELECT (c.charged_s - r.start_s) / 3600 AS hour, (c.charged_s / 3600) % 24 AS hour_of_day,
          SUM(c.amount_micros) AS spend_micros
        FROM charges AS c JOIN runs AS r ON r.run_id = c.run_id
        GROUP BY (c.charged_s - r.start_s) / 3600, (c.charged_s / 3600) % 24 ORDER BY 1
        """,
    ),
    NamedQuery(
        "report_budgets", "Which daily limits did our money have?",
        """
        SELECT day, SUM(CASE WHEN campaign IS NULL THEN limit_micros END) AS total_limit_micros,
          SUM(CASE WHEN campaign IS NOT NULL THEN limit_micros END) AS campaign_limits_micros,
          SUM(CASE WHEN exhausted_s IS NOT NULL THEN 1 ELSE 0 END) AS exhausted
        FROM budgets_daily WHERE ours = 1 GROUP BY day ORDER BY day
        """,
    ),
    NamedQuery(
        "report_stages", "How far had journeys come by the end, and how had they ended, by segment?",
        """
        SELECT segment, stage, status, converted_advertiser, COUNT(*) AS journeys
        FROM journeys GROUP BY segment, stage, status, converted_advertiser
        ORDER BY segment, stage, status, converted_advertiser
        """,
    ),
    NamedQuery(
        "report_paths", "Through which channel did our buyers first meet us, and through which last?",
        """
        SELECT first_channel, last_channel, COUNT(*) AS sales, AVG(touches) AS touches_mean
        FROM paths_to_conversion GROUP BY first_channel, last_channel ORDER BY sales DESC, first_channel, last_channel
        """,
    ),
    NamedQuery(
        "report_days_to_sale", "How many days passed from the first touch of anybody's to the decision (30: 30 or more)?",
        """
        SELECT ours, CASE WHEN days > 30 THEN 30 ELSE days END AS days, COUNT(*) AS sales
        FROM (
          SELECT c.ours, (c.decided_s - j.first_touch_s) / 86400 AS days
          FROM conversions AS c JOIN journeys AS j ON j.run_id = c.run_id AND j.world_id = c.world_id
            AND j.person_id = c.person_id AND j.journey_index = c.journey_index
          WHERE j.first_touch_s <= c.decided_s
        ) AS u
        GROUP BY ours, CASE WHEN days > 30 THEN 30 ELSE days END ORDER BY ours DESC, days
        """,
    ),
    NamedQuery(
        "report_touches_to_sale", "How many of our touches lay before each of our sales (15: 15 or more)?",
        """
        SELECT CASE WHEN touches > 15 THEN 15 ELSE touches END AS touches, COUNT(*) AS sales, SUM(clicks) AS clicks
        FROM paths_to_conversion GROUP BY CASE WHEN touches > 15 THEN 15 ELSE touches END ORDER BY 1
        """,
    ),
    NamedQuery(
        "report_due", "Which of our sales did we know of at the run's end, and when do we hear of the others?",
        """
        SELECT CASE WHEN c.reported_s <= r.start_s + 3600 * r.hours_done THEN '1 reported'
            WHEN c.purchased_s <= r.start_s + 3600 * r.hours_done THEN '2 purchased' ELSE '3 decided' END AS known,
          CASE WHEN c.reported_s <= r.start_s + 3600 * r.hours_done THEN NULL
            ELSE (c.reported_s - r.start_s - 3600 * r.hours_done) / 86400 END AS days_after_end,
          COUNT(*) AS sales, SUM(c.value_micros) AS value_micros
        FROM conversions AS c JOIN runs AS r ON r.run_id = c.run_id
        WHERE c.ours = 1 GROUP BY 1, 2 ORDER BY 1, 2
        """,
    ),
    NamedQuery(
        "report_lags", "How many days pass from decision to report, for our sales (30: 30 or more)?",
        """
        SELECT CASE WHEN reported_s - decided_s >= 2592000 THEN 30 ELSE (reported_s - decided_s) / 86400 END AS days,
          COUNT(*) AS sales
        FROM conversions WHERE ours = 1 GROUP BY 1 ORDER BY 1
        """,
    ),
    NamedQuery(
        "report_channels", "What did each channel bring us in wins and clicks, and what did it cost?",
        """
        SELECT channel, SUM(opportunities) AS opportunities, SUM(wins) AS wins, SUM(clicks) AS clicks,
          SUM(spend_micros) AS spend_micros
        FROM channel_daily WHERE ours = 1 GROUP BY channel ORDER BY spend_micros DESC, channel
        """,
    ),
    NamedQuery(
        "report_credit", "How many of our sales does each attribution model give to each channel?",
        """
        SELECT model, channel, SUM(conversions) AS conversions
        FROM attribution GROUP BY model, channel ORDER BY model, channel
        """,
    ),
    NamedQuery(
        "report_caused", "How many sales did all our ads, and each channel's, truly cause?",
        """
        SELECT estimand, effect_of, channel, touches, spend_usd, sales_delta, low, high, cac_incremental_usd
        FROM incrementality WHERE effect_of IN ('all', 'channel') ORDER BY estimand, effect_of, channel
        """,
    ),
    NamedQuery(
        "report_segments", "What did each segment cost us, and what did it buy from us and from rivals?",
        """
        SELECT segment, SUM(people) AS people, SUM(spend_micros) AS spend_micros, SUM(sales) AS sales,
          SUM(rival_sales) AS rival_sales
        FROM (
          SELECT segment, 1 AS people, 0 AS spend_micros, 0 AS sales, 0 AS rival_sales FROM people
          UNION ALL
          SELECT p.segment, 0, c.amount_micros, 0, 0 FROM charges AS c
          JOIN people AS p ON p.run_id = c.run_id AND p.world_id = c.world_id AND p.person_id = c.person_id
          UNION ALL
          SELECT segment, 0, 0, ours, 1 - ours FROM conversions
        ) AS u
        GROUP BY segment ORDER BY people DESC, segment
        """,
    ),
)
