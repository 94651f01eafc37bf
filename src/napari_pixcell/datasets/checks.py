"""How pairs are checked, as values: which scores there are, and below which a pair is flagged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.errors import PixCellError

# Names of the scores, and what they say; a score that does not apply to a pair is None.
SCORES = {
    "dice": "overlap of the mask with the cells that are found in the image (Dice)",
    "kappa": "the same beyond chance, which is 0 (Cohen's kappa of the pixels)",
    "aji": "overlap cell by cell: aggregated Jaccard index",
    "pq": "the same cell by cell: panoptic quality",
    "count": "cells found in the image for each of the mask",
    "style": "how alike its own style is to the one asked for (cosine beyond what tissue shares)",
    "copy_style": "how alike the nearest real tile's style is to its own (cosine)",
    "copy_pixels": "how alike the nearest real tile is, pixel by pixel (correlation)",
    "colour": "distance of its mean colour from the style's (ΔE)",
    "sharpness": "its sharpness for that of the style",
    "contrast": "how much its lightness varies (standard deviation of L*)",
    "saturated": "part of its pixels that are at the end of the scale",
}
FLAGS = {
    "mask": "does not follow its mask",
    "style": "does not keep its style",
    "copy": "too close to a real tile",
    "colour": "its colours drift",
    "blur": "blurred",
    "failed": "blank, saturated or no picture",
}


@dataclass(frozen=True)
class Checks:
    """Thresholds of the checks; a pair beyond one of them is flagged, and kept apart.

    The defaults were chosen by measurement on the demo family, see ``benchmarks/quality.py``.

    Parameters
    ----------
    least_dice, least_kappa, least_style, least_sharpness, least_contrast
        Below which a pair is flagged. See :data:`SCORES`; None switches a check off.
    most_copy_style, most_copy_pixels, most_colour, most_saturated
        Above which it is. ``most_copy_pixels`` is an upper bound: real tiles that are less alike
        than that set the limit themselves.
    segmenter : SegmentMethod
        What looks for cells in the images; named in the dataset. Where the built-in method finds
        too little by it, it looks once more with the highest sensitivity.

    Raises
    ------
    PixCellError
        If a threshold is no number.
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
    segmenter: SegmentMethod = field(default_factory=SegmentMethod)

    def __post_init__(self) -> None:
        """Refuse thresholds that are no numbers."""
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "segmenter" or value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise PixCellError(
                    f"The threshold {one.name} is “{value}”; give a number, or null for no check."
                )

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {**asdict(self), "segmenter": self.segmenter.to_dict()}

    def without_path(self) -> Checks:
        """Give the same checks, with the name of the segmenter's model and not its path."""
        return replace(self, segmenter=replace(self.segmenter, model=self.segmenter.model_name))

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Checks:
        """Read what :meth:`to_dict` gave; what is left out has its default."""
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(value) - known)
        if unknown:
            raise PixCellError(
                f"There is no check “{unknown[0]}”; choose from: {', '.join(sorted(known))}."
            )
        given = dict(value)
        if "segmenter" in given:
            given["segmenter"] = SegmentMethod(**given["segmenter"])
        return cls(**given)
