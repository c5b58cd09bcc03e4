"""`gaelp doctor` tells what is wrong with a machine, and what to do; what is optional is no fault."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from gaelp_sim.cli import doctor, library
from gaelp_sim.cli.main import exit_code
from gaelp_sim.store import Store

Found = dict[str, dict[str, object]]


def _asked(url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Found]:
    code = exit_code(["doctor", "--db", url, "--json"])
    return code, {row["check"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_sound_machine_without_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = _asked(f"sqlite:///{tmp_path / 'none.db'}", capsys)
    assert code == 0 and found["store"]["found"] == "none yet" and found["store"]["next"] == "gaelp run quickstart"
    assert not (tmp_path / "none.db").exists()
    assert {"program", "python", "core", "extra postgres", "extra learn", "compiled loops", "disk"} <= set(found)


def test_what_is_missing_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package of the core and the disk are faults; an extra is none."""
    gone = {"simpy", "torch", "psycopg"}
    true = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in gone else true(name))
    monkeypatch.setattr(doctor, "DISK_LEAST_BYTES", 1 << 80)
    monkeypatch.setattr(library, "compiled_loops_folder", lambda: "")
    code, found = _asked(f"sqlite:///{tmp_path / 'none.db'}", capsys)
    wrong = {name for name, row in found.items() if not row["passed"]}
    assert code == 1 and wrong == {"core", "disk", "compiled loops"}
    assert found["core"]["next"] == "pip install simpy" and found["extra learn"]["next"] == "pip install torch"
    assert found["extra postgres"]["next"] == "pip install 'psycopg[binary]'"


def test_an_old_store_is_told_from_a_sound_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.db"
    url = f"sqlite:///{path}"
    Store.open(url).close()
    code, found = _asked(url, capsys)
    assert code == 0 and found["store"]["next"] == ""
    with sqlite3.connect(path) as file:
        file.execute("UPDATE alembic_version SET version_num = '0000'")
    code, found = _asked(url, capsys)
    assert code == 1 and found["store"]["next"] == "gaelp db upgrade"
    code, found = _asked("mysql://host/db", capsys)
    assert code == 1 and "unknown database" in str(found["store"]["found"])
