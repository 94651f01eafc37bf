"""The images that an OME-TIFF describes: which pages they are, their names and pixel sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from napari_pixcell.slides.pixel_size import ome_sizes

MOST_XML = 64 * 2**20
MOST_CHANNELS = 64


@dataclass(frozen=True)
class OmeImage:
    """One image of an OME-TIFF, with its pages in this file."""

    name: str
    pages: tuple[int, ...]  # one for each channel, of the first plane of depth and time
    planes: int  # of depth and time
    channels: tuple[str, ...]  # names; one channel may hold several samples
    bits: int | None  # bits of a sample that are used
    sizes: tuple[float | None, float | None]  # µm per pixel in x and y


def ome_images(xml: str, file_name: str) -> list[OmeImage]:
    """Return the images whose pages lie in the file itself; none if the XML is not readable."""
    try:
        root = ElementTree.fromstring(xml) if len(xml) <= MOST_XML else None
    except ElementTree.ParseError:
        root = None
    if root is None:
        return []
    found = []
    for image in root.findall("{*}Image"):
        pixels = image.find("{*}Pixels")
        pages = {} if pixels is None else _pages(pixels, root.get("UUID"), file_name)
        if pixels is not None and 0 in pages:
            found.append(_image(image, pixels, pages))
    return found


def _image(image: Any, pixels: Any, pages: dict[int, int]) -> OmeImage:
    channels = pixels.findall("{*}Channel")
    samples = max((_number(one, "SamplesPerPixel", 1) for one in channels), default=1)
    count = min(_number(pixels, "SizeC", 1), MOST_CHANNELS)
    names = [str(one.get("Name") or "") for one in channels[:MOST_CHANNELS]]
    if samples == 1:
        names += [""] * (count - len(names))
    return OmeImage(
        str(image.get("Name") or ""),
        tuple(pages[c] for c in range(len(pages)) if c in pages),
        _number(pixels, "SizeZ", 1) * _number(pixels, "SizeT", 1),
        tuple(names),
        _number(pixels, "SignificantBits", 0) or None,
        ome_sizes(pixels),
    )


def _pages(pixels: Any, uuid: str | None, file_name: str) -> dict[int, int]:
    """Return the page of each channel's first plane that lies in the file itself."""
    pages: dict[int, int] = {}
    for place in pixels.findall("{*}TiffData"):
        other = place.find("{*}UUID")
        text, name = (None, None) if other is None else (other.text, other.get("FileName"))
        here = other is None or (uuid is not None and text == uuid)
        here = here or (uuid is None and (name or "").lower() == file_name.lower())
        if not here or _number(place, "FirstZ", 0) or _number(place, "FirstT", 0):
            continue
        first, channel = _number(place, "IFD", 0), _number(place, "FirstC", 0)
        count = _number(place, "PlaneCount", 1 if place.get("IFD") else MOST_CHANNELS)
        for step in range(min(count, MOST_CHANNELS)):
            pages.setdefault(channel + step, first + step)
    return pages


def _number(element: Any, name: str, default: int) -> int:
    try:
        value = int(element.get(name, default))
    except ValueError:
        return default
    return value if 0 <= value < 2**31 else default
