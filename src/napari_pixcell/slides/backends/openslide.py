"""Whole-slide images, by OpenSlide."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.backends.probing import vendor_of
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable, damaged
from napari_pixcell.slides.levels import TiledLevel, to_rgb8
from napari_pixcell.slides.pixel_size import not_square, plausible
from napari_pixcell.slides.slide import Slide
from napari_pixcell.untrusted import reading


def recognises(path: Path) -> bool:
    """Whether OpenSlide reads this vendor format; generic TIFFs are left to tifffile."""
    try:
        return vendor_of(path) is not None
    except (PixCellError, OSError):
        return False


class _Opened:
    """An OpenSlide object, closed once it is retired and no read is in progress."""

    def __init__(self, path: Path) -> None:
        import openslide

        self.slide = openslide.OpenSlide(str(path))
        self.readers = 0
        self.retired = False


class _Handle:
    """Thread-safe OpenSlide; closing waits for reads in progress.

    After one failed read an OpenSlide object fails forever, so it is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = _Opened(path)
        self._closed = False
        self._change = threading.Condition()

    @property
    def slide(self) -> Any:
        return self._opened.slide

    @contextmanager
    def _reading(self) -> Iterator[_Opened]:
        with self._change:
            if self._closed:
                raise PixCellError(f"“{self.path.name}” was closed. Open it again.")
            opened = self._opened
            opened.readers += 1
        try:
            yield opened
        finally:
            with self._change:
                opened.readers -= 1
                if opened.retired and opened.readers == 0:
                    opened.slide.close()
                self._change.notify_all()

    def close(self) -> None:
        with self._change:
            if self._closed:
                return
            self._closed = True
            self._change.wait_for(lambda: self._opened.readers == 0)
            self._opened.slide.close()

    def read(self, x: int, y: int, level: int, width: int, height: int) -> NDArray[np.uint8]:
        import openslide

        box = (x, y), level, (width, height)
        with self._reading() as opened:
            try:
                return to_rgb8(np.asarray(opened.slide.read_region(*box)))
            except openslide.OpenSlideError:
                # Another thread's read may have failed. Only a separate object can tell.
                return self._read_alone(opened, box)

    def _read_alone(self, failed: _Opened, box: tuple[Any, ...]) -> NDArray[np.uint8]:
        import openslide

        try:
            with self._change:
                if self._opened is failed:
                    self._opened = _Opened(self.path)
                    failed.retired = True
            with openslide.OpenSlide(str(self.path)) as alone:
                return to_rgb8(np.asarray(alone.read_region(*box)))
        except (openslide.OpenSlideError, MemoryError) as error:
            raise Undecodable(str(error)) from error


def open_file(path: Path) -> Slide:
    """Open a whole-slide image.

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
    try:
        with reading(path.name):
            return _opened(handle, path)
    except BaseException:
        handle.close()
        raise


def _opened(handle: _Handle, path: Path) -> Slide:
    from napari_pixcell.slides.backends import aperio

    slide = handle.slide
    factors = [float(factor) for factor in slide.level_downsamples]
    sizes = _number(slide, "openslide.mpp-x"), _number(slide, "openslide.mpp-y")
    mpp = plausible(*sizes)
    source = "the slide file" if mpp else ""
    pairs = [(factor, factor) for factor in factors]
    fast = aperio.levels(path, slide)
    if fast is not None:  # OpenSlide is needed only for the metadata
        levels, close, corrupt = fast
        handle.close()
    else:
        corrupt, close = CorruptTiles(path.name), handle.close
        levels = [_level(handle, i, factors[i], corrupt) for i in range(slide.level_count)]
    opened = Slide(path.name, levels, pairs, mpp, source, path, close=close, corrupt=corrupt)
    opened.note = not_square(*sizes)
    return opened


def _number(slide: Any, name: str) -> float | None:
    try:
        return float(slide.properties.get(name, ""))
    except ValueError:
        return None


def _level(handle: _Handle, index: int, factor: float, corrupt: CorruptTiles) -> TiledLevel:
    width, height = handle.slide.level_dimensions[index]
    get = handle.slide.properties.get
    tw = int(get(f"openslide.level[{index}].tile-width", 512))
    th = int(get(f"openslide.level[{index}].tile-height", 512))
    if not (64 <= tw <= 2048 and 64 <= th <= 2048):  # strips of some vendors span the slide
        tw = th = 512

    def fetch(row: int, column: int) -> NDArray[np.uint8]:
        x, y = column * tw, row * th
        w, h = min(tw, width - x), min(th, height - y)
        return handle.read(round(x * factor), round(y * factor), index, w, h)

    return TiledLevel((height, width), (th, tw), fetch, corrupt=corrupt, index=index)
