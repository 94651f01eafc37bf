"""A display for the window: the user's own or a virtual one. Imports no Qt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

BINDINGS = "PyQt6", "PySide6"

Display = Literal["screen", "virtual", "none"]


@contextmanager
def any_display() -> Iterator[Display]:
    """Use the user's display, or run Xvfb within the context.

    Yields
    ------
    str
        ``screen`` for the user's display, ``virtual`` for Xvfb, ``none`` if no window can open.
    """
    if not any(find_spec(binding) for binding in BINDINGS):
        yield "none"
        return
    if not sys.platform.startswith("linux") or _has_screen():
        yield "screen"
        return
    program = shutil.which("Xvfb")
    if program is None:
        yield "none"
        return
    read, write = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            yield "none"
            return
        os.environ["DISPLAY"] = f":{number}"
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        yield "virtual"
    finally:
        server.terminate()
        server.wait()


def _has_screen() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
