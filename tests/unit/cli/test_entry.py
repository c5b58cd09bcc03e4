"""The entry point: start-up, names, errors as one line and the right exit code."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gaelp_sim import errors
from gaelp_sim.cli import main
from gaelp_sim.cli.tree import COMMANDS, gaelp
from gaelp_sim.store import Store

HEAVY = ("numpy", "sqlalchemy", "alembic", "pydantic", "yaml", "simpy", "rich", "torch", "psycopg")
Captured = pytest.CaptureFixture[str]


def _raising(problem: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise problem

    monkeypatch.setattr(gaelp, "invoke", fail)


def test_help_imports_nothing_heavy() -> None:
    """`gaelp --help` must start at once: none of the slow libraries is imported."""
    code = (
        "import sys; from gaelp_sim.cli.main import exit_code; exit_code(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lines_of_the_table_are_those_of_the_commands() -> None:
    """The static table that `--help` prints says what each command says of itself."""
    context = click.Context(gaelp)
    for name, entry in COMMANDS.items():
        command = gaelp.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").splitlines()[0] == entry.help


def test_version(capsys: Captured) -> None:
    """`--version` says name and version on stdout."""
    assert main.exit_code(["--version"]) == 0
    assert capsys.readouterr().out == "gaelp-sim 0.1.0\n"


def test_wrong_command_suggests_the_right_one(capsys: Captured) -> None:
    """A misspelt command is answered with the nearest name, in one line."""
    assert main.exit_code(["quer"]) == 2
    assert capsys.readouterr().err == "error: No such command 'quer'. Did you mean 'query'? See gaelp --help.\n"


def test_wrong_subcommand_suggests_the_right_one(capsys: Captured) -> None:
    """The same one level down."""
    assert main.exit_code(["runs", "lst"]) == 2
    assert capsys.readouterr().err == "error: No such command 'lst'. Did you mean 'list'? See gaelp runs --help.\n"


def test_wrong_option_suggests_the_right_one(capsys: Captured) -> None:
    """A misspelt option is answered with the nearest name."""
    assert main.exit_code(["run", "quickstart", "--sed", "3"]) == 2
    assert "--seed" in capsys.readouterr().err


def test_no_command_prints_help(capsys: Captured) -> None:
    """Without a command the help is shown on stderr, as bad usage."""
    assert main.exit_code([]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("Usage: gaelp")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ScenarioError, 2),
        (errors.UsageError, 2),
        (errors.BidderError, 2),
        (errors.RunNotFoundError, 66),
        (errors.StoreWriteError, 73),
        (errors.StoreIOError, 74),
        (errors.StoreBusyError, 75),
        (errors.CorruptStoreError, 76),
        (errors.SchemaVersionError, 78),
    ],
)
def test_our_errors_are_one_line(
    kind: type[errors.GaelpError], code: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Each of our errors becomes one line on stderr and its exit code."""
    _raising(kind("no room\n  on the disk"), monkeypatch)
    assert main.exit_code(["runs"]) == code
    assert capsys.readouterr() == ("", "error: no room; on the disk\n")


def test_a_place_in_a_file_comes_first(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A scenario's mistake begins with file:line:column, where editors look for it."""
    _raising(errors.ScenarioError("a/my world.yaml:3:1: dayz: unknown key; did you mean days?"), monkeypatch)
    assert main.exit_code(["runs"]) == 2
    assert capsys.readouterr().err == "a/my world.yaml:3:1: dayz: unknown key; did you mean days?\n"


def test_an_interrupted_run_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Ctrl-C during a run prints the resume line as it is and ends with 130."""
    _raising(errors.InterruptedRunError("stopped at day 3; go on with: gaelp resume 7f3a"), monkeypatch)
    assert main.exit_code(["runs"]) == 130
    assert capsys.readouterr().err == "stopped at day 3; go on with: gaelp resume 7f3a\n"


def test_ctrl_c_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Ctrl-C outside a run ends with 130, without a traceback."""
    _raising(KeyboardInterrupt(), monkeypatch)
    assert main.exit_code(["runs"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_bug_is_reported_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    """An unexpected exception ends with 70 and a line that names a report; the traceback stands in the report only."""
    monkeypatch.chdir(tmp_path)
    _raising(ZeroDivisionError("boom"), monkeypatch)
    assert main.exit_code(["runs"]) == 70
    (report,) = tmp_path.glob("gaelp-bug-*.txt")
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert report.name in line
    assert "Traceback" not in line
    assert "ZeroDivisionError: boom" in report.read_text(encoding="utf-8")


def test_a_closed_pipe_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """`gaelp ... | head` says nothing when head has had enough."""
    monkeypatch.setattr(main, "_abandon_stdout", lambda: None)
    _raising(BrokenPipeError(errno.EPIPE, "Broken pipe"), monkeypatch)
    assert main.exit_code(["runs"]) == 141
    assert capsys.readouterr().err == ""


def test_sigterm_ends_with_143(tmp_path: Path) -> None:
    """SIGTERM unwinds like Ctrl-C; the exit code tells them apart."""
    code = (
        "import sys, time; from gaelp_sim.cli import main, tree\n"
        "def wait(context): print('ready', flush=True); time.sleep(30)\n"
        "tree.gaelp.invoke = wait; sys.argv = ['gaelp', 'runs', 'list']; main.main()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGTERM)
    _, told = child.communicate(timeout=10)
    assert child.returncode == 143
    assert "Traceback" not in told


def test_shared_options_on_every_level(monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path) -> None:
    """`--db` and `--json` mean the same before and after the command's name; the innermost wins."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    Store.open(url).close()
    for arguments in (["--db", url, "--json", "runs", "list"], ["runs", "--db", url, "list", "--json"]):
        assert main.exit_code(arguments) == 0
        assert capsys.readouterr().out == "[]\n"
    monkeypatch.setenv("GAELP_DB", url)
    assert main.exit_code(["--db", "sqlite:////nowhere/x.db", "runs", "list", "--json", "--db", url]) == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: Captured) -> None:
    """Each shell gets a script that asks gaelp."""
    assert main.exit_code(["completion", shell]) == 0
    assert "_GAELP_COMPLETE" in capsys.readouterr().out
