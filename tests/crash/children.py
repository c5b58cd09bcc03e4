"""`gaelp` as a child process: started, listened to, killed, and looked after until nothing of it is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

GAELP = Path(sys.executable).with_name("gaelp")
PATIENCE_S = 120.0
_DAY_LINE = re.compile(r"^\s*(\d+) {2,}[\d,]+ {2,}\$")  # a row of the --watch table, printed once its day is committed


@dataclass(frozen=True)
class Ended:
    """What a finished child leaves: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line on stderr."""
        return (self.err.strip().splitlines() or [""])[-1]

    def tells_one_error(self) -> bool:
        """Whether stderr holds exactly one line besides the days, and no traceback."""
        said = [line for line in self.err.splitlines() if not _DAY_LINE.match(line) and line.split()[:1] != ["day"]]
        return len(said) == 1 and "Traceback" not in self.err


@dataclass
class Child:
    """A running `gaelp` with --watch, in a session of its own."""

    arguments: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """Words before the command, such as a program that gives up rights first."""

    def __post_init__(self) -> None:
        self.said: list[str] = []
        self.days: list[int] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [*self.prefix, str(GAELP), *self.arguments], cwd=self.folder, env=os.environ | self.environment, text=True,
            start_new_session=True, preexec_fn=_hears_ctrl_c,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.said.append(line)
                day = _DAY_LINE.match(line)
                if day:
                    self.days.append(int(day[1]))
                self._news.notify_all()

    def wait_for_days(self, count: int) -> bool:
        """Wait until `count` commits were told; False if it ended before."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with self._news:
                if len(self.days) >= count:
                    return True
                self._news.wait(0.02)
            if self.process.poll() is not None and not self._listener.is_alive():
                return len(self.days) >= count
        raise AssertionError(f"{self.arguments}: {len(self.days)} of {count} days within {PATIENCE_S} s")

    def signal(self, number: int) -> None:
        """Send a signal to the child alone (its workers must notice by themselves)."""
        os.kill(self.process.pid, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to the child and its workers, as a terminal does with Ctrl-C."""
        os.killpg(self.process.pid, number)

    def ended(self) -> Ended:
        """Wait for the end; what it said by then counts as told."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()  # a summary: far less than a pipe holds
        code = self.process.wait(PATIENCE_S)
        self._listener.join(PATIENCE_S)
        return Ended(code, out, "".join(self.said))

    def kill(self) -> bool:
        """Kill the child itself; False if it had ended before."""
        alive = self.process.poll() is None
        if alive:
            self.signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        return alive and self.process.returncode == -signal.SIGKILL

    def workers(self) -> list[int]:
        """Process ids of its simulating workers."""
        return [pid for pid in session_members(self.process.pid) if b"spawn_main" in _command_line(pid)]

    def left_over(self, patience_s: float = 20.0) -> list[int]:
        """Processes of its session that are still there after a while; they are killed then."""
        deadline = time.monotonic() + patience_s
        while (left := session_members(self.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return left


def _hears_ctrl_c() -> None:
    """A shell starts what it puts into the background deaf to Ctrl-C, and that is inherited: not by our child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def gaelp(*arguments: str, folder: Path, prefix: tuple[str, ...] = (), **environment: str) -> Ended:
    """Run one command to its end."""
    return Child(list(arguments), folder, environment, prefix).ended()


def session_members(session: int) -> list[int]:
    """Living processes of a session (zombies left out)."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = place.read_text(errors="replace").rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it ended meanwhile
        if int(its_session) == session and state != "Z":
            found.append(int(place.parent.name))
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
