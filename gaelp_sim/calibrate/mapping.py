"""Mappings: which column of a log means what, in strict YAML; a few published logs have theirs here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from gaelp_sim.errors import UsageError
from gaelp_sim.events import FEATURE_COUNT
from gaelp_sim.scenario.parts import IsoDate, Name, Part, Positive, Usd
from gaelp_sim.scenario.problems import first_of, problem_of
from gaelp_sim.scenario.yaml_nodes import BYTES_MAX, error_at, read_yaml

Heading = Annotated[str, Field(min_length=1, max_length=200)]
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "space": " "}


class LogColumns(Part):
    """Columns of a log of which each row is an ad shown, or a click; `time` alone must be there."""

    time: Heading
    user: Heading | None = None
    """Whom the row is about; without it each row is of somebody else"""
    channel: Heading | None = None
    campaign: Heading | None = None
    creative: Heading | None = None
    """The creative, or the item that was chosen to be shown"""
    device: Heading | None = None
    """Words that tell mobile, desktop or tablet; any other is a device of no known kind"""
    position: Heading | None = None
    """Place on the page, from 1"""
    click: Heading | None = None
    """1 where the ad was clicked; without it every row is a click"""
    cost: Heading | None = None
    sale: Heading | None = None
    """1 where a sale followed; without it a sale is where `sale_time` or `sale_delay` is not below 0"""
    sale_time: Heading | None = None
    """Written like `time`; empty or below 0 for none"""
    sale_delay: Heading | None = None
    """Seconds from the row to its sale; empty or below 0 for none"""
    order: Heading | None = None
    """The sale's own name: rows of one order tell of one sale"""
    value: Heading | None = None
    """Of the sale"""
    propensity: Heading | None = None
    """Probability with which the logging policy chose what it did: rows become decisions, too"""
    features: Annotated[list[Heading], Field(max_length=FEATURE_COUNT)] = []
    """What the logging policy knew: numbers, or words, which are numbered in the order of the alphabet"""


class PathColumns(Part):
    """Columns of a table of which each row is a path of channels with how often it led to a sale."""

    path: Heading
    conversions: Heading
    value: Heading | None = None
    """Of all its sales together"""
    nulls: Heading | None = None
    """How often it led to none"""
    separator: Annotated[str, Field(min_length=1, max_length=10)] = " > "


class Mapping(Part):
    """What a log's columns mean, and what it does not tell."""

    name: Name
    delimiter: Literal["comma", "tab", "semicolon", "space"] = "comma"
    header: Annotated[list[Heading], Field(max_length=500)] = []
    """All columns in order, where the file does not name them in its first line"""
    columns: LogColumns | None = None
    paths: PathColumns | None = None
    time: Literal["seconds", "milliseconds", "iso"] = "seconds"
    """How moments are written; iso: 2025-09-01T12:00:00, UTC where it names no zone"""
    start: IsoDate | None = None
    """Day at whose midnight counted times begin; without it they are counted from 1970 on"""
    sorted: bool = False
    """The file is in the order of time, and refused where it is not"""
    channel: Name = "ads"
    """Of rows that tell none"""
    cost_usd: Positive = 1.0
    """Dollars for 1 in the column of costs"""
    value_usd: Usd = 0.0
    """Of a sale that tells none"""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    timeout_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    """Silence after which a journey is lost"""
    cac_target_usd: Usd = 100.0

    @model_validator(mode="after")
    def _one_kind(self) -> Mapping:
        if (self.columns is None) == (self.paths is None):
            raise ValueError("a mapping has either `columns` (of a log) or `paths` (of a table of paths)")
        told = self.columns
        if told and (told.order or told.value or told.sale) and not (told.sale_time or told.sale_delay):
            raise ValueError("sales need `columns.sale_time` or `columns.sale_delay`: when were they made?")
        if told and told.sale_time and told.sale_delay:
            raise ValueError("a sale is told either by `columns.sale_time` or by `columns.sale_delay`")
        part = told or self.paths
        assert part is not None
        named = [heading for key, heading in part if key not in ("features", "separator") and heading]
        if len(set(named)) < len(named):
            twice = next(heading for heading in named if named.count(heading) > 1)
            raise ValueError(f"the log's column '{twice}' is named for two things")
        return self

    @property
    def text(self) -> str:
        """The mapping as YAML, every default filled in; `parse_mapping` reads it back as it was."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)


_CRITEO = """
name: criteo_attribution
delimiter: tab
sorted: true
columns: {time: timestamp, user: uid, campaign: campaign, click: click, cost: cost, sale: conversion,
          sale_time: conversion_timestamp, order: conversion_id}
channel: display
"""
_OPEN_BANDIT = """
name: open_bandit
time: iso
columns: {time: timestamp, creative: item_id, position: position, click: click, propensity: propensity_score,
          features: [user_feature_0, user_feature_1, user_feature_2, user_feature_3]}
channel: recommendation
"""
_PATHS = """
name: paths
paths: {path: path, conversions: total_conversions, value: total_conversion_value, nulls: total_null}
"""
KNOWN: dict[str, str] = {"criteo_attribution": _CRITEO, "open_bandit": _OPEN_BANDIT, "paths": _PATHS}
"""Mappings of published logs by name."""


def load_mapping(source: str) -> Mapping:
    """The mapping of that name, or in that file; raises UsageError or ScenarioError with one line."""
    if source in KNOWN:
        return parse_mapping(KNOWN[source], source)
    try:
        with Path(source).open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except OSError as error:
        known = ", ".join(KNOWN)
        raise UsageError(f"--mapping {source}: {error.strerror or error}; name a YAML file, or one of {known}") from None
    try:
        return parse_mapping(raw.decode("utf-8"), source)
    except UnicodeDecodeError:
        raise UsageError(f"--mapping {source}: that is no UTF-8 text; save it as UTF-8") from None


def parse_mapping(text: str, file_name: str) -> Mapping:
    """Check the text of a mapping; `file_name` is only what errors call it. Raises ScenarioError with one line.

    >>> parse_mapping("name: mine\\ncolumns: {time: t}", "mine.yaml").columns.time
    't'
    """
    root = read_yaml(text, file_name)
    if not isinstance(root.content, dict):
        raise error_at(file_name, root.place, "mapping", "a mapping is written as keys, such as `name: mine`")
    try:
        return Mapping.model_validate(root.plain())
    except ValidationError as error:
        found = [problem_of(one) for one in error.errors(include_url=False)]
    place, key, message = first_of(found, root, Mapping)
    raise error_at(file_name, place, key, message)
