"""The doors from the command line into analyses of stored runs; like `library`, each opens on use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaelp_sim.cli.library import Asked, Record, answered
from gaelp_sim.units import MICROS_PER_UNIT

if TYPE_CHECKING:
    from gaelp_sim.world.crew import Crew


@dataclass(frozen=True)
class Attributing:
    """What `gaelp attribute` was told."""

    models: Sequence[str]
    reward: str
    told: dict[str, Any]


def attributed(db_url: str, run_ref: str, asked: Attributing) -> Record:
    """Attribute a run's sales; the credits by channel and campaign, and what was left without a touch."""
    from gaelp_sim.analyse.attribute import attribute
    from gaelp_sim.store import Store

    requests = _requests(asked)
    with Store.open(db_url, must_exist=True) as store:
        run = store.find_run(run_ref)
        done = attribute(store, run, requests, asked.reward)
    labels = [one.request.label for one in done]
    return {
        "run_id": run.run_id,
        "models": [
            {"model": one.request.label, "sales": one.found.count, "untouched": len(one.found.untouched)}
            | ({"reward_usd": one.reward_micros / MICROS_PER_UNIT} if asked.reward else {})
            for one in done
        ],
        "channels": _table(db_url, run.run_id, "attribution", labels),
        "campaigns": _table(db_url, run.run_id, "attribution_campaigns", labels),
    }


def _requests(asked: Attributing) -> list[Any]:
    from gaelp_sim.analyse.attribute import Request
    from gaelp_sim.analyse.touch_paths import Window
    from gaelp_sim.attribution.models import MODELS

    told = asked.told
    window = Window(
        told["lookback_days"], told["touches"], told["rivals"], told["identity"], told["open_paths"], _second(told["as_of"])
    )
    names = [name for model in asked.models for name in (MODELS if model == "all" else [model])]
    return [
        Request(name, window, told["by"], told["half_life_days"], told["order"]) for name in dict.fromkeys(names)
    ]


def _second(date: str) -> int | None:
    """Epoch seconds of a date or time as people write it; None for none."""
    if not date:
        return None
    from gaelp_sim.store.named_queries import moment

    return moment(date, "--as-of")


@dataclass(frozen=True)
class Resolving:
    """What `gaelp resolve` was told."""

    sets: Sequence[str]
    parameters: str
    thresholds: Sequence[float]
    crew: Crew


def resolved(db_url: str, run_ref: str, asked: Resolving) -> Record:
    """Link a run's devices anew; how good each resolution is, the run's own first, and what its probabilities are worth."""
    from gaelp_sim.analyse.identity_effects import effects
    from gaelp_sim.analyse.resolve import Request, resolve_run
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        run = store.find_run(run_ref)
        request = Request(tuple(asked.sets), asked.parameters, tuple(asked.thresholds))
        ids = resolve_run(store, run, request, asked.crew)
        moved = [effect.as_json() for effect in effects(store, run, ids)]
    told = {row["resolution_id"]: row for row in rows_of(db_url, run.run_id, "resolutions", "resolution_id")}
    rows = rows_of(db_url, run.run_id, "identity_quality", "world_id, resolution_id")
    calibration = rows_of(db_url, run.run_id, "identity_calibration", "probability_from")
    return {
        "run_id": run.run_id, "resolutions": ids,
        "quality": [
            {"threshold": told[row["resolution_id"]]["threshold"] if row["resolution_id"] else None} | row
            for row in rows if row["resolution_id"] in (0, *ids)
        ],
        "calibration": [row for row in calibration if row["resolution_id"] == ids[0]],
        "effects": moved, "parameters": told[ids[0]]["parameters"],
    }


@dataclass(frozen=True)
class Delaying:
    """What `gaelp delays` was told."""

    as_of: str
    by: str
    window_days: int
    models: Sequence[str]


def delayed(db_url: str, run_ref: str, asked: Delaying) -> Record:
    """Rates of sale by model as known at a date, cohorts by day of click, and known sales by lag."""
    from gaelp_sim.analyse import delays
    from gaelp_sim.analyse.delay_models import MODELS
    from gaelp_sim.store import Store

    models = tuple(MODELS) if "all" in asked.models else tuple(dict.fromkeys(asked.models))
    with Store.open(db_url, must_exist=True) as store:
        run = store.find_run(run_ref)
        end_s = run.start_s + run.hours_done * 3_600
        as_of_s = _second(asked.as_of) or end_s
        request = delays.Request(as_of_s, asked.by, asked.window_days, models)
        rates = [rate.as_json() for rate in delays.rates(store, run, request)]
        clicks, _ = delays.clicks_of(store, run, request)
        return {
            "run_id": run.run_id, "as_of_s": as_of_s, "window_days": asked.window_days, "rates": rates,
            "cohorts": [cohort.__dict__ for cohort in delays.cohorts(store, run, request)],
            "lags": [{"lag": name, "sales": sales} for name, sales in delays.lag_buckets(clicks, as_of_s)],
        }


def calibrated(path: Path, form: str, mapping: str | None) -> Record:
    """Fit a log; the YAML fragment, the figures and the rows left out."""
    from gaelp_sim.analyse.calibrate import calibrate, fragment
    from gaelp_sim.calibrate.formats import source_named
    from gaelp_sim.calibrate.mapping import load_mapping

    found = calibrate(path, source_named(form, load_mapping(mapping) if mapping else None), lambda rows: None)
    return {
        "format": form, "rows": found.sums.rows, "clicks": found.sums.clicks, "fragment": fragment(found),
        "figures": {
            name: {"value": one.value, "low": one.low, "high": one.high} for name, one in found.figures.items()
        },
        "hour": [one.value for one in found.hour], "weekday": [one.value for one in found.weekday],
        "skipped": {
            reason: {"rows": count, "line": line} for reason, (count, line) in sorted(found.skipped.reasons.items())
        },
    }


