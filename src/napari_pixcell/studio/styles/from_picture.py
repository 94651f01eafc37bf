"""Styles made of pictures: what is opened, and how it is embedded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.events import Event, Failure, Finished, is_last
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.style import small_picture
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family, get_family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import ArraySlide, Slide
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.importing import holds_cells
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.styles.embedder import Embedder, EmbedJob

MOST_TILES = 1024  # of a picture that is a style as a whole: 8,192 px a side at 256 px a tile
PREVIEW = 256  # px of the picture that a thumbnail is made from


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture that is to be a style: the whole of ``slide``."""

    slide: Slide
    note: str = ""

    @property
    def region(self) -> Region:
        """All of it."""
        height, width = self.slide.shape
        return Region(0, 0, width, height)

    def thumbnail(self) -> NDArray[np.uint8]:
        """Give a small picture of it."""
        return thumbnail_of(self.slide, self.region)


def thumbnail_of(slide: Slide, region: Region) -> NDArray[np.uint8]:
    """Give a small picture of a region: uint8, (height, width, 3)."""
    mpp = slide.require_mpp() * max(1.0, max(region.width, region.height) / PREVIEW)
    return small_picture(slide.read(region, mpp))


@dataclass(eq=False)
class StyleMaking:
    """A style that is being made.

    Parameters
    ----------
    name : str
        What it will be called.
    number : int
        Of the region that is to look like it; 0 for none.
    """

    name: str
    number: int = 0
    job: EmbedJob | None = None
    cancelled: bool = False
    thumbnail: NDArray[np.uint8] | None = None
    note: str = ""

    def sentence(self) -> str:
        """Say how far it is."""
        if self.cancelled:
            return "Cancelling…"
        return f"{self.name}: {self.job.sentence() if self.job is not None else 'reading…'}"

    def cancel(self, embedder: Embedder) -> None:
        """Stop before the next tiles."""
        self.cancelled = True
        if self.job is not None:
            embedder.cancel(self.job)


def open_picture(path: Path, family: Family, mpp: float | None = None) -> Opened:
    """Open a file that is a picture of tissue; where nothing says otherwise at the family's mpp.

    Raises
    ------
    PixCellError
        If it is none, or smaller than a tile, or far larger than what one style is of.
    """
    from napari_pixcell.slides import open_slide

    if holds_cells(path):
        raise PixCellError(
            f"“{path.name}” has no colours or holds cells; choose an RGB picture of tissue, or "
            "import cells in the Layout section."
        )
    slide, note = open_slide(path, mpp), ""
    try:
        if slide.mpp is None:
            slide = slide.with_mpp(family.mpp)
            note = (
                f"“{path.name}” does not say its pixel size; it was taken for {family.mpp:g} µm/px."
            )
        _check_size(f"“{path.name}”", slide, family)
    except PixCellError:
        slide.close()
        raise
    return Opened(slide, note)


def open_variant(result: Result, family: Family) -> Opened:
    """Take a variant as the picture of a style."""
    mpp = get_family(result.record.request.family).mpp
    slide = ArraySlide([result.image], mpp, result.name)
    _check_size("This variant", slide, family)
    return Opened(slide)


def _check_size(what: str, slide: Slide, family: Family) -> None:
    height, width = slide.shape
    scale = slide.require_mpp() / family.mpp
    side = math.ceil(family.tile / scale)
    if min(height, width) * scale < family.tile - 0.5:
        raise PixCellError(
            f"{what} is {width} × {height} px, smaller than one tile of {family.title} "
            f"({side} × {side} px at {slide.mpp:.3g} µm/px); choose a larger picture."
        )
    tiles = height * width * scale**2 / (family.tile // family.grid) ** 2
    if tiles > MOST_TILES:
        raise PixCellError(
            f"{what} is {width:,} × {height:,} px, too much for one style; open it as a slide and "
            "draw a region on the tissue that you mean."
        )


def begin(
    making: StyleMaking,
    open_it: Callable[[], Opened],
    family: Family,
    background: Background,
    embedder: Embedder,
    made: Callable[[PackedArray], None],
    ended: Callable[[str], None],
) -> None:
    """Open a picture and embed it; returns at once.

    Parameters
    ----------
    making : StyleMaking
        Gets its job, its thumbnail and what there is to say.
    open_it : callable
        Gives the picture; runs in a thread.
    family : Family
        Whose encoder.
    background, embedder : Background, Embedder
        Of the session.
    made : callable
        Gets the embedding.
    ended : callable
        Gets a sentence if it failed, or nothing if it was cancelled.
    """

    def work() -> tuple[Opened, NDArray[np.uint8]]:
        opened = open_it()
        return opened, opened.thumbnail()

    def embed(found: tuple[Opened, NDArray[np.uint8]]) -> None:
        opened, making.thumbnail = found
        making.note = opened.note
        embedding: list[PackedArray] = []

        def close(then: Callable[[], Any]) -> None:
            # In the thread that reads: after what it may still be reading.
            background.compute(opened.slide.close, lambda _: None, lambda _: None)
            then()

        def on_event(event: Event) -> None:
            if not is_last(event):
                return
            match event:
                case Failure():
                    close(lambda: ended(event.message))
                case Finished(cancelled=False) if embedding:
                    close(lambda: made(embedding[0]))
                case _:
                    close(lambda: ended(""))

        if making.cancelled:
            close(lambda: ended(""))
            return
        making.job = embedder.embed(
            opened.slide,
            opened.region,
            family,
            lambda _pixels: None,
            lambda style, _stored: embedding.append(style),
            on_event,
            lambda message: close(lambda: ended(message)),
        )

    background.compute(work, embed, ended)


__all__ = ["Opened", "StyleMaking", "begin", "open_picture", "open_variant"]
