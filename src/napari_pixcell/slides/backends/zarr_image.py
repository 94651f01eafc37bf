"""OME-Zarr, versions 0.1 to 0.5: an RGB image of several resolutions, read chunk by chunk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest
from zarr.storage import LocalStore, WrapperStore

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.backends.colours import is_bright
from napari_pixcell.slides.backends.directories import LARGEST_TILE, LONGEST_SIDE
from napari_pixcell.slides.corrupt import CorruptTiles, NoTissueImage, Undecodable, unsupported
from napari_pixcell.slides.levels import TiledLevel
from napari_pixcell.slides.pixel_size import not_square, plausible
from napari_pixcell.slides.remote import RemoteFolder
from napari_pixcell.slides.slide import Slide, shape_ratios
from napari_pixcell.untrusted import parse_json, path_inside, plain_name, read_bounded, reading
from napari_pixcell.zarr_files import (
    FILES,
    GROUP_FILES,
    SHARDED,
    ArrayFacts,
    attributes_of,
    axes_of,
    checked_array,
    is_cut_short,
    is_oversized,
    largest_file,
    pixel_sizes,
    scale_of,
)

MOST_LEVELS = 64
SMALLEST_TILE = 64  # px; smaller chunks are read several at once
TILE = 256
OLD_AXES = "tczyx"  # of versions 0.1 and 0.2, which do not state them
COLOURS = (("red", "green", "blue"), ("r", "g", "b"))
AS_RGB = "Save it as an RGB image with 8 bits per channel, for example as OME-TIFF."


class Folder(Protocol):
    """A folder of files, on this computer or a server."""

    name: str
    closed: bool

    @property
    def failures(self) -> tuple[type[BaseException], ...]:
        """Errors of the way to the files, not of their content."""

    def read(self, key: str) -> bytes | None:
        """Return a small file, or None if there is none of that name."""

    def store(self) -> Any:
        """Return the folder as a store of the library zarr."""

    def unreachable(self, error: BaseException) -> PixCellError:
        """Return the error for one of ``failures``."""

    def close(self) -> None:
        """Close connections, and refuse further reading."""


class LocalFolder:
    """A folder on this computer."""

    failures: tuple[type[BaseException], ...] = ()

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.closed = path, path.name, False

    def read(self, key: str) -> bytes | None:
        """Return a small file, or None if there is none of that name."""
        path = path_inside(self.path, key, "name in a Zarr")
        return read_bounded(path, 2**26, "Zarr") if os.path.lexists(path) else None

    def store(self) -> Any:
        """Return the folder as a store of the library zarr."""
        return LocalStore(self.path, read_only=True)

    def unreachable(self, error: BaseException) -> PixCellError:
        """Not called, since ``failures`` is empty."""
        raise error

    def close(self) -> None:
        """Refuse further reading; files are open only while they are read."""
        self.closed = True


def open_folder(path: Path) -> Slide:
    """Open an OME-Zarr on this computer.

    Raises
    ------
    PixCellError
        If it is damaged, no RGB image, or stores it in an unsupported way.
    """
    with reading(path.name):
        slide = _opened(LocalFolder(path))
    slide.path = path
    return slide


def open_url(url: str) -> Slide:
    """Open an OME-Zarr on a server. Only the chunks that are read are fetched.

    Raises
    ------
    PixCellError
        As for :func:`open_folder`, or if the server does not answer.
    """
    folder = RemoteFolder(url)
    try:
        with reading(folder.name, "Check the address."):
            return _opened(folder)
    except BaseException:
        folder.close()
        raise


@dataclass(frozen=True)
class ZarrImage:
    """The description of an image."""

    folder: Folder
    place: str  # of its group in the folder; empty for the folder itself
    scales: dict[str, Any]
    channels: list[Any]

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def levels(self) -> list[dict[str, Any]]:
        """The entries of its levels, finest first."""
        found = self.scales.get("datasets")
        levels = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        if not levels:
            raise PixCellError(f"“{self.name}” lists no levels. Export it again.")
        return levels[:MOST_LEVELS]

    @property
    def axes(self) -> str:
        """First letters of its axes; empty if it states none."""
        return axes_of(self.scales)


def _opened(folder: Folder) -> Slide:
    image = _image(folder)
    corrupt = CorruptTiles(folder.name)
    levels: list[TiledLevel] = []
    for entry in image.levels:
        place = "/".join(filter(None, (image.place, _checked_path(entry.get("path")))))
        levels.append(_level(image, place, corrupt, len(levels)))
    if not _states_colours(image) and not is_bright(levels[-1]):
        raise _not_rgb(folder.name, "has three channels that are not red, green and blue")
    axes = image.axes or OLD_AXES
    sizes = pixel_sizes(image.scales, image.levels[0], axes)
    mpp = plausible(*sizes)
    ratios = _ratios(image, axes, levels)
    source = "OME metadata" if mpp else ""
    slide = Slide(folder.name, levels, ratios, mpp, source, close=folder.close, corrupt=corrupt)
    slide.note = not_square(*sizes)
    return slide


# -- metadata ---------------------------------------------------------------------------------


def _image(folder: Folder) -> ZarrImage:
    """Return the image of a group: its own, or the first of several, as bioformats2raw writes."""
    about, place = _attributes(folder, ""), ""
    if "plate" in about or "well" in about:
        kind = "plate" if "plate" in about else "well"
        raise unsupported(
            folder.name,
            f"is a {kind} of many images, not a slide",
            "Choose the folder of one image, such as “A/1/0” of a plate.",
        )
    if not isinstance(about.get("multiscales"), list) and "image-label" not in about:
        about, place = _attributes(folder, "0"), "0"
    if "image-label" in about:
        raise NoTissueImage(
            f"“{folder.name}” is a label image, so it cannot be opened as a slide. Import it as a "
            "layout instead."
        )
    scales = about.get("multiscales")
    if not isinstance(scales, list) or not scales or not isinstance(scales[0], dict):
        raise NoTissueImage(
            f"“{folder.name}” is a Zarr without an OME image, so it cannot be opened as a slide. "
            "Export the slide as OME-Zarr."
        )
    omero = about.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    return ZarrImage(folder, place, scales[0], channels if isinstance(channels, list) else [])


def _attributes(folder: Folder, place: str) -> dict[str, Any]:
    return attributes_of(_described(folder, place, GROUP_FILES[:2]))


def _described(folder: Folder, place: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the content of the first of several metadata files that exists."""
    for name in names:
        data = folder.read(f"{place}/{name}" if place else name)
        if data is not None:
            value = parse_json(data, name)
            return value if isinstance(value, dict) else {}
    return {}


