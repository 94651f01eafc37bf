"""The parts of a session's JSON back as values, one by one; for threads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request import GenerateRequest, request_from_dict
from napari_pixcell.engine.styles.style import Style, style_from
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.stored_picture import Picture, StoredPicture, pictures_folder
from napari_pixcell.studio.regions.item import Cells, RegionItem, area_shape
from napari_pixcell.studio.results.results import Target
from napari_pixcell.studio.saving.arrays import layout_from, packed_from
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.styles.choice import StyleChoice

T = TypeVar("T")
# What a file or a part of the JSON that is not as it was written may raise.
DAMAGED = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, PixCellError)


@dataclass(frozen=True, eq=False)
class SavedResult:
    """A variant as it was saved.

    Parameters
    ----------
    target : int
        Place of its target in the list of them.
    job : int
        That made it.
    file : str
        Of its picture; empty where it has none of its own.
    """

    target: int
    job: int
    image: Picture
    record: Record
    shown: bool
    starred: bool
    made: datetime
    file: str


@dataclass(eq=False)
class Loader:
    """Reads the parts of one session; what cannot be read is counted, and left out.

    Parameters
    ----------
    folder : SessionFolder
    document : dict
        As :func:`~napari_pixcell.studio.saving.document.read_document` gives it.
    slide : str
        Key of the slide, for the targets.

    Attributes
    ----------
    lost : list of str
        What could not be read: ``region``, ``layout``, ``variant``, ``job`` or ``setting``.
    """

    folder: SessionFolder
    document: dict[str, Any]
    slide: str
    lost: list[str] = field(default_factory=list)
    _packed: dict[str, PackedArray] = field(default_factory=dict)
    _targets: dict[int, Target] = field(default_factory=dict)

    def styles(self) -> list[Style]:
        """Give the styles that regions look like."""
        found = (
            self._try("style", lambda n=name: style_from(self.folder.get(n)))  # type: ignore[misc]
            for name in self.document.get("styles") or ()
        )
        return [style for style in found if style is not None]

    def regions(self) -> list[RegionItem]:
        """Give the regions with their styles and layouts."""
        found = (
            self._try("region", lambda v=value: self._region(v))  # type: ignore[misc]
            for value in self.document["regions"]
        )
        return [item for item in found if item is not None]

    def _region(self, value: dict[str, Any]) -> RegionItem:
        height, width = (int(n) for n in value["size"])
        item = RegionItem(
            int(value["number"]),
            str(value["name"]),
            self.slide,
            Region(*(float(n) for n in value["place"])),
            _choice(value.get("style")),
            str(value["family"]),
            Region(*(float(n) for n in value["drawn"])),
            (height, width),
        )
        if value.get("embedding"):
            with contextlib.suppress(*DAMAGED):  # it is made anew
                item.embedding = self._array(value["embedding"])
        if value.get("area"):
            area = self._try("area", lambda: self._array(value["area"]).unpack())
            if area is not None and area.shape == area_shape(item.size):
                item.area = area
        if value.get("layout"):
            cells = self._try("layout", lambda: self._cells(value["layout"]))
            if cells is not None and cells.labels.shape == item.size:
                item.layout, item.layout_origin = cells.labels, cells.origin
                item.layout_source, item.classes = cells.source, cells.classes
                item.of_slide = bool(value.get("of_slide"))
        for one in value.get("shelved") or ():
            cells = self._try("layout", lambda o=one: self._cells(o))  # type: ignore[misc]
            if cells is not None:
                item.shelved[cells.labels.shape] = cells
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
        """Read an array; several that have the same one share it."""
        if name not in self._packed:
            self._packed[name] = packed_from(self.folder.get(name))
        return self._packed[name]

    def target(self, index: int) -> Target:
        """Give where some variants lie, without the tissue there."""
        if index not in self._targets:
            value = self.document["targets"][index]
            height, width = (int(n) for n in value["size"])
            self._targets[index] = Target(
                int(value["number"]),
                str(value["name"]),
                self.slide,
                Region(*(float(n) for n in value["place"])),
                float(value["mpp"]),
                (height, width),
            )
        return self._targets[index]

    def result(self, value: dict[str, Any]) -> SavedResult | None:
        """Give a variant, or None if it cannot be read."""
        return self._try("variant", lambda: self._result(value))

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
        self.target(value["target"])  # there must be one
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
        """Give what waited to be made: where it lands, its title, its requests."""
        found = (
            self._try("job", lambda v=value: self._job(v))  # type: ignore[misc]
            for value in self.document.get("jobs") or ()
        )
        return [job for job in found if job is not None]

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
        """Give the settings that are known here and of the right type."""
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
        try:  # as whoever uses them will
            tried = replace(settings, **{k: v for k, v in found.items() if k != "family"})
            get_preset(tried.preset)
            _ = tried.segmenting
        except DAMAGED:
            self.lost.append("setting")
            return {name: value for name, value in found.items() if name == "family"}
        return found

    def _try(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except DAMAGED:
            self.lost.append(what)
            return None


def _choice(value: Any) -> StyleChoice:
    """Read which styles a region looks like; a number is that of one region."""
    return StyleChoice.from_dict(value) if isinstance(value, dict) else StyleChoice.of(value or 0)


def _picture(data: bytes) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Decode a variant's PNG: its pixels, and its record."""
    import io

    from PIL import Image

    from napari_pixcell.datasets.marking import RECORD_KEY

    with Image.open(io.BytesIO(data)) as image:
        image.load()
        text = getattr(image, "text", {})[RECORD_KEY]
        return np.array(image.convert("RGB")), json.loads(text)
