"""The styles and layouts of a dataset, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.datasets.store.table import PairTable

MOST_ROWS = 40
METHODS = {
    "builtin": "segmented by the built-in method",
    "imported": "imported",
    "painted": "painted",
    "invented": "invented",
}

Cells = list[tuple[str, ...]]


@dataclass(frozen=True)
class Listing:
    """The first styles or layouts of a dataset, as a table.

    Parameters
    ----------
    head : tuple of str
    rows : list of tuple of str
    more : int
        Number of those that are not listed.
    origins : list of (str, str)
        Methods behind the layouts, and the number of layouts of each.
    """

    head: tuple[str, ...]
    rows: Cells
    more: int
    origins: Cells


class SourceCounts:
    """Styles and layouts of a dataset; reads their rows, not their arrays.

    Attributes
    ----------
    styles, style_groups, layouts, layout_groups : int
    methods : list of LayoutSource
        Origins of the layouts, each once and without its recipe.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        groups = Counter(row["group"] for row in dataset.style_rows())
        self.styles, self.style_groups = groups.total(), len(groups)
        groups = Counter(row["group"] for row in dataset.layout_rows())
        self.layouts, self.layout_groups = groups.total(), len(groups)
        self._made = Counter(
            replace(LayoutSource.from_dict(row["made"]), recipe=None, density_map=None)
            for row in dataset.layout_rows()
        )
        self.methods = list(self._made)

    def list_styles(self, pairs: PairTable) -> Listing:
        """Return the styles, with the number of pairs of each."""
        rows = _counted_rows(self._dataset.style_rows(), pairs.style, self.styles)
        cells: Cells = [(row["name"], row["group"], f"{count:,}") for row, count in rows]
        return Listing(("Style", "Group", "Pairs"), cells, self.styles - len(cells), [])

    def list_layouts(self, pairs: PairTable) -> Listing:
        """Return the layouts and their origins, with the number of pairs of each."""
        numbers = pairs.layout[pairs.layout >= 0]
        rows = _counted_rows(self._dataset.layout_rows(), numbers, self.layouts)
        cells: Cells = [
            (row["name"], row["group"], f"{row['cells']:,}", f"{count:,}") for row, count in rows
        ]
        origins: Cells = [(_words(made), f"{count:,}") for made, count in self._made.items()]
        head = ("Layout", "Group", "Cells", "Pairs")
        return Listing(head, cells, self.layouts - len(cells), origins)


def _counted_rows(
    rows: Iterator[JsonRow], numbers: NDArray[np.int32], total: int
) -> Iterator[tuple[JsonRow, int]]:
    counts = np.bincount(numbers, minlength=total)
    for row in islice(rows, MOST_ROWS):
        yield row, int(counts[row["number"]])


def _words(made: LayoutSource) -> str:
    cellpose = f"segmented by {made.method.capitalize()} {made.model}".strip()
    words = METHODS.get(made.method, cellpose)
    return f"{words}, then edited" if made.edited else words
