"""Start a command and print, as JSON, what it took: wall seconds, CPU seconds, peak bytes, exit status.

    python -I -S benchmarks/launch.py OUTPUT_FILE COMMAND...

It is a program of its own because a child's peak memory begins with that of the process that forks it: this one is
small. CPU counts the command and all processes that it has waited for; the peak is that of the largest of them.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run the command of the command line with its output in a file."""
    with open(sys.argv[1], "wb") as output:
        streams = [(os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)]
        began_s = time.perf_counter()
        child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=streams)
        _, status, usage = os.wait4(child, 0)
        wall_s = time.perf_counter() - began_s
    kib = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    took = {"wall_s": wall_s, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * kib}
    print(json.dumps({**took, "status": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main()
