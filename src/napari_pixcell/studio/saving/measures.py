"""IHC measurements in a session's folder."""

from __future__ import annotations

import contextlib
import json
from dataclasses import astuple, replace
from functools import partial
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.ihc.deconvolution import Look
from napari_pixcell.cells.ihc.measures import IhcMeasurement, Thresholds
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.slides.pixel_size import checked_mpp
from napari_pixcell.studio.measures import TISSUE, Measured, MeasuredPlace, Measures
from napari_pixcell.studio.saving.arrays import Side, layout_bytes, layout_from
from napari_pixcell.studio.saving.loading import DAMAGED, Loader, region_from, whole
from napari_pixcell.untrusted import parse_json

ARRAYS = ("histogram", "labels", "dab", "pixels")

Row = tuple[MeasuredPlace, NDArray[Any], IhcMeasurement, str]


def measured_document(measures: Measures, key: str) -> dict[str, Any]:
    """Return the measurements on a slide, as a part of a session's JSON."""
    return {
        "thresholds": list(astuple(measures.thresholds)),
        "coloured": measures.coloured,
        "rows": [_row(row) for row in measures.rows if row.place.slide == key],
    }


def _row(row: Measured) -> dict[str, Any]:
    place, labels, staining = row.place, row.labels, row.staining
    return {
        "name": place.name,
        "number": place.number,
        "place": place.region.as_list(),
        "mpp": place.mpp,
        "variant": place.variant,
        "nuclei_from": row.nuclei_from,
        "labels": Side(("measured", id(labels)), ".tif", lambda: layout_bytes(labels), labels),
        "staining": Side(
            ("staining", id(staining)), ".json", lambda: _staining_bytes(staining), staining
        ),
    }


def _staining_bytes(staining: IhcMeasurement) -> bytes:
    arrays = {name: PackedArray.pack(getattr(staining, name)).to_dict() for name in ARRAYS}
    about = {
        "mpp": staining.mpp,
        "white": list(staining.white),
        "tissue_px": staining.tissue_px,
        "look": staining.look,
    }
    return json.dumps(about | arrays).encode()


def read_measured(loader: Loader) -> list[Row]:
    """Read the rows back, in a thread. Damaged ones are listed and left out."""
    rows = _part(loader.document).get("rows") or []
    if not isinstance(rows, list):
        loader.lost.append("measurement")
        return []
    return loader.read_all("measurement", rows, partial(_read, loader))


def _part(document: dict[str, Any]) -> dict[str, Any]:
    part = document.get("measures")
    return part if isinstance(part, dict) else {}


def _read(loader: Loader, value: dict[str, Any]) -> Row:
    about = parse_json(loader.folder.get(value["staining"]), "measurement")
    arrays = {name: PackedArray.from_dict(about[name]).unpack() for name in ARRAYS}
    red, green, blue = (float(n) for n in about["white"])
    look: Look = about["look"] if about["look"] in get_args(Look) else "unclear"
    staining = IhcMeasurement(
        float(about["mpp"]), (red, green, blue), int(about["tissue_px"]), **arrays, look=look
    )
    name = str(value["name"])
    of_variant = "" if name.endswith(TISSUE) else name  # as sessions of 0.1.0 leave it out
    place = MeasuredPlace(
        name,
        whole(value["number"]),
        loader.slide,
        region_from(value["place"]),
        checked_mpp(float(value["mpp"])),
        str(value.get("variant", of_variant)),
    )
    labels = layout_from(loader.folder.get(value["labels"]))
    if len(np.unique(labels[labels != 0])) != len(staining.labels):
        raise ValueError("the measurements belong to other nuclei")
    return place, labels, staining, str(value["nuclei_from"])


def put_measured(
    measures: Measures, document: dict[str, Any], rows: list[Row], numbers: dict[int, int]
) -> None:
    """Add rows to a session; ``numbers`` are the present numbers of their regions."""
    saved = _part(document)
    with contextlib.suppress(*DAMAGED):  # the defaults stay
        measures.set_thresholds(Thresholds(*(float(n) for n in saved["thresholds"])))
    measures.coloured = bool(saved.get("coloured", True))
    for place, labels, staining, nuclei_from in rows:
        number = numbers.get(place.number, place.number)
        measures.add(replace(place, number=number), labels, staining, nuclei_from)
