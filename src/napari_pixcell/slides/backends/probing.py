"""Which files OpenSlide reads, found out where a file that ends OpenSlide does no harm.

OpenSlide aborts its process on some damaged files. It therefore opens each file first in a
short-lived process. The answer is kept in the cache folder, so that this happens once a file.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.slides.backends.directories import HEADS, NDPI, TEXTS, read_directories
from napari_pixcell.slides.content import file_stamp
from napari_pixcell.slides.corrupt import damaged, unsupported

PATIENCE_S = 9
PROBE = Path(__file__).with_name("probe.py")
ARGOS = 65000
MARKS: tuple[bytes, ...] = (b"Aperio", b"Philips", b"DPUfs", b"MedScan", b"iScan", b"iSlide")
MARKS += (b"scn", b"SCN", b"Argos", b"Ventana", b"Hamamatsu", b"NDP.")
INDEXES = (b"[Virtual Microscope Specimen]", b"[Uncompressed Virtual Microscope Specimen]")
_known: dict[str, str] = {}  # "" is no slide


def vendor_of(path: Path) -> str | None:
    """Return the vendor whose format OpenSlide recognises in a file, or None.

    Generic TIFFs and images are None; tifffile and Pillow read them.

    Raises
    ------
    PixCellError
        If the file is damaged, or OpenSlide cannot read it.
    """
    if not _may_be_slide(path):
        return None
    key = _key(path)
    if key not in _known:
        found = _remembered(key)
        _known[key] = _asked(path, key) if found is None else found
    return _known[key] or None


def _may_be_slide(path: Path) -> bool:
    """Whether OpenSlide could recognise a file; all others never reach it."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:4] not in HEADS:
        other = head[128:132] == b"DICM" or head.startswith((b"SQLite format 3", b"ZISRAWFILE"))
        return other or path.suffix.lower() == ".mrxs" or any(mark in head for mark in INDEXES)
    for directory in read_directories(path):
        if {NDPI, ARGOS} & directory.tags:
            return True
        texts = [directory.texts.get(tag, b"") for tag in TEXTS]
        if any(mark in text for mark in MARKS for text in texts):
            return True
    return False


def _asked(path: Path, key: str) -> str:
    # -P keeps the current folder off the path, where an openslide.py may lie.
    command = [sys.executable, "-P", str(PROBE), str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL, check=False
        )
        answer = json.loads(done.stdout)
        vendor, error = answer["vendor"], answer["error"]
    except subprocess.TimeoutExpired as late:
        raise PixCellError(
            f"“{path.name}” could not be read within {PATIENCE_S} seconds. It may be damaged, or "
            "its drive slow. Copy it to a local drive and try again."
        ) from late
    except (ValueError, KeyError, TypeError) as strange:  # the process was ended
        raise damaged(path.name) from strange
    if error and "nsupported" in error:
        raise unsupported(
            path.name,
            "is compressed in a way that is not supported",
            "Export it with JPEG compression.",
        )
    if error:
        raise damaged(path.name)
    with contextlib.suppress(OSError):
        _store(key).parent.mkdir(parents=True, exist_ok=True)
        write_whole(_store(key), json.dumps({"vendor": vendor}))
    return vendor or ""


def _key(path: Path) -> str:
    """Return a name for the file in its current state, and for its suffix, which also counts."""
    name = f"{path.suffix.lower()} {file_stamp(path)}"
    if path.suffix.lower() == ".mrxs":  # the pixels are in the folder beside it
        name += f" {path.with_suffix('').is_dir()}"
    return sha256(name.encode()).hexdigest()


def _remembered(key: str) -> str | None:
    try:
        vendor = json.loads(_store(key).read_text())["vendor"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return vendor if isinstance(vendor, str) else ""


def _store(key: str) -> Path:
    return cache_folder() / "slides" / f"{key}.json"
