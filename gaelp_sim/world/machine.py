"""The versions and CPU features that decide the last bits of a run: kept with it, and compared before it is replayed."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np

from gaelp_sim.store import RunRecord


def numba_version() -> str:
    """The version of the compiler of the hour's loops, and of the C library whose exp and log they call."""
    import numba

    return f"{numba.__version__}, {' '.join(platform.libc_ver())}".strip()


def torch_version() -> str:
    """The version of the network library, which decides the last bit of a learned policy's sums."""
    return version("torch")


def cpu_features() -> str:
    """The CPU features that numpy uses: they decide the last bit of exp and log."""
    from numpy._core._multiarray_umath import __cpu_features__

    return " ".join(sorted(name for name, present in __cpu_features__.items() if present))


def machine_differs(run: RunRecord) -> str:
    """What of this machine differs from the one a run was made on: its last bits may then differ too."""
    told = [
        ("numpy", np.__version__, run.numpy_version), ("numba", numba_version(), run.numba_version),
        ("Python", platform.python_version(), run.python_version), ("CPU features", cpu_features(), run.cpu_features),
    ]
    if run.torch_version:
        told.append(("torch", torch_version(), run.torch_version))
    return "; ".join(f"{name} {now}, was {then}" for name, now, then in told if now != then)
