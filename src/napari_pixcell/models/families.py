"""Look-up of families, stains, weight sets and Cellpose models by name. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import (
    BUILT_IN,
    CELLPOSE,
    DEMO,
    DEMO_STAIN,
    PIXCELL_256_CELLS,
    PIXCELL_1024,
    Family,
    WeightSet,
)
from napari_pixcell.models.own_families import families_folder, read_own_families, read_own_family
from napari_pixcell.models.store import cellpose_folder, encoder_kind, find, missing

T = TypeVar("T")
VIRTUAL = "Virtual "  # prefix of the titles of published stains
NOT_INSTALLED = (
    "Cellpose's weights are not installed. Get them in the model manager, or with “napari-pixcell "
    "models get cellpose”. The built-in method segments nuclei without them."
)
OWN_LICENCE = (
    "The user's own Cellpose model. If it was fine-tuned from Cellpose's weights, their terms "
    "apply: they were trained on data for non-commercial use"
)


def families() -> dict[str, Family]:
    """Return all families by name, the user's own last."""
    return {**BUILT_IN, **read_own_families(BUILT_IN)}


def weight_sets() -> dict[str, WeightSet]:
    """Return everything that can be downloaded: the families, and Cellpose."""
    return {**families(), CELLPOSE.name: CELLPOSE}


def get_family(name: str) -> Family:
    """Return a family by name.

    Raises
    ------
    PixCellError
        If no family has this name.
    """
    return _look_up(name, families())


def encoder_of(name: str) -> str | None:
    """Return the :func:`~napari_pixcell.models.store.encoder_kind` of a family, by its name.

    None if there is no such family, or its encoder is not installed.
    """
    family = families().get(name)
    return encoder_kind(family) if family is not None else None


def get_weight_set(name: str) -> WeightSet:
    """Return a family, or Cellpose, by name. Raises like :func:`get_family`."""
    return _look_up(name, weight_sets())


def is_stain(family: Family) -> bool:
    """Whether a family stains virtually: it moves embeddings of H&E to those of a stain."""
    return family.part("flow") is not None


def stain_families() -> list[Family]:
    """Return all stains, installed or not, the user's own last."""
    return [family for family in families().values() if is_stain(family)]


def find_stain(name: str) -> Family:
    """Return a stain by the name of its family, or in short: “her2” for “stain-her2”.

    Raises
    ------
    PixCellError
        If there is none, with the reason if the user's own cannot be used.
    """
    known = {family.name: family for family in stain_families()}
    family = known.get(name) or known.get(f"stain-{name.lower()}")
    if family is None:
        path = families_folder() / f"{name}.toml"
        if path.is_file():
            read_own_family(path, BUILT_IN)  # raises, with the reason that it cannot be used
        raise PixCellError(f"There is no stain “{name}”. Choose one of: {', '.join(known)}.")
    return family


def stain_name(family: Family) -> str:
    """Return the short name of a stain, such as “HER2”, for places that say it is virtual."""
    return family.title.removeprefix(VIRTUAL).split(" (")[0]


def stain_of(name: str) -> str:
    """Return the stain that a family makes. Empty if it makes none or no longer exists."""
    family = families().get(name)
    return stain_name(family) if family is not None and is_stain(family) else ""


def usual_base(installed: Callable[[Family], bool] = lambda family: not missing(family)) -> Family:
    """Return the default base family for training a stain."""
    return PIXCELL_1024 if installed(PIXCELL_1024) else DEMO_STAIN


def usual_control_base(
    installed: Callable[[Family], bool] = lambda family: not missing(family),
) -> Family:
    """Return the default base family for training a ControlNet."""
    return PIXCELL_256_CELLS if installed(PIXCELL_256_CELLS) else DEMO


def _look_up(name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise PixCellError(
            f"There is no family “{name}”. Choose one of: {', '.join(sorted(known))}."
        )
    return known[name]


def segmenter_file(model: str) -> Path:
    """Return the file of a Cellpose model. Nothing is downloaded.

    ``model`` is a published name, searched as in :func:`napari_pixcell.models.store.find`, the path
    of a file, or the name of a file in Cellpose's own folder.

    Raises
    ------
    PixCellError
        If it is not on this machine.
    """
    part = CELLPOSE.parts[0]
    if model == part.weights:
        installed = find(part)
        if installed is None:
            raise PixCellError(NOT_INSTALLED)
        return installed.weights
    with suppress(OSError, RuntimeError, ValueError):  # no path: too long, or “~” and no such user
        for path in (Path(model).expanduser(), cellpose_folder() / model):
            if path.is_file():
                return path
    raise PixCellError(
        f"There is no Cellpose model file {Path(model).name}. Choose another one, or "
        f"“{part.weights}”."
    )


def segmenter_licence(model: str) -> str:
    """Return the licence of a Cellpose model, published or the user's own."""
    return CELLPOSE.licence if model == CELLPOSE.parts[0].weights else OWN_LICENCE
