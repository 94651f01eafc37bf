"""From an RGB image layer to a slide."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Layer

from napari_pixcell.slides import ArraySlide, Slide

ROLE = "napari_pixcell_role"


def role(layer: Layer) -> str:
    """Say what one of our layers is for; empty for all others."""
    return str(layer.metadata.get(ROLE, ""))


def is_slide(layer: Layer | None) -> bool:
    """Whether a layer can be worked on: a two-dimensional RGB image that is not ours."""
    return isinstance(layer, Image) and bool(layer.rgb) and layer.ndim == 2 and not role(layer)


def um_per_unit(layer: Layer) -> float | None:
    """How many µm the layer's own unit is; None where it is only pixels."""
    try:
        return float((1 * layer.units[-1]).to("micrometer").magnitude)
    except Exception:  # pint's errors differ between versions; pixels have no length
        return None


def slide_of(layer: Layer) -> Slide:
    """Give the slide that a layer shows."""
    known: dict[str, Any] = layer.metadata.get("napari_pixcell") or {}
    if isinstance(known.get("slide"), Slide):
        return known["slide"]
    unit = um_per_unit(layer)
    levels = list(layer.data) if layer.multiscale else [layer.data]
    return ArraySlide(levels, unit * float(layer.scale[-1]) if unit else None, layer.name)


def origin(layer: Layer) -> tuple[float, float]:
    """Where the layer's first pixel lies, (y, x) in µm."""
    unit = um_per_unit(layer) or 1.0
    y, x = layer.translate[-2:]
    return float(y) * unit, float(x) * unit


def calibrate(layer: Layer, slide: Slide) -> None:
    """Give a layer the pixel size that the user told us."""
    layer.scale = (slide.mpp, slide.mpp)
    layer.translate = (0.0, 0.0)
    layer.units = ("micrometer", "micrometer")
    known = dict(layer.metadata.get("napari_pixcell") or {})
    layer.metadata["napari_pixcell"] = known | {"slide": slide, "mpp": slide.mpp}
