"""Print the tables of keys and mouse actions: ``python docs/tools/keys.py``.

They are those of ``napari_pixcell.ui.key_table``, which the Help menu shows too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from napari_pixcell.ui.key_table import IN_REVIEW, NATIVE, NOTE, ON_LAYOUT, TABLE, Key

GROUPS: tuple[tuple[str, Iterable[Key]], ...] = (
    ("Anywhere in the viewer", TABLE),
    ("napari's own, often used here", NATIVE),
    ("While a layout is selected", ON_LAYOUT),
    ("In the thumbnails of Review pairs", IN_REVIEW),
)
ASIDE = " ("  # begins words that say where a row and those below it apply, as the group does


def markdown() -> str:
    """Return one table for each group of keys."""
    parts = []
    for title, keys in GROUPS:
        rows = [f"| {_keycaps(key.shown)} | {_words(key)} |" for key in keys]
        parts.append("\n".join((f"## {title}", "", "| key | action |", "| --- | --- |", *rows)))
    return "\n\n".join((*parts, NOTE)) + "\n"


def _keycaps(shown: str) -> str:
    return " ".join(f"`{key}`" if key != "–" else key for key in shown.split())


def _words(key: Key) -> str:
    words, _, aside = key.words.partition(ASIDE)
    return words if aside.startswith("this and the next") else key.words


if __name__ == "__main__":
    sys.stdout.write(markdown())
