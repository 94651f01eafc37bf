"""How the cells of a layout are found, and where a layout came from: values without code."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import PurePath
from typing import Any

from napari_pixcell.errors import PixCellError

METHODS = ("builtin", "cellpose")
CELLPOSE_MODEL = "cpsam_v2"


@dataclass(frozen=True)
class SegmentMethod:
    """A way to find the cells of a region.

    Parameters
    ----------
    method : str
        ``builtin`` or ``cellpose``.
    model : str
        For Cellpose: a published name such as ``cpsam_v2``, or the path of a model file.
    diameter : float, optional
        For Cellpose: of a typical cell in µm, 3 to 200; without it cells of any size are found.
    flow_threshold : float
        For Cellpose: the largest error of a cell's flows; 0 lets every cell pass.
    cellprob_threshold : float
        For Cellpose: logit above which a pixel is of a cell; lower finds more and larger cells.
    sensitivity : float
        For the built-in method: -1 (only what is stained most) to 1 (all that is stained at all).
    smallest_um2 : float
        Cells of a smaller area, in µm², are left out.

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

    def __post_init__(self) -> None:
        """Refuse what no method could follow."""
        if self.method not in METHODS:
            raise PixCellError(
                f"There is no method “{self.method}” to find cells; choose one of: "
                f"{', '.join(METHODS)}."
            )
        if self.diameter is not None and not 3 <= self.diameter <= 200:
            raise PixCellError(
                f"The diameter of a cell is {self.diameter:g} µm; choose one from 3 to 200 µm."
            )
        limits = (
            ("flow threshold", self.flow_threshold, 0, 3),
            ("cell probability threshold", self.cellprob_threshold, -8, 8),
            ("sensitivity", self.sensitivity, -1, 1),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise PixCellError(f"The {name} is {value:g}; choose one from {low} to {high}.")
        if not 0 <= self.smallest_um2 < math.inf:
            raise PixCellError(
                f"The smallest area of a cell is {self.smallest_um2:g} µm²; choose one from 0 on."
            )

    def check_area(self, shape: tuple[int, ...], mpp: float) -> None:
        """Refuse a smallest area that no cell in a picture of this shape could have.

        Parameters
        ----------
        shape : (height, width)
            In px.
        mpp : float
            Pixel size in µm.

        Raises
        ------
        PixCellError
            If it is larger than the picture.
        """
        whole = shape[0] * shape[1] * mpp**2
        if self.smallest_um2 > whole:
            raise PixCellError(
                f"The smallest area of a cell is {self.smallest_um2:,.0f} µm², but the whole "
                f"region has {whole:,.0f} µm²; choose a smaller one."
            )

    @property
    def network(self) -> tuple[str, str, float | None]:
        """What cannot be changed without looking at the pixels again."""
        if self.method == METHODS[0]:
            return self.method, "", None
        return self.method, self.model, self.diameter

    @property
    def model_name(self) -> str:
        """The model without its folder."""
        return PurePath(self.model).name

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return "the built-in method" if self.method == METHODS[0] else f"Cellpose {self.model_name}"

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return asdict(self)


@dataclass(frozen=True)
class LayoutSource:
    """Where a layout came from, for records; names no path.

    Parameters
    ----------
    method : str
        ``builtin``, ``cellpose``, ``imported``, ``painted`` or ``invented``.
    model, sha256 : str
        Name of the model's file, and hash of its weights.
    licence : str
        Of the weights; its terms reach the masks.
    edited : bool
        Whether it was painted on afterwards.
    recipe : dict, optional
        Of an invented layout: its recipe, as :meth:`Recipe.to_dict` returns it.
    density_map : dict, optional
        Of an invented layout whose density was painted: the factors of it, a packed array.
    """

    method: str
    model: str = ""
    sha256: str = ""
    licence: str = ""
    edited: bool = False
    recipe: dict[str, Any] | None = None
    density_map: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value; without a recipe or map as before there were any."""
        value = asdict(self)
        for name in ("recipe", "density_map"):
            if value[name] is None:
                del value[name]
        return value

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> LayoutSource:
        """Read what :meth:`to_dict` gave; what a later version added is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: part for key, part in value.items() if key in known})


def mixed(source: LayoutSource | None, kept: LayoutSource | None) -> LayoutSource | None:
    """Give the source of a layout of cells of one source beside cells that were there before.

    The terms of weights reach their masks, so no licence is lost.
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
