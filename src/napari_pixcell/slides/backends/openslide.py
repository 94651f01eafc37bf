"""Whole-slide formats, by OpenSlide."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.levels import TiledLevel, to_rgb8
from napari_pixcell.slides.pixel_size import plausible
from napari_pixcell.slides.slide import Slide


def recognises(path: Path) -> bool:
    """Say whether this is a vendor's format; generic TIFFs are better read by tifffile."""
    import openslide

    return openslide.OpenSlide.detect_format(str(path)) not in (None, "generic-tiff")


class _Handle:
    """One OpenSlide handle for many threads; closing waits for reads in progress."""

    def __init__(self, path: Path) -> None:
        import openslide

        self.slide = openslide.OpenSlide(str(path))
        self.name = path.name
        self._readers = 0
        self._closed = False
        self._change = threading.Condition()

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._change:
            if self._closed:
                raise PixCellError(f"“{self.name}” was closed; open it again.")
            self._readers += 1
        try:
            yield
        finally:
            with self._change:
                self._readers -= 1
                self._change.notify_all()

    def close(self) -> None:
        with self._change:
            if self._closed:
                return
            self._closed = True
            self._change.wait_for(lambda: self._readers == 0)
        self.slide.close()

    def read(self, x: int, y: int, level: int, width: int, height: int) -> NDArray[np.uint8]:
        import openslide

        with self.reading():
            try:
                pixels = self.slide.read_region((x, y), level, (width, height))
            except openslide.OpenSlideError as error:
                raise damaged(self.name) from error
        return to_rgb8(np.asarray(pixels))


def damaged(name: str) -> PixCellError:
    """Make the error of a file that ends early or has a broken part."""
    return PixCellError(
        f"“{name}” is damaged or cut short, so parts of it cannot be read; copy it again from "
        "its source."
    )


def open_file(path: Path) -> Slide:
    """Open a whole-slide file.

    Raises
    ------
    PixCellError
        If it is damaged.
    """
    import openslide

    try:
        handle = _Handle(path)
    except openslide.OpenSlideError as error:
        raise damaged(path.name) from error
    slide = handle.slide
    factors = [float(d) for d in slide.level_downsamples]
    levels = [_level(handle, index, factors[index]) for index in range(slide.level_count)]
    x, y = slide.properties.get("openslide.mpp-x"), slide.properties.get("openslide.mpp-y")
    mpp = plausible(float(x), float(y)) if x and y else None
    source = "the slide file" if mpp else ""
    pairs = [(d, d) for d in factors]
    return Slide(path.name, levels, pairs, mpp, source, path, handle.close)


def _level(handle: _Handle, index: int, factor: float) -> TiledLevel:
    width, height = handle.slide.level_dimensions[index]
    get = handle.slide.properties.get
    tw = int(get(f"openslide.level[{index}].tile-width", 512))
    th = int(get(f"openslide.level[{index}].tile-height", 512))
    if not (64 <= tw <= 2048 and 64 <= th <= 2048):  # some vendors' strips span the slide
        tw = th = 512

    def fetch(row: int, column: int) -> NDArray[np.uint8]:
        x, y = column * tw, row * th
        w, h = min(tw, width - x), min(th, height - y)
        return handle.read(round(x * factor), round(y * factor), index, w, h)

    return TiledLevel((height, width), (th, tw), fetch)