def imported(db_url: str, path: Path, mapping: str, label: str) -> Record:
    """Store a log as a run; the run's id and what was read."""
    from gaelp_sim.analyse.import_log import import_log
    from gaelp_sim.calibrate.mapping import load_mapping
    from gaelp_sim.store import Store

    told = load_mapping(mapping)
    with Store.open(db_url) as store:
        done = import_log(store, path, told, label, lambda rows: None)
    return {"run_id": done.run.run_id, **done.figures}


@dataclass(frozen=True)
class Exporting:
    """What `gaelp export` was told."""

    to: str
    folder: Path
    views: Sequence[str]
    force: bool
    reward: str = ""


def exported(db_url: str, run_ref: str, asked: Exporting, on_file: Callable[[str, int], None]) -> list[Record]:
    """Write a run as files; each with its rows and hash."""
    from gaelp_sim.analyse.export import Request, export
    from gaelp_sim.errors import UsageError
    from gaelp_sim.learn.array_export import ArrayRequest, export_arrays
    from gaelp_sim.learn.array_forms import FORMS
    from gaelp_sim.store import Store

    arrays = asked.to in FORMS
    if arrays and asked.views:
        raise UsageError(f"--view goes with csv, ndjson, parquet; {asked.to} has arrays of its own")
    if asked.reward and not arrays:
        raise UsageError(f"--reward goes with {', '.join(FORMS)}; {asked.to} has no rewards")
    with Store.open(db_url, must_exist=True) as store:
        run = store.find_run(run_ref)
        if arrays:
            request = ArrayRequest(asked.to, asked.folder, asked.reward or "profit", asked.force)
            manifest = export_arrays(store, run, request, on_file)
        else:
            manifest = export(store, run, Request(asked.to, asked.folder, tuple(asked.views), asked.force), on_file)
    files: list[Record] = manifest["files"]
    return files


@dataclass(frozen=True)
class Withholding:
    """What `gaelp incrementality` was told."""

    by: str
    estimands: tuple[str, ...]
    touches: int
    run_out_days: int
    crew: Crew


def incremental(db_url: str, run_ref: str, asked: Withholding, on_step: Callable[[float], None]) -> Record:
    """Withhold ads of a run; what they caused, and by channel how far each kept attribution is from it."""
    from gaelp_sim.analyse.credit_errors import grades
    from gaelp_sim.analyse.incrementality import Request, gaps, incrementality
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        run = store.find_run(run_ref)
        request = Request(asked.by, asked.estimands, asked.touches, asked.run_out_days)
        found = incrementality(store, run, request, on_step, asked.crew)
        models = [str(name) for name in store.read(run, "attribution_settings", columns=("model",))["model"]]
        graded = grades(store, run, models, found.effects) if asked.by == "channel" else []
    record: Record = {
        "run_id": run.run_id, "sales": found.sales, "touches_tried": len(found.per_touch.get("world_id", ())),
        "effects": _effects(db_url, run.run_id, asked),
        "channels": rows_of(db_url, run.run_id, "attribution_truth", "model, channel IS NULL, channel") if graded else [],
        "models": rows_of(db_url, run.run_id, "attribution_errors", "mae") if graded else [],
    }
    record["market_less_world"] = [
        {"effect_of": effect.by, "name": effect.name, "sales_delta": gap.value, "low": gap.low, "high": gap.high}
        for effect, gap in gaps(found.effects)
    ]
    return record | {"remarks": _remarks(record, asked)}


def _effects(db_url: str, run_id: str, asked: Withholding) -> list[Record]:
    order = "estimand, effect_of <> 'all', effect_of, channel, campaign"
    rows = rows_of(db_url, run_id, "incrementality", order)
    return [row for row in rows if row["effect_of"] in ("all", asked.by) and row["estimand"] in asked.estimands]


def _remarks(record: Record, asked: Withholding) -> list[str]:
    remarks = []
    for row in record["effects"]:
        if row["effect_of"] == "all":
            left = record["sales"] - row["sales_delta"]
            remarks.append(f"{row['estimand']}: {left:,.0f} of {record['sales']:,} sales of ours need no ad of ours")
    for row in record["market_less_world"]:
        low, high = row["low"], row["high"]
        remarks.append(f"M - W, {row['name']}: {row['sales_delta']:+,.0f} sales ({low:+,.1f} to {high:+,.1f})")
    if not record["models"] and asked.by == "channel":
        remarks.append("no attribution is kept beside this run; next: gaelp attribute, then this again to grade models")
    return remarks


def _table(db_url: str, run_id: str, view: str, labels: Sequence[str]) -> list[Record]:
    """Rows of one of the views, in the order in which the models were asked for."""
    order = "model, advertiser IS NULL, advertiser, channel" + (", campaign" if view == "attribution_campaigns" else "")
    rows = rows_of(db_url, run_id, view, order)
    return [row for label in labels for row in rows if row["model"] == label]


def rows_of(db_url: str, run_id: str, view: str, order: str) -> list[Record]:
    """All rows of a named view of one run."""
    from gaelp_sim.store.named_queries import whole_view

    found = answered(db_url, whole_view(view, order), Asked(run_id, False, (), limit=10_000_000, timeout_s=600.0))
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
