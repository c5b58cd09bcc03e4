"""The analyst's views of runs, identity and credit, and the truth that no advertiser could ever see."""

from __future__ import annotations

from gaelp_sim.store.code_names import DEVICE_KINDS, TOUCH_KINDS
from gaelp_sim.store.view_parts import (
    GROUPED_RUN_ID,
    PERSON,
    RUN_ID,
    WORLD,
    View,
    ViewColumn,
    coded,
    columns,
    moment,
    money,
    named,
    optional,
    plain,
    run_of,
)


def _stored(*names_and_meanings: str) -> tuple[ViewColumn, ...]:
    pairs = zip(names_and_meanings[::2], names_and_meanings[1::2], strict=True)
    return tuple(plain(name, meaning, f"r.{name}") for name, meaning in pairs)


def run_by_key(key: str) -> str:
    """The id of the run whose key stands in a column of the run `r`."""
    return f"(SELECT q.run_id FROM @@run AS q WHERE q.run_key = r.{key})"


_RUNS = View(
    "runs", "stored runs",
    columns(
        RUN_ID,
        _stored("label", "name the user gave it", "scenario_name", "scenario", "status",
                "RUNNING, FINISHED, INTERRUPTED or FAILED", "policy", "policy that bid", "seed", "seed of the run",
                "people", "people per world", "days", "days simulated", "worlds", "worlds", "cells", "cells per world",
                "log", "wins or all", "currency", "currency of every amount"),
        moment("start", "zero of the run's clock", "r.start_s"),
        _stored("start_hour", "hour of that clock at which the run begins", "end_hour", "hour at which it ends",
                "hours_done", "hour that it has reached"),
        plain("parent_run_id", "run that this one continues or replays", run_by_key("parent_run_key")),
        plain("root_run_id", "first run of the line", run_by_key("root_run_key")),
        _stored("scenario_hash", "SHA-256 of the resolved scenario", "scenario_text", "resolved scenario",
                "overrides", "settings changed on the command line, JSON", "engine_version", "version of gaelp-sim",
                "python_version", "version of Python", "numpy_version", "version of numpy",
                "numba_version", "versions of numba and of the C library",
                "torch_version", "version of torch; empty without",
                "cpu_features", "CPU features that decide numpy's last bits",
                "created_at", "when the run was made, ISO text"),
        plain("finished_at", "when it ended, ISO text; NULL before", "NULLIF(r.finished_at, '')"),
        plain("summary", "figures printed at its end, JSON", "r.summary"),
    ),
    "FROM @run AS r",
)

_WORLDS = View(
    "worlds", "worlds of each run with what sets them apart",
    columns(
        RUN_ID, WORLD,
        plain("people", "people who live there"),
        plain("market_noise", "factor on market prices", "CAST(t.market_noise_ppm AS DOUBLE PRECISION) / 1000000"),
        plain("season_shift_days", "days by which the season is shifted"),
    ),
    run_of("world"),
)

_WORLD_PARAMETERS = View(
    "world_parameters", "each world's own value of every parameter that the scenario gives as an interval",
    columns(
        RUN_ID, WORLD,
        named("parameter", "the parameter's key in the scenario", "parameter"),
        plain("value", "the value that this world has drawn"),
        plain("low", "lower bound of the interval"),
        plain("high", "upper bound of the interval"),
    ),
    run_of("world_parameter"),
)

TOUCH_OF_CREDIT = ("JOIN @touchpoint AS p ON p.run_key = t.run_key AND p.world_id = t.world_id"
                    " AND p.person_id = t.{person} AND p.occurred_s = t.occurred_s AND p.touch_slot = t.touch_slot")
_SALE_OF_CREDIT = ("JOIN @conversion AS c ON c.run_key = t.run_key AND c.world_id = t.world_id"
                   " AND c.person_id = t.person_id AND c.decided_s = t.decided_s")
MODEL = plain("model", "attribution model, with the settings that are not the default")

_ATTRIBUTIONS = View(
    "attributions", "attributions of the run's sales: the model and what it was told",
    columns(
        RUN_ID, MODEL,
        plain("rule", "the model alone"),
        plain("settings", "all settings, JSON"),
        plain("sales", "our sales that were attributed"),
        plain("untouched", "of them those that no touch lies before"),
    ),
    run_of("attribution_settings"),
)

_CREDIT = View(
    "credit", "share of each sale that a model gives to each touch",
    columns(
        RUN_ID, MODEL, WORLD, PERSON,
        plain("order_id", "order credited", "c.order_id"),
        moment("decided", "when the person decided"),
        moment("reported", "when the sale was reported", "c.reported_s"),
        moment("touched", "when the touch happened", "t.occurred_s"),
        plain("touch_slot", "order among touches of the same second"),
        plain("touch_person_id", "person touched: another one where identity resolution took two for one user"),
        coded("kind", "kind of touch", TOUCH_KINDS, "p.kind"),
        named("advertiser", "whose touch it was", "advertiser", "p.advertiser"),
        named("channel", "channel of the touch", "channel", "p.channel"),
        named("campaign", "campaign of the touch", "campaign", "p.campaign"),
        named("creative", "creative of the touch", "creative", "p.creative"),
        plain("share", "share of the sale, summing to 1 per sale and model"),
        plain("credited_usd", "that share of the sale's value, units of the scenario's currency",
              "t.share * c.value_micros / 1000000"),
    ),
    f"{run_of('credit')} {TOUCH_OF_CREDIT.format(person='touch_person_id')} {_SALE_OF_CREDIT}",
)


