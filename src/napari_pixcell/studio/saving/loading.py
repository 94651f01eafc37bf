"""Reading the parts of a session back from its JSON and files, in threads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import GenerateRequest, request_from_dict
from napari_pixcell.engine.styles.style import Style, style_from
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.stored_picture import Picture, StoredPicture, pictures_folder
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.regions.geometry import area_shape
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.saving.arrays import layout_from, packed_from
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.styles.choice import StyleChoice

T = TypeVar("T")
V = TypeVar("V")
# Whatever a damaged file, or a damaged part of the JSON, may raise.
DAMAGED = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, PixCellError)


@dataclass(frozen=True, eq=False)
class SavedResult:
    """A saved variant."""

    target: int  # index of its target
    job: int  # saved number of its job
    image: Picture
    record: Record
    shown: bool
    starred: bool
    made: datetime
    file: str  # empty for a StoredPicture


@dataclass(eq=False)
class Loader:
    """Reads the parts of one session. Damaged parts are listed and left out."""

    folder: SessionFolder
    document: dict[str, Any]  # from read_document
    slide: str
    # Kinds of the damaged parts, such as ``region``, ``layout`` or ``variant``
    lost: list[str] = field(default_factory=list)
    _packed: dict[str, PackedArray] = field(default_factory=dict)
    _targets: dict[int, Target] = field(default_factory=dict)

    def styles(self) -> list[Style]:
        names = self.document.get("styles") or ()
        return self.read_all("style", names, lambda name: style_from(self.folder.get(name)))

    def regions(self) -> list[RegionItem]:
        return self.read_all("region", self.document["regions"], self._region)

    def _region(self, value: dict[str, Any]) -> RegionItem:
        item = RegionItem(
            int(value["number"]),
            str(value["name"]),
            self.slide,
            region_from(value["place"]),
            _choice(value.get("style")),
            str(value["family"]),
            region_from(value["drawn"]),
            _size(value),
        )
        if value.get("embedding"):
            with contextlib.suppress(*DAMAGED):  # it is computed again
                item.embedding = self._array(value["embedding"])
        if value.get("area"):
            area = self._try("area", lambda name: self._array(name).unpack(), value["area"])
            if area is not None and area.shape == area_shape(item.size):
                item.area = area
        if value.get("layout"):
            cells = self._try("layout", self._cells, value["layout"])
            if cells is not None and cells.labels.shape == item.size:
                item.layout, item.layout_origin = cells.labels, cells.origin
                item.layout_source, item.classes = cells.source, cells.classes
                item.of_slide = bool(value.get("of_slide"))
        shelved = self.read_all("layout", value.get("shelved") or (), self._cells)
        item.shelved.update((cells.labels.shape, cells) for cells in shelved)
        return item

    def _cells(self, value: dict[str, Any]) -> Cells:
        source = value.get("source")
        classes = {int(number): str(name) for number, name in (value.get("classes") or {}).items()}
        return Cells(
            layout_from(self.folder.get(value["file"])),
            str(value.get("origin", "")),
            LayoutSource.from_dict(source) if source else None,
            classes,
        )

    def _array(self, name: str) -> PackedArray:
        """Read an array once, for all parts that share it."""
        if name not in self._packed:
            self._packed[name] = packed_from(self.folder.get(name))
        return self._packed[name]

    def target(self, index: int) -> Target:
        """Return a target of variants, without its tissue."""
        if index not in self._targets:
            value = self.document["targets"][index]
            self._targets[index] = Target(
                int(value["number"]),
                str(value["name"]),
                self.slide,
                region_from(value["place"]),
                float(value["mpp"]),
                _size(value),
            )
        return self._targets[index]

    def result(self, value: dict[str, Any]) -> SavedResult | None:
        return self._try("variant", self._result, value)

    def _result(self, value: dict[str, Any]) -> SavedResult:
        image: Picture
        file = value.get("file") or ""
        if file:
            image, record = _picture(self.folder.get(file))
        else:
            stored, name = value["picture"], str(value["picture"]["name"])
            place = self.folder.files if stored["kept"] else pictures_folder()
            image = StoredPicture(place / name)
            record = json.loads(self.folder.get(value["record"]))
        self.target(value["target"])  # raises if it is missing
        return SavedResult(
            value["target"],
            int(value["job"]),
            image,
            Record.from_dict(record),
            bool(value.get("shown")),
            bool(value.get("starred")),
            datetime.fromisoformat(value["made"]),
            file,
        )

    def jobs(self) -> list[tuple[Target, str, list[GenerateRequest]]]:
        return self.read_all("job", self.document.get("jobs") or (), self._job)

    def _job(self, value: dict[str, Any]) -> tuple[Target, str, list[GenerateRequest]]:
        requests = []
        for one in value["requests"]:
            whole = {
                name: self._array(part).to_dict()
                if isinstance(part, str) and part.endswith(".array")
                else part
                for name, part in one.items()
            }
            request = request_from_dict(whole)
            assert isinstance(request, GenerateRequest)
            requests.append(request)
        return self.target(value["target"]), str(value.get("title", "")), requests

    def settings(self, settings: Any) -> dict[str, Any]:
        """Return the saved settings that differ, are known to this version and have valid types."""
        saved = self.document.get("settings") or {}
        found = {}
        for one in fields(settings):
            now = getattr(settings, one.name)
            if one.name not in saved or saved[one.name] == now:
                continue
            value = saved[one.name]
            if isinstance(value, type(now)) or now is None or value is None:
                found[one.name] = value
            elif isinstance(now, float) and isinstance(value, int):
                found[one.name] = float(value)
            else:
                self.lost.append("setting")
        try:  # use them as the session will
            tried = replace(settings, **{k: v for k, v in found.items() if k != "family"})
            get_preset(tried.preset)
            _ = tried.segmenting
        except DAMAGED:
            self.lost.append("setting")
            return {name: value for name, value in found.items() if name == "family"}
        return found

    def read_all(self, kind: str, values: Iterable[V], read: Callable[[V], T]) -> list[T]:
        """Read all parts of a kind; leave out those that are damaged."""
        parts = (self._try(kind, read, value) for value in values)
        return [part for part in parts if part is not None]

    def _try(self, kind: str, read: Callable[[V], T], value: V) -> T | None:
        try:
            return read(value)
        except DAMAGED:
            self.lost.append(kind)
            return None


def region_from(value: Any) -> Region:
    """Convert a JSON list of x, y, width and height to a region."""
    return Region(*(float(number) for number in value))


def _size(value: dict[str, Any]) -> tuple[int, int]:
    height, width = (int(number) for number in value["size"])
    return height, width


def _choice(value: Any) -> StyleChoice:
    """Read the styles of a region. Earlier versions saved the number of one region."""
    return StyleChoice.from_dict(value) if isinstance(value, dict) else StyleChoice.of(value or 0)


def _picture(data: bytes) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Decode the PNG of a variant: its pixels and its record."""
    import io

    from PIL import Image

    from napari_pixcell.datasets.marks import RECORD_KEY

    with Image.open(io.BytesIO(data)) as image:
        image.load()
        text = getattr(image, "text", {})[RECORD_KEY]
        return np.array(image.convert("RGB")), json.loads(text)
