"""Records and manifests, back from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from napari_pixcell.datasets.export import MANIFEST
from napari_pixcell.datasets.marking import RECORD_KEY, RECORD_TAG
from napari_pixcell.datasets.store.rows import read_rows
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError


def load_manifest(folder: Path | str) -> list[dict[str, Any]]:
    """Read the rows of a folder's manifest, or of the ``.jsonl`` itself.

    A row that was cut off is passed over.
    """
    path = Path(folder)
    if path.suffix != ".jsonl":
        path /= MANIFEST
    return [row for row in read_rows(path) if "image" in row]


def read_record(path: Path | str) -> Record:
    """Read a record from an exported image, a JSON file, or a manifest of one pair.

    Raises
    ------
    PixCellError
        If there is none in it, or it is of another version.
    """
    path = Path(path)
    if path.suffix.lower() == ".jsonl" and path.is_file():
        rows = load_manifest(path)
        if len(rows) != 1:
            raise PixCellError(
                f"{path.name} holds {len(rows)} records; choose one of the files in “images”."
            )
        return Record.from_dict(rows[0].get("record") or {})
    text: str | bytes | None
    match path.suffix.lower():
        case ".png":
            text = _text_of_png(path)
        case ".tif" | ".tiff":
            text = _text_of_tiff(path)
        case _:
            return Record.load(path)
    if text is None:
        raise PixCellError(
            f"{path.name} carries no record; choose an image that napari-pixcell exported."
        )
    try:
        value = json.loads(text)
    except ValueError:
        raise PixCellError(
            f"The record in {path.name} is damaged; choose another exported image."
        ) from None
    return Record.from_dict(value)


def _text_of_png(path: Path) -> str | None:
    try:
        with Image.open(path) as image:
            text: str | None = getattr(image, "text", {}).get(RECORD_KEY)
            return text
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError):
        raise _unreadable(path) from None


def _text_of_tiff(path: Path) -> bytes | None:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return bytes(file.pages.first.tags[RECORD_TAG].value)
    except FileNotFoundError:
        raise _missing(path) from None
    except KeyError:
        return None
    except (OSError, ValueError, IndexError, tifffile.TiffFileError):
        raise _unreadable(path) from None


def _missing(path: Path) -> PixCellError:
    return PixCellError(f"There is no record {path.name}; check its path.")


def _unreadable(path: Path) -> PixCellError:
    return PixCellError(f"{path.name} cannot be read; choose an exported image.")
