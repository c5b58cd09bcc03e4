"""Commands on a store: runs, db, query, with real rows in a small SQLite file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gaelp_sim.cli.main import exit_code
from gaelp_sim.store import Batch, RunRecord, Store

Captured = pytest.CaptureFixture[str]
START_S = 1_756_684_800


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with two finished runs, named by GAELP_DB."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with Store.open(url) as store:
        for seed in (1, 2):
            record = RunRecord("tiny", "name: tiny", "0" * 64, seed, 10, 1, 1, START_S, 24, label=f"run {seed}")
            run = store.begin_run(record, {"channel": ["search"]})
            store.commit(run, Batch({}, hour=24, state=b"", final=True))
            store.finish_run(run, "FINISHED", {"spend_usd": 10.5 * seed, "cac_usd": None})
    monkeypatch.setenv("GAELP_DB", url)
    monkeypatch.chdir(tmp_path)
    return url


def _run_ids(capsys: Captured) -> list[str]:
    assert exit_code(["runs", "list", "--json"]) == 0
    return [str(record["run_id"]) for record in json.loads(capsys.readouterr().out)]


def test_runs_list(url: str, capsys: Captured) -> None:
    """A row per run, the newest last."""
    assert exit_code(["runs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["run_id", "label", "scenario", "status"]
    assert ["run 1" in lines[2], "run 2" in lines[3], len(lines)] == [True, True, 4]


def test_runs_show_by_prefix_and_last(url: str, capsys: Captured) -> None:
    """A run answers to a prefix of its id, and to @last."""
    first, last = _run_ids(capsys)
    assert exit_code(["runs", "show", first[:8], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 1
    assert exit_code(["runs", "show"]) == 0
    assert last in capsys.readouterr().out


def test_runs_show_the_scenario(url: str, capsys: Captured) -> None:
    """--scenario prints the text that was stored with the run."""
    assert exit_code(["runs", "show", "--scenario"]) == 0
    assert capsys.readouterr().out == "name: tiny\n"


def test_runs_compare_puts_figures_side_by_side(url: str, capsys: Captured) -> None:
    """A row per figure, a column per run."""
    assert exit_code(["runs", "compare", *_run_ids(capsys)]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["spend_usd"] == ["10.5", "21"]
    assert rows["seed"] == ["1", "2"]


def test_runs_delete_asks_first(url: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --yes the user is asked; no answer deletes nothing."""
    first, last = _run_ids(capsys)
    monkeypatch.setattr("click.confirm", lambda question, err: False)
    assert exit_code(["runs", "delete", first]) == 2
    assert capsys.readouterr().err == "error: nothing was deleted\n"
    assert exit_code(["runs", "delete", first, "--yes"]) == 0
    capsys.readouterr()
    assert _run_ids(capsys) == [last]


