"""Requests of the public API that generate images, built from checked arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.api.layouts import Layout
from napari_pixcell.api.slides import check_rgb
from napari_pixcell.api.styles import check_style, shares
from napari_pixcell.api.variants import PublicVariant
from napari_pixcell.api.warning import warn
from napari_pixcell.cells.layout import in_px
from napari_pixcell.engine.chosen_region import ChosenRegion, stain_of_region
from napari_pixcell.engine.colour_match import OFF, colour_match, colour_setting
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.reproducing import ReproduceRequest
from napari_pixcell.engine.request_values import GenerateRequest, Source, check_published
from napari_pixcell.engine.requests import (
    STAIN_STRENGTH,
    GenerationSettings,
    StartImage,
    generate_request,
    read_tissue,
    source_of,
    stain_warning,
    tile_size,
)
from napari_pixcell.engine.start_image import STRENGTH, feather_px
from napari_pixcell.engine.styles.blending import for_family
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.engine.tissue import slide_signature
from napari_pixcell.engine.withheld_start import with_start
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import find_stain
from napari_pixcell.models.store import encoder_kind, require

SAME_MPP = 0.005  # relative difference of pixel sizes that are taken as equal


# -- variants ------------------------------------------------------------------------------


def variants_request(
    family: Family,
    style: Style | None,
    layout: Layout | None,
    settings: GenerationSettings,
    *,
    place: ChosenRegion | None,
    size: tuple[int, int] | None,
    colours: str | None,
    start: StartImage | None,
    repair: int | Repair | None,
    name: str,
) -> GenerateRequest:
    """Return the request of variants.

    Parameters
    ----------
    place : ChosenRegion, optional
        Region that the variants belong to.
    start : StartImage, optional
        See :func:`start_image`.
    style, layout, size, colours, repair, name
        See :meth:`Engine.generate`.

    Raises
    ------
    PixCellError
        If the parts do not fit each other, or a value is out of range.
    """
    check_published(get_preset(settings.preset), start)
    setting = colour_setting(colours, family, settings.preset)
    wanted = _size(family, layout, place, size)
    if style is not None:
        _check_style_fits(style, family)
        if colours == setting != OFF and style.colours is None:
            warn(f"The colours are not matched, because the tissue of “{style.name}” is unknown.")
    if repair is not None and layout is None:
        raise PixCellError("A repair compares nuclei with a layout. Pass one, or no repair.")
    request = generate_request(
        family,
        settings,
        size=wanted,
        embedding=None if style is None else for_family(style.embedding, family),
        layout=None if layout is None else layout.labels,
        classes=None if layout is None else layout.classes,
        source=replace(
            _source(place, layout, name),
            style=() if style is None else shares(style),
            slide="" if place is None or start is None else slide_signature(place.slide),
        ),
        start=start,
        colour_match=colour_match(setting, None if style is None else style.colours),
    )
    if repair is not None and not isinstance(repair, Repair):
        repair = Repair(repair)
    return replace(request, repair=repair)


def start_image(
    mpp: float,
    image: NDArray[np.uint8] | None,
    strength: float | None,
    part: NDArray[Any] | None,
    feather: float | None,
) -> StartImage | None:
    """Return the start image of a generation, or None.

    Parameters
    ----------
    mpp : float
        Pixel size of the family in µm.
    image, strength, part, feather
        See :meth:`Engine.generate`.

    Raises
    ------
    PixCellError
        If there are settings without an image, or one is out of range.
    """
    if image is None:
        for name, value in (("strength", strength), ("part", part), ("feather", feather)):
            if value is not None:
                raise PixCellError(
                    f"{name} needs an image to start from. Pass start=, or omit {name}."
                )
        return None
    check_rgb(image, "start image")
    strength = STRENGTH if strength is None else strength
    start = StartImage(image=PackedArray.pack(image), strength=strength)
    if part is None:
        if feather is not None:
            raise PixCellError("feather blends around a part. Pass part=, or omit feather.")
        return start
    mask = PackedArray.pack(np.asarray(part) != 0)
    return replace(start, part=mask, feather=feather_px(feather, mpp))


def _size(
    family: Family, layout: Layout | None, place: ChosenRegion | None, size: tuple[int, int] | None
) -> tuple[int, int]:
    """Return height and width of the variants, in px."""
    if size is not None and (layout is not None or place is not None):
        raise PixCellError("The size is that of the layout or region. Omit size.")
    if layout is None:
        wanted = size or (tile_size(family) if place is None else place.size)
        try:
            height, width = (int(side) for side in wanted)
        except (TypeError, ValueError):
            raise PixCellError(f"The size is {size!r}. Use (height, width) in px.") from None
        return height, width
    _check_takes_layout(family, "family")
    return _checked_layout(layout, family, None if place is None else place.size)


def _check_takes_layout(family: Family, kind: str) -> None:
    if not family.takes_layout:
        raise PixCellError(
            f"{family.title} does not support layouts. Omit it, or choose another {kind}."
        )


def _checked_layout(
    layout: object, family: Family, size: tuple[int, int] | None
) -> tuple[int, int]:
    """Return the (height, width) of a layout in px, if it fits the family and the region."""
    if not isinstance(layout, Layout):
        raise PixCellError(
            f"A layout is expected, not {type(layout).__name__}. Use engine.segment, or "
            "pixcell.Layout(labels, mpp)."
        )
    if abs(layout.mpp - family.mpp) > SAME_MPP * family.mpp:
        raise PixCellError(
            f"The layout has {layout.mpp:g} µm/px, but {family.title} works at {family.mpp:g} "
            f"µm/px. Use layout.resampled({family.mpp:g})."
        )
    if size is not None and layout.shape != size:
        raise PixCellError(
            f"The layout is {in_px(layout.shape)} but the region needs {in_px(size)}. Use a layout "
            "of the same region."
        )
    return layout.shape


def _check_style_fits(style: Style, family: Family) -> None:
    check_style(style)
    if problem := style.why_not(family, encoder_kind(family)):
        raise PixCellError(problem)


def _source(place: ChosenRegion | None, layout: Layout | None, name: str) -> Source:
    """Return where variants come from, for their records."""
    made = None if layout is None else layout.source
    if place is not None:
        return replace(place.source, layout=made)
    if layout is None:
        return source_of(name, None, None)
    return source_of(name, layout.region, layout.slide_mpp, layout=made)


# -- virtual stains ------------------------------------------------------------------------


def installed_stain(
    name: str, *, layout: Layout | None, keep: float | None, invert: bool | None, published: bool
) -> Family:
    """Return a stain that can be made so. Parameters: :meth:`Engine.stain`.

    Raises
    ------
    PixCellError
        If there is none, it is not installed, or the settings do not fit each other or the stain.
    """
    family = find_stain(name)
    if published and (keep is not None or invert):
        raise PixCellError("The published method starts from noise. Omit keep and invert.")
    if keep is not None:
        check_range("part of the tissue to keep", keep, 0, 1)
    if layout is not None:
        _check_takes_layout(family, "stain")
    for part in family.parts:
        require(family, part)
    return family


def stained_tissue(chosen: ChosenRegion, layout: Layout | None) -> NDArray[np.uint8]:
    """Return the tissue of a region that is to be stained, and warn if it is IHC already.

    Raises
    ------
    PixCellError
        If the layout does not fit the region.
    """
    if layout is not None:
        _checked_layout(layout, chosen.family, chosen.size)
    pixels = read_tissue(chosen.slide, chosen.region, chosen.family)
    warn(stain_warning(pixels))
    return pixels


def stain_request(
    chosen: ChosenRegion,
    pixels: NDArray[np.uint8],
    embedding: NDArray[np.float32],
    *,
    layout: Layout | None,
    keep: float | None,
    invert: bool | None,
    published: bool,
    seed: int,
    steps: int | None,
) -> GenerateRequest:
    """Return the request of a virtual stain.

    Parameters
    ----------
    pixels : array, uint8, (height, width, 3)
        See :func:`stained_tissue`.
    layout, keep, invert, published, seed, steps
        See :meth:`Engine.stain`.
    """
    kept = 0.0 if published else 1 - STAIN_STRENGTH if keep is None else keep
    return stain_of_region(
        chosen,
        pixels,
        embedding,
        strength=1 - kept,
        invert=invert,
        seed=seed,
        steps=steps,
        layout=False if layout is None else layout.labels,
        classes={} if layout is None else layout.classes,
        published=published,
    )


# -- records -------------------------------------------------------------------------------


def reproduce_request(
    record: Record | PublicVariant | str | Path, slide: str | Path | None
) -> ReproduceRequest:
    """Return the request of a variant that is known. Parameters: :meth:`Engine.reproduce`."""
    from napari_pixcell.datasets import read_record

    if isinstance(record, PublicVariant):
        record = record.record
    elif isinstance(record, str | Path):
        record = read_record(record)
    return ReproduceRequest(record if slide is None else with_start(record, Path(slide)))
