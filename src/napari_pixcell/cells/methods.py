"""How the cells of a layout are found, and where a layout came from: values without code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
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
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise PixCellError(f"The {name} is {value:g}; choose one from {low} to {high}.")

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
        Of an invented layout: what :meth:`~napari_pixcell.cells.recipe.Recipe.to_dict` gives.
    """

    method: str
    model: str = ""
    sha256: str = ""
    licence: str = ""
    edited: bool = False
    recipe: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value; without a recipe as before there were any."""
        value = asdict(self)
        if self.recipe is None:
            del value["recipe"]
        return value

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> LayoutSource:
        """Read what :meth:`to_dict` gave; what a later version added is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: part for key, part in value.items() if key in known})
