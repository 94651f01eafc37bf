"""How a request ends early when its user cancels it."""

from __future__ import annotations

from collections.abc import Callable


class Cancelled(Exception):
    """The user cancelled the request. Raised between two steps."""


def checking(cancelled: Callable[[], bool]) -> Callable[[], None]:
    """Return a function that raises :class:`Cancelled` once ``cancelled()`` is true."""

    def check() -> None:
        if cancelled():
            raise Cancelled

    return check
