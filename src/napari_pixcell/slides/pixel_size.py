"""Pixel sizes: as files state them, checked for plausibility, and as users entered them."""

from __future__ import annotations

import contextlib
import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import config_folder
from napari_pixcell.preferences import as_number, read_settings, set_aside_damaged, warned
from napari_pixcell.slides.content import content_key, ends_key

SMALLEST, LARGEST = 0.05, 10.0  # µm per pixel; 72 and 96 dpi would be 353 and 265
UM = dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer"), 1.0)
UM |= {"m": 1e6, "cm": 1e4, "mm": 1e3, "nm": 1e-3, "pm": 1e-6, "å": 1e-4}
UM |= {"in": 25400.0, "inch": 25400.0}


def plausible(x: float | None, y: float | None) -> float | None:
    """Return one µm/px for both axes, or None if the values are implausible for a microscope."""
    if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
        return None
    inside = SMALLEST <= x <= LARGEST and SMALLEST <= y <= LARGEST
    return math.sqrt(x * y) if inside and abs(x - y) <= 0.05 * max(x, y) else None


def checked_mpp(mpp: float) -> float:
    """Return a pixel size entered by a user, in µm/px.

    Raises
    ------
    PixCellError
        If it is implausible.
    """
    if not (math.isfinite(mpp) and SMALLEST <= mpp <= LARGEST):
        raise PixCellError(
            f"A pixel size of {mpp:g} µm is not plausible. Enter one between {SMALLEST:g} and "
            f"{LARGEST:g} µm per pixel."
        )
    return float(mpp)


def in_um(value: float, unit: str | None) -> float | None:
    """Return a length in µm, or None if the unit is unknown."""
    unit = re.sub(r"\\u00b5", "µ", (unit or "").strip(), flags=re.IGNORECASE)
    factor = UM.get(unit.lower())
    return None if factor is None else value * factor


def from_ome(xml: str, image: int = 0) -> float | None:
    """Return the µm/px of the n-th image in OME-XML, or None; the default unit is µm."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    images = root.findall(".//{*}Pixels")
    return plausible(*ome_sizes(images[image])) if image < len(images) else None


def ome_sizes(pixels: ElementTree.Element) -> tuple[float | None, float | None]:
    """Return the µm/px in x and y of an OME ``Pixels`` element, each None if unknown."""
    sizes: list[float | None] = []
    for axis in "XY":
        text = pixels.get(f"PhysicalSize{axis}")
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        try:
            sizes.append(None if text is None else in_um(float(text), unit))
        except ValueError:
            sizes.append(None)
    return sizes[0], sizes[1]


def from_resolution(x: float, y: float, unit: str | None) -> float | None:
    """Return µm/px from a resolution in pixels per ``unit``, or None."""
    return plausible(*resolution_sizes(x, y, unit))


def resolution_sizes(x: float, y: float, unit: str | None) -> tuple[float | None, float | None]:
    """Return the µm/px in x and y from a resolution in pixels per ``unit``, None if unknown."""
    um = in_um(1.0, unit)
    if um is None or not (x > 0 and y > 0):  # NaN is neither
        return None, None
    return um / x, um / y


def not_square(x: float | None, y: float | None) -> str:
    """Return what to tell if both sizes are plausible but differ; empty if they do not."""
    both = x is not None and y is not None and plausible(x, x) and plausible(y, y)
    if not both or plausible(x, y) is not None:
        return ""
    return f"its pixels are {x:g} × {y:g} µm, not square"


def remember_mpp(path: str | Path, mpp: float) -> None:
    """Remember the pixel size (µm/px) of a file, identified by its content, not its name.

    A settings folder that cannot be written is no error.
    """
    with contextlib.suppress(OSError):
        store = _store()
        sizes, problem = read_settings(store)
        private_folder(store.parent)
        set_aside_damaged(store, problem)
        sizes[content_key(Path(path))] = checked_mpp(mpp)
        write_whole(store, json.dumps(sizes), private=True)


def remembered_mpp(path: str | Path, key: str | None = None) -> float | None:
    """Return the pixel size that the user once entered for this file, in µm/px, or None.

    Reading the file is not needed if its :func:`~napari_pixcell.slides.content.content_key` is
    known.
    """
    values = _remembered()
    if not values:
        return None
    found = values.get(key or content_key(Path(path)))
    return values.get(ends_key(Path(path))) if found is None else found  # of earlier versions


def _store() -> Path:
    return config_folder() / "pixel_sizes.json"


def _remembered() -> dict[str, float]:
    """Return the plausible pixel sizes; others were damaged, and are as if never entered."""
    values = warned(*read_settings(_store()))
    numbers = {key: as_number(value) for key, value in values.items()}
    return {
        key: number
        for key, number in numbers.items()
        if number is not None and SMALLEST <= number <= LARGEST
    }
