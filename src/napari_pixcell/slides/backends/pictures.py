"""Which picture of a TIFF is the slide: never its label, its macro or a thumbnail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_pixcell.slides.backends.colours import is_colour, is_grey
from napari_pixcell.slides.backends.ome import OmeImage, ome_images
from napari_pixcell.slides.corrupt import NoTissueImage, damaged, unsupported

_KINDS = r"(?:label|macro|thumbnail|overview|barcode|preview)"
_NAMED = re.compile(rf"(?:^|[\W_]){_KINDS}(?:[\W_]|$)", re.IGNORECASE)
_TITLED = re.compile(rf"\s*(?:slide )?{_KINDS}\b|.*<ImageType>{_KINDS}<", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"(?:channel|ch|c|image)?[\s:_-]*\d*(?::\d+)?", re.IGNORECASE)
_COLOURS = (("red", "green", "blue"), ("r", "g", "b"))
MACRO = 8  # flag of NewSubfileType
MOST_PAGES = 200  # more are a stack
Pages = list[Any]


@dataclass
class Picture:
    """One picture of a TIFF.

    Attributes
    ----------
    levels : list of list of page
        Finest first: one colour page, or three grey ones.
    sure : list of bool
        Whether the file itself says that a level belongs to the picture.
    """

    levels: list[Pages]
    sure: list[bool]
    name: str = ""
    planes: int = 1
    sizes: tuple[float | None, float | None] = (None, None)  # µm per pixel
    bits: int | None = None
    must_be_bright: bool = False
    colour: bool = True

    @property
    def page(self) -> Any:
        """The first page of the finest level."""
        return self.levels[0][0]

    @property
    def area(self) -> int:
        """Pixels of the finest level."""
        return int(self.page.imagelength * self.page.imagewidth)

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The scan has a pixel size and tiles; labels and macros are photographs without."""
        return None not in self.sizes, bool(self.page.is_tiled), self.area


def no_colour(name: str) -> NoTissueImage:
    """Return the error for a TIFF that holds no RGB image."""
    return NoTissueImage(
        f"“{name}” is not an RGB image, so it cannot be opened as a slide. Import a label image as "
        "a layout instead."
    )


def chosen_picture(file: Any, name: str) -> Picture:
    """Return the picture of an open TIFF that is the slide.

    Raises
    ------
    PixCellError
        If it has none, or only photographs or thumbnails of one.
    """
    pictures = _of_ome(file, name) or _of_pages(file)
    colour = [one for one in pictures if one.colour]
    others = [one for one in pictures if not one.colour]
    if not pictures:
        raise damaged(name)
    if not colour:
        raise no_colour(name)
    alone = len(pictures) == 1
    scans = [one for one in colour if not _is_named(one) or (alone and one.page.is_tiled)]
    best = max(scans, key=lambda one: one.rank) if scans else colour[0]
    scan_is_grey = any(
        one.area > best.area or (one.page.is_tiled and not best.page.is_tiled) for one in others
    )
    if not scans or (scan_is_grey and others):
        what = "is not a brightfield scan: its colour pictures are" if others else "holds only"
        raise unsupported(
            name, f"{what} a label, a macro or a thumbnail", "Choose a brightfield slide."
        )
    if best.planes > 1:
        raise unsupported(
            name,
            f"is a stack of {best.planes} colour pictures",
            "Export one of its planes and open that.",
        )
    return best


def _is_named(picture: Picture) -> bool:
    """Whether a picture is called a label, a macro or a thumbnail, or flagged as one."""
    return bool(_NAMED.search(picture.name)) or _is_titled(picture.page)


def _is_titled(page: Any) -> bool:
    lines = str(page.description or "").splitlines()
    tags = page.tags
    page_name = str(tags[285].value) if 285 in tags else ""
    text = "\n".join(lines[:40])
    flagged = bool(int(page.subfiletype) & MACRO)
    titles = [*lines[:2], page_name]
    return flagged or any(_TITLED.match(title) for title in titles) or bool(_TITLED.match(text))


# -- OME --------------------------------------------------------------------------------------


def _of_ome(file: Any, name: str) -> list[Picture]:
    if not file.is_ome:
        return []
    count, found = len(file.pages), []
    for image in ome_images(file.ome_metadata or "", name):
        if all(page < count for page in image.pages[:1]):
            found.append(_ome_picture(file, image, count))
    return found


