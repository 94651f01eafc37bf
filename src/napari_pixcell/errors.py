"""The exception whose message is written for the user, and the check of a range."""

from __future__ import annotations

from numbers import Real
from typing import Any


class PixCellError(Exception):
    """An error that the user can resolve.

    The message says in one or two short sentences what happened and what to do. The dock widget
    shows it in the section it belongs to and the command line prints it, without a traceback.
    """


def check_range(what: str, value: Any, low: float, high: float, unit: str = "") -> None:
    """Raise PixCellError if a value is not a number from ``low`` to ``high``; NaN is not."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        shown = f"{value:g}{unit}" if number else f"“{value}”"
        raise PixCellError(f"The {what} is {shown}. Choose one from {low:,g} to {high:,g}{unit}.")
