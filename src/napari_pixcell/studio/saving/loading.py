"""Reading the parts of a session back from its JSON and files, in threads."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.colour_match import OFF
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import (
    MAX_SEED,
    MAX_SIDE,
    GenerateRequest,
    request_from_dict,
)
from napari_pixcell.engine.styles.style import Style, style_from
from napari_pixcell.models.families import encoder_of, families
from napari_pixcell.slides.pixel_size import checked_mpp
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.stored_picture import Picture, StoredPicture, pictures_folder
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.generation.queue import SavedJob
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.regions.geometry import area_shape
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.saving.arrays import layout_from, packed_from
from napari_pixcell.studio.saving.document import WRONG
from napari_pixcell.studio.saving.feature_mark import FeatureMark
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.untrusted import check_array, parse_json, path_inside

T = TypeVar("T")
V = TypeVar("V")
# Whatever a damaged file, or a damaged part of the JSON, may raise: decoders raise anything.
DAMAGED = (Exception,)
MOST_NUMBER = 2**31 - 1  # of a region, a job, a class
MOST_SIDE = 10**8  # of a slide and its regions, in px
LONGEST = 1000  # characters of a name


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
    outdated: int = 0  # waiting jobs whose styles were embedded with other weights
    _packed: dict[str, PackedArray] = field(default_factory=dict)
    _targets: dict[int, Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lost += [PARTS[name] for name in self.document.get(WRONG) or ()]

    def styles(self) -> list[Style]:
        names = self.document["styles"]
        return self.read_all("style", names, lambda name: style_from(self.folder.get(name)))

    def features(self) -> FeatureMark | None:
        value = self.document.get("features")
        return self._try("file of features", FeatureMark.from_dict, value) if value else None

    def target_numbers(self) -> set[int]:
        """Return the numbers of the regions of all targets that are not damaged."""
        numbers = set()
        for index in range(len(self.document["targets"])):
            with contextlib.suppress(*DAMAGED):  # its variants are listed as lost
                numbers.add(self.target(index).number)
        return numbers

    def regions(self) -> list[RegionItem]:
        return self.read_all("region", self.document["regions"], self._region)

    def _region(self, value: dict[str, Any]) -> RegionItem:
        item = RegionItem(
            whole(value["number"]),
            _name(value["name"]),
            self.slide,
            region_from(value["place"]),
            _choice(value.get("style")),
            _name(value["family"]),
            region_from(value["drawn"]),
            _size(value),
        )
        # An encoder that is not installed cannot compute it again. An unknown one, as in sessions
        # of version 0.1.0, may be of another edition of the weights.
        if value.get("embedding") and encoder_of(item.family) in (None, value.get("encoder")):
            with contextlib.suppress(*DAMAGED):  # it is computed again
                item.embedding = self._array(value["embedding"])
        if value.get("area"):
            item.area = self._try("area", lambda name: self._area(name, item.size), value["area"])
        if value.get("layout"):
            cells = self._try("layout", self._cells, value["layout"])
            if cells is not None and cells.labels.shape != item.size:
                self.lost.append("layout")
            elif cells is not None:
                item.layout, item.layout_origin = cells.labels, cells.origin
                item.layout_source, item.classes = cells.source, cells.classes
                item.of_slide = bool(value.get("of_slide"))
        shelved = self.read_all("layout", value.get("shelved") or (), self._cells)
        item.shelved.update((cells.labels.shape, cells) for cells in shelved)
        return item

    def _area(self, name: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        area = self._array(name).unpack()
        if area.shape != area_shape(size) or area.dtype != np.uint8:
            raise ValueError("the area does not fit the region")
        return area

    def _cells(self, value: dict[str, Any]) -> Cells:
        source = value.get("source")
        named = (value.get("classes") or {}).items()
        classes = {whole(int(number)): _name(name) for number, name in named}
        return Cells(
            layout_from(self.folder.get(value["file"])),
            _name(value.get("origin", "")),
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
            value = self.document["targets"][whole(index)]
            self._targets[index] = Target(
                whole(value["number"]),
                _name(value["name"]),
                self.slide,
                region_from(value["place"]),
                checked_mpp(float(value["mpp"])),
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
            stored = value["picture"]
            place = self.folder.files if stored["kept"] else pictures_folder()
            path = path_inside(place, stored["name"], "picture of a session")
            if path.is_symlink() or not PICTURE_NAME.fullmatch(path.name):
                raise ValueError("not a picture of ours")  # it would be deleted with its variant
            image = StoredPicture(path)
            record = parse_json(self.folder.get(value["record"]), "record")
        target = self.target(value["target"])
        if image.shape != (*target.size, 3):
            raise ValueError("the picture is of another size than its target")
        return SavedResult(
            value["target"],
            whole(value["job"]),
            image,
            Record.from_dict(record),
            bool(value.get("shown")),
            bool(value.get("starred")),
            _local(datetime.fromisoformat(value["made"])),
            file,
        )

    def jobs(self) -> list[SavedJob]:
        """Return the waiting jobs, without those whose styles mean nothing any more."""
        jobs = []
        for value in self.document["jobs"]:
            job = self._try("job", self._job, value)
            if job is not None and self._is_outdated(job, value.get("encoder")):
                self.outdated += 1
            elif job is not None:
                jobs.append(job)
        return jobs

    @staticmethod
    def _is_outdated(job: SavedJob, encoder: str | None) -> bool:
        """Whether the styles of a job were embedded with other weights than the installed ones.

        Sessions of version 0.1.0 do not state the encoder. Since then that of bundled families has
        changed, and no other.
        """
        styled = [request for request in job[2] if request.embedding is not None]
        if not styled:
            return False
        family = families().get(styled[0].family)
        now = encoder_of(styled[0].family)
        if family is None or now is None:  # generating says what is missing
            return False
        return family.bundled if encoder is None else encoder != now

    def _job(self, value: dict[str, Any]) -> SavedJob:
        requests = []
        for one in value["requests"]:
            whole = {
                name: self._array(part).to_dict()
                if isinstance(part, str) and part.endswith(".array")
                else part
                for name, part in one.items()
            }
            request = request_from_dict(whole)
            if not isinstance(request, GenerateRequest):
                raise ValueError("not a generation")
            requests.append(request)
        if not requests:
            raise ValueError("nothing to generate")
        return self.target(value["target"]), _name(value.get("title", "")), requests

    def settings(self, settings: Any) -> dict[str, Any]:
        """Return the saved settings that differ, are known to this version and have valid types."""
        saved = self.document["settings"]
        found: dict[str, Any] = {}
        if saved and "colour_match" not in saved:  # of an earlier version, which matched nothing
            found["colour_match"] = OFF
        for one in fields(settings):
            now = getattr(settings, one.name)
            if one.name not in saved or saved[one.name] == now:
                continue
            value = saved[one.name]
            optional = "None" in str(one.type)
            kind = float if optional else type(now)
            if kind is float and type(value) is int and abs(value) <= MOST_NUMBER:
                value = float(value)
            fits = type(value) is kind and _sensible(one.name, value)
            if fits or (value is None and optional):
                found[one.name] = value
            else:
                self.lost.append("setting")
        try:  # use them as the session will
            tried = replace(settings, **{k: v for k, v in found.items() if k != "family"})
            get_preset(tried.preset)
            _ = tried.colour_setting
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


def whole(value: Any) -> int:
    """Return a whole number of a session, such as that of a region; raise ValueError if not."""
    if type(value) is not int or not 0 <= value <= MOST_NUMBER:
        raise ValueError("not a whole number")
    return value


def region_from(value: Any) -> Region:
    """Convert a JSON list of x, y, width and height to a region; raise ValueError if not."""
    x, y, width, height = (float(number) for number in value)
    inside = max(abs(x), abs(y), width, height) <= MOST_SIDE  # NaN is not
    if not (inside and width > 0 and height > 0):
        raise ValueError("not a region")
    return Region(x, y, width, height)


def _size(value: dict[str, Any]) -> tuple[int, int]:
    height, width = (whole(number) for number in value["size"])
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ValueError("not a size")
    return height, width


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError("not a name")
    return value


def _local(when: datetime) -> datetime:
    """Return a time without its zone, as those of this session are."""
    return when.astimezone().replace(tzinfo=None) if when.tzinfo is not None else when


def _sensible(name: str, value: Any) -> bool:
    """Return True if a setting cannot bring the session down; a request checks it further."""
    if isinstance(value, str):
        return len(value) <= LONGEST
    low, high = RANGES.get(name, (-1000, 1000))
    return bool(low <= value <= high)  # NaN is not


# Parts of a session, by their names in the JSON
PARTS = {
    "styles": "style",
    "regions": "region",
    "results": "variant",
    "jobs": "job",
    "targets": "variant",
    "settings": "setting",
    "measures": "measurement",
}
RANGES = {"seed": (0, MAX_SEED), "count": (1, 10_000), "steps": (1, 1000)}
PICTURE_NAME = re.compile(r"[0-9a-f]{32}\.zarr")


def _choice(value: Any) -> StyleChoice:
    """Read the styles of a region. Earlier versions saved the number of one region."""
    return StyleChoice.from_dict(value) if isinstance(value, dict) else StyleChoice.of(value or 0)


def _picture(data: bytes) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Decode the PNG of a variant: its pixels and its record."""
    import io

    from PIL import Image

    from napari_pixcell.datasets.marks import RECORD_KEY

    with Image.open(io.BytesIO(data)) as image:
        check_array([image.height, image.width, 3], np.uint8)
        image.load()
        text = getattr(image, "text", {})[RECORD_KEY]
        return np.array(image.convert("RGB")), parse_json(text, "record")
