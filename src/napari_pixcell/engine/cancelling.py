"""How a request ends between two steps because its user wants no more of it."""

from __future__ import annotations

from collections.abc import Callable


class Cancelled(Exception):
    """The user stopped the request; raised between two steps."""


def checking(cancelled: Callable[[], bool]) -> Callable[[], None]:
    """Give what raises once the user has stopped the request."""

    def check() -> None:
        if cancelled():
            raise Cancelled

    return check
