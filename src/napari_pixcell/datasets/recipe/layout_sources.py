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
from napari_pixcell.datasets.recipe.parts import unpacked
from napari_pixcell.datasets.recipe.recipe import Part
from napari_pixcell.datasets.recipe.style_sources import (
    GroupNumbers,
    StyleSource,
    check_on_slide,
    files_in,
    tile_name,
    tile_of,
)
from napari_pixcell.datasets.store.dataset import DatasetLayout
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.untrusted import check_regular

CELLS = tuple(".tif .tiff .png .npy .json .geojson .gz .zip .roi .xml .parquet .mat".split())
LARGEST_LABEL = 2**31 - 1
MOST_LAYOUTS = 1_000_000
MOST_PIXELS = 2**27  # of one layout, before it is cut into tiles

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
    counting : bool
        Make only the first of several invented layouts or variations, and repeat it.
    """

    def __init__(
        self,
        parts: tuple[Part, ...],
        family: Family,
        styles: Callable[[], Iterator[tuple[int, StyleSource]]],
        segment: Segment,
        counting: bool = False,
    ) -> None:
        self._parts, self._family, self._counting = parts, family, counting
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
                    if count > MOST_LAYOUTS:
                        raise PixCellError(
                            f"The recipe has more than {MOST_LAYOUTS:,} layouts. Use smaller "
                            "counts, or fewer files."
                        )
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
                labels = unpacked(part, "labels")
                made = LayoutSource.from_dict(part.get("made") or {"method": "painted"})
                if labels.min() < 0 or labels.max() > LARGEST_LABEL:
                    raise PixCellError(
                        f"Layout {int(key.split('/')[0]) + 1} of the recipe has labels below 0 or "
                        f"above {LARGEST_LABEL:,}. Use 0 for the background."
                    )
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

        check_regular(path)
        file = read_cells(path, image=part.get("image", "")).with_mpp(part.get("mpp"))
        if file.labels is not None and not file.labels.any():
            return
        if "slide" in part:
            check_regular(Path(part["slide"]))
            with open_slide(part["slide"], part.get("slide_mpp")) as slide:
                (height, width), mpp = slide.shape, slide.require_mpp()
                region = Region(*part.get("region", (0, 0, width, height)))
                check_on_slide(region, slide, self._family)
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
        if size[0] * size[1] > MOST_PIXELS:
            raise PixCellError(
                f"The layout of “{path.name}” would be {size[1]:,} × {size[0]:,} px, too large for "
                "memory. Check “mpp”, or name a smaller “region” of the slide."
            )
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
            if not tile.any():
                continue
            check_layout(tile)
            named = tile_name(name, at, rows * columns)
            yield DatasetLayout(0, named, f"layout-{number}", tile, made)

    def _invent(self, part: Part, key: str) -> Iterator[DatasetLayout]:
        from napari_pixcell.cells import invent

        first, family = Recipe.from_dict(part["recipe"]), self._family
        tiles: list[DatasetLayout] = []
        for number in range(part.get("count", 1)):
            if not (self._counting and number):
                recipe = replace(first, seed=(first.seed + number) % (LARGEST_SEED + 1))
                made = LayoutSource("invented", recipe=recipe.to_dict())
                labels = invent(recipe, (family.tile, family.tile), family.mpp).labels
                name = f"{part.get('name') or 'Invented'} {number + 1}"
                tiles = list(self._tiles(name, f"{key}/{number}", labels, made))
            yield from tiles

    def _vary(self, part: Part, key: str) -> Iterator[DatasetLayout]:
        from napari_pixcell.cells import vary

        jitter_um, drop, add = (part.get(name, 0) for name in ("jitter_um", "drop", "add"))
        if not (jitter_um or drop or add):
            raise PixCellError(
                "A variation of a layout changes nothing. Add “jitter_um”, “drop” or “add” to it "
                "in the recipe."
            )
        for base in self._of(part["layout"], key):
            if not base.labels.any():
                continue
            for number in range(part.get("count", 1)):
                if self._counting and number:
                    yield base
                    continue
                seed = (part.get("seed", 0) + number) % (LARGEST_SEED + 1)
                labels = vary(base.labels, self._family.mpp, seed, jitter_um, drop, add).labels
                name, made = f"{base.name}, variation {number + 1}", replace(base.made, edited=True)
                yield replace(base, name=name, labels=labels, made=made)
