"""What a report asks of a run's market and people: rivals, prices, creatives, identity, crises."""

from __future__ import annotations

from gaelp_sim.store.worked_query import NamedQuery

MARKET_QUERIES = (
    NamedQuery(
        "report_advertisers", "Who won the auctions, and at what cost?",
        """
        SELECT advertiser, ours, SUM(wins) AS wins, SUM(clicks) AS clicks, SUM(spend_micros) AS spend_micros
        FROM channel_daily WHERE advertiser IS NOT NULL
        GROUP BY advertiser, ours ORDER BY ours DESC, wins DESC, advertiser
        """,
    ),
    NamedQuery(
        "report_sellers", "Who made the sales?",
        """
        SELECT advertiser, ours, COUNT(*) AS sales FROM conversions
        GROUP BY advertiser, ours ORDER BY ours DESC, sales DESC, advertiser
        """,
    ),
    NamedQuery(
        "report_prices", "What did winning cost, by channel and day: the mean of the hours' median prices, by wins?",
        """
        SELECT channel, day, SUM(wins) AS wins, SUM(price_q50_usd * wins) / SUM(wins) AS price_usd
        FROM auctions_hourly WHERE wins > 0 AND advertiser IS NOT NULL AND price_q50_usd IS NOT NULL
        GROUP BY channel, day ORDER BY channel, day
        """,
    ),
    NamedQuery(
        "report_price_to_beat",
        "What had to be bid to win, as it was and as our own auctions tell (medians by signal, weighted by auctions)?",
        """
        SELECT channel, method, SUM(true_q50_usd * true_auctions) / SUM(true_auctions) AS true_q50_usd,
          SUM(q50_usd * auctions) / NULLIF(SUM(auctions), 0) AS q50_usd, SUM(auctions) AS auctions, SUM(seen) AS seen
        FROM truth_price_landscape WHERE hour_of_day IS NULL AND true_auctions > 0
        GROUP BY channel, method ORDER BY channel, method
        """,
    ),
    NamedQuery(
        "report_rivals", "How did each rival bid, day by day?",
        """
        SELECT advertiser, strategy, day, AVG(bid_multiple) AS bid_multiple, AVG(pace) AS pace,
          AVG(aggression) AS aggression
        FROM rivals_daily GROUP BY advertiser, strategy, day ORDER BY advertiser, strategy, day
        """,
    ),
    NamedQuery(
        "report_creatives", "What came of each of our creatives?",
        """
        SELECT creative, SUM(impressions) AS impressions, SUM(clicks) AS clicks, SUM(spend_micros) AS spend_micros,
          SUM(sales) AS sales
        FROM creative_daily GROUP BY creative ORDER BY impressions DESC, creative
        """,
    ),
    NamedQuery(
        "report_identity", "How well were devices joined into users, against the truth?",
        """
        SELECT resolution_id, SUM(people) AS people, SUM(aliases) AS aliases, SUM(resolved_users) AS resolved_users,
          SUM(true_pairs) AS true_pairs, SUM(linked_pairs) AS linked_pairs, SUM(right_pairs) AS right_pairs,
          SUM(over_merges) AS over_merges, SUM(under_merges) AS under_merges
        FROM identity_quality GROUP BY resolution_id ORDER BY resolution_id
        """,
    ),
    NamedQuery(
        "report_crises", "How many crises and life events struck, day by day?",
        """
        SELECT t.kind, (t.occurred_s - r.start_s) / 86400 AS day, COUNT(*) AS events
        FROM trigger_events AS t JOIN runs AS r ON r.run_id = t.run_id
        GROUP BY t.kind, (t.occurred_s - r.start_s) / 86400 ORDER BY t.kind, day
        """,
    ),
    NamedQuery(
        "report_crisis_sales", "How many sales were decided by people whom a crisis of their own had struck before?",
        """
        SELECT ours, SUM(sale) AS sales, SUM(CASE WHEN first_crisis_s <= decided_s THEN sale ELSE 0 END) AS after_crisis
        FROM (
          SELECT ours, decided_s, 1 - crisis AS sale, MIN(CASE WHEN crisis = 1 THEN decided_s END) OVER (
            PARTITION BY run_id, world_id, person_id) AS first_crisis_s
          FROM (
            SELECT run_id, world_id, person_id, ours, decided_s, 0 AS crisis FROM conversions
            UNION ALL
            SELECT run_id, world_id, person_id, NULL, occurred_s, 1 FROM trigger_events WHERE kind = 'CRISIS_PERSON'
          ) AS u
        ) AS v
        WHERE ours IS NOT NULL GROUP BY ours ORDER BY ours DESC
        """,
    ),
)
