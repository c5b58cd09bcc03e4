"""The entry point, and the one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click
from click.shell_completion import shell_complete

from gaelp_sim import __version__
from gaelp_sim.cli.lines import error_line, one_line
from gaelp_sim.cli.tree import COMPLETION_VARIABLE, gaelp
from gaelp_sim.errors import GaelpError, InterruptedRunError

EXIT_USAGE = 2
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143


class _Terminations:
    """Remembers that SIGTERM arrived, for a run that turned it into an orderly stop."""

    seen = False


def _on_sigterm(signal_number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C would do now: a run stops at its next commit point, anything else at once."""
    _Terminations.seen = True
    on_sigint = signal.getsignal(signal.SIGINT)
    if not callable(on_sigint):
        raise KeyboardInterrupt
    on_sigint(signal_number, frame)


def main() -> None:
    """Run the command line of this process and exit."""
    gc.set_threshold(100_000)  # few cycles are made here: collecting at every 700 objects took 5 % of a run
    signal.signal(signal.SIGTERM, _on_sigterm)
    sys.exit(exit_code(sys.argv[1:]))


def exit_code(arguments: list[str]) -> int:
    """Run one command; tell what went wrong in one line on stderr, and return the exit code."""
    try:
        return _called(arguments)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        _abandon_stdout()
        return EXIT_BROKEN_PIPE
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted")
        return EXIT_TERMINATED if _Terminations.seen else EXIT_INTERRUPTED
    except GaelpError as problem:
        return _told(problem)
    except click.ClickException as problem:
        return _told_usage(problem)
    except Exception as problem:
        return _told_bug(problem, arguments)


def _called(arguments: list[str]) -> int:
    # Not `gaelp.main`: it would turn a closed pipe and Ctrl-C into exit codes of its own.
    instruction = os.environ.get(COMPLETION_VARIABLE)
    if instruction:
        return shell_complete(gaelp, {}, "gaelp", COMPLETION_VARIABLE, instruction)
    with gaelp.make_context("gaelp", arguments) as ctx:
        gaelp.invoke(ctx)
    sys.stdout.flush()
    return 0


def _told(problem: GaelpError) -> int:
    if isinstance(problem, InterruptedRunError):
        _tell(one_line(str(problem)))
        return EXIT_TERMINATED if _Terminations.seen else problem.exit_code
    _tell(error_line(str(problem)))
    return problem.exit_code


def _told_usage(problem: click.ClickException) -> int:
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        problem.show()
        return EXIT_USAGE
    path = problem.ctx.command_path if isinstance(problem, click.UsageError) and problem.ctx else "gaelp"
    _tell(f"error: {one_line(problem.format_message())} See {path} --help.")
    return EXIT_USAGE


def _told_bug(problem: Exception, arguments: list[str]) -> int:
    report = _written_report(problem, arguments)
    kind = type(problem).__name__
    _tell(f"error: a bug in gaelp ({kind}), not your mistake; what happened is written to {report}")
    return EXIT_BUG


def _written_report(problem: Exception, arguments: list[str]) -> str:
    """Write the traceback to a file in the current folder, else in the temporary one; return its name."""
    import tempfile
    import traceback
    from datetime import datetime

    name = f"gaelp-bug-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    text = "\n".join(
        [
            f"gaelp-sim {__version__}, Python {sys.version}",
            f"arguments: {arguments}",
            "".join(traceback.format_exception(problem)),
        ]
    )
    for path in (Path(name), Path(tempfile.gettempdir()) / name):
        try:
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return str(path)
    return "no file (neither this folder nor the temporary one can be written)"


def _tell(line: str) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        pass  # Nobody listens on stderr any more; the exit code still speaks.


def _abandon_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush doesn't complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