def _checked_path(value: Any) -> str:
    parts = value.split("/") if isinstance(value, str) else [value]
    return "/".join(plain_name(part, "path of a level") for part in parts)


def _not_rgb(name: str, what: str) -> NoTissueImage:
    return NoTissueImage(f"“{name}” {what}, so it cannot be opened as a slide. {AS_RGB}")


def _states_colours(image: ZarrImage) -> bool:
    """Whether the channels are called red, green and blue."""
    names = [
        str(one.get("label", "")).strip().lower() if isinstance(one, dict) else ""
        for one in image.channels[:3]
    ]
    return tuple(names) in COLOURS


def _ratios(image: ZarrImage, axes: str, levels: list[TiledLevel]) -> list[tuple[float, float]]:
    """Return the (y, x) downsample of each level: as stated if that fits its shape."""
    first, computed = image.levels[0], shape_ratios(levels)
    found = []
    for entry, level, guess in zip(image.levels, levels, computed, strict=True):
        stated = []
        for axis, size, whole in zip("yx", level.shape, levels[0].shape, strict=False):
            now, then = (scale_of(image.scales, one, axes.find(axis)) for one in (entry, first))
            ratio = now / then if now and then else 0.0
            if ratio >= 1 and abs(whole / ratio - size) <= 1:
                stated.append(ratio)
        found.append((stated[0], stated[1]) if len(stated) == 2 else guess)
    return found


# -- pixels -----------------------------------------------------------------------------------


def _level(image: ZarrImage, place: str, corrupt: CorruptTiles, index: int) -> TiledLevel:
    import zarr

    folder, name = image.folder, image.name
    told = _described(folder, place, ("zarr.json", ".zarray"))
    facts = checked_array(name, place, told, "an image")
    axes = _checked_axes(name, image.axes, facts)
    store = CheckedStore(folder.store(), facts, folder)
    array = zarr.open_array(store, path=place, mode="r", zarr_format=2 if "order" in told else 3)
    store.chunk_bytes = prod(array.chunks) * facts.dtype.itemsize
    height, width = (facts.shape[axes.index(axis)] for axis in "yx")
    th, tw = (_tile(array.chunks[axes.index(axis)]) for axis in "yx")
    if th * tw > LARGEST_TILE or max(height, width) > LONGEST_SIDE:
        raise PixCellError(f"The chunks of “{name}” are too large. Save it with smaller chunks.")
    read = _reader(folder, array, axes)

    def fetch(row: int, column: int) -> NDArray[np.uint8]:
        top, left = row * th, column * tw
        rows, columns = slice(top, min(top + th, height)), slice(left, min(left + tw, width))
        return read(rows, columns)

    return TiledLevel((height, width), (th, tw), fetch, corrupt=corrupt, index=index)


