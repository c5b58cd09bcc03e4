"""`gaelp db`: the store's schema and the soundness of its rows."""

from __future__ import annotations

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.output import print_fields, print_records, say
from gaelp_sim.cli.params import RunRef
from gaelp_sim.errors import CorruptStoreError


@click.group(cls=GaelpGroup)
def db() -> None:
    """Upgrade, inspect and verify the store.

    \b
    Example:
      gaelp db verify
    """


@db.command()
@click.pass_obj
def upgrade(settings: Settings, /) -> None:
    """Bring the store's schema to this program's version.

    \b
    Example:
      gaelp db upgrade
    """
    before, after = library.upgraded(settings.db_url)
    print_fields({"before": before, "after": after}, settings)


@db.command()
@click.pass_obj
def current(settings: Settings, /) -> None:
    """Print the store's schema version, and this program's.

    \b
    Example:
      gaelp db current
    """
    print_fields({"store": library.schema_version(settings.db_url), "program": library.schema_head()}, settings)


@db.command()
@click.argument("role")
@click.pass_obj
def agent(settings: Settings, /, role: str) -> None:
    """Let a Postgres role bid from outside, and nothing else.

    ROLE may then read the views that begin with observed_, and insert into outside_bid; it is made where there is none.
    After an upgrade of the store it needs these rights again. See docs/outside.md.

    \b
    Example:
      gaelp db agent bidding_agent --db postgresql+psycopg://localhost/gaelp
    """
    views = library.agent_granted(settings.db_url, role)
    print_fields({"role": role, "reads": ", ".join(views), "inserts": "outside_bid"}, settings)
    say(settings, f"next: give it a password (ALTER ROLE {role} PASSWORD ...), or a line in pg_hba.conf")


@db.command("verify")
@click.option("--hash", "hash_ref", type=RunRef(), metavar="RUN", help="Print only the run's row hash, 64 hex digits.")
@click.option("--run", "run_ref", type=RunRef(), metavar="RUN", help="Check only this run.  [default: all runs]")
@click.pass_obj
def verify_store(settings: Settings, /, *, hash_ref: str | None, run_ref: str | None) -> None:
    """Check hash chain, ledger and references of the rows.

    Ends with exit code 76 where stored rows are not what was written.

    \b
    Example:
      gaelp db verify --hash @last
    """
    if hash_ref is not None:
        _print_hash(settings, hash_ref)
        return
    checks = library.store_checks(settings.db_url, run_ref)
    print_records(checks, settings, columns=("run_id", "check", "passed", "detail"))
    failed = [check for check in checks if not check["passed"]]
    if failed:
        raise CorruptStoreError(
            f"{len(failed)} of {len(checks)} checks failed, first {failed[0]['check']} of run {failed[0]['run_id']}. "
            "Keep the file, and run the scenario again into a fresh store (--db)."
        )
    say(settings, f"all {len(checks)} checks passed")


def _print_hash(settings: Settings, run_ref: str) -> None:
    run_id, digest = library.row_hash(settings.db_url, run_ref)
    if settings.as_json:
        print_fields({"run_id": run_id, "row_hash": digest}, settings)
    else:
        click.echo(digest)
