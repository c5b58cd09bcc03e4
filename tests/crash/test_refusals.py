"""Stores that can't be used: locked, read-only, of another version, without the run; one line and the exit code."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gaelp_sim.store import Store, engines
from tests.crash.children import Ended, gaelp

NO_RUN, READ_ONLY, BUSY, CORRUPT, OTHER_SCHEMA = 66, 73, 75, 76, 78
RUN = ("run", "quickstart", "--set", "population.people=200", "--days", "2", "--quiet")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A store with one finished run; what stands in the way of removing it is taken away again."""
    folder = tmp_path / "folder"
    folder.mkdir()
    made = f"sqlite:///{folder / 'gaelp.db'}"
    assert gaelp(*RUN, "--db", made, folder=tmp_path).code == 0
    yield made
    folder.chmod(0o755)


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def refused(ended: Ended, code: int, says: str) -> None:
    """The exit code, and one line on stderr that says what is wrong and what to do next."""
    assert ended.code == code and ended.tells_one_error(), ended.err
    assert says in ended.err and "next: " in ended.err and ended.out == ""


def test_locked(url: str, tmp_path: Path) -> None:
    """Another program holds the file for longer than we wait."""
    with sqlite3.connect(file_of(url)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        ended = gaelp(*RUN, "--db", url, folder=tmp_path)
        holder.rollback()
    refused(ended, BUSY, "database is locked")
    assert engines.BUSY_TIMEOUT_MS == 5_000, "a user waits no longer than that"
    assert gaelp(*RUN, "--db", url, folder=tmp_path).code == 0


@pytest.mark.parametrize("words", [RUN, ("runs", "delete", "@last", "--yes")], ids=" ".join)
def test_read_only_file(url: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    file_of(url).chmod(stat.S_IRUSR)
    before = file_of(url).read_bytes()
    refused(_as_owner_bound_by_modes(*words, "--db", url, folder=tmp_path), READ_ONLY, "readonly database")
    assert file_of(url).read_bytes() == before


def test_read_only_folder(url: str, tmp_path: Path) -> None:
    """Neither a new store nor an old one can be written there."""
    folder = file_of(url).parent
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    refused(_as_owner_bound_by_modes(*RUN, "--db", url, folder=tmp_path), READ_ONLY, "readonly database")
    fresh = f"sqlite:///{folder / 'fresh.db'}"
    refused(_as_owner_bound_by_modes(*RUN, "--db", fresh, folder=tmp_path), READ_ONLY, "unable to open database file")


@pytest.mark.parametrize("words", [RUN, ("resume", "@last"), ("runs", "list"), ("db", "verify")], ids=" ".join)
@pytest.mark.parametrize("version,step", [("0000", "gaelp db upgrade"), ("9999", "install a newer gaelp-sim")])
def test_another_schema_version(url: str, tmp_path: Path, words: tuple[str, ...], version: str, step: str) -> None:
    with Store.open(url) as store, store.database.writing() as link:
        link.execute("UPDATE alembic_version SET version_num = ?", (version,))
    refused(gaelp(*words, "--db", url, folder=tmp_path), OTHER_SCHEMA, step)


@pytest.mark.parametrize("words", [
    ("resume", "zzz"), ("runs", "show", "zzz"), ("db", "verify", "--hash", "zzz"), ("replay", "zzz", "--policy", "logged"),
    ("run", "--continue", "zzz"),
], ids=" ".join)
def test_unknown_run(url: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    refused(gaelp(*words, "--db", url, folder=tmp_path), NO_RUN, "no run 'zzz'")


def test_no_store(tmp_path: Path) -> None:
    """Resuming where nothing is makes no file."""
    refused(gaelp("resume", "--db", f"sqlite:///{tmp_path / 'none.db'}", folder=tmp_path), NO_RUN, "no such store")
    assert not list(tmp_path.iterdir())


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary, " * 100)
    refused(gaelp(*RUN, "--db", f"sqlite:///{tmp_path / 'notes.txt'}", folder=tmp_path), CORRUPT, "not a database")


def _as_owner_bound_by_modes(*arguments: str, folder: Path) -> Ended:
    """Run a command as root without root's right to pass over modes, or simply run it for anybody else."""
    if os.geteuid() != 0:
        return gaelp(*arguments, folder=folder)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("running as root, and there is no setpriv to give up root's rights with")
    return gaelp(*arguments, folder=folder, prefix=(setpriv, "--bounding-set=-dac_override,-dac_read_search"))
