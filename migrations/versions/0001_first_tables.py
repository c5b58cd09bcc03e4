"""The first schema: runs, worlds, people, touches, decisions, money, and what analyses add.

Revision ID: 0001
Revises:
"""

# The notation is that of gaelp_sim.store.layout, but frozen here: a migration describes the schema as it was.

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "small": sa.SmallInteger().with_variant(sa.Integer, "sqlite"),
    "int": sa.Integer(),
    "big": sa.BigInteger().with_variant(sa.Integer, "sqlite"),
    "double": sa.Double().with_variant(sa.REAL, "sqlite"),
    "bytes": sa.LargeBinary(),
    "text": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
}

_RUN = (
    "run_id:text label:text scenario_name:text scenario_text:text scenario_hash:text overrides:text seed:big "
    "people:int days:int worlds:int cells:int log:text policy:text currency:text start_s:big start_hour:int end_hour:int "
    "hours_done:int parent_run_key:int root_run_key:int status:text engine_version:text python_version:text "
    "numpy_version:text numba_version:text torch_version:text cpu_features:text created_at:text finished_at:text "
    "writer_pid:int writer_host:text writer_token:text opponents:text rival_bidders:text "
    "incremental:int summary:text"
)

# key columns (after run_key) | value columns
_TABLES = {
    "world": (
        "world_id:int | people:int market_noise_ppm:int season_shift_days:int"
    ),
    "world_parameter": (
        "world_id:int parameter:int | value:double low:double high:double"
    ),
    "name": (
        "kind:text code:int | name:text"
    ),
    "person": (
        "world_id:int person_id:int | household_id:int segment:small stage:small goodwill:small "
        "goodwill_s:big rival_goodwill:small rival_goodwill_s:big last_rival:small fatigue_teach:small "
        "fatigue_teach_s:big fatigue_offer:small fatigue_offer_s:big on_list:small device:small crisis_s:big "
        "decided_s:big converted_s:big status:small journey_index:int days_in_journey:int"
    ),
    "device": (
        "world_id:int person_id:int device:small | kind:small alias_id:big"
    ),
    "truth_person": (
        "world_id:int person_id:int | segment_at_start:small attention:double price_sensitivity:double "
        "urgency:double"
    ),
    "alias": (
        "world_id:int alias_id:big | kind:small resolved_user_id:big match_confidence:double first_seen_s:big "
        "last_seen_s:big login_s:big account_id:big"
    ),
    "alias_pair": (
        "world_id:int alias_id:big other_alias_id:big | probability:double"
    ),
    "identity_change": (
        "world_id:int alias_id:big changed_s:big | previous_user_id:big resolved_user_id:big probability:double "
        "method:small"
    ),
    "alias_link": (
        "world_id:int alias_id:big other_alias_id:big resolution_id:int | probability:double method:text"
    ),
    "journey": (
        "world_id:int person_id:int journey_index:int | started_s:big first_touch_s:big last_touch_s:big "
        "ended_s:big lost_s:big converted_s:big status:small stage:small cost_micros:big touches:int "
        "impressions:int clicks:int our_touches:int our_clicks:int days_in_journey:int devices_seen:int "
        "channels_exposed:big competitors_seen:big converted_advertiser:small path:bytes"
    ),
    "touchpoint": (
        "world_id:int person_id:int occurred_s:big touch_slot:small | journey_index:int kind:small "
        "advertiser:small channel:small campaign:small creative:small signal:small position:small "
        "device:small alias_id:big price_micros:big examined:small clicked:small"
    ),
    "decision": (
        "world_id:int occurred_s:big person_id:int | resolved_user_id:big alias_id:big channel:small "
        "signal:small campaign:small device:small round:small clearing_order:int participate:small "
        "level:small creative:small propensity:double bid_micros:big status:small price_micros:big "
        "charge_micros:big min_to_win_micros:big policy_version:int features:bytes"
    ),
    "auction_hour": (
        "world_id:int hour:int channel:small advertiser:small | opportunities:int wins:int clicks:int "
        "spend_micros:big price_q25_micros:big price_q50_micros:big price_q75_micros:big"
    ),
    "conversion": (
        "world_id:int person_id:int decided_s:big | order_id:big advertiser:small via:small purchased_s:big "
        "reported_s:big value_micros:big device:small journey_index:int late:small"
    ),
    "bid_sheet": (
        "world_id:int hour:int channel:small signal:small | level:small bid_micros:big budget_micros:big "
        "policy_version:int"
    ),
    "ledger": (
        "world_id:int occurred_s:big person_id:int touch_slot:small | campaign:small channel:small "
        "amount_micros:big"
    ),
    "budget_day": (
        "world_id:int day:int advertiser:small campaign:small | limit_micros:big spent_micros:big "
        "exhausted_s:big"
    ),
    "rival_day": (
        "world_id:int day:int advertiser:small | strategy:small learns:small value_ppm:int bid_multiple_ppm:int "
        "pace_ppm:int aggression_ppm:int usual_loss_ppm:int click_value_ppm:int"
    ),
    "price_landscape": (
        "world_id:int signal:small hour_of_day:small method:small | channel:small auctions:int seen:int above:int "
        "below:int q25_micros:big q50_micros:big q75_micros:big q50_low_micros:big q50_high_micros:big"
    ),
    "truth_price": (
        "world_id:int signal:small hour_of_day:small | channel:small auctions:int q25_micros:big q50_micros:big "
        "q75_micros:big"
    ),
    "trigger_event": (
        "world_id:int occurred_s:big person_id:int kind:small | segment_from:small segment_to:small "
        "size:double"
    ),
    "attribution_settings": (
        "model:text | rule:text settings:text sales:int untouched:int"
    ),
    "credit": (
        "model:text world_id:int person_id:int decided_s:big touch_person_id:int occurred_s:big "
        "touch_slot:small | share:double"
    ),
    "credit_sum": (
        "model:text advertiser:small channel:small campaign:small | conversions:double value_micros:double"
    ),
    "journey_reward": (
        "model:text rule:text world_id:int person_id:int journey_index:int | credit:double days:int "
        "cost_micros:big value_micros:big late:small reward_micros:big"
    ),
    "truth_credit": (
        "estimand:text world_id:int person_id:int occurred_s:big touch_slot:small | sales_delta:double "
        "value_micros:big inclusion:double"
    ),
    "incremental": (
        "estimand:text effect_of:text code:int | touches:int sales_delta:double low:double high:double"
    ),
    "attribution_error": (
        "model:text estimand:text | mae:double mae_low:double mae_high:double rank:double rank_low:double "
        "rank_high:double misallocated_micros:double misallocated_low:double misallocated_high:double"
    ),
    "replay_change": (
        "world_id:int person_id:int | sales_before:int sales_after:int bought_before:small bought_after:small "
        "impressions_before:int impressions_after:int clicks_before:int clicks_after:int cost_before_micros:big "
        "cost_after_micros:big first_difference_s:big channel:small why:text"
    ),
    "resolution": (
        "resolution_id:int | threshold:double parameters:text settings:text"
    ),
    "resolved_alias": (
        "resolution_id:int world_id:int alias_id:big | resolved_user_id:big match_confidence:double"
    ),
    "checkpoint": (
        "hour:int | rows:big chain_hash:bytes digests:bytes state_hash:bytes state:bytes"
    ),
}

