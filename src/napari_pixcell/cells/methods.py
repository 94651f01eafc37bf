"""Segmentation settings and the source of a layout, as serialisable values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.serialization import OMIT_DEFAULT, from_json, to_json

METHODS = ("builtin", "cellpose")
CELLPOSE_MODEL = "cpsam_v2"


@dataclass(frozen=True)
class SegmentMethod:
    """Method and settings of a segmentation.

    Parameters
    ----------
    method : str
        ``builtin`` or ``cellpose``.
    model : str
        Cellpose model: a published name such as ``cpsam_v2``, or the path of a model file.
    diameter : float, optional
        Typical cell diameter for Cellpose, 3 to 200 µm. Default: cells of any size.
    flow_threshold : float
        Largest flow error of a cell in Cellpose; 0 accepts every cell.
    cellprob_threshold : float
        Cellpose logit above which a pixel belongs to a cell. Lower values give more and larger
        cells.
    sensitivity : float
        Sensitivity of the built-in method, from -1 (strong staining only) to 1 (any staining).
    smallest_um2 : float
        Cells with a smaller area, in µm², are left out.
    largest_um2 : float, optional
        Cells with a larger area, in µm², are left out. Default: no limit.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    method: str = METHODS[0]
    model: str = CELLPOSE_MODEL
    diameter: float | None = None
    flow_threshold: float = 0.4
    cellprob_threshold: float = 0.0
    sensitivity: float = 0.0
    smallest_um2: float = 0.0
    largest_um2: float | None = field(default=None, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise PixCellError(
                f"“{self.method}” is not a segmentation method. Choose one of: "
                f"{', '.join(METHODS)}."
            )
        if self.diameter is not None:
            check_range("cell diameter", self.diameter, 3, 200, " µm")
        check_range("flow threshold", self.flow_threshold, 0, 3)
        check_range("cell probability threshold", self.cellprob_threshold, -8, 8)
        check_range("sensitivity", self.sensitivity, -1, 1)
        if not 0 <= self.smallest_um2 < math.inf:
            raise PixCellError(
                f"The smallest cell area is {self.smallest_um2:g} µm². Choose 0 or more."
            )
        if self.largest_um2 is not None:
            self._check_largest(self.largest_um2)

    def _check_largest(self, largest: float) -> None:
        if not 0 < largest < math.inf:
            raise PixCellError(
                f"The largest cell area is {largest:g} µm². Choose more than 0, or omit it."
            )
        if largest <= self.smallest_um2:
            raise PixCellError(
                f"The largest cell area is {largest:g} µm², but the smallest is "
                f"{self.smallest_um2:g} µm². Choose a larger one."
            )

    def check_area(self, shape: tuple[int, ...], mpp: float) -> None:
        """Raise PixCellError if the smallest area is larger than an image.

        Parameters
        ----------
        shape : (height, width) in px
        mpp : float, µm per pixel
        """
        whole = shape[0] * shape[1] * mpp**2
        if self.smallest_um2 > whole:
            raise PixCellError(
                f"The smallest cell area is {self.smallest_um2:,.0f} µm², but the whole region "
                f"has {whole:,.0f} µm². Choose a smaller one."
            )

    @property
    def network(self) -> tuple[str, str, float | None]:
        """Settings whose change requires reading the pixels again."""
        if self.method == METHODS[0]:
            return self.method, "", None
        return self.method, self.model, self.diameter

    @property
    def model_name(self) -> str:
        """Name of the model without its folder."""
        return PurePath(self.model).name

    @property
    def words(self) -> str:
        """Name of the method in a sentence."""
        return "the built-in method" if self.method == METHODS[0] else f"Cellpose {self.model_name}"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)


@dataclass(frozen=True)
class LayoutSource:
    """Source of a layout, for records; contains no path.

    Parameters
    ----------
    method : str
        ``builtin``, ``cellpose``, ``imported``, ``painted`` or ``invented``.
    model, sha256 : str
        File name of the model, and hash of its weights.
    licence : str
        Licence of the weights, whose terms extend to the masks.
    edited : bool
        Whether it was edited afterwards.
    recipe : dict, optional
        Recipe of an invented layout, as :meth:`Recipe.to_dict` returns it.
    density_map : dict, optional
        Painted relative density of an invented layout, a packed array.
    """

    method: str
    model: str = ""
    sha256: str = ""
    licence: str = ""
    edited: bool = False
    recipe: dict[str, Any] | None = field(default=None, metadata=OMIT_DEFAULT)
    density_map: dict[str, Any] | None = field(default=None, metadata=OMIT_DEFAULT)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> LayoutSource:
        """Read the value of :meth:`to_dict`, ignoring keys of later versions."""
        message = "The source of a layout cannot be read ({detail}). Use an unedited file."
        return from_json(cls, value, message, ignore_unknown=True)


def mixed(source: LayoutSource | None, kept: LayoutSource | None) -> LayoutSource | None:
    """Return the source of a layout that combines new cells with kept ones.

    The licences of both are retained, because the terms of weights extend to their masks.
    """
    if source is None or kept is None or source == kept:
        return source or kept
    if not kept.licence:
        return replace(source, edited=True)
    if not source.licence:
        return replace(kept, edited=True, **_invention(source if source.recipe else kept))
    both: dict[str, Any] = {
        name: " + ".join(dict.fromkeys((getattr(kept, name), getattr(source, name))))
        for name in ("model", "sha256", "licence")
    }
    both |= _invention(source if source.recipe else kept)
    return LayoutSource(source.method, edited=True, **both)


def _invention(source: LayoutSource) -> dict[str, Any]:
    return {"recipe": source.recipe, "density_map": source.density_map}
