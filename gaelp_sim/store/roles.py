"""Rights of an agent from outside: on Postgres a role that reads `observed_*` views, inserts its bids, and nothing else."""

from __future__ import annotations

import re

from gaelp_sim.errors import UsageError
from gaelp_sim.store.engines import Database, Link
from gaelp_sim.store.layout import MAILBOX, MAILBOX_VALUES
from gaelp_sim.store.observed_views import OBSERVED_VIEWS
from gaelp_sim.store.views import stored_name

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def grant_agent(database: Database, role: str) -> list[str]:
    """Make the role where there is none, and leave it these rights alone; returns the views that it may read.

    Raises UsageError on SQLite, which knows no roles, for a name that would need quotes, and for a role whose rights can't
    be bounded (a superuser, a member of other roles, the owner of tables); StoreWriteError where we may not grant.
    """
    if database.dialect != "postgresql":
        raise UsageError(f"{database.url}: SQLite has no roles: whoever may write the file may read all of it; next: tell "
                         "the agent the observed_* views, or keep the store on Postgres")
    if not _NAME.fullmatch(role):
        raise UsageError(f"role {role!r}: a name of small letters, digits and _ is needed, at most 63 of them")
    views = [stored_name(view.name) for view in OBSERVED_VIEWS]
    with database.writing() as link:
        _made(link, role)
        schema = link.all("SELECT quote_ident(current_schema())")[0][0]
        link.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}")
        link.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        for view in views:
            # Else a function of the agent's own in WHERE could be called on rows before the view has left them out.
            link.execute(f"ALTER VIEW {view} SET (security_barrier = true)")
            link.execute(f"GRANT SELECT ON {view} TO {role}")
        link.execute(f"GRANT INSERT ({', '.join(column.name for column in MAILBOX_VALUES)}) ON {MAILBOX} TO {role}")
    return views


def _made(link: Link, role: str) -> None:
    found = link.one(
        "SELECT rolsuper OR rolbypassrls OR EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members AS m WHERE m.member = r.oid) "
        "OR EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c WHERE c.relowner = r.oid) "
        "FROM pg_catalog.pg_roles AS r WHERE rolname = ?", (role,),
    )
    if found is None:
        link.execute(f"CREATE ROLE {role} LOGIN")
    elif found[0]:
        raise UsageError(f"role {role}: it is a superuser, belongs to other roles or owns tables, so its rights can't be "
                         "bounded; next: name one that there is not yet")
