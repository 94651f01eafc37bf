"""Styles with a name, and the library on disk that keeps them.

A style is one file: a line of JSON, which says what it is, and then the embeddings as
little-endian float32 in C order. It is named after its id; it holds no path, no name of a slide,
and nothing that is run when it is read.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import os
import re
import stat
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import config_folder
from napari_pixcell.models.catalogue import Family

FORMAT = 1
LONGEST_NAME = 200
THUMBNAIL = 96  # px
LARGEST_FILE = 512 * 2**20
SUFFIX = ".style"
UNFINISHED = "unfinished-"
OLD = 3600.0  # seconds after which an unfinished file is a leftover
ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """Give an id that no style has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class Style:
    """How tissue looks, with a name.

    Parameters
    ----------
    name : str
        Any words.
    embedding : array, float32, (rows, columns, dimension)
    encoder : str
        See :func:`napari_pixcell.models.identity.encoder_kind`.
    family : str
        Name of the family that it was made with, for people.
    made_of : tuple of (str, float)
        Names and shares of the styles that it was blended from.
    thumbnail : array, uint8, (height, width, 3), optional
        A small picture of the tissue.
    id : str
        Identifies it whatever it is called; 32 hexadecimal digits.
    created : str
        Time, ISO 8601, UTC.
    """

    name: str
    embedding: NDArray[np.float32]
    encoder: str
    family: str
    made_of: tuple[tuple[str, float], ...] = ()
    thumbnail: NDArray[np.uint8] | None = None
    id: str = field(default_factory=new_id)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def tiles(self) -> int:
        """How many embeddings it has."""
        return self.embedding.shape[0] * self.embedding.shape[1]

    def why_not(self, family: Family, encoder: str | None) -> str:
        """Say why it cannot be used with a family whose encoder is this; empty if it can."""
        if self.encoder == encoder:
            return ""
        return (
            f"“{self.name}” was made with the encoder of another model ({self.family}); choose "
            f"another style for {family.title}, or make this one again from its tissue."
        )


def small_picture(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the thumbnail of a picture (height, width, 3)."""
    from PIL import Image

    step = max(1, min(pixels.shape[:2]) // (4 * THUMBNAIL))
    picture = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step]))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(picture)


def checked_name(name: str) -> str:
    """Give a name as it is kept: on one line, without spaces around it.

    Raises
    ------
    PixCellError
        If nothing is left, or it is too long to be read.
    """
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not name:
        raise PixCellError("A style needs a name; type one, such as “Stroma A”.")
    if len(name) > LONGEST_NAME:
        raise PixCellError(
            f"This name has {len(name):,} characters; choose one of at most {LONGEST_NAME}."
        )
    return name


def free_name(name: str, taken: Collection[str]) -> str:
    """Give a name that is not taken yet, with a number if need be."""
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"


class StyleLibrary:
    """Saved styles: as many files as there are styles, of all sessions of this user.

    Every method reads or writes files: call none in the main thread of a window. May be used by
    several processes at once; each file is written whole or not at all.

    Parameters
    ----------
    folder : Path, optional
        By default in the configuration folder of the plugin.

    Attributes
    ----------
    problems : list of str
        A sentence for each file that could not be read last time.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.problems: list[str] = []

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._folder or config_folder() / "styles"

    def stamp(self) -> int:
        """Give a number that changes when styles come, go or are renamed."""
        try:
            return self.folder.stat().st_mtime_ns
        except OSError:
            return 0

    def read(self) -> list[Style]:
        """Give all styles, by name; a damaged file is left out and told of."""
        found, self.problems = [], []
        for path in self._files():
            try:
                found.append(_read(path))
            except PixCellError as error:
                self.problems.append(str(error))
        return sorted(found, key=lambda style: (style.name.casefold(), style.name))

    def find(self, name: str) -> Style:
        """Look a style up by its name, in any case of letters, or by its id.

        Raises
        ------
        PixCellError
            If there is none.
        """
        styles = self.read()
        for same in (
            lambda s: s.name == name,
            lambda s: s.id == name,
            lambda s: s.name.casefold() == name.casefold(),
        ):
            match = [style for style in styles if same(style)]
            if match:
                return match[0]
        known = ", ".join(f"“{style.name}”" for style in styles[:8])
        raise PixCellError(
            f"There is no style “{name}”; there {'is ' + known if known else 'are none yet'}"
            f"{' and more' if len(styles) > 8 else ''}: see “napari-pixcell styles list”."
        )

    def save(self, style: Style) -> Style:
        """Keep a style; one whose name is taken gets a number.

        Raises
        ------
        PixCellError
            If the name cannot be used, or the folder not be written to.
        """
        taken = {other.name for other in self.read() if other.id != style.id}
        style = replace(style, name=free_name(checked_name(style.name), taken))
        self._write(style)
        return style

    def rename(self, id_: str, name: str) -> Style:
        """Call a saved style something else; a name that is taken gets a number."""
        return self.save(replace(_read(self._path(id_)), name=name))

    def remove(self, id_: str) -> None:
        """Forget a saved style.

        Raises
        ------
        PixCellError
            If its file cannot be removed.
        """
        try:
            self._path(id_).unlink(missing_ok=True)
        except OSError as error:
            raise self._refused("removed", error) from error

    def _path(self, id_: str) -> Path:
        if not ID.fullmatch(id_):
            raise PixCellError("There is no such style any more; choose another one.")
        return self.folder / f"{id_}{SUFFIX}"

    def _files(self) -> Iterator[Path]:
        try:
            paths = sorted(self.folder.iterdir())
        except OSError:
            return
        for path in paths:
            if path.suffix == SUFFIX:
                yield path
            elif path.name.startswith(UNFINISHED):
                _sweep(path)

    def _write(self, style: Style) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=".tmp", dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_content(style))
                    file.flush()
                    os.fsync(file.fileno())  # else a power cut could leave an empty file
                Path(name).replace(self._path(style.id))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._refused("saved", error) from error

    def _refused(self, what: str, error: OSError) -> PixCellError:
        return PixCellError(
            f"The style cannot be {what} ({error.strerror}); make room in the configuration "
            "folder or make it writable, or name another in PIXCELL_CONFIG_DIR."
        )


