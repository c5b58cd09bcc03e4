"""What the tables hold: every column with its kind, keys first; DDL, writer, reader and hashes all follow this page.

Every table is led by `run_key`, which is left out here: one batch belongs to one run. No column is ever NULL;
"none" is -1 for times, money and codes. Times are epoch seconds UTC (`_s`), money is integer micros.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property


class ColumnKind(Enum):
    """How a column is stored; the value is the word used in the layouts below."""

    SMALL = "small"
    INT = "int"
    BIG = "big"
    DOUBLE = "double"
    BYTES = "bytes"
    TEXT = "text"

    @property
    def is_number(self) -> bool:
        """Whether numpy holds the column natively (bytes and text are Python objects)."""
        return self not in (ColumnKind.BYTES, ColumnKind.TEXT)


@dataclass(frozen=True)
class Column:
    """One column: its name and kind."""

    name: str
    kind: ColumnKind


@dataclass(frozen=True)
class TableLayout:
    """One table: key columns (after `run_key`), value columns, and how its rows live."""

    name: str
    key: tuple[Column, ...]
    values: tuple[Column, ...]
    replaced: bool = False  # a later commit may replace a row; else rows are only ever added
    large: bool = False  # partitioned by run on Postgres
    unique: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns in storage order, `run_key` left out."""
        return self.key + self.values

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names of `columns`."""
        return tuple(column.name for column in self.columns)


def _columns(text: str) -> tuple[Column, ...]:
    pairs = (word.split(":") for word in text.split())
    return tuple(Column(name, ColumnKind(kind)) for name, kind in pairs)


def _table(name: str, text: str, *, replaced: bool = False, large: bool = False,
           unique: tuple[str, ...] = ()) -> TableLayout:
    key, _, values = text.partition("|")
    return TableLayout(name, _columns(key), _columns(values), replaced, large, unique)


RUN_VALUES = _columns(
    """
    run_id:text label:text scenario_name:text scenario_text:text scenario_hash:text overrides:text seed:big people:int
    days:int worlds:int cells:int log:text policy:text currency:text start_s:big start_hour:int end_hour:int
    hours_done:int parent_run_key:int root_run_key:int status:text engine_version:text python_version:text
    numpy_version:text numba_version:text torch_version:text cpu_features:text created_at:text finished_at:text
    writer_pid:int writer_host:text writer_token:text opponents:text rival_bidders:text incremental:int summary:text
    lake:text
    """
)
"""Columns of table `run`, its `run_key` left out."""

_LAYOUTS = (
    _table("world", "world_id:int | people:int market_noise_ppm:int season_shift_days:int", replaced=True),
    _table("world_parameter", "world_id:int parameter:int | value:double low:double high:double", replaced=True),
    _table("name", "kind:text code:int | name:text", replaced=True),
    _table(
        "person",
        """world_id:int person_id:int | household_id:int segment:small stage:small goodwill:small goodwill_s:big
        rival_goodwill:small rival_goodwill_s:big last_rival:small fatigue_teach:small fatigue_teach_s:big
        fatigue_offer:small fatigue_offer_s:big on_list:small device:small crisis_s:big decided_s:big
        converted_s:big status:small journey_index:int days_in_journey:int""",
        replaced=True, large=True,
    ),
    _table("device", "world_id:int person_id:int device:small | kind:small alias_id:big", replaced=True, large=True),
    _table(
        "truth_person",
        """world_id:int person_id:int | segment_at_start:small attention:double price_sensitivity:double
        urgency:double""",
        replaced=True, large=True,
    ),
    _table(
        "alias",
        """world_id:int alias_id:big | kind:small resolved_user_id:big match_confidence:double first_seen_s:big
        last_seen_s:big login_s:big account_id:big""",
        replaced=True, large=True,
    ),
    _table("alias_pair", "world_id:int alias_id:big other_alias_id:big | probability:double", replaced=True),
    _table(
        "identity_change",
        """world_id:int alias_id:big changed_s:big | previous_user_id:big resolved_user_id:big probability:double
        method:small""",
    ),
    _table(
        "alias_link",
        "world_id:int alias_id:big other_alias_id:big resolution_id:int | probability:double method:text",
        replaced=True,
    ),
    _table(
        "journey",
        """world_id:int person_id:int journey_index:int | started_s:big first_touch_s:big last_touch_s:big ended_s:big
        lost_s:big converted_s:big status:small stage:small cost_micros:big touches:int impressions:int clicks:int
        our_touches:int our_clicks:int days_in_journey:int devices_seen:int channels_exposed:big
        competitors_seen:big converted_advertiser:small path:bytes""",
        replaced=True, large=True,
    ),
    _table(
        "touchpoint",
        """world_id:int person_id:int occurred_s:big touch_slot:small | journey_index:int kind:small advertiser:small
        channel:small campaign:small creative:small signal:small position:small device:small alias_id:big
        price_micros:big examined:small clicked:small""",
        large=True,
    ),
    _table(
        "decision",
        """world_id:int occurred_s:big person_id:int | resolved_user_id:big alias_id:big channel:small signal:small
        campaign:small device:small round:small clearing_order:int participate:small level:small creative:small
        propensity:double bid_micros:big status:small price_micros:big charge_micros:big min_to_win_micros:big
        policy_version:int features:bytes""",
        large=True,
    ),
    _table(
        "auction_hour",
        """world_id:int hour:int channel:small advertiser:small | opportunities:int wins:int clicks:int
        spend_micros:big price_q25_micros:big price_q50_micros:big price_q75_micros:big""",
        large=True,
    ),
    _table(
        "conversion",
        """world_id:int person_id:int decided_s:big | order_id:big advertiser:small via:small purchased_s:big
        reported_s:big value_micros:big device:small journey_index:int late:small""",
        large=True, unique=("world_id", "order_id"),
    ),
    _table(
        "bid_sheet",
        "world_id:int hour:int channel:small signal:small | level:small bid_micros:big budget_micros:big "
        "policy_version:int",
        large=True,
    ),
    _table(
        "ledger",
        "world_id:int occurred_s:big person_id:int touch_slot:small | campaign:small channel:small amount_micros:big",
        large=True,
    ),
    _table(
        "budget_day",
        "world_id:int day:int advertiser:small campaign:small | limit_micros:big spent_micros:big exhausted_s:big",
        replaced=True,
    ),
    _table(
        "rival_day",
        """world_id:int day:int advertiser:small | strategy:small learns:small value_ppm:int bid_multiple_ppm:int
        pace_ppm:int aggression_ppm:int usual_loss_ppm:int click_value_ppm:int""",
    ),
    _table(
        "price_landscape",
        """world_id:int signal:small hour_of_day:small method:small | channel:small auctions:int seen:int above:int
        below:int q25_micros:big q50_micros:big q75_micros:big q50_low_micros:big q50_high_micros:big""",
        replaced=True,
    ),
    _table(
        "truth_price",
        "world_id:int signal:small hour_of_day:small | channel:small auctions:int q25_micros:big q50_micros:big "
        "q75_micros:big",
        replaced=True,
    ),
    _table(
        "trigger_event",
        "world_id:int occurred_s:big person_id:int kind:small | segment_from:small segment_to:small size:double",
    ),
    _table("attribution_settings", "model:text | rule:text settings:text sales:int untouched:int", replaced=True),
    _table(
        "credit",
        """model:text world_id:int person_id:int decided_s:big touch_person_id:int occurred_s:big touch_slot:small |
        share:double""",
        replaced=True,
    ),
    _table(
        "credit_sum",
        "model:text advertiser:small channel:small campaign:small | conversions:double value_micros:double", replaced=True,
    ),
    _table(
        "journey_reward",
        """model:text rule:text world_id:int person_id:int journey_index:int | credit:double days:int cost_micros:big
        value_micros:big late:small reward_micros:big""",
        replaced=True,
    ),
    _table(
        "truth_credit",
        "estimand:text world_id:int person_id:int occurred_s:big touch_slot:small | sales_delta:double "
        "value_micros:big inclusion:double",
        replaced=True,
    ),
    _table(
        "incremental",
        "estimand:text effect_of:text code:int | touches:int sales_delta:double low:double high:double", replaced=True,
    ),
    _table(
        "attribution_error",
        """model:text estimand:text | mae:double mae_low:double mae_high:double rank:double rank_low:double
        rank_high:double misallocated_micros:double misallocated_low:double misallocated_high:double""",
        replaced=True,
    ),
    _table(
        "replay_change",
        """world_id:int person_id:int | sales_before:int sales_after:int bought_before:small bought_after:small
        impressions_before:int impressions_after:int clicks_before:int clicks_after:int cost_before_micros:big
        cost_after_micros:big first_difference_s:big channel:small why:text""",
        replaced=True,
    ),
    _table("resolution", "resolution_id:int | threshold:double parameters:text settings:text", replaced=True),
    _table(
        "resolved_alias",
        "resolution_id:int world_id:int alias_id:big | resolved_user_id:big match_confidence:double", replaced=True,
    ),
    _table(
        "outside_ask", "world_id:int hour:int channel:small signal:small | default_micros:big budget_micros:big",
        replaced=True,
    ),
    _table(
        "outside_answer",
        "hour:int number:int | to_run:text to_world:big to_hour:big channel:text signal:text bid_micros:big verdict:small",
        replaced=True,
    ),
    _table(
        "lake_part",
        "part_table:text world_id:int cell:int day:int hour:int | path:text rows:big bytes:big sha256:bytes",
        replaced=True,
    ),
    _table("checkpoint", "hour:int | rows:big chain_hash:bytes digests:bytes state_hash:bytes state:bytes"),
)

LAYOUTS: dict[str, TableLayout] = {layout.name: layout for layout in _LAYOUTS}

MAILBOX = "outside_bid"
"""Where agents from outside put their bids: not led by a run's key, which they don't know."""
MAILBOX_VALUES = _columns("run_id:text world_id:big hour:big channel:text signal:text bid_micros:big")
"""Its columns, but for the number that each row gets."""

SIMULATION_TABLES: tuple[str, ...] = (
    "world", "world_parameter", "name", "person", "device", "truth_person", "alias", "alias_pair", "identity_change",
    "journey", "touchpoint", "decision", "auction_hour", "conversion", "bid_sheet", "ledger", "budget_day", "rival_day",
    "price_landscape",
    "truth_price", "trigger_event",
)
"""Tables that the simulation writes, in the order of the row hash."""

ANALYSIS_TABLES: tuple[str, ...] = (
    "attribution_settings", "credit", "credit_sum", "journey_reward", "truth_credit", "incremental", "attribution_error",
    "replay_change", "resolution", "resolved_alias", "alias_link",
)
"""Tables that analyses of a finished run add rows to; outside the row hash and the hash chain."""