def _ome_picture(file: Any, image: OmeImage, count: int) -> Picture:
    pages = [file.pages[image.pages[0]]]
    bright, colour = False, is_colour(pages[0])
    names = [name.strip().lower() for name in image.channels]
    three = len(names) == len(image.pages[:3]) == 3 and max(image.pages[:3]) < count
    if not colour and three:
        grey = [file.pages[index] for index in image.pages[:3]]
        told = next((order for order in _COLOURS if sorted(order) == sorted(names)), None)
        plain = all(_PLAIN.fullmatch(name) for name in names)
        if all(map(is_grey, grey)) and len({page.shape for page in grey}) == 1:
            colour, bright = told is not None or plain, told is None
            pages = grey if told is None else [grey[names.index(one)] for one in told]
    levels = _levels(pages)
    sure = [True] * len(levels)
    return Picture(levels, sure, image.name, image.planes, image.sizes, image.bits, bright, colour)


def _levels(pages: Pages) -> list[Pages]:
    """Return the levels of a picture that lie in its sub-directories."""
    found = [pages]
    below = [list(page.pages or []) if page.subifds else [] for page in pages]
    for level in zip(*below, strict=False):
        alike = all(_is_alike(one, first) for one, first in zip(level, pages, strict=True))
        if alike and len({one.shape for one in level}) == 1 and _is_smaller(level[0], found[-1][0]):
            found.append(list(level))
    return found


def _is_alike(page: Any, first: Any) -> bool:
    same = page.dtype == first.dtype and page.samplesperpixel == first.samplesperpixel
    return same and is_colour(page) == is_colour(first) and is_grey(page) == is_grey(first)


def _is_smaller(page: Any, finer: Any) -> bool:
    return bool(page.imagewidth < finer.imagewidth and page.imagelength < finer.imagelength)


# -- any other TIFF ---------------------------------------------------------------------------


def _of_pages(file: Any) -> list[Picture]:
    pages = [file.pages[index] for index in range(min(len(file.pages), MOST_PAGES))]
    pages = [page for page in pages if page.dtype is not None and page.imagewidth]
    three = _three_channels(file, pages)
    if three is not None:
        return [three]
    found: list[Picture] = []
    for page in sorted(pages, key=lambda page: -page.imagewidth * page.imagelength):
        levels = _levels([page])
        if not is_colour(page) or _is_titled(page):
            found.append(Picture(levels, [True] * len(levels), colour=is_colour(page)))
            continue
        first = next((one for one in found if _belongs(page, one)), None)
        if first is None:
            found.append(Picture(levels, [True] * len(levels)))
        elif _is_smaller(page, first.levels[-1][0]):
            first.levels.append([page])
            first.sure.append(False)
        elif len(first.levels) == 1:
            first.planes += 1
    if file.is_imagej and len(found) == 1 and found[0].colour:
        images = re.search(r"^images=(\d{1,9})$", str(pages[0].description), re.MULTILINE)
        found[0].planes = max(found[0].planes, int(images[1]) if images else 1)
    return found


def _belongs(page: Any, picture: Picture) -> bool:
    """Whether a page has the shape of a level of a picture, or of another plane of it."""
    first = picture.page
    if not picture.colour or _is_titled(first) or not _is_alike(page, first):
        return False
    if page.is_tiled != first.is_tiled and page.imagewidth * 2 < first.imagewidth:
        return False  # a thumbnail in strips
    wide = first.imagewidth * page.imagelength / first.imagelength
    return bool(abs(wide - page.imagewidth) <= max(2, 0.02 * page.imagewidth))


def _three_channels(file: Any, pages: Sequence[Any]) -> Picture | None:
    """Return three grey pages that say of themselves that they are channels."""
    text = str(pages[0].description) if pages else ""
    told = '"axes": "CYX"' in text or (file.is_imagej and re.search(r"^channels=3$", text, re.M))
    same = len(pages) == 3 and all(map(is_grey, pages)) and len({p.shape for p in pages}) == 1
    if not told or not same:
        return None
    return Picture([list(pages)], [True], must_be_bright=True)
