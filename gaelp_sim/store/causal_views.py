"""What our ads truly brought about, beside what attribution gives them."""

from __future__ import annotations

from gaelp_sim.store.code_names import US
from gaelp_sim.store.credit_views import MODEL, TOUCH_OF_CREDIT, run_by_key
from gaelp_sim.store.view_parts import (
    GROUPED_RUN_ID,
    PERSON,
    RUN_ID,
    WORLD,
    View,
    ViewColumn,
    columns,
    moment,
    money,
    named,
    plain,
    run_of,
)

_ESTIMAND = plain("estimand", "M: the market frozen as it was; W: the whole world again")

_TRUTH_CREDIT = View(
    "truth_credit", "what each touch truly caused: sales lost if it is withheld",
    columns(
        RUN_ID,
        plain("estimand", "M: the market frozen; W: the whole world again"),
        WORLD, PERSON,
        moment("touched", "when the touch happened", "t.occurred_s"),
        plain("touch_slot", "order among touches of the same second"),
        named("channel", "channel of the touch", "channel", "p.channel"),
        named("campaign", "campaign of the touch", "campaign", "p.campaign"),
        plain("sales_delta", "our sales with the touch, less without it"),
        money("value", "value of the sales that the touch caused"),
        plain("inclusion", "probability with which the touch was among those tried"),
    ),
    f"{run_of('truth_credit')} LEFT {TOUCH_OF_CREDIT.format(person='person_id')}",
)

_SPEND = """(SELECT CAST(SUM(l.amount_micros) AS BIGINT) FROM @ledger AS l WHERE l.run_key = t.run_key
  AND (t.effect_of = 'all' OR t.code = CASE t.effect_of WHEN 'campaign' THEN l.campaign ELSE l.channel END
    OR t.effect_of = 'touch' AND t.code = -1))"""


def _named_where(name: str, kind: str, effects: str) -> ViewColumn:
    column = named(name, name, kind, "t.code").expression
    return ViewColumn(name, f"{name} whose ads were withheld; NULL for others",
                      lambda dialect: f"CASE WHEN t.effect_of IN ({effects}) THEN {column(dialect)} END")


_INCREMENTALITY = View(
    "incrementality", "sales that would be lost without our ads: all, a channel's, a campaign's, or touch by touch",
    columns(
        RUN_ID, _ESTIMAND,
        plain("effect_of", "all, channel, campaign: ads withheld together; touch: the sum of what each alone caused"),
        _named_where("channel", "channel", "'channel', 'touch'"),
        _named_where("campaign", "campaign", "'campaign'"),
        plain("touches", "our ads among them, e-mails included"),
        money("spend", "what they cost", _SPEND),
        plain("sales_delta", "our sales with them, less without them"),
        plain("low", "lower end of the 95 % interval"),
        plain("high", "upper end"),
        plain("cac_incremental_usd", "spend per sale that they caused; NULL where they caused none",
              f"CAST({_SPEND} AS DOUBLE PRECISION) / 1000000 / CASE WHEN t.sales_delta > 0 THEN t.sales_delta END"),
    ),
    run_of("incremental"),
)