_LARGE = (
    "person", "device", "truth_person", "alias", "journey", "touchpoint", "decision", "auction_hour",
    "conversion", "bid_sheet", "ledger",
)
"""Partitioned by run on Postgres, and without declared foreign keys."""

_UNIQUE = {"conversion": ("run_key", "world_id", "order_id")}


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "run",
        sa.Column("run_key", sa.Integer(), autoincrement=True, nullable=False),
        *_columns(_RUN),
        sa.PrimaryKeyConstraint("run_key", name="pk_run"),
        sa.UniqueConstraint("run_id", name="uq_run_run_id"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    for table, text in _TABLES.items():
        _create(table, text)


def downgrade() -> None:
    """Remove every table, children first."""
    for table in (*reversed(_TABLES), "run"):
        op.drop_table(table)


def _create(table: str, text: str) -> None:
    key, _, values = text.partition("|")
    names = ["run_key", *(word.split(":")[0] for word in key.split())]
    op.create_table(
        table,
        sa.Column("run_key", sa.Integer(), autoincrement=False, nullable=False),
        *_columns(key),
        *_columns(values),
        sa.PrimaryKeyConstraint(*names, name=f"pk_{table}"),
        *_constraints(table),
        sqlite_strict=True,
        sqlite_with_rowid=False,
        postgresql_partition_by="LIST (run_key)" if table in _LARGE else None,
    )


def _columns(text: str) -> list[sa.Column[Any]]:
    pairs = (word.split(":") for word in text.split())
    return [sa.Column(name, _TYPES[kind], autoincrement=False, nullable=False) for name, kind in pairs]


def _constraints(table: str) -> list[sa.Constraint]:
    constraints: list[sa.Constraint] = []
    if table in _UNIQUE:
        constraints.append(sa.UniqueConstraint(*_UNIQUE[table], name=f"uq_{table}_{_UNIQUE[table][-1]}"))
    if table not in _LARGE:
        name = f"fk_{table}_run_key_run"
        constraints.append(sa.ForeignKeyConstraint(["run_key"], ["run.run_key"], name=name, ondelete="CASCADE"))
    return constraints
