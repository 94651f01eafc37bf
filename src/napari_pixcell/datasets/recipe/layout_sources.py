"""The layouts of a recipe, one tile of the model each. They are made on demand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.cells.inventing.recipe import LARGEST_SEED, Recipe, checked_shares, draw_classes
from napari_pixcell.cells.layout import check_layout
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.parts import unpacked
from napari_pixcell.datasets.recipe.recipe import Part
from napari_pixcell.datasets.recipe.source_files import files_in, names_in
from napari_pixcell.datasets.recipe.style_sources import StyleSource
from napari_pixcell.datasets.recipe.tiles import check_on_slide, tile_name, tile_of
from napari_pixcell.datasets.store.dataset import DatasetLayout, classes_in
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.untrusted import check_regular

CELLS = tuple(".tif .tiff .png .npy .json .geojson .gz .zip .roi .xml .parquet .mat".split())
LARGEST_LABEL = 2**31 - 1
SEED = 21  # of the classes of cells without one
MOST_LAYOUTS = 1_000_000
MOST_PIXELS = 2**27  # of one layout, before it is cut into tiles

_ONE_CELL = DatasetLayout(0, "", "", np.ones((1, 1), np.uint8), LayoutSource("builtin"), 0)

Labels = NDArray[Any]
Segment = Callable[[NDArray[np.uint8]], tuple[Labels, LayoutSource]]


class LayoutSources:
    """The layouts of a recipe, source by source: files, invented layouts, styles and others.

    How many layouts a source makes is known only once it was read or segmented: tiles without a
    nucleus are left out. The number of sources depends on the recipe and on the names in its
    folders alone.

    Parameters
    ----------
    parts : sequence of dict
        See :mod:`napari_pixcell.datasets.recipe.recipe`.
    family : Family
        Defines tile and pixel size.
    styles : sequence of StyleSource
        For layouts that are segmented in their tissue.
    segment : callable
        Segments the cells of a picture.
    """

    def __init__(
        self,
        parts: tuple[Part, ...],
        family: Family,
        styles: Sequence[StyleSource],
        segment: Segment,
    ) -> None:
        self._parts, self._family = parts, family
        self._styles, self._segment = styles, segment
        self._folders: dict[str, list[Path]] = {}

    def __len__(self) -> int:
        """Return the number of sources. A folder is one for each of its files.

        Raises
        ------
        PixCellError
            If a folder does not exist or has no files of cells.
        """
        return self._starts[-1]

    def __iter__(self) -> Iterator[DatasetLayout]:
        """Iterate over the layouts in a stable order; tiles without a cell are left out."""
        counts, number = [0] * len(self._parts), 0
        for source in range(len(self)):
            for layout in self.layouts(source):
                yield replace(layout, number=number)
                number += 1
                counts[self.part_of(source)] += 1
        self.check_counts(counts)

    def file_names(self) -> Iterator[str]:
        """Iterate over the names of the files in the folders of the recipe."""
        for base in map(_base_of, self._parts):
            if base["from"] == "folder":
                yield from names_in(base["path"], self._files(base["path"]))

    def layouts(self, source: int) -> Iterator[DatasetLayout]:
        """Iterate over the layouts of a source, without their numbers."""
        number = self.part_of(source)
        at = source - self._starts[number]
        for layout in self._of(number, at, False):
            if layout.labels.any():
                yield layout

    def part_of(self, source: int) -> int:
        """Return the number of the part of the recipe that a source belongs to."""
        return bisect_right(self._starts, source) - 1

    def check_counts(self, counts: Sequence[int]) -> None:
        """Check the numbers of layouts that the parts of the recipe make.

        Raises
        ------
        PixCellError
            If there are too many, or one makes none.
        """
        if sum(counts) > MOST_LAYOUTS:
            raise PixCellError(
                f"The recipe has more than {MOST_LAYOUTS:,} layouts. Use smaller counts, or fewer "
                "files."
            )
        for number, count in enumerate(counts):
            if not count:
                raise PixCellError(
                    f"Layout {number + 1} of the recipe (from “{self._parts[number]['from']}”) has "
                    "no cells in a whole tile. Remove it, or choose another one."
                )

    # -- counting, before anything is segmented --------------------------------------------

    @cached_property
    def checked(self) -> list[tuple[int, int]]:
        """Part, and number in it, of the sources that are read to count their layouts.

        Of invented layouts and variations, the first stands for all. Of styles, none is segmented.
        """
        found = []
        for number, part in enumerate(self._parts):
            kind = _base_of(part)["from"]
            if kind != "style":
                found += [
                    (number, at) for at in range(1 if kind == "invent" else self._sources_of(part))
                ]
        return found

    def count(self, number: int, at: int) -> int:
        """Return how many layouts a source of :attr:`checked` stands for.

        Raises
        ------
        PixCellError
            If it cannot be read.
        """
        part = self._parts[number]
        count = sum(bool(layout.labels.any()) for layout in self._of(number, at, True))
        return count * (self._sources_of(part) if _base_of(part)["from"] == "invent" else 1)

    def counts(self, checked: Sequence[int], with_tissue: int) -> list[int]:
        """Return how many layouts each part of the recipe makes, at most.

        Parameters
        ----------
        checked : sequence of int
            The counts of the sources in :attr:`checked`.
        with_tissue : int
            Number of styles with tissue.
        """
        counts = [0] * len(self._parts)
        for (number, _), count in zip(self.checked, checked, strict=True):
            counts[number] += count
        for number, part in enumerate(self._parts):
            if _base_of(part)["from"] == "style" and with_tissue:
                made = self._varied(part, [_ONE_CELL], counting=True)
                counts[number] = with_tissue * sum(bool(one.labels.any()) for one in made)
        return counts

    # -- sources ---------------------------------------------------------------------------

    @cached_property
    def _starts(self) -> list[int]:
        """The first source of each part, and their number."""
        return [0, *accumulate(map(self._sources_of, self._parts))]

    @cached_property
    def _groups(self) -> list[int]:
        """How many layouts that do not come from styles are before each part."""
        own = (_base_of(part)["from"] != "style" for part in self._parts)
        counts = zip(self._parts, own, strict=True)
        return [0, *accumulate(self._sources_of(part) if is_own else 0 for part, is_own in counts)]

    def _sources_of(self, part: Part) -> int:
        base = _base_of(part)
        match base["from"]:
            case "folder":
                return len(self._files(base["path"]))
            case "style":
                return len(self._styles)
            case "invent":
                return int(base.get("count", 1))
        return 1

    def _files(self, folder: str) -> list[Path]:
        if folder not in self._folders:
            self._folders[folder] = files_in(Path(folder), CELLS, "files of cells")
        return self._folders[folder]

    def _of(self, number: int, at: int, counting: bool) -> Iterator[DatasetLayout]:
        """Iterate over the layouts of a source of a part, or over those that stand for it."""
        part, group = self._parts[number], 1 + self._groups[number] + at
        base = _base_of(part)
        match base["from"]:
            case "file":
                made = self._file(base, Path(base["path"]), group)
            case "folder":
                made = self._file(base, self._files(base["path"])[at], group)
            case "labels":
                made = self._labels(base, group)
            case "style":
                made = self._of_style(base, at)
            case _:
                made = self._invented(base, at, group)
        return self._varied(part, made, counting)

    def _labels(self, part: Part, group: int) -> Iterator[DatasetLayout]:
        labels = unpacked(part, "labels")
        made = LayoutSource.from_dict(part.get("made") or {"method": "painted"})
        if labels.min() < 0 or labels.max() > LARGEST_LABEL:
            number = 1 + next(n for n, one in enumerate(self._parts) if _base_of(one) is part)
            raise PixCellError(
                f"Layout {number} of the recipe has labels below 0 or above {LARGEST_LABEL:,}. Use "
                "0 for the background."
            )
        classes = {int(label): name for label, name in part.get("classes", {}).items()}
        yield from self._tiles(part.get("name"), group, labels, made, classes)

    def _of_style(self, part: Part, number: int) -> Iterator[DatasetLayout]:
        style = self._styles[number]
        pixels = style.tissue()
        if pixels is not None:
            labels, made = self._segment(pixels)
            classes = _with_drawn(part, labels, {}, number)
            self._check_classes(style.name, classes)
            name = f"Cells of {style.name}"
            yield DatasetLayout(0, name, style.group, labels, made, number, classes)

    def _file(self, part: Part, path: Path, group: int) -> Iterator[DatasetLayout]:
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
        labels, classes = file.labels, dict(file.classes)
        if labels is None or "slide" in part or size != labels.shape:
            labels, classes, _ = cells_for(file, region, size, (height, width), mpp)
        classes = _with_drawn(part, labels, classes, group)
        made = LayoutSource("imported")
        yield from self._tiles(part.get("name"), group, labels, made, classes)

    def _tiles(
        self,
        name: str | None,
        number: int,
        labels: Labels,
        made: LayoutSource,
        classes: Mapping[int, str],
    ) -> Iterator[DatasetLayout]:
        """Cut a layout into whole tiles; a cell on a cut belongs to both."""
        side = self._family.tile
        rows, columns = labels.shape[0] // side, labels.shape[1] // side
        if not rows or not columns:
            raise PixCellError(
                f"Layout {number} is {labels.shape[1]} × {labels.shape[0]} px, smaller than one "
                f"tile ({side} × {side} px). Use a larger one, or another model."
            )
        name = name or f"Layout {number}"
        self._check_classes(name, classes)
        for at in range(rows * columns):
            tile = np.ascontiguousarray(tile_of(labels, divmod(at, columns), side))
            if not tile.any():
                continue
            check_layout(tile)
            named = tile_name(name, at, rows * columns)
            group, own = f"layout-{number}", classes_in(tile, classes)
            yield DatasetLayout(0, named, group, tile, made, classes=own)

    def _check_classes(self, name: str, classes: Mapping[int, str]) -> None:
        """Raise PixCellError if the model knows classes, but not all of these."""
        if self._family.palette:
            ClassMap.of(self._family.palette, classes, f"layout “{name}”")

    def _invented(self, part: Part, number: int, group: int) -> Iterator[DatasetLayout]:
        from napari_pixcell.cells import invent

        first, family = Recipe.from_dict(part["recipe"]), self._family
        recipe = replace(first, seed=(first.seed + number) % (LARGEST_SEED + 1))
        made = LayoutSource("invented", recipe=recipe.to_dict())
        invented = invent(recipe, (family.tile, family.tile), family.mpp)
        name = f"{part.get('name') or 'Invented'} {number + 1}"
        yield from self._tiles(name, group, invented.labels, made, invented.classes)

    def _varied(
        self, part: Part, bases: Iterable[DatasetLayout], counting: bool
    ) -> Iterator[DatasetLayout]:
        """Iterate over the variations of layouts, or over the layouts if the part has none."""
        from napari_pixcell.cells import vary

        if part["from"] != "vary":
            yield from bases
            return
        jitter_um, drop, add = (part.get(name, 0) for name in ("jitter_um", "drop", "add"))
        if not (jitter_um or drop or add):
            raise PixCellError(
                "A variation of a layout changes nothing. Add “jitter_um”, “drop” or “add” to it "
                "in the recipe."
            )
        for base in self._varied(part["layout"], bases, counting):
            if not base.labels.any():
                continue
            for number in range(part.get("count", 1)):
                if counting and number:
                    yield base
                    continue
                seed = (part.get("seed", 0) + number) % (LARGEST_SEED + 1)
                labels = vary(base.labels, self._family.mpp, seed, jitter_um, drop, add).labels
                name, made = f"{base.name}, variation {number + 1}", replace(base.made, edited=True)
                left = classes_in(labels, base.classes)
                yield replace(base, name=name, labels=labels, made=made, classes=left)


def _with_drawn(
    part: Part, labels: Labels, classes: Mapping[int, str], number: int
) -> dict[int, str]:
    """Return the classes of a layout; cells without one get one at random, if the part says so."""
    known = dict(classes)
    if "classes" in part:
        shares, rng = checked_shares(part["classes"]), np.random.default_rng([SEED, number])
        without = [n for n in np.unique(labels).tolist() if n and not known.get(n)]
        known.update(zip(without, draw_classes(shares, len(without), rng), strict=True))
    return known


def _base_of(part: Part) -> Part:
    """Return what a variation is a variation of."""
    while part["from"] == "vary":
        part = part["layout"]
    return part
