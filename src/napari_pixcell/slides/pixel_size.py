"""Pixel sizes as files state them, believed only where they can be true of a microscope."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from napari_pixcell.errors import PixCellError

SMALLEST, LARGEST = 0.05, 10.0  # µm per pixel; 72 and 96 dpi would be 353 and 265
UM = {
    "m": 1e6,
    "cm": 1e4,
    "mm": 1e3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "nm": 1e-3,
    "pm": 1e-6,
    "å": 1e-4,
    "in": 25400.0,
    "inch": 25400.0,
}


def plausible(x: float | None, y: float | None) -> float | None:
    """Give one µm/px for both axes, or None if the numbers can't be a microscope's."""
    if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
        return None
    inside = SMALLEST <= x <= LARGEST and SMALLEST <= y <= LARGEST
    return math.sqrt(x * y) if inside and abs(x - y) <= 0.05 * max(x, y) else None


def checked_mpp(mpp: float) -> float:
    """Refuse a pixel size typed by a user that can't be meant."""
    if not (math.isfinite(mpp) and SMALLEST <= mpp <= LARGEST):
        raise PixCellError(
            f"A pixel size of {mpp:g} µm cannot be right; give one between {SMALLEST:g} and "
            f"{LARGEST:g} µm per pixel."
        )
    return float(mpp)


def in_um(value: float, unit: str | None) -> float | None:
    """Convert a length to µm; None for an unknown unit."""
    unit = re.sub(r"\\u00b5", "µ", (unit or "").strip(), flags=re.IGNORECASE)
    factor = UM.get(unit.lower())
    return None if factor is None else value * factor


def from_ome(xml: str, image: int = 0) -> float | None:
    """Read PhysicalSizeX and Y of the n-th image from OME-XML; the default unit is µm."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    found = root.findall(".//{*}Pixels")
    if image >= len(found):
        return None
    sizes: list[float | None] = []
    for axis in "XY":
        text = found[image].get(f"PhysicalSize{axis}")
        unit = found[image].get(f"PhysicalSize{axis}Unit", "µm")
        try:
            sizes.append(None if text is None else in_um(float(text), unit))
        except ValueError:
            return None
    return plausible(*sizes)


def from_resolution(x: float, y: float, unit: str | None) -> float | None:
    """Read µm/px from pixels per ``unit``."""
    um = in_um(1.0, unit)
    if um is None or x <= 0 or y <= 0:
        return None
    return plausible(um / x, um / y)
