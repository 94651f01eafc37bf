"""Image layers as slides, and the roles of the session's own layers."""

from __future__ import annotations

from napari.layers import Image, Layer

from napari_pixcell.slides import ArraySlide, Slide

ROLE = "napari_pixcell_role"


def role(layer: Layer) -> str:
    """Return the role of a session's layer, or an empty string for other layers."""
    return str(layer.metadata.get(ROLE, ""))


def is_slide(layer: Layer | None) -> bool:
    """Return True for a two-dimensional RGB image that is not a session's own."""
    return isinstance(layer, Image) and bool(layer.rgb) and layer.ndim == 2 and not role(layer)


def um_per_unit(layer: Layer) -> float | None:
    """Return the length of the layer's unit in µm, or None if the unit is the pixel."""
    try:
        return float((1 * layer.units[-1]).to("micrometer").magnitude)
    except Exception:  # pint's errors differ between versions
        return None


def slide_of(layer: Layer) -> Slide:
    """Return the slide that a layer shows."""
    known = (layer.metadata.get("napari_pixcell") or {}).get("slide")
    if isinstance(known, Slide):
        return known
    unit = um_per_unit(layer)
    levels = list(layer.data) if layer.multiscale else [layer.data]
    return ArraySlide(levels, unit * float(layer.scale[-1]) if unit else None, layer.name)


def origin(layer: Layer) -> tuple[float, float]:
    """Return the position of the layer's first pixel, (y, x) in µm."""
    unit = um_per_unit(layer) or 1.0
    y, x = layer.translate[-2:]
    return float(y) * unit, float(x) * unit


def calibrate(layer: Layer, slide: Slide) -> None:
    """Set the pixel size of a layer to that of its slide."""
    layer.scale = (slide.mpp, slide.mpp)
    layer.translate = (0.0, 0.0)
    layer.units = ("micrometer", "micrometer")
    known = dict(layer.metadata.get("napari_pixcell") or {})
    layer.metadata["napari_pixcell"] = known | {"slide": slide, "mpp": slide.mpp}
