"""Whether the files of a family are whole, without loading them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.manifest import CHUNK, read_manifest, sha256_of
from napari_pixcell.models.store import Found, find, weights_folder

LONGEST_HEADER = 100_000_000


def family_problems(family: WeightSet) -> list[str]:
    """Check every file of a family: there, of its size, of its hash, with a sound header.

    Returns
    -------
    list of str
        One sentence for each problem; empty if all is well.
    """
    problems = []
    for part in family.parts:
        found = find(part)
        source = part.hub_id or (part.folder.name if part.folder else "")
        if found is None:
            problems.append(f"The {part.kind} from {source} is missing; get {family.name} again.")
            continue
        for name, path in found.files.items():
            problem = header_problem(path) or _hash_problem(found, name, path)
            if problem:
                again = "get it" if part.hub_id else "copy it"
                problems.append(f"{name} from {source} {problem}; remove it and {again} again.")
    return problems


def header_problem(path: Path) -> str:
    """Say what is wrong with the frame of a safetensors file; other files are passed over.

    Its tensors must fill the file from the end of the header to the last byte.
    """
    if path.suffix != ".safetensors":
        return ""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(LONGEST_HEADER, size - 8):
            return "is cut off or no safetensors file"
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


def _hash_problem(found: Found, name: str, path: Path) -> str:
    hub_id = found.part.hub_id
    if found.where == "cache":
        # The first link is named by the hash; the client may link it on to a store of its own.
        etag = path.readlink().name if path.is_symlink() else ""
        if re.fullmatch("[0-9a-f]{64}", etag):
            same = sha256_of(path) == etag
        elif re.fullmatch("[0-9a-f]{40}", etag):
            same = _git_sha1(path) == etag
        else:
            return ""  # a copy, on a disk without links
        return "" if same else "is damaged: its hash is another"
    folder = weights_folder()
    if found.where != "folder" or folder is None:
        return ""
    entry = read_manifest(folder).get(f"{hub_id}/{name}")
    if entry is None:
        return ""
    if path.stat().st_size != entry.size:
        return "has another size than it should"
    return "" if sha256_of(path) == entry.sha256 else "is damaged: its hash is another"


def _git_sha1(path: Path) -> str:
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