def style_bytes(style: Style) -> bytes:
    """Give a style as its file holds it."""
    return _content(style)


def style_from(data: bytes) -> Style:
    """Read what :func:`style_bytes` gave.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is something else.
    """
    line, _, values = data.partition(b"\n")
    head = json.loads(line)
    return _style(head, values, Path(f"{head['id']}{SUFFIX}"))


def _sweep(path: Path) -> None:
    try:
        if time.time() - path.stat().st_mtime > OLD:
            path.unlink(missing_ok=True)
    except OSError:
        return  # another session may be at it


def _content(style: Style) -> bytes:
    values = style.embedding.astype("<f4").tobytes()
    head = {
        "napari-pixcell style": FORMAT,
        "id": style.id,
        "name": style.name,
        "encoder": style.encoder,
        "family": style.family,
        "made of": [list(part) for part in style.made_of],
        "created": style.created,
        "thumbnail": _png(style.thumbnail) if style.thumbnail is not None else None,
        "shape": list(style.embedding.shape),
        "sha256": hashlib.sha256(values).hexdigest(),
    }
    return json.dumps(head).encode() + b"\n" + values


def _read(path: Path) -> Style:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
            raise ValueError("it is no file of ours")
        line, _, values = path.read_bytes().partition(b"\n")
        head = json.loads(line)
        if head["napari-pixcell style"] != FORMAT:
            raise PixCellError(
                f"A saved style was written by another version of napari-pixcell (format "
                f"{head['napari-pixcell style']}, this one reads {FORMAT}); update napari-pixcell."
            )
        return _style(head, values, path)
    except FileNotFoundError:
        raise PixCellError("There is no such style any more; choose another one.") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PixCellError(
            f"A saved style cannot be read (“{path.name}” is damaged); remove that file, and "
            "make the style again from its tissue."
        ) from error


def _style(head: dict[str, Any], values: bytes, path: Path) -> Style:
    """Build a style; ValueError or the like if the file is not exactly what was written."""
    shape = tuple(int(n) for n in head["shape"])
    if len(shape) != 3 or min(shape) < 1 or len(values) != 4 * math.prod(shape):
        raise ValueError("its embeddings are not whole")
    if head["id"] + SUFFIX != path.name or not ID.fullmatch(head["id"]):
        raise ValueError("it is not named after its id")
    if hashlib.sha256(values).hexdigest() != head["sha256"]:
        raise ValueError("its embeddings were changed")
    try:
        embedding = as_grid(np.frombuffer(values, "<f4").reshape(shape).astype(np.float32))
        name = checked_name(str(head["name"]))
    except PixCellError as error:
        raise ValueError(str(error)) from error
    return Style(
        name,
        embedding,
        str(head["encoder"]),
        str(head["family"]),
        tuple((str(part), float(share)) for part, share in head["made of"]),
        _picture(head["thumbnail"]) if head["thumbnail"] else None,
        head["id"],
        str(head["created"]),
    )


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _picture(text: object) -> NDArray[np.uint8] | None:
    """Read the thumbnail; a style without one is as good."""
    from PIL import Image

    try:
        stream = io.BytesIO(base64.b64decode(str(text)))
        with Image.open(stream, formats=("PNG",)) as picture:
            small = max(picture.size) <= THUMBNAIL
            return np.asarray(picture.convert("RGB")) if small else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
