"""Checks that the files of a family are whole, without loading them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from napari_pixcell.files import sha256_of
from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.manifest import CHUNK, ManifestEntry, read_manifest
from napari_pixcell.models.store import InstalledPart, find, weights_folder

MAX_HEADER_BYTES = 100_000_000
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
        if length > min(MAX_HEADER_BYTES, size - 8):
            return "is cut off or not a safetensors file"
        header = file.read(length)
    try:
        tensors = json.loads(header)
        ends = [
            int(tensor["data_offsets"][1])
            for name, tensor in tensors.items()
            if name != "__metadata__"
        ]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return "has a damaged header"
    return "" if max(ends, default=0) == size - 8 - length else "is cut off"


def _hash_problem(installed: InstalledPart, name: str, path: Path) -> str:
    if installed.where == "cache":
        # The first link is named after the hash. The hub's client may link it on to its own store.
        etag = path.readlink().name if path.is_symlink() else ""
        if re.fullmatch("[0-9a-f]{64}", etag):
            return "" if sha256_of(path) == etag else DAMAGED
        if re.fullmatch("[0-9a-f]{40}", etag):
            return "" if _git_sha1(path) == etag else DAMAGED
        return ""  # a copy, on a disk without links
    folder = weights_folder()
    if installed.where != "folder" or folder is None:
        return ""
    entry = read_manifest(folder).get(f"{installed.part.hub_id}/{name}")
    return "" if entry is None else entry_problem(path, entry)


def _git_sha1(path: Path) -> str:
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
