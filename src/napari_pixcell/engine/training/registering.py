"""What a stain can be taught on, and making one that was taught a family of the user's own."""

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
from napari_pixcell.models.catalogue import BUILT_IN, Family, families
from napari_pixcell.models.own_families import write_own_family
from napari_pixcell.models.store import require
from napari_pixcell.models.weights import sha256_of

FORMAT = 1  # of the card
GUIDANCE = 1.2  # of the published stains


def base_family(name: str) -> Family:
    """Give the family that a stain can be taught on.

    Raises
    ------
    PixCellError
        If it is not built in, or some of it is not on this machine.
    """
    if name not in BUILT_IN:
        what = "is your own" if name in families() else "does not exist"
        raise PixCellError(
            f"The model “{name}” {what}; teach a stain on one of: {', '.join(BUILT_IN)}."
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
    about: Mapping[str, Any],
) -> None:
    """Make a stain one of the user's families, and say in its folder what it is.

    Parameters
    ----------
    folder : StainFolder
        Gets the card.
    request : TrainRequest
        That taught it.
    base : Family
        What it builds on: its terms are the stain's.
    parts : mapping of str to Path
        Its weight files, by what they are in the family.
    about : mapping
        Figures, for the card.
    """
    licence = f"taught by you on {base.title}, whose terms reach it"
    notice = (
        f"{'DEMO' if base.bundled else 'Synthetic'}: a virtual stain that its user taught on "
        f"{base.title}, not a real one; its cells may not be in the places of those of the H&E; "
        "for research use only, not for diagnosis"
    )
    settings = {"title": f"Virtual {request.name}", "notice": notice, "guidance": GUIDANCE}
    write_own_family(request.name, base, settings, parts, licence)
    folder.write_json(
        CARD,
        {
            "napari-pixcell stain": FORMAT,
            "name": request.name,
            "base": base.name,
            **about,
            "steps": request.steps,
            "seed": request.seed,
            "weights": {kind: sha256_of(path) for kind, path in parts.items()},
            "licence": f"{licence}: {base.licence}",
            "notice": notice,
            "versions": {"napari-pixcell": __version__, "torch": version("torch")},
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
