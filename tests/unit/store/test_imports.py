"""Importing the store is free; using it loads no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_store_loads_neither_numpy_nor_sqlalchemy() -> None:
    assert not {"numpy", "sqlalchemy", "alembic", "psycopg"} & loaded_by("import gaelp_sim.store")


@pytest.mark.parametrize("module", ["layout", "schema_version", "records", "failures", "engines"])
def test_parts_without_a_database_do_not_load_one(module: str) -> None:
    assert not {"sqlalchemy", "alembic", "psycopg"} & loaded_by(f"import gaelp_sim.store.{module}")


def test_a_run_loads_neither_alembic_nor_the_orm(tmp_path: Path) -> None:
    code = (
        "from gaelp_sim.store import RunRecord, Store\n"
        f"store = Store.open('sqlite:///{tmp_path}/runs.db')\n"
        "store.begin_run(RunRecord('s', '{}', '', 1, 1, 1, 1, 0, 24), {'channel': ['search']})"
    )
    assert not {"alembic", "sqlalchemy.orm", "psycopg"} & loaded_by(code)


def test_every_public_name_can_be_had() -> None:
    import gaelp_sim.store as store

    assert all(getattr(store, name) is not None for name in store.__all__)
    with pytest.raises(AttributeError):
        _ = store.nothing_of_that_name
