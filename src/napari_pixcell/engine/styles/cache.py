"""A cache of embeddings on disk, so that reopened slides have their styles. Imports no torch.

An entry is one file: a line of JSON, its signature, followed by the values as little-endian float32
in C order. It is named after the hash of its key, and holds no name of a slide and no path.
Nothing in it is unpickled or executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell import __version__
from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.events import Embedding
from napari_pixcell.files import UNFINISHED, private_folder, write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.preferences import EMBEDDINGS, megabytes
from napari_pixcell.serialization import to_json
from napari_pixcell.slides.content import pixels_stamp
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

log = logging.getLogger(__name__)

FORMAT = 2  # increase it when the same pixels and weights yield other values
LARGEST_ENTRY = 64 * 2**20  # bytes; a region of 20,000 px a side by UNI2-h is 38 MB
KEPT_WHEN_FULL = 0.9  # of the limit, so that not every new entry causes a sweep
OLD_TEMPORARY = 3600.0  # seconds after which an unfinished file is a leftover of a crash
ENTRY = re.compile(r"[0-9a-f]{64}\.embedding")
TEMPORARY = re.compile(rf"unfinished-.*\.tmp|\..*{re.escape(UNFINISHED)}")


@dataclass(frozen=True)
class EmbeddingKey:
    """Everything that determines the embedding of a tile or a larger region.

    Parameters
    ----------
    content : str
        Stamp of the slide file, or of the pixels read.
    region : tuple of 4 float
        x, y, width, height in level-0 pixels.
    slide_mpp, model_mpp : float
        Pixel sizes of level 0 and of the model, in µm.
    tile, grid : int
        Side of the model's tile in px, and embeddings along its side.
    encoder : str
        See :func:`napari_pixcell.models.store.encoder_identity`.
    """

    content: str
    region: tuple[float, ...]
    slide_mpp: float
    model_mpp: float
    tile: int
    grid: int
    encoder: str

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value, including the versions of the format and the program."""
        return to_json(self) | {"format": FORMAT, "program": __version__}

    @property
    def name(self) -> str:
        """File name of its entry."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest() + ".embedding"


def embedding_key(
    slide: Slide, region: Region, family: Family, pixels: NDArray[np.uint8] | None = None
) -> EmbeddingKey | None:
    """Return the key of the embedding of a region in level-0 pixels.

    Slides that their file does not identify need the region's ``pixels``, uint8 (height, width, 3).
    The key is None if they are missing, or the encoder is not installed.
    """
    content = slide.content() if pixels is None else pixels_stamp(pixels)
    encoder = encoder_identity(family) if content is not None else None
    if content is None or encoder is None or slide.mpp is None:
        return None
    area = tuple(float(n) for n in region.as_list())
    return EmbeddingKey(content, area, slide.mpp, family.mpp, family.tile, family.grid, encoder)


class EmbeddingCache:
    """A cache of embeddings on disk. The least recently used are dropped first.

    Errors with its files are logged, never raised. Several threads and processes may use it at
    once.

    Parameters
    ----------
    folder : Path, optional
        Folder of the entries. By default in the cache folder of the plugin.
    limit : int, optional
        Bytes of all entries together; 0 switches the cache off. By default that of
        :data:`~napari_pixcell.preferences.EMBEDDINGS`.

    Attributes
    ----------
    bytes : int or None
        Bytes of all entries. None until they are measured.
    """

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        self.folder = folder or cache_folder() / "embeddings"
        if limit is None:
            limit = megabytes(EMBEDDINGS)
        self.limit = limit
        self.bytes: int | None = None
        self._lock = threading.Lock()

    def get(self, key: EmbeddingKey | None) -> NDArray[np.float32] | None:
        """Return a stored embedding, or None if there is none.

        It is float32, (grid², dimension) of a tile, (rows, columns, dimension) of anything larger.
        A damaged or mislabelled entry is removed.
        """
        if key is None or not self.limit:
            return None
        path = self.folder / key.name
        try:
            values = _read(path, key)
        except FileNotFoundError:
            return None
        except ValueError as error:
            log.warning("a stored embedding was rejected: %s", error)
            self._remove(path)
            return None
        except OSError as error:
            log.info("a stored embedding cannot be read (%s)", error.strerror)
            return None
        with contextlib.suppress(OSError):
            _touch(path)  # recently used entries are dropped last
        return values

    def keep(self, key: EmbeddingKey | None, event: Embedding) -> bool:
        """Store an embedding, and return whether it was stored.

        It is not if it does not match the key: by other weights than those now on disk, or with
        another number of embeddings.
        """
        if key is None or event.encoder != key.encoder:
            return False
        values = np.ascontiguousarray(event.values, "<f4")
        if not _plausible(values.shape, key) or not np.isfinite(values).all():
            return False
        head = json.dumps(_signature(key, values.shape, values.tobytes())).encode() + b"\n"
        content = head + values.tobytes()
        if len(content) > min(self.limit, LARGEST_ENTRY):
            return False
        try:
            private_folder(self.folder)
            write_whole(self.folder / key.name, lambda path: _write(path, content), private=True)
        except OSError as error:
            log.warning("an embedding could not be stored (%s)", error.strerror)
            return False
        with self._lock:
            if self.bytes is not None:
                self.bytes += len(content)
        if self.bytes is None or self.bytes > self.limit:
            self.measure()
        return True

    def measure(self) -> int:
        """Return the bytes of all entries, after dropping the oldest above the limit."""
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        if total > self.limit:
            for _, size, path in entries:
                if total <= self.limit * KEPT_WHEN_FULL:
                    break
                if self._unlink(path):
                    total -= size
        with self._lock:
            self.bytes = total
        return total

    def clear(self) -> int:
        """Remove every entry, and nothing else. Returns the bytes that remain."""
        for _, _, path in self._entries():
            self._unlink(path)
        return self.measure()

    def _entries(self) -> list[tuple[int, int, Path]]:
        """Return last use in ns, bytes and path of each entry, and remove leftovers of a crash."""
        found = []
        try:
            with os.scandir(self.folder) as listing:
                for entry in listing:
                    with contextlib.suppress(OSError):  # another process may have removed it
                        status = entry.stat(follow_symlinks=False)
                        if ENTRY.fullmatch(entry.name):
                            path = Path(entry.path)
                            found.append((status.st_mtime_ns, status.st_size, path))
                        elif TEMPORARY.fullmatch(entry.name) and _is_old(status):
                            Path(entry.path).unlink()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.info("stored embeddings cannot be listed (%s)", error.strerror)
        return found

    def _remove(self, path: Path) -> None:
        if self._unlink(path):
            self.measure()

    def _unlink(self, path: Path) -> bool:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.info("a stored embedding cannot be removed (%s)", error.strerror)
            return False
        return True


def _is_old(status: os.stat_result) -> bool:
    return time.time() - status.st_mtime > OLD_TEMPORARY


def _touch(path: Path) -> None:
    now = time.time_ns()  # finer than the kernel's own time stamps
    os.utime(path, ns=(now, now))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _touch(path)


def _plausible(shape: tuple[Any, ...], key: EmbeddingKey) -> bool:
    size = Region(*key.region).shape_at(key.slide_mpp, key.model_mpp)
    cells = cells_of(size, key.tile, key.grid)
    first = (key.grid**2,) if cells == (key.grid, key.grid) else cells
    return all(type(n) is int for n in shape) and shape[:-1] == first and shape[-1] > 0


def _signature(key: EmbeddingKey, shape: tuple[int, ...], values: bytes) -> dict[str, Any]:
    own = {"dtype": "<f4", "shape": list(shape), "sha256": hashlib.sha256(values).hexdigest()}
    return key.to_dict() | own


def _read(path: Path, key: EmbeddingKey) -> NDArray[np.float32]:
    """Read an entry. Raises ValueError if it is not exactly the one stored under ``key``."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_ENTRY:
        raise ValueError("it is not an entry")
    head, _, values = path.read_bytes().partition(b"\n")
    try:
        signature = json.loads(head)
        shape = tuple(signature["shape"])
        expected = _signature(key, shape, values)
        same = signature == expected and _plausible(shape, key)
    except (TypeError, KeyError, RecursionError) as error:  # JSON's own error is a ValueError
        raise ValueError("its signature cannot be read") from error
    if not same or len(values) != 4 * math.prod(shape):
        raise ValueError("its signature does not match the key")
    array = np.frombuffer(values, "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError("its values are not finite")
    return array