def _credited_by(name: str, meaning: str, columns_of: dict[str, str]) -> View:
    """Credit summed by columns {name: meaning} of `credit_sum`, against what was spent there.

    The CROSS JOIN keeps SQLite from walking the ledgers of all runs for the sake of one.
    """
    keys = ", ".join(f"u.{column}" for column in columns_of)
    spent = [column for column in columns_of if column != "advertiser"]
    listed = ", ".join(f"l.{column}" for column in spent)
    credits = ", ".join(f"t.{column}" for column in columns_of)
    spends = ", ".join("0" if column == "advertiser" else f"s.{column}" for column in columns_of)
    kinds = {"advertiser": "advertiser", "channel": "channel", "campaign": "campaign"}
    return View(
        name, meaning,
        columns(
            GROUPED_RUN_ID, MODEL,
            [named(column, text, kinds[column]) for column, text in columns_of.items()],
            plain("conversions", "sales credited, fractional"),
            plain("value_usd", "value credited, units of the scenario's currency", "t.value_micros / 1000000"),
            money("spend", "what it cost us in the run"),
            plain("cac_usd", "spend per credited sale; NULL without one",
                  "CAST(t.spend_micros AS DOUBLE PRECISION) / 1000000 / NULLIF(t.conversions, 0)"),
            plain("roas", "value credited per unit spent; NULL without spend",
                  "t.value_micros / NULLIF(t.spend_micros, 0)"),
        ),
        f"""
        FROM (
          SELECT u.run_id, u.run_key, u.model, {keys}, SUM(u.conversions) AS conversions,
            SUM(u.value_micros) AS value_micros, CAST(SUM(u.spend_micros) AS BIGINT) AS spend_micros
          FROM (
            SELECT r.run_id, r.run_key, t.model, {credits}, t.conversions, t.value_micros, 0 AS spend_micros
            {run_of('credit_sum')}
            UNION ALL
            SELECT m.run_id, m.run_key, m.model, {spends}, 0.0, 0.0, s.spend_micros
            FROM (SELECT DISTINCT r.run_id, r.run_key, t.model {run_of('attribution_settings')}) AS m JOIN (
              SELECT r.run_key, {listed}, CAST(SUM(l.amount_micros) AS BIGINT) AS spend_micros
              FROM @run AS r CROSS JOIN @ledger AS l WHERE l.run_key = r.run_key GROUP BY r.run_key, {listed}
            ) AS s ON s.run_key = m.run_key
          ) AS u
          GROUP BY u.run_id, u.run_key, u.model, {keys}
        ) AS t
        """,
    )


_ATTRIBUTION = _credited_by(
    "attribution", "sales and value credited to each channel by each model, against its spend",
    {"advertiser": "whose touches; NULL for sales without any", "channel": "channel; NULL for sales without any touch"},
)
_ATTRIBUTION_CAMPAIGNS = _credited_by(
    "attribution_campaigns", "sales and value credited to each campaign by each model, against its spend",
    {"advertiser": "whose touches; NULL for sales without any", "channel": "channel",
     "campaign": "campaign; NULL for touches of none, such as visits, and for sales without any touch"},
)

_JOURNEY_REWARDS = View(
    "journey_rewards", "what a journey of ours pays a learner in the end, by rule of reward and attribution model",
    columns(
        RUN_ID, MODEL,
        plain("rule", "rule of reward: profit, document, document_signed"),
        WORLD, PERSON,
        plain("journey_index", "journey of the person, from 0"),
        plain("credit", "share of the sale that our touches get; NULL where none was made", "NULLIF(t.credit, -1)"),
        optional("days", "whole days from first touch to the sale; NULL where none was made"),
        money("cost", "what the journey's touches cost us"),
        money("value", "value of the sale; 0 where none was made"),
        plain("late", "1 if the sale came after the journey had been given up"),
        money("reward", "what the journey pays in all"),
    ),
    run_of("journey_reward"),
)

_TRUTH_PEOPLE = View(
    "truth_people", "traits of people that nobody can observe",
    columns(
        RUN_ID, WORLD, PERSON,
        named("segment_at_start", "segment when the run began", "segment"),
        plain("attention", "attention paid to ads"),
        plain("price_sensitivity", "sensitivity to price"),
        plain("urgency", "urgency of the need"),
    ),
    run_of("truth_person"),
)

_TRUTH_DEVICES = View(
    "truth_devices", "whose device is behind each alias, beside the user that resolution made of it",
    columns(
        RUN_ID, WORLD, PERSON,
        plain("device_index", "device of the person, from 0", "t.device"),
        coded("kind", "kind of device", DEVICE_KINDS),
        plain("alias_id", "its observed identifier"),
        optional("resolved_user_id", "user that resolution made of it", "a.resolved_user_id"),
        plain("match_confidence", "confidence of that match, 0-1", "a.match_confidence"),
    ),
    f"{run_of('device')} LEFT JOIN @alias AS a ON a.run_key = t.run_key AND a.world_id = t.world_id"
    " AND a.alias_id = t.alias_id",
)

RUN_VIEWS = (_RUNS, _WORLDS, _WORLD_PARAMETERS)
CREDIT_VIEWS = (
    _ATTRIBUTION, _ATTRIBUTION_CAMPAIGNS, _ATTRIBUTIONS, _CREDIT, _JOURNEY_REWARDS,
)
TRUTH_VIEWS = (_TRUTH_PEOPLE, _TRUTH_DEVICES)