def _tile(chunk: int) -> int:
    return chunk if chunk >= SMALLEST_TILE else chunk * -(-TILE // chunk)


def _checked_axes(name: str, axes: str, facts: ArrayFacts) -> str:
    """Return the axes of an array that holds one RGB image of 8 bits."""
    axes = axes or OLD_AXES[-len(facts.shape) :]
    sizes = dict(zip(axes, facts.shape, strict=False))
    if len(axes) != len(facts.shape) or len(sizes) != len(axes) or not {"y", "x"} <= sizes.keys():
        raise PixCellError(f"The axes of “{name}” do not match its shape. Export it again.")
    if min(facts.shape) < 1:
        raise PixCellError(f"“{name}” has no pixels. Export it again.")
    for axis, what in (("z", "planes of depth"), ("t", "points in time")):
        if sizes.get(axis, 1) > 1:
            raise unsupported(
                name, f"has {sizes[axis]} {what}", "Export one of them and open that."
            )
    others = [axis for axis in axes if axis not in "tczyx" and sizes[axis] > 1]
    if others:
        raise unsupported(
            name, f"has the axis “{others[0]}”", "Export one image along it and open that."
        )
    channels = sizes.get("c", 1)
    if channels != 3:
        what = "one channel" if channels == 1 else f"{channels} channels"
        raise _not_rgb(name, f"has {what}, not red, green and blue")
    if facts.dtype != np.uint8:
        raise _not_rgb(name, f"has pixels of type {facts.dtype.name}, not 8 bits")
    return axes


def _reader(folder: Folder, array: Any, axes: str) -> Callable[[slice, slice], NDArray[np.uint8]]:
    """Return a function that reads rows and columns of an array: (rows, columns, 3)."""
    kept = [axis for axis in axes if axis in "cyx"]
    order = [kept.index(axis) for axis in "yxc"]

    def read(rows: slice, columns: slice) -> NDArray[np.uint8]:
        if folder.closed:
            raise PixCellError(f"“{folder.name}” was closed. Open it again.")
        parts = {"y": rows, "x": columns, "c": slice(None)}
        try:
            found = np.asarray(array[tuple(parts.get(axis, 0) for axis in axes)])
            return np.ascontiguousarray(found.transpose(order))
        except folder.failures as error:
            raise folder.unreachable(error) from error
        except Exception as error:  # each codec raises its own exceptions
            raise Undecodable("damaged data") from error

    return read


class CheckedStore(WrapperStore[Any]):
    """A store whose chunks are checked before a library decompresses them.

    Attributes
    ----------
    chunk_bytes : int
        Bytes of the smallest unit that is decompressed.
    """

    def __init__(self, store: Any, facts: ArrayFacts, folder: Folder) -> None:
        super().__init__(store)
        self.facts, self.folder = facts, folder
        self.chunk_bytes = facts.chunk_bytes
        self._codecs = [one for one in facts.codecs if one != SHARDED]

    def _with_store(self, store: Any) -> CheckedStore:
        return CheckedStore(store, self.facts, self.folder)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a file or a part of it; raise ValueError if it is too large for its pixels."""
        describes = key.rpartition("/")[2] in FILES
        if isinstance(self.folder, LocalFolder) and not describes:
            self._check_file(self.folder.path / key)
        found: Buffer | None = await self._store.get(key, prototype, byte_range)
        if found is None or describes or (SHARDED in self.facts.codecs and byte_range is None):
            return found
        data = found.to_bytes()
        if is_oversized(data, self.chunk_bytes, self._codecs):
            raise ValueError("more data than pixels")
        if is_cut_short(data, self._codecs):
            raise ValueError("cut short")
        return found

    def _check_file(self, path: Path) -> None:
        try:
            about = path.stat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(about.st_mode) or about.st_size > largest_file(self.facts.chunk_bytes):
            raise ValueError("not a file of a chunk")

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Any
    ) -> list[Buffer | None]:
        """Return parts of files, each as :meth:`get` does."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]
