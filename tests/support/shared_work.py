"""Work that processes share, which fails or kills its process. Each imports it by its name."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.processes import Answer, Work
from napari_pixcell.errors import PixCellError

AT = 3  # the task that fails


def multiplies(settings: dict[str, int]) -> Work:
    return lambda task: Answer(settings["times"] * task, bytes(task))


def names_its_process(settings: Any) -> Work:
    return lambda task: Answer(os.getpid())


def _acting(act: Callable[[], Any]) -> Work:
    def work(task: int) -> Answer:
        if task == AT:
            act()
        return Answer(task)

    return work


def refuses(settings: Any) -> Work:
    def act() -> None:
        raise PixCellError("This task is refused. Choose another.")

    return _acting(act)


def fills_the_disk(settings: Any) -> Work:
    def act() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return _acting(act)


def has_a_bug(settings: Any) -> Work:
    return _acting(lambda: 1 // 0)


def kills_itself(settings: Any) -> Work:
    return _acting(lambda: os.kill(os.getpid(), signal.SIGKILL))


def kills_itself_once(mark: str) -> Work:
    def act() -> None:
        if not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return _acting(act)
