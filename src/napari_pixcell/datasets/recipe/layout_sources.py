"""The layouts of a recipe, one tile of the model each. They are made on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.inventing.recipe import LARGEST_SEED, Recipe
from napari_pixcell.cells.layout import check_layout
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.recipe import Part
from napari_pixcell.datasets.recipe.style_sources import (
    GroupNumbers,
    StyleSource,
    files_in,
    tile_name,
    tile_of,
)
from napari_pixcell.datasets.store.dataset import DatasetLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region

CELLS = tuple(".tif .tiff .png .npy .json .geojson .gz .zip .roi .xml .parquet .mat".split())
MOST_COPIES = 100_000

Labels = NDArray[Any]
Segment = Callable[[NDArray[np.uint8]], tuple[Labels, LayoutSource]]


class LayoutSources:
    """Iterates over the layouts of a recipe.

    Parameters
    ----------
    parts : sequence of dict
        See :mod:`napari_pixcell.datasets.recipe.recipe`.
    family : Family
        Defines tile and pixel size.
    styles : callable
        Iterates over the numbered styles, for layouts that are segmented in their tissue.
    segment : callable
        Segments the cells of a picture.
    """

    def __init__(
        self,
        parts: tuple[Part, ...],
        family: Family,
        styles: Callable[[], Iterator[tuple[int, StyleSource]]],
        segment: Segment,
    ) -> None:
        self._parts, self._family = parts, family
        self._styles, self._segment = styles, segment
        self._groups = GroupNumbers()

    def __iter__(self) -> Iterator[DatasetLayout]:
        """Iterate over the layouts in a stable order; tiles without a cell are left out."""
        count = 0
        for number, part in enumerate(self._parts):
            before = count
            for layout in self._of(part, str(number)):
                if layout.labels.any():
                    yield replace(layout, number=count)
                    count += 1
            if count == before:
                raise PixCellError(
                    f"Layout {number + 1} of the recipe (from “{part['from']}”) has no cells in a "
                    "whole tile. Remove it, or choose another one."
                )

    def _of(self, part: Part, key: str) -> Iterator[DatasetLayout]:
        match part["from"]:
            case "file":
                yield from self._file(part, Path(part["path"]), key)
            case "folder":
                for path in files_in(Path(part["path"]), CELLS, "files of cells"):
                    yield from self._file(part, path, f"{key}/{path}")
            case "labels":
                labels = PackedArray.from_dict(part["labels"]).unpack()
                made = LayoutSource.from_dict(part.get("made") or {"method": "painted"})
                yield from self._tiles(part.get("name"), key, labels, made)
            case "style":
                for number, style in self._styles():
                    pixels = style.tissue()
                    if pixels is not None:
                        labels, made = self._segment(pixels)
                        name = f"Cells of {style.name}"
                        yield DatasetLayout(0, name, style.group, labels, made, number)
            case "invent":
                yield from self._invent(part, key)
            case "vary":
                yield from self._vary(part, key)

    def _file(self, part: Part, path: Path, key: str) -> Iterator[DatasetLayout]:
        from napari_pixcell.cells import cells_for, read_cells
        from napari_pixcell.slides import open_slide

        if not path.is_file():
            raise PixCellError(f"The file “{path.name}” does not exist. Check the recipe's path.")
        file = read_cells(path, image=part.get("image", "")).with_mpp(part.get("mpp"))
        if file.labels is not None and not file.labels.any():
            return
        if "slide" in part:
            with open_slide(part["slide"], part.get("slide_mpp")) as slide:
                (height, width), mpp = slide.shape, slide.require_mpp()
            region = Region(*part.get("region", (0, 0, width, height)))
            size = size_at(region, mpp, self._family)
        elif file.shape is None:
            raise PixCellError(
                f"“{path.name}” holds outlines without the size of their image. Add “slide” and "
                "“region” to it in the recipe."
            )
        else:
            (height, width), mpp = file.shape, file.mpp or self._family.mpp
            region = Region(0, 0, width, height)
            size = region.shape_at(mpp, self._family.mpp)
        labels = file.labels
        if labels is None or "slide" in part or size != labels.shape:
            labels, _, _ = cells_for(file, region, size, (height, width), mpp)
        yield from self._tiles(part.get("name"), key, labels, LayoutSource("imported"))

    def _tiles(
        self, name: str | None, key: str, labels: Labels, made: LayoutSource
    ) -> Iterator[DatasetLayout]:
        """Cut a layout into whole tiles; a cell on a cut belongs to both."""
        side, number = self._family.tile, self._groups.of(key)
        rows, columns = labels.shape[0] // side, labels.shape[1] // side
        if not rows or not columns:
            raise PixCellError(
                f"Layout {number} is {labels.shape[1]} × {labels.shape[0]} px, smaller than one "
                f"tile ({side} × {side} px). Use a larger one, or another model."
            )
        name = name or f"Layout {number}"
        for at in range(rows * columns):
            tile = np.ascontiguousarray(tile_of(labels, divmod(at, columns), side))
            if tile.any():  # an empty one is left out
                check_layout(tile)
            named = tile_name(name, at, rows * columns)
            yield DatasetLayout(0, named, f"layout-{number}", tile, made)

    def _invent(self, part: Part, key: str) -> Iterator[DatasetLayout]:
        from napari_pixcell.cells import invent

        first, family = Recipe.from_dict(part["recipe"]), self._family
        for number in range(_count(part)):
            recipe = replace(first, seed=(first.seed + number) % (LARGEST_SEED + 1))
            made = LayoutSource("invented", recipe=recipe.to_dict())
            labels = invent(recipe, (family.tile, family.tile), family.mpp).labels
            name = f"{part.get('name') or 'Invented'} {number + 1}"
            yield from self._tiles(name, f"{key}/{number}", labels, made)

    def _vary(self, part: Part, key: str) -> Iterator[DatasetLayout]:
        from napari_pixcell.cells import vary

        jitter_um, drop, add = (float(part.get(name, 0)) for name in ("jitter_um", "drop", "add"))
        if not (jitter_um or drop or add):
            raise PixCellError(
                "A variation of a layout changes nothing. Add “jitter_um”, “drop” or “add” to it "
                "in the recipe."
            )
        for base in self._of(part["layout"], key):
            if not base.labels.any():
                continue
            for number in range(_count(part)):
                seed = (int(part.get("seed", 0)) + number) % (LARGEST_SEED + 1)
                labels = vary(base.labels, self._family.mpp, seed, jitter_um, drop, add).labels
                name, made = f"{base.name}, variation {number + 1}", replace(base.made, edited=True)
                yield replace(base, name=name, labels=labels, made=made)


def _count(part: Part) -> int:
    count = part.get("count", 1)
    if not isinstance(count, int) or not 1 <= count <= MOST_COPIES:
        raise PixCellError(
            f"The count is {count}. Choose a whole number from 1 to {MOST_COPIES:,}."
        )
    return count
