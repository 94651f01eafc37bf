"""Slides that contain identifying strings, and a search for these strings."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

PATIENT, CASE, USER, HOST = "Zebulonq", "S99-77313", "quincewort", "hostorixpc"
PLANTED = (PATIENT, CASE, USER, HOST)
DEPTH = 6  # of containers in containers


def plant_user(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Set identifying names of the user, the home folder and the machine."""
    home = home / USER
    home.mkdir()
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, USER)
    monkeypatch.setenv("HOME", str(home))
    for name in ("HOSTNAME", "COMPUTERNAME"):
        monkeypatch.setenv(name, HOST)
    monkeypatch.setattr("getpass.getuser", lambda: USER)
    for name in ("platform.node", "socket.gethostname", "socket.getfqdn"):
        monkeypatch.setattr(name, lambda *_: HOST)
    return home


def plant_svs(folder: Path, rgb: NDArray[np.uint8], mpp: float) -> Path:
    """Write an Aperio slide with a thumbnail, a label and a macro image that name the patient."""
    path = folder / f"{PATIENT}_{CASE}.svs"
    height, width = rgb.shape[:2]
    head = "Aperio Image Library v11.2.1 \r\n"
    plate = np.frombuffer(f"{PATIENT} {CASE} ".encode() * 900, np.uint8)[: 60 * 90 * 3]
    label = plate.reshape(60, 90, 3)
    say = f"|AppMag = 40|MPP = {mpp}|Patient = {PATIENT}|User = {USER}|ScanScope ID = {HOST}"
    tags = [(315, "s", 0, USER, True), (316, "s", 0, HOST, True)]  # artist and host computer
    with tifffile.TiffWriter(path) as file:
        file.write(
            rgb,
            photometric="rgb",
            tile=(256, 256),
            compression="jpeg",
            description=f"{head}{width}x{height} [0,0 {width}x{height}] (256x256) JPEG/RGB{say}",
            metadata=None,
            extratags=tags,
            software=f"Scan by {USER}",
        )
        pages = ((f"{head}thumb", rgb[::4, ::4], 0), (f"{head}label {CASE}", label, 1))
        for words, page, kind in (*pages, (f"{head}macro {PATIENT}", label, 9)):
            file.write(
                np.ascontiguousarray(page),
                photometric="rgb",
                rowsperstrip=16,
                description=words,
                metadata=None,
                subfiletype=kind,
            )
    return path


def plant_ome(folder: Path, rgb: NDArray[np.uint8], mpp: float) -> Path:
    """Write an OME-TIFF whose description names the patient, the user and the machine."""
    path = folder / f"{PATIENT} {CASE}.ome.tif"
    metadata = {
        "axes": "YXS",
        "Name": f"{PATIENT} {CASE}",
        "Description": f"Scanned by {USER} on {HOST} for {PATIENT}",
        "PhysicalSizeX": mpp,
        "PhysicalSizeY": mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeYUnit": "µm",
    }
    tifffile.imwrite(
        path, rgb, ome=True, photometric="rgb", tile=(256, 256), metadata=metadata, software=USER
    )
    return path


def found_in(folder: Path) -> list[str]:
    """Return the planted strings in the files of a folder and in their names."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes() if path.is_file() else b""
        found += [f"{one} in {name}" for one in planted_in(name.encode()) + planted_in(data)]
    return found


def planted_in(data: bytes) -> list[str]:
    """Return the planted strings in bytes, also inside compressed or encoded parts."""
    seen = set()
    for part in _parts(data, DEPTH):
        low = part.lower()
        for word in PLANTED:
            for code in ("ascii", "utf-16-le", "utf-16-be"):
                if word.lower().encode(code) in low:
                    seen.add(word)
    return sorted(seen)


def parts_of(data: bytes) -> Iterator[bytes]:
    """Iterate over bytes and everything packed in them."""
    return _parts(data, DEPTH)


def _parts(data: bytes, depth: int) -> Iterator[bytes]:
    """Iterate over bytes and everything packed in them."""
    yield data
    if not depth:
        return
    for inner in _unpacked(data):
        yield from _parts(inner, depth - 1)


def _unpacked(data: bytes) -> Iterator[bytes]:
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            yield from (file.read(name) for name in file.namelist())
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as file:
            for member in file:
                opened = file.extractfile(member)
                yield opened.read() if opened is not None else member.name.encode()
    elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            for page in file.pages:
                yield page.asarray().tobytes()
                yield from (_as_bytes(tag.value) for tag in page.tags)
    elif data[:8] == b"\x89PNG\r\n\x1a\n" or data[:3] == b"\xff\xd8\xff":
        with Image.open(io.BytesIO(data)) as image:
            yield np.asarray(image).tobytes()
            yield from (_as_bytes(value) for value in (*image.info.values(), dict(image.getexif())))
    elif data[:4] == b"\x28\xb5\x2f\xfd":  # zstd, as Zarr packs
        from imagecodecs import zstd_decode

        yield bytes(zstd_decode(data))
    elif data[:1] == b"x":
        with suppress(zlib.error):
            yield zlib.decompress(data)
    for match in re.finditer(rb"[A-Za-z0-9+/]{24,}={0,2}", data):
        text = match[0]
        yield base64.b64decode(text[: len(text) // 4 * 4])
    for match in re.finditer(rb"(?:\\u[0-9a-fA-F]{4})+", data):
        yield json.loads(b'"' + match[0] + b'"').encode("utf-8", "surrogatepass")


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
