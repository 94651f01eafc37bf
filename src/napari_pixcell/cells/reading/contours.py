"""JSON of HoVer-Net and CellViT: contours by OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_pixcell.cells.reading.gathering import BROKEN, SHAPELESS, CellsFile, Gatherer
from napari_pixcell.cells.reading.json_stream import items, open_json, pairs


def read_hovernet(path: Path, prefix: str) -> CellsFile:
    """Read ``{"nuc": {"1": {"contour": …, "type": …}}}``, or the inner part alone.

    HoVer-Net's ``mag``, the magnification, is ignored because it is not an exact pixel size.
    """
    gatherer = Gatherer(on_centres=True)
    with open_json(path) as file:
        for key, value in pairs(file, prefix):
            if prefix or key != "mag":
                _add_cell(gatherer, value, {})
    return gatherer.finish(path.name)


def read_hovernet_list(path: Path) -> CellsFile:
    """Read ``{"nuc": [{"contour": …, "type": …}]}``."""
    gatherer = Gatherer(on_centres=True)
    with open_json(path) as file:
        for value in items(file, "nuc.item"):
            _add_cell(gatherer, value, {})
    return gatherer.finish(path.name)


def read_cellvit(path: Path) -> CellsFile:
    """Read ``{"type_map": {"1": "Neoplastic"}, "cells": [{"contour": …, "type": 1}]}``."""
    gatherer = Gatherer(on_centres=True)
    with open_json(path) as file:
        maps = [value for value in items(file, "type_map") if isinstance(value, dict)]
    names = {}
    for one, other in (pair for value in maps for pair in value.items()):
        # Files map numbers to names or names to numbers.
        number, name = (other, one) if isinstance(one, str) and not _whole(one) else (one, other)
        names[_text(number)] = str(name)
    with open_json(path) as file:
        for value in items(file, "cells.item"):
            _add_cell(gatherer, value, names)
    return gatherer.finish(path.name)


def _add_cell(gatherer: Gatherer, value: Any, names: dict[str, str]) -> None:
    if not isinstance(value, dict):
        gatherer.drop(BROKEN)
        return
    contour, kind = value.get("contour"), value.get("type")
    if not isinstance(contour, list) or not contour:
        gatherer.drop(SHAPELESS)
        return
    number = "" if kind is None else _text(kind)
    unnamed = "" if number in ("", "0") else f"type {number}"  # 0 means untyped in HoVer-Net
    gatherer.add([[contour]], names.get(number, unnamed))


def _whole(text: str) -> bool:
    return text.strip().lstrip("-").isdigit()


def _text(number: Any) -> str:
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return str(number)
