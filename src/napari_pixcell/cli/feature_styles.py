"""Styles out of files of features, named as FILE.h5#row or FILE.h5#x,y."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.engine.styles.features.file import SUFFIXES, open_features
from napari_pixcell.engine.styles.features.neighbours import FeatureStyle, PatchNeighbours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family


def names_features(text: str) -> bool:
    """Return True if a text names a file of features, with or without a row."""
    file, mark, _ = text.rpartition("#")
    return Path(file if mark else text).suffix.lower() in SUFFIXES


def features_style(text: str, family: Family) -> FeatureStyle:
    """Read the style that a text names.

    Raises
    ------
    PixCellError
        If it names no row, or the file or its row cannot be used.
    """
    file, mark, place = text.rpartition("#")
    path = Path(file if mark else text)
    numbers = [_number(part) for part in place.split(",")] if mark else []
    row, position = len(numbers) == 1 and place.isdecimal(), len(numbers) == 2
    if None in numbers or not (row or position):
        raise PixCellError(
            f"“{path.name}” holds a style for each patch. Name one by its row, {path.name}#1234, "
            f"or by its position in level-0 pixels, {path.name}#x,y."
        )
    with open_features(path, family) as features:
        near = PatchNeighbours(features)
        known = [number for number in numbers if number is not None]
        return near.style(int(place) if row else near.row_at(known[0], known[1]), family)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e12 else None
