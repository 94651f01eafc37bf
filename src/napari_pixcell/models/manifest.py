"""Which files lie in a folder of weights, with their sizes and hashes.

``manifest.json`` at the top of the folder names every file that was put there by a download, an
export or an import, as ``owner/name/path``; a file of weights that the user put there stays
out of it and is never deleted.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_pixcell.errors import PixCellError

NAME = "manifest.json"
FORMAT = "napari-pixcell weights 1"
CHUNK = 4 << 20
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Entry:
    """One file: its size in bytes and its sha256 in hexadecimal digits."""

    size: int
    sha256: str


def read_manifest(folder: Path) -> dict[str, Entry]:
    """Read the manifest of a folder; without one it is empty.

    Raises
    ------
    PixCellError
        If it is damaged, or names a file outside the folder.
    """
    path = folder / NAME
    try:
        value = json.loads(path.read_text("utf-8"))
        if value["format"] != FORMAT:
            raise ValueError(value["format"])
        files = {
            str(name): Entry(int(entry["size"]), str(entry["sha256"]))
            for name, entry in value["files"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PixCellError(
            f"The {NAME} in {folder.name} cannot be read; export the family again."
        ) from error
    for name, entry in files.items():
        if not _inside(folder, name) or not re.fullmatch("[0-9a-f]{64}", entry.sha256):
            raise PixCellError(
                f"The {NAME} in {folder.name} names “{name}”, which is no file of weights, so "
                "nothing was done; export the family again."
            )
    return files


def add_to_manifest(folder: Path, files: Mapping[str, Entry]) -> None:
    """Add files to a folder's manifest."""
    _write(folder, {**read_manifest(folder), **files})


def take_from_manifest(folder: Path, names: set[str]) -> None:
    """Take files out of a folder's manifest; the last one takes the manifest along."""
    left = {name: entry for name, entry in read_manifest(folder).items() if name not in names}
    if left:
        _write(folder, left)
    else:
        (folder / NAME).unlink(missing_ok=True)


def sha256_of(path: Path, advance: Advance | None = None) -> str:
    """Compute the sha256 of a file, telling ``advance`` the bytes of each step."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            if advance is not None:
                advance(len(chunk))
    return digest.hexdigest()


def copy_whole(source: Path, target: Path, advance: Advance | None = None) -> Entry:
    """Copy a file so that it is there whole or not at all, and give its size and sha256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as new, source.open("rb") as old:
            while chunk := old.read(CHUNK):
                new.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if advance is not None:
                    advance(len(chunk))
            new.flush()
            os.fsync(new.fileno())
        temporary.chmod(0o644)  # as other files are: a folder of weights may be shared
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return Entry(size, digest.hexdigest())


@contextmanager
def disk_explained(folder: Path) -> Iterator[None]:
    """Turn what a disk says into a sentence."""
    try:
        yield
    except PixCellError:
        raise
    except OSError as error:
        if error.errno in FULL:
            raise PixCellError(
                f"The disk of {folder.name} is full; free some space, or choose another folder, "
                "and try again."
            ) from error
        raise PixCellError(
            f"{folder.name} cannot be used ({error.strerror}); choose a folder that can be "
            "read and written to."
        ) from error


def _write(folder: Path, files: Mapping[str, Entry]) -> None:
    value = {"format": FORMAT, "files": {n: vars(files[n]) for n in sorted(files)}}
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{NAME}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
        temporary.chmod(0o644)
        temporary.replace(folder / NAME)
    finally:
        temporary.unlink(missing_ok=True)


def _inside(folder: Path, name: str) -> bool:
    """Whether a name is of the form ``owner/name/path`` and stays in its folder, links too."""
    parts = name.split("/")
    plain = len(parts) >= 3 and all(re.fullmatch(r"[\w.-]+", part) for part in parts)
    if not plain or ".." in parts or "." in parts or PurePosixPath(name).is_absolute():
        return False
    return (folder / name).resolve().is_relative_to(folder.resolve())
