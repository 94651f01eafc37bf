"""Checked rows of a dataset's files. A received row may hold anything."""

from __future__ import annotations

import math
from typing import Any

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.store.checks import FLAGS, SCORES
from napari_pixcell.datasets.store.nuclei import checked_nuclei
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.engine.request_values import MAX_SEED
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import from_json

DIGITS = 6
APART = "apart"
SUFFIXES = {"png": ".png", "tiff": ".tif"}  # of the images, by their format
MOST_ROWS = 10_000_000
MOST_CELLS = 2**31 - 1
MOST_CLASSES = 1000  # of the cells of a mask
LARGEST_SCORE = 1e9
LONGEST_TEXT = 10_000


def pair_names(
    index: int, picture: str, apart: bool, per_folder: int | None = None
) -> tuple[str, str]:
    """Return the paths of the image and the mask of a pair in its dataset.

    With ``per_folder`` pairs in a folder, folders are numbered from 000; None is one folder of all.
    """
    where, stem = f"{APART}/" if apart else "", f"{index:0{DIGITS}}"
    if per_folder is not None:
        stem = f"{index // per_folder:03}/{stem}"
    return f"{where}images/{stem}{SUFFIXES[picture]}", f"{where}masks/{stem}.tif"


def pair_row(value: JsonRow, plan: Plan, picture: str, per_folder: int | None = None) -> JsonRow:
    """Return a row of the manifest with checked values; see :meth:`Dataset.rows`.

    Raises
    ------
    ValueError
        If a value is missing or wrong, the pair is not planned, or a path is not the pair's own.
    """
    index = _whole(value, "index", len(plan) - 1)
    image, mask = value.get("image"), value.get("mask")
    apart = isinstance(image, str) and image.startswith(APART)
    own_image, own_mask = pair_names(index, picture, apart, per_folder)
    if image != own_image or mask != (own_mask if plan.layouts else None):
        raise ValueError("a path is not the pair's own")
    files, layout = value.get("files"), None
    if not isinstance(files, dict) or not all(_is_text(files.get(n)) for n in (image, mask) if n):
        raise ValueError("a hash is missing")
    if plan.layouts:
        layout = _whole(value, "layout", plan.layouts - 1)
    elif value.get("layout") is not None:
        raise ValueError("a layout is not planned")
    flags, scores = value.get("flags"), value.get("scores")
    if not isinstance(flags, list) or any(flag not in tuple(FLAGS) for flag in flags):
        raise ValueError("a flag is unknown")
    if not isinstance(scores, dict):
        raise ValueError("there are no scores")
    return {
        "index": index,
        "image": image,
        "mask": mask,
        "style": _whole(value, "style", plan.styles - 1),
        "layout": layout,
        "seed": _whole(value, "seed", MAX_SEED),
        "cells": None if value.get("cells") is None else _whole(value, "cells", MOST_CELLS),
        "scores": {name: _score(scores[name]) for name in SCORES if name in scores},
        "flags": list(flags),
        "files": {name: files[name] for name in (image, mask) if name},
        "classes": _counts(value.get("classes", {})),
        "pixels": _text(value, "pixels"),
        "nuclei": checked_nuclei(value.get("nuclei")),
        "candidates": plan.candidates,
        "kept": _whole(value, "kept", plan.candidates - 1) if plan.candidates > 1 else 0,
    }


def style_row(value: JsonRow) -> JsonRow:
    """Return a row of the styles with checked values; raise ValueError if one is wrong."""
    look, source = value.get("look", {}), value.get("source", {})
    if not isinstance(look, dict) or not all(map(_is_number, look.values())):
        raise ValueError("the look is no numbers")
    if not isinstance(source, dict):
        raise ValueError("the source is no object")
    region, mpp = source.get("region"), source.get("mpp")
    if region is not None and not (
        isinstance(region, list) and len(region) == 4 and all(map(_is_number, region))
    ):
        raise ValueError("the region is no four numbers")
    if mpp is not None and not _is_number(mpp):
        raise ValueError("the pixel size is no number")
    named = _named(value, "styles", ".npy", may_lack=True)
    return named | {"look": look, "source": source, "colours": _colours(value.get("colours"))}


def _colours(value: Any) -> TissueColours | None:
    if value is None:  # of an earlier version, or without tissue
        return None
    try:
        return from_json(TissueColours, value, "they are no colours")
    except PixCellError as error:
        raise ValueError(str(error)) from error


def layout_row(value: JsonRow) -> JsonRow:
    """Return a row of the layouts with checked values; raise ValueError if one is wrong."""
    made, style = value.get("made"), value.get("style")
    if not isinstance(made, dict):
        raise ValueError("its origin is missing")
    try:
        LayoutSource.from_dict(made)
    except PixCellError as error:
        raise ValueError(str(error)) from error
    known = {"cells": _whole(value, "cells", MOST_CELLS), "made": made}
    known["classes"] = _classes(value.get("classes", {}))
    style = None if style is None else _whole(value, "style", MOST_ROWS)
    return _named(value, "layouts", ".tif") | known | {"style": style}


def _classes(value: Any) -> dict[int, str]:
    """Return the class names of labels; raise ValueError if they are none."""
    if not isinstance(value, dict) or len(value) > MOST_CELLS:
        raise ValueError("its classes are no names of labels")
    if not all(label.isdecimal() and _is_text(name) for label, name in value.items()):
        raise ValueError("its classes are no names of labels")
    return {int(label): name for label, name in value.items() if len(label) < 12}


def _counts(value: Any) -> dict[str, int]:
    """Return the number of cells of each class; raise ValueError if it is none."""
    if not isinstance(value, dict) or len(value) > MOST_CLASSES:
        raise ValueError("its classes are no numbers of cells")
    return {_text({"class": name}, "class"): _whole(value, name, MOST_CELLS) for name in value}


def _named(value: JsonRow, folder: str, suffix: str, may_lack: bool = False) -> JsonRow:
    number, file = _whole(value, "number", MOST_ROWS), value.get("file")
    if file != f"{folder}/{number:0{DIGITS}}{suffix}" and not (may_lack and file is None):
        raise ValueError("its file is another's")
    names = {name: _text(value, name) for name in ("name", "group")}
    return {"number": number, **names, "file": file}


def _whole(value: JsonRow, name: str, most: int) -> int:
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
        raise ValueError(f"{name} is no whole number from 0 to {most}")
    return number


def _text(value: JsonRow, name: str) -> str:
    text = value.get(name)
    if not _is_text(text):
        raise ValueError(f"{name} is no text")
    return str(text)


def _score(value: Any) -> float | None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None  # it does not apply
    if not _is_number(value) or abs(value) > LARGEST_SCORE:
        raise ValueError("a score is no number")
    return float(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= 1e300  # also not for NaN
