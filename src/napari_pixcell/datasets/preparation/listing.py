"""The list of the tiles of a recipe's sources, made once, so that a process opens few of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.preparation.parts import (
    LISTING,
    PreparationChunk,
    chunk_size,
    read_part,
)
from napari_pixcell.datasets.recipe.style_sources import StyleSource, StyleSources
from napari_pixcell.datasets.recipe.tiles import SourceTiles
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.untrusted import read_json

LISTED = "listing.json"  # exists once all sources are listed: the number of styles of each


def tiles_row(tiles: SourceTiles) -> JsonRow:
    """Return the tiles of a source as a JSON value."""
    row: JsonRow = {"count": tiles.count, "tissue": tiles.tissue}
    if tiles.regions:
        row |= {"regions": [one.as_list() for one in tiles.regions], "mpp": tiles.mpp}
    if tiles.rows:
        row |= {"rows": list(tiles.rows), "skipped": tiles.skipped}
    return row


def _tiles_in(row: JsonRow) -> SourceTiles:
    regions = tuple(Region(*one) for one in row.get("regions", ()))
    rows, skipped = tuple(row.get("rows", ())), row.get("skipped", 0)
    return SourceTiles(row["count"], row["tissue"], regions, row.get("mpp", 0.0), rows, skipped)


class ListedStyles(Sequence[StyleSource]):
    """The styles of a recipe by their numbers, without opening the sources before them.

    Parameters
    ----------
    sources : StyleSources
    """

    def __init__(self, sources: StyleSources) -> None:
        self._sources, self._folder, self._items = sources, Path(), 0
        self._part: tuple[PreparationChunk, list[SourceTiles]] | None = None

    def look_in(self, folder: Path, items: int) -> None:
        """Read a listing of this many items from the folder of its parts, once it is needed."""
        self._folder, self._items = folder, items

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """The number after the last style of each source."""
        counts: Any = read_json(self._folder / LISTED)
        ends = np.cumsum(np.asarray(counts["styles"], np.int64))
        if len(ends) != len(self._sources):
            name = (self._folder / LISTED).relative_to(self._folder.parent.parent).as_posix()
            raise PixCellError(f"{name} is damaged. Delete it, and resume the dataset.")
        return ends

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, number: int) -> StyleSource: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[StyleSource]: ...
    def __getitem__(self, number: int | slice) -> StyleSource | Sequence[StyleSource]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        source = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[source - 1]) if source else 0
        return self._sources.style(source, self._tiles(source), number - before)

    def _tiles(self, source: int) -> SourceTiles:
        size = chunk_size(self._items)
        first = source // size * size
        chunk = PreparationChunk(LISTING, first, min(first + size, self._items))
        if self._part is None or self._part[0] != chunk:
            rows = read_part(self._folder, chunk)[: len(self._sources) - first]
            self._part = chunk, [_tiles_in(row) for row in rows]
        return self._part[1][source - first]
