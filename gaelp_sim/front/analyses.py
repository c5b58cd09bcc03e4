"""What may be asked of a stored run beyond its rows: credit, causes, and other policies judged from its log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from gaelp_sim.analyse.attribute import Request, attribute
from gaelp_sim.analyse.credit_errors import grades
from gaelp_sim.analyse.incrementality import Request as Withholding
from gaelp_sim.analyse.incrementality import incrementality
from gaelp_sim.attribution.models import MODELS
from gaelp_sim.errors import UsageError
from gaelp_sim.front.frames import Frame
from gaelp_sim.store import Store

BY_CHANNEL = "channel"
WITHHELD = ("all", BY_CHANNEL, "campaign")


def credits(db: str, run_id: str, models: Sequence[str]) -> list[str]:
    """Attribute a run's sales by each model, all of ours where none is named; the labels under which views hold them."""
    requests = [Request(name) for name in dict.fromkeys(models or MODELS)]
    with Store.open(db, must_exist=True) as store:
        done = attribute(store, store.find_run(run_id), requests)
    return [one.request.label for one in done]


def causes(db: str, run_id: str, by: str) -> None:
    """Withhold ads, and by channel grade the attributions that are kept; the views hold what was found."""
    if by not in WITHHELD:
        raise UsageError(f"by={by!r}: ads are withheld by {', '.join(WITHHELD)}")
    with Store.open(db, must_exist=True) as store:
        run = store.find_run(run_id)
        found = incrementality(store, run, Withholding(by), lambda share: None)
        if by == BY_CHANNEL:
            models = [str(name) for name in store.read(run, "attribution_settings", columns=("model",))["model"]]
            grades(store, run, models, found.effects)


def judged(where: tuple[str, str], policies: Sequence[str], estimators: Sequence[str], sets: Sequence[str]) -> Frame:
    """Policies judged from the log; where: store and run; sets: settings changed for them."""
    try:
        from gaelp_sim.evaluate.ope import Asked, ope
    except ImportError:
        raise UsageError("judging a log needs torch; next: pip install 'gaelp-sim[learn]'") from None
    asked = Asked(tuple(policies), tuple(estimators), tuple(sets))
    with Store.open(where[0], must_exist=True) as store:
        answers = ope(store, store.find_run(where[1]), asked, lambda step: None)
    return frame_of([asdict(one) for one in answers.estimates])


def frame_of(rows: Sequence[dict[str, object]]) -> Frame:
    """Rows by name as columns."""
    return Frame.of(tuple(rows[0]), [tuple(row.values()) for row in rows])


def only(frame: Frame, name: str, wanted: Iterable[str]) -> Frame:
    """The rows in which a column has one of the values."""
    names, kept = tuple(frame.columns), set(wanted)
    place = names.index(name)
    return Frame.of(names, [row for row in frame.rows() if row[place] in kept])
