"""Results and tables for people."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

ENDLESS = 100_000  # characters; files and pipes have no width
LONG = 100  # characters of a list in one line
NUMBER = re.compile(r"[-–+]?\d[\d.,]*( ?[%\w]{1,5})?|–|")  # with its unit, or none


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, with numbers to the right.

    Long texts are wrapped at the width of a terminal. Elsewhere each row is one line.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[words_of(value) for value in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column, values in zip(columns, zip(*cells, strict=True), strict=True):
        right = any(values) and all(NUMBER.fullmatch(value) for value in values)
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(value) for value in row))
    console = Console(file=sys.stdout, highlight=False)
    if not sys.stdout.isatty():
        console.width = ENDLESS
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def print_facts(facts: dict[str, Any]) -> None:
    """Print a result: a line for each of its values, or for each item of a long list."""
    for key, value in facts.items():
        words = words_of(value)
        if isinstance(value, list) and len(value) > 1 and len(words) > LONG:
            print("\n  ".join([f"{key}:", *map(words_of, value)]))
        else:
            print(f"{key}: {words}")


def words_of(value: Any) -> str:
    """Return a value of a result in words."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key} {words_of(one)}" for key, one in value.items()) or "none"
        case list() | tuple():
            return ", ".join(words_of(one) for one in value if one is not None) or "none"
    return str(value)
