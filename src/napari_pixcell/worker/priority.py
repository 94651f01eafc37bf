"""The priority of the worker process: below that of the window."""

from __future__ import annotations

import sys
from contextlib import suppress

import psutil

STEPS_BACK, LOWEST = 5, 19  # of nice; 5 leaves a quarter of a contested core


def step_back() -> None:
    """Lower the priority of this process, so that the window gets the CPU first.

    Threads inherit it, so call this before NumPy is imported, which starts some. The number of
    threads stays as it is, because pixels depend on it by rounding.
    """
    with suppress(psutil.Error, OSError):  # on a system that refuses it, all works as well
        own = psutil.Process()
        if sys.platform == "win32":
            own.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            own.nice(min(own.nice() + STEPS_BACK, LOWEST))
