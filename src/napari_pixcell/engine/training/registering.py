"""Families that a training builds on, and those that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_pixcell import __version__
from napari_pixcell.cells.class_map import Palette
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.folder import CARD, TrainingFolder
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import families
from napari_pixcell.models.own_families import remove_own_family, write_own_family
from napari_pixcell.models.store import require
from napari_pixcell.models.weights import cached_sha256

CARD_FORMAT = 1


def base_family(name: str, what: str) -> Family:
    """Return the family that a stain, or something else, can be trained on.

    Raises PixCellError if it is not built in, or not completely installed.
    """
    if name not in BUILT_IN:
        why = "is your own" if name in families() else "does not exist"
        raise PixCellError(
            f"The model “{name}” {why}. Train a {what} on one of: {', '.join(BUILT_IN)}."
        )
    base = BUILT_IN[name]
    for part in base.parts:
        require(base, part)
    return base


def withdraw(folder: TrainingFolder, name: str, card: Mapping[str, Any] | None = None) -> None:
    """Remove an earlier family of this name, before its files change one by one.

    Parameters
    ----------
    card : mapping, optional
        What remains true of the folder. By default nothing.

    Raises
    ------
    PixCellError
        If it cannot be removed.
    """
    remove_own_family(name)
    folder.write_json(CARD, card or {})


def register(
    folder: TrainingFolder,
    request: TrainRequest | TrainControlRequest,
    base: Family,
    parts: Mapping[str, Path],
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
    *,
    terms: str = "",
    palette: Palette = (),
) -> None:
    """Write the card of what was trained, and then register it as a family of the user's.

    Parameters
    ----------
    folder : TrainingFolder
        Where its card is written.
    base : Family
        The family it was trained on, whose terms extend to it.
    parts : mapping of str to Path
        Its weight files, by their part of the family.
    settings : mapping
        Of the family, see :func:`~napari_pixcell.models.own_families.write_own_family`.
    figures : mapping
        What the card says of the training.
    terms : str
        Further terms, such as those of a segmentation.

    Raises
    ------
    PixCellError
        If it cannot be written. The family is then not registered.
    """
    licence = f"trained by you on {base.title}, whose terms extend to it{terms}"
    kind = folder.what.lower()
    card = {
        f"napari-pixcell {kind}": CARD_FORMAT,
        "name": request.name,
        "base": base.name,
        **figures,
        "steps": request.steps,
        "seed": request.seed,
        "weights": {part: cached_sha256(path) for part, path in parts.items()},
        "licence": f"{licence}: {base.licence}",
        "notice": settings["notice"],
        "versions": {"napari-pixcell": __version__, "torch": version("torch")},
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    folder.write_json(CARD, card)
    write_own_family(request.name, base, settings, parts, licence, palette)
