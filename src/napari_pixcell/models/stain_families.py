"""The families that stain tissue virtually; imports no torch."""

from __future__ import annotations

from collections.abc import Callable

from napari_pixcell.models.catalogue import DEMO_STAIN, PIXCELL_1024, Family, families
from napari_pixcell.models.store import missing

VIRTUAL = "Virtual "


def is_stain(family: Family) -> bool:
    """Whether a family moves the style of H&E to that of a stain."""
    return family.part("flow") is not None


def stain_families() -> list[Family]:
    """Give every stain there is, installed or not, the user's own last."""
    return [family for family in families().values() if is_stain(family)]


def stain_name(family: Family) -> str:
    """Give what a stain is called where it is clear that it is virtual: “HER2”."""
    return family.title.removeprefix(VIRTUAL).split(" (")[0]


def stain_of(name: str) -> str:
    """Give the stain that a family of this name gives; empty if it gives none, or is gone."""
    family = families().get(name)
    return stain_name(family) if family is not None and is_stain(family) else ""


def usual_base(installed: Callable[[Family], bool] = lambda family: not missing(family)) -> Family:
    """Give the family that a stain is taught on where nothing else is said."""
    return PIXCELL_1024 if installed(PIXCELL_1024) else DEMO_STAIN
