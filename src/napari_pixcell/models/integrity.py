"""Checks that the files of a family are whole, without loading them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sha256_of
from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.manifest import CHUNK, ManifestEntry, read_manifest
from napari_pixcell.models.store import InstalledPart, cache_repository, find, weights_folder
from napari_pixcell.untrusted import parse_json

MAX_HEADER_BYTES = 8_000_000  # published ones have less than 1 MB
DAMAGED = "is damaged: its hash differs"
WRONG_SIZE = "has the wrong size"


def family_problems(family: WeightSet) -> list[str]:
    """Check presence, size, hash and header of every file of a family.

    Returns one message for each problem; empty if all is well.
    """
    problems = []
    for part in family.parts:
        installed = find(part)
        source = part.hub_id or (part.folder.name if part.folder else "")
        if installed is None:
            problems.append(f"The {part.kind} from {source} is missing. Get {family.name} again.")
            continue
        for name, path in installed.files.items():
            problem = header_problem(path) or _hash_problem(installed, name, path)
            if problem:
                again = "get it" if part.hub_id else "copy it"
                problems.append(f"{name} from {source} {problem}. Remove it and {again} again.")
    return problems


def entry_problem(path: Path, entry: ManifestEntry) -> str:
    """Return how a file differs from its manifest entry. Empty if it does not."""
    if path.stat().st_size != entry.size:
        return WRONG_SIZE
    return "" if sha256_of(path) == entry.sha256 else DAMAGED


def header_problem(path: Path) -> str:
    """Return what is wrong with the header of a safetensors file. Empty for any other file.

    Its tensors must fill the file from the end of the header to the last byte.
    """
    if path.suffix != ".safetensors":
        return ""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(MAX_HEADER_BYTES, size - 8) or size < 8:
            return "is cut off or not a safetensors file"
        header = file.read(length)
    try:
        tensors = parse_json(header, path.name)
        ends = [
            int(tensor["data_offsets"][1])
            for name, tensor in tensors.items()
            if name != "__metadata__"
        ]
    except (PixCellError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError):
        return "has a damaged header"
    return "" if max(ends, default=0) == size - 8 - length else "is cut off"


def uncompared_files(family: WeightSet) -> list[str]:
    """Return the files of a family whose hash is not known, as ``owner/name/path``.

    Those that the user put into a folder, and those that another program copied to a cache on a
    disk without links.
    """
    return [
        f"{part.hub_id}/{name}"
        for part in family.parts
        if part.hub_id and (installed := find(part)) is not None
        for name, path in installed.files.items()
        if not _link_hash(path) and _entry_of(installed, name, path) is None
    ]


def _hash_problem(installed: InstalledPart, name: str, path: Path) -> str:
    etag = _link_hash(path) if installed.where == "cache" else ""
    if etag:
        found = sha256_of(path) if len(etag) == 64 else _git_sha1(path)
        return "" if found == etag else DAMAGED
    entry = _entry_of(installed, name, path)
    return "" if entry is None else entry_problem(path, entry)


def _link_hash(path: Path) -> str:
    """Return the hash after which the target of a link is named. Empty if it is no such link."""
    # The first link is named after the hash. The hub's client may link it on to its own store.
    name = path.readlink().name if path.is_symlink() else ""
    return name if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name) else ""


def _entry_of(installed: InstalledPart, name: str, path: Path) -> ManifestEntry | None:
    """Return what the manifest of the folder or of the cache says about a file."""
    hub_id, folder = installed.part.hub_id, weights_folder()
    if installed.where == "cache":
        top = cache_repository(hub_id, installed.part.dataset)
        return read_manifest(top).get(path.relative_to(top).as_posix())
    if installed.where != "folder" or folder is None:
        return None
    return read_manifest(folder).get(f"{hub_id}/{name}")


def _git_sha1(path: Path) -> str:
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
