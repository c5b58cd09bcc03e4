"""A process that does nothing but run SimPy: `python -m benchmarks.bare_simpy EVENTS`."""

import sys

from benchmarks.stand_ins import bare_simpy

if __name__ == "__main__":
    bare_simpy(int(sys.argv[1]))
