"""A slide: levels with exact downsamples and a pixel size, read by region and mpp."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.content import slide_stamp
from napari_pixcell.slides.corrupt import CorruptTiles
from napari_pixcell.slides.levels import ArrayLevel, Level, TiledLevel
from napari_pixcell.slides.overview import FACTOR, shrunk
from napari_pixcell.slides.pixel_size import checked_mpp
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.resample import NEAR, resample
from napari_pixcell.slides.watch import Watch

LARGEST_OVERVIEW = 4096  # px; coarser levels are computed if the coarsest one is larger
ROWS_AT_ONCE = 512  # output rows resampled together, to bound memory
NEAR_ROWS_AT_ONCE = 4096  # the same if the level has nearly the wanted pixel size


class Slide:
    """An open slide.

    Parameters
    ----------
    name : str
        Display name; never a path.
    levels : list of Level
        Finest first.
    downsamples : list of (y, x)
        Exact level-0 pixels per pixel of each level.
    mpp : float or None
        µm per level-0 pixel; None if unknown.
    mpp_source : str
        Source of the pixel size, in words.
    close : callable or None
        Closes the file.
    corrupt : CorruptTiles, optional
        Counts the tiles that cannot be decoded so far; they are shown white.

    Attributes
    ----------
    stamp : str or None
        Fingerprint of the file at opening, see
        :func:`napari_pixcell.slides.content.slide_stamp`.
    note : str
        Why the pixel size that the file states is not used; empty if it is.
    """

    def __init__(
        self,
        name: str,
        levels: Sequence[Level],
        downsamples: Sequence[tuple[float, float]],
        mpp: float | None,
        mpp_source: str = "",
        path: Path | None = None,
        *,
        close: Callable[[], None] | None = None,
        corrupt: CorruptTiles | None = None,
    ) -> None:
        self.name = name
        self.corrupt = CorruptTiles(name) if corrupt is None else corrupt
        self.path = path
        self.stamp: str | None = None
        self.note = ""
        self._check: Callable[[], None] = lambda: None
        self.mpp = mpp
        self.mpp_source = mpp_source
        self.levels: list[Level] = [levels[0]]
        self._factors = [downsamples[0]]
        for level, factor in zip(levels[1:], downsamples[1:], strict=True):
            last = self.levels[-1].shape
            if level.shape[0] < last[0] and level.shape[1] < last[1]:  # napari: strictly smaller
                self.levels.append(level)
                self._factors.append(factor)
        while max(self.levels[-1].shape[:2]) > LARGEST_OVERVIEW:
            y, x = self._factors[-1]
            self.levels.append(shrunk(self.levels[-1]))
            self._factors.append((FACTOR * y, FACTOR * x))
        self._close = close

    @property
    def short_name(self) -> str:
        """Name without suffixes such as ``.svs`` or ``.ome.tif``, used to name exports."""
        return re.sub(r"(\.ome)?\.[A-Za-z]{2,8}$", "", self.name) or self.name

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of level 0."""
        return self.levels[0].shape[0], self.levels[0].shape[1]

    @property
    def size_um(self) -> tuple[float, float]:
        """Width and height in µm. Raises PixCellError if the pixel size is unknown."""
        mpp = self.require_mpp()
        return self.shape[1] * mpp, self.shape[0] * mpp

    def region_um(self, x: float, y: float, width: float, height: float) -> Region:
        """Return a region in level-0 pixels from one in µm.

        Parameters
        ----------
        x, y : float
            Left and top edge in µm from the corner of the slide.
        width, height : float
            Size in µm.

        Raises
        ------
        PixCellError
            If the pixel size is unknown.
        """
        mpp = self.require_mpp()
        return Region(x / mpp, y / mpp, width / mpp, height / mpp)

    @property
    def downsamples(self) -> tuple[float, ...]:
        """Level-0 pixels per pixel of each level, not rounded."""
        return tuple(math.sqrt(y * x) for y, x in self._factors)

    def with_mpp(self, mpp: float) -> Slide:
        """Return the same open slide with another pixel size in µm."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, mpp=checked_mpp(mpp), mpp_source="entered by you")
        return other

    def read(self, region: Region, mpp: float) -> NDArray[np.uint8]:
        """Read a region at a pixel size as (h, w, 3) uint8.

        A level whose pixel size differs by at most 0.5 % is read, else the nearest finer one. It
        is averaged over areas when shrinking and interpolated linearly when enlarging; pixels of
        nearly the right size are copied if none is more than a quarter of a pixel off. Transparent
        pixels and those outside the slide are white.

        Parameters
        ----------
        region : Region
            In level-0 pixels; may be fractional.
        mpp : float
            µm per pixel of the result.

        Raises
        ------
        PixCellError
            If the slide's pixel size is unknown, the file cannot be decoded, or it was replaced.
        """
        own = self.require_mpp()
        self._check()
        rows, columns = region.shape_at(own, mpp)
        index = self._level_at(mpp)
        level, (dy, dx) = self.levels[index], self._factors[index]
        top, left = region.y / dy, region.x / dx
        step_y, step_x = region.height / dy / rows, region.width / dx / columns
        x0, x1 = _margin(left, left + step_x * columns, step_x)

        def band(row: int, count: int) -> NDArray[np.uint8]:
            start, stop = top + step_y * row, top + step_y * (row + count)
            y0, y1 = _margin(start, stop, step_y)
            patch = level.read_white(y0, y1, x0, x1)
            box = (start - y0, left - x0, stop - y0, left + step_x * columns - x0)
            return resample(patch, box, (count, columns))

        at_once = NEAR_ROWS_AT_ONCE if abs(step_y - 1) <= NEAR else ROWS_AT_ONCE
        if rows <= at_once:
            return np.ascontiguousarray(band(0, rows))
        out = np.empty((rows, columns, 3), np.uint8)
        for row in range(0, rows, at_once):
            count = min(at_once, rows - row)
            out[row : row + count] = band(row, count)
        return out

    def _level_at(self, mpp: float) -> int:
        """Return the index of the coarsest level that is fine enough for a pixel size in µm."""
        wanted = mpp / self.require_mpp() * (1 + NEAR)
        return max((i for i, d in enumerate(self._factors) if max(d) <= wanted), default=0)

    def check_readable(self, region: Region, mpp: float) -> None:
        """Raise PixCellError if all tiles of a region, read at a pixel size in µm, are corrupt."""
        stored = [
            (level, factor)
            for level, factor in zip(self.levels, self._factors, strict=True)
            if isinstance(level, TiledLevel) and level.corrupt is self.corrupt
        ]
        if not stored or not len(self.corrupt):
            return
        level, (dy, dx) = stored[min(self._level_at(mpp), len(stored) - 1)]
        height, width, _ = level.shape
        top, left = max(0, int(region.y / dy)), max(0, int(region.x / dx))
        bottom = min(height, math.ceil((region.y + region.height) / dy))
        right = min(width, math.ceil((region.x + region.width) / dx))
        if top >= bottom or left >= right:
            return
        tiles = level.indices(top, bottom, left, right)
        if all((level.index, *tile) in self.corrupt for tile in tiles):
            raise PixCellError(
                f"This region of “{self.name}” cannot be read, because all its tiles are corrupt. "
                "Copy the file again from its source."
            )

    def use_watch(self, watch: Watch) -> None:
        """Check before reading that the file is still the one that was opened."""
        self._check = watch.check
        for level in self.levels:
            if isinstance(level, TiledLevel):
                level.check = watch.check

    def corrupt_in(self, region: Region) -> int:
        """Return the number of known corrupt tiles in a region, at any level."""
        placed: dict[int, tuple[TiledLevel, tuple[float, float]]] = {}
        for level, factor in zip(self.levels, self._factors, strict=True):
            if isinstance(level, TiledLevel):
                placed.setdefault(level.index, (level, factor))
        count = 0
        for index, row, column in self.corrupt.known():
            if index in placed:
                level, (dy, dx) = placed[index]
                high, wide = level.tile[0] * dy, level.tile[1] * dx
                above = region.y + region.height <= row * high or region.y >= (row + 1) * high
                beside = region.x + region.width <= column * wide or region.x >= (column + 1) * wide
                count += not (above or beside)
        return count

    def corrupt_note(self, region: Region | None = None) -> str:
        """Return a warning about corrupt tiles in the slide or a region; empty without any."""
        count = len(self.corrupt) if region is None else self.corrupt_in(region)
        if not count:
            return ""
        where = f"“{self.name}”" if region is None else f"This region of “{self.name}”"
        tiles = "a corrupt tile, which is" if count == 1 else f"{count} corrupt tiles, which are"
        return f"{where} has {tiles} shown white. Copy the file again from its source."

    def content(self) -> str | None:
        """Return a fingerprint of the slide's content without reading pixels.

        It has 64 hexadecimal digits, and is None for layers, slides of several files, and files
        changed after they were opened.
        """
        if self.path is None or self.stamp is None:
            return None
        try:
            return self.stamp if slide_stamp(self.path) == self.stamp else None
        except OSError:
            return None

    def require_mpp(self) -> float:
        """Return the pixel size in µm, or raise PixCellError if it is unknown."""
        if self.mpp is None and self.note:
            raise PixCellError(
                f"The pixel size of “{self.name}” cannot be used: {self.note}. Resample the slide "
                "to square pixels, or enter one size (at the top of the dock, or with --mpp)."
            )
        if self.mpp is None:
            raise PixCellError(
                f"The pixel size of “{self.name}” is unknown. Enter it in µm per pixel (in the "
                "top of the dock, or with --mpp), for example 0.5 for a 20× scan."
            )
        return self.mpp

    def close(self) -> None:
        """Close the file; reading afterwards raises PixCellError."""
        for level in self.levels:
            if isinstance(level, TiledLevel):
                level.forget()
        if self._close is not None:
            self._close()

    def __enter__(self) -> Slide:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("A slide holds an open file. Open it again instead of pickling it.")


class ArraySlide(Slide):
    """A slide of arrays that are already open, such as the levels of a napari RGB layer.

    Parameters
    ----------
    levels : list of array-like, (h, w, 3 or 4)
        Finest first.
    mpp : float or None
        µm per pixel of the first level.
    """

    def __init__(self, levels: Sequence[Any], mpp: float | None, name: str) -> None:
        own = [level if isinstance(level, Level) else ArrayLevel(level) for level in levels]
        mpp = None if mpp is None else checked_mpp(mpp)
        super().__init__(name, own, shape_ratios(own), mpp, "" if mpp is None else "the layer")


def shape_ratios(levels: Sequence[Level]) -> list[tuple[float, float]]:
    """Return the (y, x) downsample of each level, computed from the shapes.

    Few files say whether a level of 9,999 rows holds whole blocks of 2 of 19,999 rows (a factor of
    2), or all rows (2.0001). The factor between the two is returned: at half size it is off by a
    quarter of a pixel at most, anywhere on the slide.
    """
    height, width, _ = levels[0].shape
    ratios = []
    for level in levels:
        rows, columns, _ = level.shape
        y, x, blocks = height / rows, width / columns, round(width / columns)
        if abs(height - blocks * rows) < blocks and abs(width - blocks * columns) < blocks:
            y, x = (y + blocks) / 2, (x + blocks) / 2
        ratios.append((y, x))
    return ratios


def check_region(region: Region, slide: Slide, tile_px: int, model_mpp: float) -> None:
    """Check that a model can use a region.

    Parameters
    ----------
    region : Region, in level-0 pixels
    tile_px : int
        Side of the model's tile, in its pixels.
    model_mpp : float
        The model's µm per pixel.

    Raises
    ------
    PixCellError
        If the pixel size is unknown, or the region lies outside the slide or is smaller than a
        tile.
    """
    mpp = slide.require_mpp()
    height, width = slide.shape
    if not all(map(math.isfinite, region.as_list())) or min(region.width, region.height) <= 0:
        raise PixCellError("The region has no area. Draw a box on the slide.")
    inside_x = region.x < width and region.x + region.width > 0
    inside_y = region.y < height and region.y + region.height > 0
    if not (inside_x and inside_y):
        raise PixCellError(
            f"The region lies outside the slide, which is {width} × {height} pixels. Move it onto "
            "the slide."
        )
    side = tile_px * model_mpp / mpp
    if min(region.width, region.height) < side - max(1.0, 0.005 * side):
        raise PixCellError(
            f"The region is {region.width:.0f} × {region.height:.0f} pixels, smaller than one tile "
            f"({side:.0f} × {side:.0f}, which is {tile_px * model_mpp:.0f} µm). Make it larger."
        )


def _margin(start: float, stop: float, step: float) -> tuple[int, int]:
    """Return the pixels that cover a span, with a neighbour on each side when enlarging."""
    extra = 1 if step < 1 else 0
    return math.floor(start) - extra, max(math.ceil(stop), math.floor(start) + 1) + extra
