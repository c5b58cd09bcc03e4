"""What may be asked of a stored run beyond its rows: credit, causes, and other policies judged from its log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from gaelp_sim.analyse import attribute, credit_errors, incrementality
from gaelp_sim.attribution.models import MODELS
from gaelp_sim.errors import UsageError
from gaelp_sim.front.frames import Frame
from gaelp_sim.store import Store

WITHHELD = (incrementality.ALL, incrementality.CHANNEL, incrementality.CAMPAIGN)


def credits(db: str, run_id: str, models: Sequence[str]) -> list[str]:
    """Attribute a run's sales by each model, all of ours where none is named; the labels under which views hold them."""
    requests = [attribute.Request(name) for name in dict.fromkeys(models or MODELS)]
    with Store.open(db, must_exist=True) as store:
        done = attribute.attribute(store, store.find_run(run_id), requests)
    return [one.request.label for one in done]


def causes(db: str, run_id: str, by: str) -> None:
    """Withhold ads, and by channel grade the attributions that are kept; the views hold what was found."""
    if by not in WITHHELD:
        raise UsageError(f"by={by!r}: ads are withheld by {', '.join(WITHHELD)}")
    with Store.open(db, must_exist=True) as store:
        run = store.find_run(run_id)
        found = incrementality.incrementality(store, run, incrementality.Request(by), lambda share: None)
        if by == incrementality.CHANNEL:
            models = [str(name) for name in store.read(run, "attribution_settings", columns=("model",))["model"]]
            credit_errors.grades(store, run, models, found.effects)


def judged(db: str, run_id: str, asked: tuple[Sequence[str], Sequence[str], Sequence[str]]) -> Frame:
    """Policies judged from the log; asked: policies, estimators, settings changed for them."""
    try:
        from gaelp_sim.evaluate.ope import Asked, ope
    except ImportError:
        raise UsageError("judging a log needs torch; next: pip install 'gaelp-sim[learn]'") from None
    with Store.open(db, must_exist=True) as store:
        answers = ope(store, store.find_run(run_id), Asked(*(tuple(part) for part in asked)), lambda step: None)
    return frame_of([asdict(one) for one in answers.estimates])


def frame_of(rows: Sequence[dict[str, object]]) -> Frame:
    """Rows by name as columns."""
    return Frame.of(tuple(rows[0]), [tuple(row.values()) for row in rows])


def only(frame: Frame, name: str, wanted: Iterable[str]) -> Frame:
    """The rows in which a column has one of the values."""
    names, kept = tuple(frame.columns), set(wanted)
    place = names.index(name)
    return Frame.of(names, [row for row in frame.rows() if row[place] in kept])