def test_runs_delete_without_anybody_to_answer(
    url: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No end of input is taken for a yes, and the way without a question is told."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert exit_code(["runs", "delete", "@last"]) == 2
    assert "nothing was deleted; next: gaelp runs delete" in capsys.readouterr().err
    assert len(_run_ids(capsys)) == 2


def test_an_unfinished_run_tells_why_nothing_is_there(url: str, capsys: Captured) -> None:
    """Its people come with its last day; a finished run without rows says nothing more."""
    people = ["query", "SELECT COUNT(*) FROM people"]
    assert exit_code(people) == 0 and "last day" not in capsys.readouterr().err
    with Store.open(url) as store:
        run = store.begin_run(RunRecord("tiny", "name: tiny", "0" * 64, 1, 10, 1, 1, START_S, 24), {"channel": ["search"]})
        store.finish_run(run, "INTERRUPTED", {})
    assert exit_code(people) == 0
    assert f"journeys are stored with its last day; next: gaelp resume {run.run_id}" in capsys.readouterr().err
    assert exit_code(["query", "SELECT status FROM runs"]) == 0 and not capsys.readouterr().err


@pytest.mark.parametrize("db", ["sqlite://", "sqlite:///:memory:"])
@pytest.mark.parametrize("words", [["run", "short"], ["query", "SELECT 1"], ["runs", "list"]], ids=lambda words: words[0])
def test_a_store_in_memory_is_refused(db: str, words: list[str], capsys: Captured) -> None:
    """Its rows would be gone with the command that made them."""
    assert exit_code([*words, "--db", db]) in (2, 73)
    told = "a store in memory is gone when its command ends; next: --db sqlite:///FILE"
    assert capsys.readouterr().err == f"error: {db}: {told}\n"


def test_unknown_run(url: str, capsys: Captured) -> None:
    """An unknown run ends with 66 and one line that tells where to look."""
    assert exit_code(["runs", "show", "zzz"]) == 66
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1


def test_no_store(tmp_path: Path, capsys: Captured) -> None:
    """Reading where no store is creates none."""
    path = tmp_path / "none.db"
    assert exit_code(["runs", "list", "--db", f"sqlite:///{path}"]) == 66
    assert not path.exists()


def test_db_current_and_upgrade(url: str, capsys: Captured) -> None:
    """A fresh store is at the program's version; upgrading it changes nothing."""
    assert exit_code(["db", "current", "--json"]) == 0
    versions = json.loads(capsys.readouterr().out)
    assert versions["store"] == versions["program"]
    assert exit_code(["db", "upgrade", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"before": versions["store"], "after": versions["store"]}


def test_db_verify_and_hash(url: str, capsys: Captured) -> None:
    """Sound rows pass; --hash prints 64 hex digits and nothing else."""
    assert exit_code(["db", "verify"]) == 0
    capsys.readouterr()
    assert exit_code(["db", "verify", "--hash", "@last"]) == 0
    digest = capsys.readouterr().out.strip()
    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")


def test_db_verify_finds_damage(url: str, capsys: Captured, tmp_path: Path) -> None:
    """A row that was changed behind the store's back ends with 76."""
    with Store.open(url) as store, store.database.writing() as link:
        link.execute("UPDATE name SET name = 'x'")
    assert exit_code(["db", "verify", "-q"]) == 76
    assert "checks failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("format", "printed"),
    [
        ("table", "label\n-----\nrun 2\n"),
        ("csv", "label\nrun 2\n"),
        ("json", '[\n  {\n    "label": "run 2"\n  }\n]\n'),
        ("ndjson", '{"label": "run 2"}\n'),
    ],
)
def test_query_formats(format: str, printed: str, url: str, capsys: Captured) -> None:
    """One run (the last) is asked; each format holds the same row."""
    assert exit_code(["query", "SELECT label FROM runs", "--format", format]) == 0
    assert capsys.readouterr().out == printed


def test_query_all_runs_with_a_limit(url: str, capsys: Captured) -> None:
    """--all asks every run; what the limit left out is told on stderr."""
    assert exit_code(["query", "SELECT label FROM runs ORDER BY label", "--all", "--limit", "1", "--format", "csv"]) == 0
    assert capsys.readouterr() == (
        "label\nrun 1\n", "more rows: only the first 1 are shown; raise --limit to see them\n"
    )


def test_query_from_a_file_with_a_parameter(url: str, capsys: Captured, tmp_path: Path) -> None:
    """-f reads the SQL from a file; -p fills in its parameters."""
    (tmp_path / "q.sql").write_text("SELECT seed + :n AS sum FROM runs", encoding="utf-8")
    assert exit_code(["query", "-f", "q.sql", "-p", "n=40", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "sum\n42\n"


def test_query_wants_one_source(url: str, capsys: Captured) -> None:
    """Neither SQL nor a file, or both, is bad usage; so are --run and --all together."""
    assert exit_code(["query"]) == 2
    assert exit_code(["query", "SELECT 1", "--run", "@last", "--all"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_query_writes_nothing(url: str, capsys: Captured) -> None:
    """A statement that would write is refused with 2."""
    assert exit_code(["query", "DELETE FROM runs"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_views_are_listed_with_meanings(capsys: Captured) -> None:
    """--views needs no store."""
    assert exit_code(["query", "--views", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert {"view": "journeys", "column": "run_id", "meaning": "the run that the row belongs to"} in records
