"""The manifest of a folder of weights: its files with their sizes and hashes.

``manifest.json`` at the top of the folder names every file that a download, an export or an
import put there, as ``owner/name/path``. Weight files from the user are not in it and are never
deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import UMASK, is_disk_full, write_whole
from napari_pixcell.untrusted import LONGEST_NAME, read_json

NAME = "manifest.json"
FORMAT = "napari-pixcell weights 1"
CHUNK = 4 << 20
LARGEST = 1 << 50  # bytes of a file


@dataclass(frozen=True)
class ManifestEntry:
    """Size of a file in bytes, and its sha256 as hexadecimal digits."""

    size: int
    sha256: str


def read_manifest(folder: Path) -> dict[str, ManifestEntry]:
    """Read the manifest of a folder. Empty if it has none.

    Raises
    ------
    PixCellError
        If it is damaged, or names a file outside the folder.
    """
    path = folder / NAME
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError:
        pass  # reading it says why
    try:
        value = read_json(path)
        if value["format"] != FORMAT:
            raise ValueError(value["format"])
        files = {
            str(name): ManifestEntry(_size(entry["size"]), str(entry["sha256"]))
            for name, entry in value["files"].items()
        }
    except (PixCellError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PixCellError(
            f"The {NAME} in {folder.name} cannot be read. Export the family again."
        ) from error
    for name, entry in files.items():
        if not _inside(folder, name) or not re.fullmatch("[0-9a-f]{64}", entry.sha256):
            raise PixCellError(
                f"The {NAME} in {folder.name} names “{name}”, which is not a weight file, so "
                "nothing was done. Export the family again."
            )
    return files


def add_to_manifest(folder: Path, files: Mapping[str, ManifestEntry]) -> None:
    """Add files to a folder's manifest."""
    _write(folder, {**read_manifest(folder), **files})


def remove_from_manifest(folder: Path, names: set[str]) -> None:
    """Remove files from a folder's manifest, and the manifest itself with the last of them."""
    left = {name: entry for name, entry in read_manifest(folder).items() if name not in names}
    if left:
        _write(folder, left)
    else:
        (folder / NAME).unlink(missing_ok=True)


def copy_whole(source: Path, target: Path, advance: Callable[[int], None]) -> ManifestEntry:
    """Copy a file whole or not at all, creating missing folders.

    ``advance`` is called with the number of bytes of each chunk.
    """

    def copy(path: Path) -> None:
        with path.open("wb") as new, source.open("rb") as old:
            while chunk := old.read(CHUNK):
                new.write(chunk)
                advance(len(chunk))

    target.parent.mkdir(parents=True, exist_ok=True)
    digest = write_whole(target, copy)
    return ManifestEntry(target.stat().st_size, digest)


def copy_resumed(
    source: Path, target: Path, entry: ManifestEntry, advance: Callable[[int], None]
) -> None:
    """Copy a file whose hash is known, resuming where an interrupted copy of it stopped.

    ``advance`` is called with the number of bytes of each chunk.

    Raises
    ------
    PixCellError
        If what arrives differs from the entry. It is deleted then.
    OSError
        If it cannot be read or written. What was copied is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target, entry.sha256)
    digest = hashlib.sha256()
    with partial.open("a+b") as new, source.open("rb") as old:
        new.seek(0)
        while chunk := new.read(CHUNK):
            digest.update(chunk)
            advance(len(chunk))
        old.seek(new.tell())
        while chunk := old.read(CHUNK):
            new.write(chunk)
            digest.update(chunk)
            advance(len(chunk))
        new.flush()
        os.fsync(new.fileno())
        size = new.tell()
    if (size, digest.hexdigest()) != (entry.size, entry.sha256):
        partial.unlink()
        raise PixCellError(
            f"{source.name} arrived damaged: its size or hash differs from the {NAME}. Import the "
            "folder again."
        )
    partial.chmod(0o666 & ~UMASK)
    partial.replace(target)


def partial_path(target: Path, digest: str) -> Path:
    """Return the path of an unfinished download or copy of a file with this hash."""
    return target.with_name(f".{target.name[:80]}.{digest[:12]}.part")


@contextmanager
def explain_disk_errors(folder: Path) -> Iterator[None]:
    """Raise the disk errors of a block as a PixCellError with a remedy."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise PixCellError(
                f"The disk of {folder.name} is full. Free some space, or choose another folder, "
                "and retry."
            ) from error
        raise PixCellError(
            f"{folder.name} cannot be used ({error.strerror}). Choose a folder that you can "
            "read and write."
        ) from error


def _write(folder: Path, files: Mapping[str, ManifestEntry]) -> None:
    value = {"format": FORMAT, "files": {name: vars(files[name]) for name in sorted(files)}}
    write_whole(folder / NAME, json.dumps(value, indent=1))


def _inside(folder: Path, name: str) -> bool:
    """Whether a name has the form ``owner/name/path`` and its target, links resolved, is inside."""
    parts = name.split("/")
    plain = 3 <= len(parts) <= 20 and all(
        re.fullmatch(r"[\w.-]+", part) and len(part) <= LONGEST_NAME for part in parts
    )
    if not plain or ".." in parts or "." in parts:
        return False
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _size(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise ValueError(value)
    return value