_ATTRIBUTION_TRUTH = View(
    "attribution_truth", "each model's credit beside the sales that the channel's ads truly caused",
    columns(
        GROUPED_RUN_ID, MODEL, _ESTIMAND,
        named("channel", "channel; NULL: sales that no ad of ours is credited with, or caused", "channel"),
        plain("credited", "sales that the model credits"),
        plain("caused", "sales that depend on the channel's ads; where channel is NULL, sales without any ad of ours"),
        plain("caused_low", "lower end of its 95 % interval"),
        plain("caused_high", "upper end"),
        plain("error", "credited less caused", "t.credited - t.caused"),
    ),
    f"""
    FROM (
      SELECT r.run_id, r.run_key, a.model, i.estimand, i.code AS channel, i.sales_delta AS caused,
        i.low AS caused_low, i.high AS caused_high,
        COALESCE((SELECT SUM(c.conversions) FROM @credit_sum AS c WHERE c.run_key = r.run_key AND c.model = a.model
          AND c.advertiser = {US} AND c.channel = i.code), 0) AS credited
      FROM @run AS r CROSS JOIN @attribution_settings AS a CROSS JOIN @incremental AS i
      WHERE a.run_key = r.run_key AND i.run_key = r.run_key AND i.effect_of = 'channel'
      UNION ALL
      SELECT r.run_id, r.run_key, a.model, i.estimand, -1, a.sales - i.sales_delta, a.sales - i.high, a.sales - i.low,
        a.sales - COALESCE((SELECT SUM(c.conversions) FROM @credit_sum AS c WHERE c.run_key = r.run_key
          AND c.model = a.model AND c.advertiser = {US} AND EXISTS (SELECT 1 FROM @incremental AS j
            WHERE j.run_key = r.run_key AND j.estimand = i.estimand AND j.effect_of = 'channel'
              AND j.code = c.channel)), 0)
      FROM @run AS r CROSS JOIN @attribution_settings AS a CROSS JOIN @incremental AS i
      WHERE a.run_key = r.run_key AND i.run_key = r.run_key AND i.effect_of = 'all'
    ) AS t
    """,
)

def _known(name: str, meaning: str, sql: str | None = None) -> ViewColumn:
    """A figure that may not be known: then it is stored as -1e300."""
    value = sql or f"t.{name}"
    return plain(name, meaning, f"CASE WHEN {value} > -1e290 THEN {value} END")


_ATTRIBUTION_ERRORS = View(
    "attribution_errors", "how far each model is from the truth, and what following it would cost",
    columns(
        RUN_ID, MODEL, _ESTIMAND,
        _known("mae", "mean absolute error of a channel's sales"),
        _known("mae_low", "lower end of its 95 % interval"), _known("mae_high", "upper end"),
        _known("rank_correlation", "Kendall's tau-b between channels by credit and by truth; NULL: not known", "t.rank"),
        _known("rank_low", "lower end of its 95 % interval"), _known("rank_high", "upper end"),
        _known("misallocated_usd", "money on the wrong channels if the budget followed the model; NULL: not known",
               "t.misallocated_micros / 1000000"),
        _known("misallocated_low_usd", "lower end of its 95 % interval", "t.misallocated_low / 1000000"),
        _known("misallocated_high_usd", "upper end", "t.misallocated_high / 1000000"),
    ),
    run_of("attribution_error"),
)

_SEGMENT = """(SELECT n.name FROM @person AS p JOIN @name AS n ON n.run_key = p.run_key AND n.kind = 'segment'
  AND n.code = p.segment WHERE p.run_key = t.run_key AND p.world_id = t.world_id AND p.person_id = t.person_id)"""

_REPLAY_DIFF = View(
    "replay_diff", "people who bought from us in a run and not in its replay, or the other way round, and why",
    columns(
        RUN_ID,
        plain("replayed_run_id", "the run that was replayed", run_by_key("parent_run_key")),
        WORLD, PERSON,
        plain("segment", "the person's segment", _SEGMENT),
        plain("outcome", "gained: more sales of ours in the replay; lost: fewer",
              "CASE WHEN t.sales_after > t.sales_before THEN 'gained' ELSE 'lost' END"),
        plain("sales_before", "our sales to the person in the stored run"), plain("sales_after", "in the replay"),
        named("bought_before", "from whom the person bought first in the stored run; NULL: from nobody", "advertiser"),
        named("bought_after", "from whom in the replay", "advertiser"),
        plain("impressions_before", "our impressions in the stored run"), plain("impressions_after", "in the replay"),
        plain("clicks_before", "clicks on us in the stored run"), plain("clicks_after", "in the replay"),
        money("cost_before", "what we were charged for the person in the stored run"),
        money("cost_after", "in the replay"),
        moment("first_difference", "when the first touch of ours happened that is in one of the two alone"),
        named("channel", "its channel", "channel"),
        plain("why", "how our touches differ"),
    ),
    run_of("replay_change"),
)

CAUSAL_VIEWS = (_INCREMENTALITY, _ATTRIBUTION_TRUTH, _ATTRIBUTION_ERRORS, _TRUTH_CREDIT, _REPLAY_DIFF)
