"""All named views: what `gaelp query` offers, and the SQL that makes them part of a store."""

from __future__ import annotations

from gaelp_sim.store.causal_views import CAUSAL_VIEWS
from gaelp_sim.store.credit_views import CREDIT_VIEWS, RUN_VIEWS, TRUTH_VIEWS
from gaelp_sim.store.identity_views import IDENTITY_VIEWS
from gaelp_sim.store.journey_views import JOURNEY_VIEWS
from gaelp_sim.store.market_views import MARKET_VIEWS
from gaelp_sim.store.observed_views import OBSERVED_VIEWS
from gaelp_sim.store.rival_views import RIVAL_VIEWS
from gaelp_sim.store.view_parts import DIALECTS, View, resolve_marks

VIEWS: dict[str, View] = {
    view.name: view
    for group in (JOURNEY_VIEWS, MARKET_VIEWS, RIVAL_VIEWS, CREDIT_VIEWS, CAUSAL_VIEWS, IDENTITY_VIEWS, RUN_VIEWS,
                  TRUTH_VIEWS, OBSERVED_VIEWS)
    for view in group
}
"""Every view by name, in the order in which lists show them."""

VIEW_COLUMNS: dict[str, dict[str, str]] = {
    view.name: {column.name: column.meaning for column in view.columns} for view in VIEWS.values()
}
"""Each view's columns in order, with a one-sentence meaning."""

SYNONYMS: dict[str, str] = {"paths": "paths_to_conversion", "ledger": "charges", "credits": "credit",
                            "truth_credits": "truth_credit"}
"""Other names that the console answers to."""

# Two views bear the name of their table. In a store, where table and view share a name space, they end in s.
_STORED_NAMES = {"credit": "credits", "truth_credit": "truth_credits"}


def stored_name(view: str) -> str:
    """Name of a view inside a store; the console offers it under its own name as well."""
    return _STORED_NAMES.get(view, view)


def view_selects(dialect: str) -> dict[str, str]:
    """The SELECT behind each view, synonyms included, with table marks that `resolve_marks` fills in."""
    selects = {name: view.select_sql(DIALECTS[dialect]) for name, view in VIEWS.items()}
    return selects | {synonym: selects[name] for synonym, name in SYNONYMS.items()}


def create_views_sql(dialect: str) -> list[str]:
    """Statements that create every view in a store, for "sqlite" or "postgresql"; no view reads another."""
    return [
        f"CREATE VIEW {stored_name(name)} AS\n{resolve_marks(view.select_sql(DIALECTS[dialect]))}"
        for name, view in VIEWS.items()
    ]


def drop_views_sql(dialect: str) -> list[str]:
    """Statements that drop every view, whether there or not; the same in both dialects."""
    assert dialect in DIALECTS, dialect
    return [f"DROP VIEW IF EXISTS {stored_name(name)}" for name in VIEWS]
