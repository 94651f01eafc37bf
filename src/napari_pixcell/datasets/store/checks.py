"""Quality scores, flags, and the thresholds between them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import from_json, to_json

# Scores by name, with what they measure. A score that does not apply to a pair is None.
SCORES = {
    "dice": "overlap of the mask with the cells segmented in the image (Dice)",
    "kappa": "the same beyond chance, which is 0 (Cohen's kappa of the pixels)",
    "aji": "overlap cell by cell: aggregated Jaccard index",
    "pq": "overlap cell by cell: panoptic quality",
    "count": "cells segmented in the image, divided by cells in the mask",
    "placed": "share of the mask's nuclei that the image shows in place",
    "partial": "share of the mask's nuclei that are cut, too small or too large in the image",
    "missing": "share of the mask's nuclei that the image lacks",
    "extra": "nuclei of the image where the mask has none, divided by nuclei in the mask",
    "style": "similarity to the requested style (cosine beyond what all tissue shares)",
    "copy_style": "similarity in style to the nearest real tile (cosine)",
    "copy_pixels": "similarity in pixels to the nearest real tile (correlation)",
    "colour": "distance of the mean colour from that of the style (ΔE)",
    "sharpness": "sharpness, divided by that of the style",
    "contrast": "contrast (standard deviation of L*)",
    "saturated": "share of saturated pixels",
}
FLAGGED_BY = {  # the flag of each score that has a threshold
    "dice": "mask",
    "kappa": "mask",
    "placed": "mask",
    "style": "style",
    "copy_style": "copy",
    "copy_pixels": "copy",
    "colour": "colour",
    "sharpness": "blur",
    "contrast": "failed",
    "saturated": "failed",
}
FLAGS = {
    "mask": "does not follow its mask",
    "style": "does not keep its style",
    "copy": "too close to a real tile",
    "colour": "colours drift from the style",
    "blur": "blurred",
    "failed": "blank, saturated or not a picture",
}

BAD_WHEN_HIGH = ("partial", "missing", "extra", "copy_style", "copy_pixels", "colour", "saturated")
LARGEST = 1e6  # threshold


@dataclass(frozen=True)
class Limit:
    """A threshold: scores must be at ``least`` as large, or else at most."""

    value: float
    least: bool

    @property
    def words(self) -> str:
        """The limit in words."""
        return f"at {'least' if self.least else 'most'} {self.value:.4g}"

    def beyond(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return True for values on its wrong side."""
        limit = values.dtype.type(self.value)
        return np.asarray(values < limit if self.least else values > limit)


@dataclass(frozen=True)
class Checks:
    """Thresholds of the checks. A pair beyond one of them is flagged and set apart.

    The defaults were measured on the demo family, see ``benchmarks/quality.py``.

    Parameters
    ----------
    least_dice, least_kappa, least_placed, least_style, least_sharpness, least_contrast
        Scores below these are flagged, see :data:`SCORES`; None switches a check off.
    most_copy_style, most_copy_pixels, most_colour, most_saturated
        Scores above these are flagged. ``most_copy_pixels`` is an upper bound: if the real tiles
        are less alike, they set the limit.
    segmenter : SegmentMethod
        Segments the cells in the images; stored with the dataset. If the built-in method finds too
        few, it runs again at its highest sensitivity.

    Raises
    ------
    PixCellError
        If a threshold is not a number.
    """

    least_dice: float | None = None
    least_kappa: float | None = 0.4
    least_style: float | None = 0.15
    most_copy_style: float | None = None
    most_copy_pixels: float | None = 0.85
    most_colour: float | None = 10.0
    least_sharpness: float | None = 0.1
    least_contrast: float | None = 1.5
    most_saturated: float | None = 0.6
    least_placed: float | None = 0.4
    segmenter: SegmentMethod = field(default_factory=SegmentMethod)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "segmenter" or value is None:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not abs(value) <= LARGEST:  # also not for NaN
                raise PixCellError(
                    f"The threshold {one.name} is “{str(value)[:60]}”. Enter a number, or null for "
                    "no check."
                )

    def limit(self, score: str) -> Limit | None:
        """Return the threshold of a score, or None if it has none or its check is off."""
        for kind in ("least", "most"):
            value = getattr(self, f"{kind}_{score}", None)
            if value is not None:
                return Limit(float(value), kind == "least")
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)

    def without_path(self) -> Checks:
        """Return the same checks with only the file name of the segmenter's model."""
        return replace(self, segmenter=replace(self.segmenter, model=self.segmenter.model_name))

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Checks:
        """Read what :meth:`to_dict` returned, or what a user wrote; omitted ones get defaults."""
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(value) - known)
        if unknown:
            raise PixCellError(
                f"There is no check “{unknown[0]}”. Choose from: {', '.join(sorted(known))}."
            )
        given = dict(value)
        if "segmenter" in given:
            given["segmenter"] = from_json(
                SegmentMethod,
                given["segmenter"],
                "The segmenter of the checks is not valid ({detail}). "
                "See docs/explanation/checks.md.",
            )
        return cls(**given)
