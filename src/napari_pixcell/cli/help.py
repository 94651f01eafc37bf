"""How ``--help`` and errors of usage look."""

from __future__ import annotations

import argparse
import difflib
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from rich_argparse import RichHelpFormatter

if TYPE_CHECKING:
    from rich.text import Text


class UsageProblem(Exception):
    """A command was typed wrongly.

    Parameters
    ----------
    usage, message : str
        How it is typed, and what is wrong.
    """

    def __init__(self, usage: str, message: str) -> None:
        super().__init__(message)
        self.usage = usage


class CommandParser(argparse.ArgumentParser):
    """A parser that leaves it to the program to show errors."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": CommandHelp, **settings})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments, all of which must be known: so a command shows its own usage."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown[0])}")
        return options, unknown

    def _meant(self, unknown: str) -> str:
        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        known = [name for action in shown for name in action.option_strings]
        near = difflib.get_close_matches(unknown, known, 1)
        return f"; did you mean {near[0]}?" if near else ""

    def error(self, message: str) -> NoReturn:
        """Raise UsageProblem."""
        raise UsageProblem(self.format_usage(), f"{self.prog}: error: {message}")


class CommandHelp(RichHelpFormatter):
    """Help with colours on terminals, and with examples as they are typed."""

    group_name_formatter: ClassVar[Any] = str.capitalize
    help_markup: ClassVar[bool] = False  # brackets are meant
    text_markup: ClassVar[bool] = False

    def _rich_fill_text(self, text: Text, width: int, indent: Text) -> Text:
        if "\n" not in text.plain:
            return super()._rich_fill_text(text, width, indent)
        lines = text.split()  # examples
        filled: Text = type(text)("\n").join(indent + line for line in lines)
        return filled + "\n\n"
