-- An agent from outside in plain SQL, the same on SQLite and PostgreSQL: bids what the rule would, and a fifth more for
-- signals that have been clicked. Run it again and again while `gaelp run outside` waits; what is answered is asked no more:
--   while sleep 0.1; do sqlite3 -cmd '.timeout 30000' gaelp.db < examples/outside_agent.sql; done
--   while sleep 0.1; do psql -qf examples/outside_agent.sql 'postgresql://bidding_agent@localhost/gaelp'; done
INSERT INTO outside_bid (run_id, world_id, hour, channel, signal, bid_micros)
SELECT s.run_id, s.world_id, s.hour, s.channel, s.signal,
       CASE WHEN EXISTS (SELECT 1 FROM observed_touches AS t
                         WHERE t.run_id = s.run_id AND t.world_id = s.world_id
                           AND t.channel = s.channel AND t.signal = s.signal AND t.clicked = 1)
            THEN s.default_micros * 6 / 5 ELSE s.default_micros END
FROM observed_sheet AS s
WHERE s.asked = 1;
