"""What a dataset was made of: its styles and layouts, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.report.markup import Markup, element, facts, table
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.table import PairTable

MOST_ROWS = 40
METHODS = {
    "builtin": "found by the built-in method",
    "imported": "imported",
    "painted": "painted",
    "invented": "invented",
}


class Parts:
    """Styles and layouts of a dataset; reads their rows, not their arrays.

    Attributes
    ----------
    style_count, style_groups, layout_count, layout_groups : int
    sources : list of LayoutSource
        How the layouts were made, each way once and without its recipe.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        groups: set[str] = set()
        self.style_count = 0
        for row in dataset.style_rows():
            self.style_count += 1
            groups.add(row["group"])
        self.style_groups = len(groups)
        groups = set()
        self._made: Counter[LayoutSource] = Counter()
        for row in dataset.layout_rows():
            made = LayoutSource.from_dict(row["made"])
            self._made[replace(made, recipe=None, density_map=None)] += 1
            groups.add(row["group"])
        self.layout_count, self.layout_groups = self._made.total(), len(groups)
        self.sources = list(self._made)

    def styles(self, pairs: PairTable) -> Iterator[Markup]:
        """Say which styles there are, and how many pairs each has."""
        counts = np.bincount(pairs.style, minlength=self.style_count)
        rows = [
            (row["name"], row["group"], f"{counts[row['number']]:,}")
            for row in islice(self._dataset.style_rows(), MOST_ROWS)
        ]
        yield table(("Style", "Group", "Pairs"), rows)
        yield from _more(self.style_count, "styles")

    def layouts(self, pairs: PairTable) -> Iterator[Markup]:
        """Say how the layouts were made, which there are, and how many pairs each has."""
        yield facts((_words(made), f"{count:,}") for made, count in self._made.items())
        numbers = pairs.layout[pairs.layout >= 0]
        counts = np.bincount(numbers, minlength=self.layout_count)
        rows = [
            (row["name"], row["group"], f"{row['cells']:,}", f"{counts[row['number']]:,}")
            for row in islice(self._dataset.layout_rows(), MOST_ROWS)
        ]
        yield table(("Layout", "Group", "Cells", "Pairs"), rows)
        yield from _more(self.layout_count, "layouts")


def _more(count: int, what: str) -> Iterator[Markup]:
    if count > MOST_ROWS:
        yield element("p", f"… and {count - MOST_ROWS:,} more {what}.", class_="soft")


def _words(made: LayoutSource) -> str:
    words = METHODS.get(made.method, f"found by {made.method.capitalize()} {made.model}".strip())
    return f"{words}, then edited" if made.edited else words
