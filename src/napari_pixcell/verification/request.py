"""The request to verify a family, as a value for the worker. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from napari_pixcell.errors import check_range
from napari_pixcell.serialization import from_json, to_json

PATCHES, PICTURES, SEED = 8, 4, 1234
MOST_PATCHES, MOST_PICTURES, MOST_STEPS = 100, 64, 1000


@dataclass(frozen=True)
class VerifyRequest:
    """Compare a family on this machine with published figures.

    Parameters
    ----------
    family : str
        Name of the family.
    folder : str
        Folder of a copy of the sample data. By default the downloaded set, or the bundled one of
        the demo families.
    download : bool
        Whether the user agreed to download the sample data if they are missing.
    patches : int
        Patches of 1024 px that are encoded and embedded.
    pictures : int
        Pictures that are generated for each check.
    steps : int, optional
        Denoising steps. By default the family's.
    seed : int
        Seed of the first picture.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    kind: ClassVar[str] = "verify"

    family: str
    folder: str = ""
    download: bool = False
    patches: int = PATCHES
    pictures: int = PICTURES
    steps: int | None = None
    seed: int = SEED

    def __post_init__(self) -> None:
        check_range("number of patches", self.patches, 1, MOST_PATCHES)
        check_range("number of pictures", self.pictures, 1, MOST_PICTURES)
        if self.steps is not None:
            check_range("number of steps", self.steps, 1, MOST_STEPS)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"kind": self.kind, **to_json(self)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> VerifyRequest:
        """Read what :meth:`to_dict` returned."""
        given = {name: one for name, one in value.items() if name != "kind"}
        return from_json(cls, given, "The request to verify a family is damaged. Repeat it.")
