"""Identity as we resolve it: users, possible aliases, and how far they are from the truth."""

from __future__ import annotations

from gaelp_sim.store.code_names import DEVICE_KINDS, IDENTITY_METHODS
from gaelp_sim.store.view_parts import (
    GROUPED_RUN_ID,
    RUN_ID,
    WORLD,
    View,
    ViewColumn,
    coded,
    columns,
    moment,
    optional,
    plain,
    run_of,
)

_RESOLUTION = plain("resolution_id", "resolution; 0 is the run's own, which its policy saw")

_ALIASES = View(
    "aliases", "observed identifiers with the user that resolution gave them",
    columns(
        RUN_ID, WORLD,
        plain("alias_id", "observed identifier"),
        coded("kind", "kind of device", DEVICE_KINDS),
        optional("resolved_user_id", "resolved user"),
        plain("match_confidence", "confidence of that match, 0-1"),
        moment("first_seen", "when it was first seen"),
        moment("last_seen", "when it was last seen"),
        moment("login", "last log-in on it"),
        optional("account_id", "account that has been used on it"),
    ),
    run_of("alias"),
)

_POSSIBLE_ALIASES = View(
    "possible_aliases", "pairs of aliases that may be one user, with probability",
    columns(
        GROUPED_RUN_ID, WORLD,
        plain("alias_id", "one alias"),
        plain("other_alias_id", "the other"),
        _RESOLUTION,
        plain("probability", "probability that both are one user"),
        plain("method", "evidence that linked them"),
    ),
    """
    FROM (
      SELECT r.run_id, p.world_id, p.alias_id, p.other_alias_id, 0 AS resolution_id, p.probability, 'all' AS method
      FROM @run AS r JOIN @alias_pair AS p ON p.run_key = r.run_key
      UNION ALL
      SELECT r.run_id, l.world_id, l.alias_id, l.other_alias_id, l.resolution_id, l.probability, l.method
      FROM @run AS r JOIN @alias_link AS l ON l.run_key = r.run_key
    ) AS t
    """,
)

_CHANGES = View(
    "identity_changes", "devices that changed their user while the run went on: merges and splits, never rewritten",
    columns(
        RUN_ID, WORLD,
        plain("alias_id", "device that changed its user"),
        moment("changed", "when"),
        plain("previous_user_id", "user that it was in"),
        plain("resolved_user_id", "user that it is in since"),
        plain("probability", "probability of its weakest link then; 1 by log-in or alone"),
        coded("method", "LOGIN and LINK join users, SPLIT parts them", IDENTITY_METHODS),
    ),
    run_of("identity_change"),
)

_RESOLUTIONS = View(
    "resolutions", "resolutions of the run's aliases made after it, with what they were told",
    columns(
        RUN_ID, _RESOLUTION,
        plain("threshold", "least probability at which two aliases are joined"),
        plain("parameters", "what comparisons were weighed by, JSON"),
        plain("settings", "what could be observed, JSON"),
    ),
    run_of("resolution"),
)

_RESOLVED_ALIASES = View(
    "resolved_aliases", "aliases with the user that each later resolution gave them",
    columns(
        RUN_ID, _RESOLUTION, WORLD,
        plain("alias_id", "observed identifier"),
        plain("resolved_user_id", "resolved user"),
        plain("match_confidence", "confidence of that match, 0-1"),
    ),
    run_of("resolved_alias"),
)


def _rate(name: str, meaning: str, above: str, below: str) -> ViewColumn:
    return plain(name, meaning, f"CAST({above} AS DOUBLE PRECISION) / NULLIF({below}, 0)")


# Summed so that it is worked out once and looked up by alias: devices are stored by person.
_OWNERS = """(
    SELECT d.run_key, d.world_id, d.alias_id, MIN(d.person_id) AS person_id
    FROM @run AS r CROSS JOIN @device AS d WHERE d.run_key = r.run_key GROUP BY d.run_key, d.world_id, d.alias_id
  )"""
# Of each alias: how many aliases its person has, how many its user, how many both.
_COUNTED = f"""
  SELECT u.run_id, u.resolution_id, u.world_id,
    COUNT(*) OVER (PARTITION BY u.run_id, u.resolution_id, u.world_id, d.person_id) AS np,
    COUNT(*) OVER (PARTITION BY u.run_id, u.resolution_id, u.world_id, u.resolved_user_id) AS nu,
    COUNT(*) OVER (PARTITION BY u.run_id, u.resolution_id, u.world_id, d.person_id, u.resolved_user_id) AS nb
  FROM (
    SELECT r.run_id, r.run_key, 0 AS resolution_id, a.world_id, a.alias_id, a.resolved_user_id
    FROM @run AS r JOIN @alias AS a ON a.run_key = r.run_key WHERE a.first_seen_s <> -1
    UNION ALL
    SELECT r.run_id, r.run_key, a.resolution_id, a.world_id, a.alias_id, a.resolved_user_id
    FROM @run AS r JOIN @resolved_alias AS a ON a.run_key = r.run_key
  ) AS u JOIN {_OWNERS} AS d ON d.run_key = u.run_key AND d.world_id = u.world_id AND d.alias_id = u.alias_id
"""

