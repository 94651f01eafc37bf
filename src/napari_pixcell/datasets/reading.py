"""Records and manifests, back from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from napari_pixcell.datasets.marking import RECORD_KEY
from napari_pixcell.datasets.pairs import MANIFEST
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError


def load_manifest(folder: Path | str) -> list[dict[str, Any]]:
    """Read the rows of a manifest; a last row that was cut off is passed over."""
    rows = []
    path = Path(folder) / MANIFEST
    if not path.exists():
        return []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def read_record(path: Path | str) -> Record:
    """Read a record from an exported PNG, or from a JSON file of its own.

    Raises
    ------
    PixCellError
        If there is none in it, or it is of another version.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        return Record.load(path)
    try:
        with Image.open(path) as image:
            text = getattr(image, "text", {}).get(RECORD_KEY)
    except FileNotFoundError:
        raise PixCellError(f"There is no record {path.name}; check its path.") from None
    except (OSError, UnidentifiedImageError):
        raise PixCellError(f"{path.name} cannot be read; choose an exported PNG.") from None
    if text is None:
        raise PixCellError(
            f"{path.name} carries no record; choose a PNG that napari-pixcell exported."
        )
    return Record.from_dict(json.loads(text))
