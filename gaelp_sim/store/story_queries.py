"""What is asked to tell one person's story, and which people's stories are worth telling."""

from __future__ import annotations

from gaelp_sim.store.worked_query import NamedQuery

STORY_QUERIES = (
    NamedQuery(
        "report_stories", "Whose journeys tell most: a long sale, a quick one, one lost to a rival, one given up?",
        """
        SELECT story, world_id, person_id, journey_index FROM (
          SELECT story, world_id, person_id, journey_index,
            ROW_NUMBER() OVER (PARTITION BY story ORDER BY weight DESC, world_id, person_id, journey_index) AS place
          FROM (
            SELECT '1 long' AS story, world_id, person_id, journey_index, decided_s - first_touch_s AS weight
            FROM paths_to_conversion WHERE touches BETWEEN 4 AND 14
            UNION ALL
            SELECT '2 quick', world_id, person_id, journey_index, first_touch_s - decided_s
            FROM paths_to_conversion WHERE touches BETWEEN 1 AND 3
            UNION ALL
            SELECT CASE WHEN status = 'LOST' THEN '4 lost' ELSE '3 rival' END, world_id, person_id, journey_index,
              cost_micros
            FROM journeys WHERE our_touches BETWEEN 3 AND 14
              AND (status = 'LOST' OR (status = 'CONVERTED' AND converted_advertiser <> (
                SELECT MIN(advertiser) FROM channel_daily WHERE ours = 1)))
          ) AS u
        ) AS ranked
        WHERE place = 1 ORDER BY story
        """,
    ),
    NamedQuery(
        "journey_moments",
        "What happened to one person, rivals' ads, lost auctions and reports too? (-p person=0 -p world=0)",
        """
        SELECT happened_s, happened_at, what, advertiser, ours, channel, signal, creative, device, clicked, bid_usd,
          price_usd, value_usd, chance, touch_slot
        FROM (
          SELECT t.touched_s AS happened_s, t.touched_at AS happened_at, 1 AS step, t.touch_slot, t.kind AS what,
            t.advertiser, t.ours, t.channel, t.signal, t.creative, t.device, t.examined, t.clicked, d.bid_usd, t.price_usd,
            CAST(NULL AS DOUBLE PRECISION) AS value_usd, d.propensity AS chance
          FROM touchpoints AS t LEFT JOIN decisions AS d ON d.run_id = t.run_id AND d.world_id = t.world_id
            AND d.person_id = t.person_id AND d.decided_s = t.touched_s AND d.channel = t.channel AND d.status = 'WON'
            AND t.ours = 1 AND t.kind = 'IMPRESSION'
          WHERE t.world_id = :world AND t.person_id = :person
          UNION ALL
          SELECT decided_s, decided_at, 0, 0, status, NULL, NULL, channel, signal, creative, device, NULL, NULL, bid_usd,
            min_bid_to_win_usd, NULL, propensity
          FROM decisions WHERE world_id = :world AND person_id = :person AND status <> 'WON'
          UNION ALL
          SELECT occurred_s, occurred_at, 0, 0, kind, NULL, NULL, NULL, segment_to, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL
          FROM trigger_events WHERE world_id = :world AND (person_id = :person OR person_id IS NULL)
          UNION ALL
          SELECT decided_s, decided_at, 2, 0, 'DECIDED', advertiser, ours, NULL, via, NULL, device, NULL, NULL, NULL, NULL,
            value_usd, NULL
          FROM conversions WHERE world_id = :world AND person_id = :person
          UNION ALL
          SELECT purchased_s, purchased_at, 3, 0, 'PURCHASED', advertiser, ours, NULL, NULL, NULL, device, NULL, NULL, NULL,
            NULL, value_usd, NULL
          FROM conversions WHERE world_id = :world AND person_id = :person
          UNION ALL
          SELECT reported_s, reported_at, 4, 0, 'REPORTED', advertiser, ours, NULL, NULL, NULL, device, NULL, NULL, NULL,
            NULL, value_usd, NULL
          FROM conversions WHERE world_id = :world AND person_id = :person AND ours = 1
        ) AS u
        ORDER BY happened_s, step, touch_slot
        """,
        {"person": 0, "world": 0},
    ),
    NamedQuery(
        "journey_person", "Who is the person, and in which state did the run leave them? (-p person=0 -p world=0)",
        """
        SELECT p.segment, x.segment_at_start, p.stage, p.status, p.goodwill, p.rival_goodwill, p.fatigue_teach,
          p.fatigue_offer, p.on_list, p.household_id, p.days_in_journey, x.attention, x.price_sensitivity, x.urgency
        FROM people AS p LEFT JOIN truth_people AS x ON x.run_id = p.run_id AND x.world_id = p.world_id
          AND x.person_id = p.person_id
        WHERE p.world_id = :world AND p.person_id = :person
        """,
        {"person": 0, "world": 0},
    ),
    NamedQuery(
        "journey_list", "Which journeys has the person made? (-p person=0 -p world=0)",
        """
        SELECT journey_index, started_at, first_touch_at, last_touch_at, ended_at, stage, status, converted_advertiser,
          touches, our_touches, our_clicks, cost_usd, devices_seen, channels_exposed, competitors_seen
        FROM journeys WHERE world_id = :world AND person_id = :person ORDER BY journey_index
        """,
        {"person": 0, "world": 0},
    ),
    NamedQuery(
        "journey_credit", "How do models share the person's sales between touches, and what did each touch cause?",
        """
        SELECT model, touched_s, touch_slot, touched_at, channel, share, credited_usd FROM (
          SELECT touched_s, touched_at, touch_slot, channel, model, share, credited_usd FROM credit
          WHERE world_id = :world AND person_id = :person
          UNION ALL
          SELECT touched_s, touched_at, touch_slot, channel, 'truth (' || estimand || ')', sales_delta, value_usd
          FROM truth_credit WHERE world_id = :world AND person_id = :person
        ) AS u
        ORDER BY model, touched_s, touch_slot
        """,
        {"person": 0, "world": 0},
    ),
    NamedQuery(
        "journey_beliefs", "What did our policy see when it decided, 41 float32 each? (-p person=0 -p world=0)",
        """
        SELECT decided_s, channel, features FROM decisions WHERE world_id = :world AND person_id = :person
        ORDER BY decided_s
        """,
        {"person": 0, "world": 0},
    ),
)
