"""The base of a trained stain, and its registration as a family of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_pixcell import __version__
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.engine.training.stain_folder import CARD, StainFolder
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import families
from napari_pixcell.models.own_families import write_own_family
from napari_pixcell.models.store import require
from napari_pixcell.models.weights import cached_sha256

FORMAT = 1  # of the card
GUIDANCE = 1.2  # of the published stains


def base_family(name: str) -> Family:
    """Return the family that a stain can be trained on.

    Raises
    ------
    PixCellError
        If it is not built in, or not completely installed.
    """
    if name not in BUILT_IN:
        what = "is your own" if name in families() else "does not exist"
        raise PixCellError(
            f"The model “{name}” {what}. Train a stain on one of: {', '.join(BUILT_IN)}."
        )
    base = BUILT_IN[name]
    for part in base.parts:
        require(base, part)
    return base


def register(
    folder: StainFolder,
    request: TrainRequest,
    base: Family,
    parts: Mapping[str, Path],
    figures: Mapping[str, Any],
) -> None:
    """Register a stain as one of the user's families, and write its card.

    Parameters
    ----------
    folder : StainFolder
    request : TrainRequest
    base : Family
        The family it was trained on, whose terms extend to the stain.
    parts : mapping of str to Path
        Its weight files, by their part of the family.
    figures : mapping
        Results, for the card.
    """
    licence = f"trained by you on {base.title}, whose terms extend to it"
    notice = (
        f"{'DEMO' if base.bundled else 'Synthetic'}: a virtual stain trained by its user on "
        f"{base.title}, not a real one. Its cells may differ in position from those of the H&E. "
        "For research use only, not for diagnosis"
    )
    settings = {"title": f"Virtual {request.name}", "notice": notice, "guidance": GUIDANCE}
    write_own_family(request.name, base, settings, parts, licence)
    folder.write_json(
        CARD,
        {
            "napari-pixcell stain": FORMAT,
            "name": request.name,
            "base": base.name,
            **figures,
            "steps": request.steps,
            "seed": request.seed,
            "weights": {kind: cached_sha256(path) for kind, path in parts.items()},
            "licence": f"{licence}: {base.licence}",
            "notice": notice,
            "versions": {"napari-pixcell": __version__, "torch": version("torch")},
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
