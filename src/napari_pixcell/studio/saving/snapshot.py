"""Snapshots of a session, taken in the main thread at almost no cost.

A snapshot is the session's JSON with a :class:`Side` for each array that has a file of its own.
Nothing is copied or encoded here: the thread that writes does that. A layout that is painted on
meanwhile may be caught in the middle of a stroke. It is saved again after the stroke.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from napari_pixcell import __version__
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.styles.style import style_bytes
from napari_pixcell.models.families import encoder_of
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.cells.classes import CellClasses
from napari_pixcell.studio.cells.inventing import Invention
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.generation.job import GenerationJob
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.measures import Measures
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.export import Exporter
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.results.spill import memory_limit
from napari_pixcell.studio.saving.arrays import (
    Side,
    Stored,
    layout_bytes,
    packed_bytes,
    packed_side,
)
from napari_pixcell.studio.saving.document import MARK, SAVED, VERSION
from napari_pixcell.studio.saving.feature_mark import FeatureMark
from napari_pixcell.studio.saving.measures import measured_document
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.features import FeatureStyles
from napari_pixcell.studio.styles.library import Styles


@dataclass(frozen=True, eq=False, kw_only=True)
class Snapshots:
    """Takes snapshots of a session, from the parts that are saved."""

    slides: Slides
    settings: Settings
    regions: Regions
    library: Styles
    invention: Invention
    classes: CellClasses
    features: FeatureStyles
    gallery: Gallery
    queue: JobQueue
    measures: Measures
    exporter: Exporter

    def take(self, key: str, strokes: Mapping[int, int]) -> dict[str, Any]:
        """Return the session's JSON with its sides, but without its slide.

        Parameters
        ----------
        key : str
            Key of the slide whose session it is.
        strokes : mapping of int to int
            How often the layout of each region was changed.
        """
        return _Snapshot(self, key, strokes).take()


class _Snapshot:
    """One snapshot while it is taken; variants and jobs share their targets."""

    def __init__(self, parts: Snapshots, key: str, strokes: Mapping[int, int]) -> None:
        self._parts, self._key, self._strokes = parts, key, strokes
        self._targets: dict[int, int] = {}
        self._listed: list[dict[str, Any]] = []
        self._encoders: dict[str, str | None] = {}

    def take(self) -> dict[str, Any]:
        parts, key = self._parts, self._key
        return {
            MARK: VERSION,
            "program": __version__,
            SAVED: datetime.now().astimezone().isoformat(timespec="seconds"),
            "settings": asdict(parts.settings),
            "recipe": parts.invention.recipe.to_dict(),
            "class": parts.classes.chosen,
            "features": self._features(),
            "export_name": parts.exporter.name if key == parts.slides.key else "",
            "active": parts.regions.active_on(key),
            "styles": self._styles(),
            "regions": [self._region(item) for item in parts.regions.of_slide(key)],
            "results": [self._result(r) for r in self._results()],
            "jobs": self._jobs(),
            "measures": measured_document(parts.measures, key),
            "targets": self._listed,
        }

    def _features(self) -> dict[str, Any] | None:
        features = self._parts.features
        if features.current is None or features.slide != self._key:
            return None
        file = features.current.file
        return FeatureMark(file.path.absolute(), file.key, features.shown).to_dict()

    # -- regions -------------------------------------------------------------------------

    def _region(self, item: RegionItem) -> dict[str, Any]:
        area, layout = item.area, item.whole_layout
        area_side = None
        if area is not None and area.any():  # tiny, and no signal tells of strokes
            packed = area.copy()
            digest = hash(packed.tobytes()), packed.shape
            key = "area", item.number, digest
            area_side = Side(key, ".array", lambda: packed_bytes(PackedArray.pack(packed)))
        stroke = self._strokes.get(item.number, 0)
        return {
            "number": item.number,
            "name": item.name,
            "place": item.region.as_list(),
            "drawn": item.drawn.as_list(),
            "size": list(item.size),
            "family": item.family,
            "style": item.style.to_dict(),
            "embedding": packed_side(item.embedding),
            "encoder": self._encoder(item.family),
            "area": area_side,
            "layout": _cells(layout, ("layout", item.number, stroke, id(item.layout))),
            "of_slide": item.of_slide,
            "shelved": [_cells(c, ("shelved", id(c.labels))) for c in item.shelved.values()],
        }

    def _encoder(self, family: str) -> str | None:
        """Return what a family's embeddings depend on; None if its encoder is not installed."""
        if family not in self._encoders:
            self._encoders[family] = encoder_of(family)
        return self._encoders[family]

    def _styles(self) -> list[Side]:
        """Return the styles of regions: those of the library may be gone later."""
        items, library = self._parts.regions.of_slide(self._key), self._parts.library
        refs = dict.fromkeys(ref for item in items for ref in item.style.refs)
        found = [style for ref in refs if (style := library.get(ref)) is not None]
        return [Side(("style", id(one)), ".style", partial(style_bytes, one), one) for one in found]

    # -- variants ------------------------------------------------------------------------

    def _results(self) -> list[Result]:
        """Return the variants to save: the starred ones, and the newest others that fit."""
        room = memory_limit()
        taken: list[Result] = []
        for result in reversed(self._parts.gallery.results):
            if result.target.slide != self._key:
                continue
            if not result.starred and not isinstance(result.memory, StoredPicture):
                room -= 3 * math.prod(result.target.size)
                if room < 0:
                    continue
            taken.append(result)
        return taken[::-1]

    def _result(self, result: Result) -> dict[str, Any]:
        memory, record = result.memory, result.record
        value: dict[str, Any] = {
            "number": result.number,
            "target": self._target(result.target),
            "job": result.job,
            "shown": result.shown,
            "starred": result.starred,
            "made": result.made.isoformat(timespec="seconds"),
        }
        if isinstance(memory, StoredPicture):
            value["picture"] = Stored(memory, result.starred)
            value["record"] = Side(
                ("record", result.number), ".json", lambda: _json(record.to_dict())
            )
            return value
        value["file"] = Side(("result", result.number), ".png", lambda: _png(result))
        return value

    def _target(self, target: Target) -> int:
        """List a target once, and return its index."""
        if id(target) not in self._targets:
            self._targets[id(target)] = len(self._listed)
            self._listed.append(
                {
                    "number": target.number,
                    "name": target.name,
                    "place": target.region.as_list(),
                    "mpp": target.mpp,
                    "size": list(target.size),
                }
            )
        return self._targets[id(target)]

    # -- queue ---------------------------------------------------------------------------

    def _jobs(self) -> list[dict[str, Any]]:
        """Return the waiting jobs, and those left from earlier sessions."""
        jobs = [
            (job.target, job.title, job.rest())
            for job in self._parts.queue.jobs
            if isinstance(job, GenerationJob)  # a dataset has a folder of its own
            if job.ready and not job.cancelled and not job.live and job.rest()
        ]
        return [
            {
                "target": self._target(target),
                "title": title,
                "encoder": self._encoder(requests[0].family),
                "requests": [_request(one) for one in requests],
            }
            for target, title, requests in [*self._parts.queue.put_off, *jobs]
            if target.slide == self._key
        ]


def _request(request: GenerateRequest) -> dict[str, Any]:
    arrays = {name: part for name, part in vars(request).items() if isinstance(part, PackedArray)}
    return request.to_dict() | {name: packed_side(array) for name, array in arrays.items()}


def _cells(cells: Cells | None, key: Hashable) -> dict[str, Any] | None:
    if cells is None:
        return None
    labels = cells.labels
    return {
        "file": Side(key, ".tif", lambda: layout_bytes(labels), labels),
        "origin": cells.origin,
        "source": cells.source.to_dict() if cells.source is not None else None,
        "classes": {str(number): name for number, name in cells.classes.items()},
    }


def _png(result: Result) -> bytes:
    """Encode a variant with its marks; its pixels may be read from disk first."""
    from napari_pixcell.datasets.marks import synthetic_png

    mpp = result.record.request.mpp
    return synthetic_png(np.asarray(result.image), result.record, mpp)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
