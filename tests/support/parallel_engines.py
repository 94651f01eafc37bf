"""Drawing engines for worker processes, which kill a process or fail at a chosen pair.

Functions of a module, because each process imports them by their name. A pair acts once: a file
whose name the environment variable holds shows that it has acted.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from drawn_engine import DrawnEngine

from napari_pixcell.engine.events import Event
from napari_pixcell.engine.request_values import Request

ACTED = "PIXCELL_TEST_ACTED"
GO = "PIXCELL_TEST_GO"  # environment variable: the path of a file that ends a wait
AT = 1234 + 7  # seed of the chosen pair


class BlockEngine(DrawnEngine):
    """Makes two pairs at once, so that chunks are blocks."""

    def at_once(self, family: str) -> int:
        return 2


class ActingEngine(BlockEngine):
    """Acts once before it generates the chosen pair, or each time."""

    def __init__(self, act: Callable[[], None], once: bool = True) -> None:
        super().__init__()
        self._act, self._once = act, once

    def run(
        self,
        request: Request,
        emit: Callable[[Event], None],
        cancelled: Callable[[], bool] = lambda: False,
        previews: bool = True,
    ) -> None:
        seeds = [one.seed for one in getattr(request, "requests", ())]
        if AT in seeds:
            try:
                Path(os.environ[ACTED]).touch(exist_ok=not self._once)
            except FileExistsError:
                pass
            else:
                self._act()
        super().run(request, emit, cancelled, previews)


def whole() -> DrawnEngine:
    return BlockEngine()


def kills_itself() -> DrawnEngine:
    return ActingEngine(lambda: os.kill(os.getpid(), signal.SIGKILL))


def always_kills_itself() -> DrawnEngine:
    return ActingEngine(lambda: os.kill(os.getpid(), signal.SIGKILL), once=False)


def kills_coordinator() -> DrawnEngine:
    return ActingEngine(lambda: os.kill(os.getppid(), signal.SIGKILL))


def kills_owner() -> DrawnEngine:
    """Kill the process that a file beside the mark names: a coordinator on another machine."""

    def kill() -> None:
        os.kill(int(Path(os.environ[ACTED] + ".owner").read_text()), signal.SIGKILL)

    return ActingEngine(kill)


def refuses_one() -> DrawnEngine:
    engine = BlockEngine()
    engine.refuses = {AT}
    return engine


def refuses_all() -> DrawnEngine:
    engine = BlockEngine()
    engine.refuses = set(range(1234, 1300))
    return engine


def waits() -> DrawnEngine:
    """Wait before the chosen pair until a file is there."""

    def wait() -> None:
        while not Path(os.environ[GO]).exists():
            time.sleep(0.02)

    return ActingEngine(wait, once=False)
