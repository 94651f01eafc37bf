"""A named style and its file format.

A style file is a line of JSON with its metadata, followed by the embeddings as little-endian
float32 in C order. It is named after its id. It holds no path, no name of a slide, and nothing
that is executed on reading.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
import stat
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.engine.styles.features.encoders import UNI2_H_NAME, encoder_name
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.models.catalogue import Family
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.untrusted import check_array, check_regular, parse_json

FORMAT = 1
LONGEST_NAME = 200
THUMBNAIL = 96  # px
LARGEST_FILE = 256 * 2**20
MOST_PARTS = 1000  # styles that one was blended from
SUFFIX = ".style"
ID = re.compile(r"[0-9a-f]{32}")


class _OtherFormat(PixCellError):
    """A style of a version that this one cannot read."""


def new_id() -> str:
    """Return an id that no style has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class Style:
    """The look of a tissue, with a name.

    Parameters
    ----------
    name : str
        Any words.
    embedding : array, float32, (rows, columns, dimension)
    encoder : str
        See :func:`napari_pixcell.models.store.encoder_kind`. A style out of a file of features of
        UNI2-h names this encoder instead, which need not be installed.
    family : str
        Name of the family that embedded it, for display.
    made_of : tuple of (str, float)
        Names and shares of the styles that it was blended from.
    thumbnail : array, uint8, (height, width, 3), optional
        A small image of the tissue.
    id : str
        Identifies it under any name; 32 hexadecimal digits.
    created : str
        Time, ISO 8601, UTC.
    colours : TissueColours, optional
        Of its tissue. Styles of earlier versions have none.
    """

    name: str
    embedding: NDArray[np.float32]
    encoder: str
    family: str
    made_of: tuple[tuple[str, float], ...] = ()
    thumbnail: NDArray[np.uint8] | None = None
    id: str = field(default_factory=new_id)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    colours: TissueColours | None = None

    @property
    def tiles(self) -> int:
        """Number of embeddings."""
        return math.prod(self.embedding.shape[:2])

    def save(self, path: Path | str) -> None:
        """Write it to a file of its own, outside of the library; :func:`read_style` reads it.

        Raises
        ------
        PixCellError
            If the file cannot be written.
        """
        path = Path(path)
        try:
            write_whole(path, style_bytes(self))
        except OSError as error:
            raise PixCellError(
                f"{path.name} cannot be written ({error.strerror}). Choose another folder."
            ) from error

    def why_not(self, family: Family, encoder: str | None) -> str:
        """Return why a family with this encoder cannot use it, or an empty string if it can."""
        if self.encoder == encoder or self.encoder == UNI2_H_NAME == encoder_name(family):
            return ""
        return (
            f"“{self.name}” was embedded by the encoder of another model ({self.family}). Choose "
            f"another style for {family.title}, or embed its tissue again."
        )


def small_picture(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the thumbnail of an image, uint8 (height, width, 3)."""
    from PIL import Image

    step = max(1, min(pixels.shape[:2]) // (4 * THUMBNAIL))
    picture = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step]))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(picture)


def checked_name(name: str) -> str:
    """Return a name on one line, without surrounding spaces.

    Raises
    ------
    PixCellError
        If it is empty or too long.
    """
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not name:
        raise PixCellError("A style needs a name. Enter one, such as “Stroma A”.")
    if len(name) > LONGEST_NAME:
        raise PixCellError(
            f"This name has {len(name):,} characters. Choose one of at most {LONGEST_NAME}."
        )
    return name


def style_bytes(style: Style) -> bytes:
    """Return the content of a style's file."""
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
        "colours": to_json(style.colours) if style.colours is not None else None,
        "shape": list(style.embedding.shape),
        "sha256": hashlib.sha256(values).hexdigest(),
    }
    return json.dumps(head).encode() + b"\n" + values


def style_from(data: bytes) -> Style:
    """Read a style from the content of its file, as :func:`style_bytes` returns it.

    Raises
    ------
    ValueError, KeyError, TypeError, PixCellError
        If the content is not exactly that of a style, or of another format.
    """
    end = data.index(b"\n")
    head, values = parse_json(data[:end], "style"), memoryview(data)[end + 1 :]
    if head["napari-pixcell style"] != FORMAT:
        raise _OtherFormat(
            f"A saved style was written by another version of napari-pixcell (format "
            f"{str(head['napari-pixcell style'])[:20]}, this one reads {FORMAT}). Update "
            "napari-pixcell."
        )
    shape = check_array(head["shape"], "<f4")
    if len(shape) != 3 or min(shape) < 1 or len(values) != 4 * math.prod(shape):
        raise ValueError("its embeddings are incomplete")
    if not ID.fullmatch(head["id"]):
        raise ValueError("its id is not valid")
    if hashlib.sha256(values).hexdigest() != head["sha256"]:
        raise ValueError("its embeddings were changed")
    try:
        embedding = as_grid(np.frombuffer(values, "<f4").reshape(shape).astype(np.float32))
        name = checked_name(str(head["name"]))
    except PixCellError as error:
        raise ValueError(str(error)) from error
    made_of = tuple((str(part), float(share)) for part, share in head["made of"][:MOST_PARTS])
    if not all(math.isfinite(share) and share >= 0 for _, share in made_of):
        raise ValueError("its shares are not numbers")
    return Style(
        name,
        embedding,
        str(head["encoder"])[:LONGEST_NAME],
        str(head["family"])[:LONGEST_NAME],
        made_of,
        _picture(head["thumbnail"]) if head.get("thumbnail") else None,
        head["id"],
        str(head["created"])[:LONGEST_NAME],
        from_json(TissueColours, head["colours"], "{detail}") if head.get("colours") else None,
    )


def read_style_file(path: Path) -> Style:
    """Read a style file of the library.

    Raises
    ------
    PixCellError
        If it is missing, damaged, of another format, or not named after its id.
    """
    style = _read(path)
    if style.id + SUFFIX != path.name:
        raise _damaged(path)
    return style


def read_style(path: Path | str) -> Style:
    """Read a style from a file of any name that :meth:`Style.save` wrote.

    Raises
    ------
    PixCellError
        If it is missing, damaged, or of another format.
    """
    path = Path(path)
    check_regular(path)
    return _read(path)


def _read(path: Path) -> Style:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
            raise ValueError("it is not a style file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise PixCellError("This style no longer exists. Choose another one.") from None
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    try:
        style = style_from(data)
    except _OtherFormat:
        raise
    except Exception as error:  # any part may be of any type
        raise _damaged(path) from error
    return style


def _damaged(path: Path) -> PixCellError:
    return PixCellError(
        f"A saved style cannot be read (“{path.name[:60]}” is damaged). Remove that file, and "
        "create the style again from its tissue."
    )


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _picture(text: object) -> NDArray[np.uint8] | None:
    """Read a thumbnail, or return None if it is damaged, as it is optional."""
    from PIL import Image

    try:
        stream = io.BytesIO(base64.b64decode(str(text)))
        with Image.open(stream, formats=("PNG",)) as picture:
            small = max(picture.size) <= THUMBNAIL
            return np.asarray(picture.convert("RGB")) if small else None
    except Exception:  # Pillow raises anything
        return None
