"""The request to make a dataset, as a value for the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from napari_pixcell.datasets.recipe.recipe import DatasetRecipe


@dataclass(frozen=True)
class DatasetRequest:
    """Make a dataset, or the pairs that it lacks."""

    kind: ClassVar[str] = "dataset"

    folder: str
    recipe: DatasetRecipe | None = None  # for a new one, or if its own is not on this machine
    most: int | None = None  # of the missing pairs, in order

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        recipe = self.recipe.to_dict() if self.recipe is not None else None
        return {"kind": self.kind, "folder": self.folder, "recipe": recipe, "most": self.most}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> DatasetRequest:
        """Read what :meth:`to_dict` returned."""
        from napari_pixcell.datasets.recipe.recipe import DatasetRecipe  # slow to import

        recipe = value.get("recipe")
        recipe = DatasetRecipe.from_dict(recipe) if recipe is not None else None
        return cls(str(value["folder"]), recipe, value.get("most"))