_IDENTITY_QUALITY = View(
    "identity_quality", "how well each resolution joined aliases, against the truth",
    columns(
        GROUPED_RUN_ID, _RESOLUTION, WORLD,
        plain("people", "people with an alias seen", "t.people"),
        plain("aliases", "aliases seen"),
        plain("resolved_users", "users that resolution made of them"),
        plain("true_pairs", "pairs of aliases of one person"),
        plain("linked_pairs", "pairs that resolution joined"),
        plain("right_pairs", "pairs that are both"),
        _rate("precision_pairs", "right / linked; NULL if none was linked", "t.right_pairs", "t.linked_pairs"),
        _rate("recall_pairs", "right / true; NULL if there were none", "t.right_pairs", "t.true_pairs"),
        _rate("f1_pairs", "harmonic mean of both", "2 * t.right_pairs", "(t.linked_pairs + t.true_pairs)"),
        _rate("f05_pairs", "F0.5, which weighs precision more", "1.25 * t.right_pairs",
              "(0.25 * t.true_pairs + t.linked_pairs)"),
        plain("b_cubed_precision", "of an alias's user, the share that is the same person's; the mean"),
        plain("b_cubed_recall", "of an alias's person, the share that is in the same user; the mean"),
        plain("largest", "aliases of the largest user"),
        plain("over_merges", "users made of more than one person"),
        plain("under_merges", "people spread over more than one user"),
    ),
    f"""
    FROM (
      SELECT c.run_id, c.resolution_id, c.world_id, COUNT(*) AS aliases,
        CAST(ROUND(SUM(1.0 / c.np)) AS BIGINT) AS people, CAST(ROUND(SUM(1.0 / c.nu)) AS BIGINT) AS resolved_users,
        CAST(SUM(c.np - 1) / 2 AS BIGINT) AS true_pairs, CAST(SUM(c.nu - 1) / 2 AS BIGINT) AS linked_pairs,
        CAST(SUM(c.nb - 1) / 2 AS BIGINT) AS right_pairs,
        AVG(CAST(c.nb AS DOUBLE PRECISION) / c.nu) AS b_cubed_precision,
        AVG(CAST(c.nb AS DOUBLE PRECISION) / c.np) AS b_cubed_recall, MAX(c.nu) AS largest,
        CAST(ROUND(SUM(CASE WHEN c.nb < c.nu THEN 1.0 / c.nu ELSE 0 END)) AS BIGINT) AS over_merges,
        CAST(ROUND(SUM(CASE WHEN c.nb < c.np THEN 1.0 / c.np ELSE 0 END)) AS BIGINT) AS under_merges
      FROM ({_COUNTED}) AS c GROUP BY c.run_id, c.resolution_id, c.world_id
    ) AS t
    """,
)

_TENTH = "CASE WHEN t.probability >= 1 THEN 9 ELSE CAST(FLOOR(t.probability * 10) AS INTEGER) END"

_CALIBRATION = View(
    "identity_calibration", "whether pairs are one person as often as their probability says, by tenths",
    columns(
        GROUPED_RUN_ID, _RESOLUTION,
        plain("probability_from", "probability of the pairs, from", "CAST(t.bucket AS DOUBLE PRECISION) / 10"),
        plain("pairs", "pairs of that probability"),
        plain("said", "their mean probability"),
        plain("true_share", "share that is one person's"),
    ),
    f"""
    FROM (
      SELECT l.run_id, l.resolution_id, l.bucket, COUNT(*) AS pairs, AVG(l.probability) AS said,
        AVG(CASE WHEN one.person_id = other.person_id THEN 1.0 ELSE 0.0 END) AS true_share
      FROM (
        SELECT r.run_id, t.run_key, t.world_id, t.alias_id, t.other_alias_id, t.resolution_id, t.probability,
          {_TENTH} AS bucket
        FROM @run AS r JOIN @alias_link AS t ON t.run_key = r.run_key
        UNION ALL
        SELECT r.run_id, t.run_key, t.world_id, t.alias_id, t.other_alias_id, 0, t.probability, {_TENTH}
        FROM @run AS r JOIN @alias_pair AS t ON t.run_key = r.run_key
      ) AS l JOIN {_OWNERS} AS one ON one.run_key = l.run_key AND one.world_id = l.world_id AND one.alias_id = l.alias_id
      JOIN {_OWNERS} AS other ON other.run_key = l.run_key AND other.world_id = l.world_id
        AND other.alias_id = l.other_alias_id
      GROUP BY l.run_id, l.resolution_id, l.bucket
    ) AS t
    """,
)

IDENTITY_VIEWS = (
    _ALIASES, _POSSIBLE_ALIASES, _CHANGES, _RESOLUTIONS, _RESOLVED_ALIASES, _IDENTITY_QUALITY, _CALIBRATION,
)
