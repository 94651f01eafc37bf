"""What is to be saved of a session: taken in the main thread, at almost no cost.

A snapshot is the session's JSON, but with a :class:`Side` in the place of each array that has a
file of its own. Nothing is copied or encoded here: that happens in the thread that writes. A
layout that is painted on meanwhile may be caught in the middle of a stroke; the stroke has it
saved again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pixcell import __version__
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.styles.style import style_bytes
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.datasets.job import DatasetJob
from napari_pixcell.studio.regions.item import Cells, RegionItem
from napari_pixcell.studio.results.results import Result, Target
from napari_pixcell.studio.results.spill import memory_limit
from napari_pixcell.studio.saving.arrays import layout_bytes, packed_bytes
from napari_pixcell.studio.saving.document import MARK, SAVED, VERSION

if TYPE_CHECKING:
    from napari_pixcell.studio.session import Session


@dataclass(frozen=True, eq=False)
class Side:
    """An array that gets a file of its own.

    Parameters
    ----------
    key : hashable
        Stands for what is in it: under the same key there is the same array.
    suffix : str
        Of the file.
    encode : callable
        Gives its bytes; called in another thread, and only if there is no file for the key.
    owner : object
        Kept alive as long as the key is in use, where that is made of an object's identity.
    """

    key: Hashable
    suffix: str
    encode: Callable[[], bytes]
    owner: object = None


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture too large for memory, which lies in the cache folder."""

    picture: StoredPicture
    kept: bool  # copied into the session, else only named


class Snapshot:
    """Takes one session down.

    Parameters
    ----------
    session : Session
        Whose regions, variants and jobs.
    key : str
        Of the slide that they are of.
    strokes : mapping of int to int
        How often the layout of a region was changed.
    """

    def __init__(self, session: Session, key: str, strokes: Mapping[int, int]) -> None:
        self._session, self._key, self._strokes = session, key, strokes
        self._targets: dict[int, int] = {}
        self._listed: list[dict[str, Any]] = []

    def take(self) -> dict[str, Any]:
        """Give the session's JSON with the sides in it, but without its slide."""
        from napari_pixcell.studio.saving.measures import measured_document  # it takes Side

        session, key = self._session, self._key
        return {
            MARK: VERSION,
            "program": __version__,
            SAVED: datetime.now().astimezone().isoformat(timespec="seconds"),
            "settings": asdict(session.settings),
            "recipe": session.recipe.to_dict(),
            "export_name": session.export_name if key == session.slide_key else "",
            "active": session._active.get(key, 0),
            "styles": self._styles(),
            "regions": [self._region(i) for i in session._items.values() if i.slide == key],
            "results": [self._result(r) for r in self._results()],
            "jobs": self._jobs(),
            "measures": measured_document(session.measures, key),
            "targets": self._listed,
        }

    # -- regions -------------------------------------------------------------------------

    def _region(self, item: RegionItem) -> dict[str, Any]:
        area, layout = item.area, item.whole_layout
        area_side = None
        if area is not None and area.any():  # it is tiny, and painted on in silence
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
            "area": area_side,
            "layout": _cells(layout, ("layout", item.number, stroke, id(item.layout))),
            "of_slide": item.of_slide,
            "shelved": [_cells(c, ("shelved", id(c.labels))) for c in item.shelved.values()],
        }

    def _styles(self) -> list[Side]:
        """Give the styles that regions look like: those of the library may be gone by then."""
        session = self._session
        items = [item for item in session._items.values() if item.slide == self._key]
        refs = dict.fromkeys(ref for item in items for ref in item.style.refs)
        found = [style for ref in refs if (style := session.style(ref)) is not None]
        return [Side(("style", id(one)), ".style", partial(style_bytes, one), one) for one in found]

    # -- variants ------------------------------------------------------------------------

    def _results(self) -> list[Result]:
        """Give the variants to be saved: all with a star, of the others the newest that fit."""
        room = memory_limit()
        taken: list[Result] = []
        for result in reversed(self._session.gallery.results):
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
        """List a target once; give its place in the list."""
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
        """Give what has not been made yet, with what was left of an earlier time."""
        session, key = self._session, self._key
        jobs = [
            (job.target, job.title, job.rest())
            for job in session.generation.jobs
            if not isinstance(job, DatasetJob)  # it is in a folder of its own
            if job.ready and not job.cancelled and not job.live and job.rest()
        ]
        return [
            {
                "target": self._target(target),
                "title": title,
                "requests": [_request(one) for one in requests],
            }
            for target, title, requests in [*session.put_off, *jobs]
            if target.slide == key
        ]


def packed_side(packed: PackedArray | None) -> Side | None:
    """Give the side of an array that never changes."""
    if packed is None:
        return None
    return Side(("packed", id(packed)), ".array", lambda: packed_bytes(packed), packed)


def _request(request: GenerateRequest) -> dict[str, Any]:
    """Give a request with its arrays in files."""
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
    """Encode a variant with its marks; its pixels may have to be read from the disk first."""
    from napari_pixcell.datasets.marking import synthetic_png

    mpp = get_family(result.record.request.family).mpp
    return synthetic_png(np.asarray(result.image), result.record, mpp)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
