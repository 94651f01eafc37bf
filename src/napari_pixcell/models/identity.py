"""Identities of encoders, computed without reading gigabytes. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import find
from napari_pixcell.slides.content import content_key, file_stamp


def encoder_identity(family: Family) -> str | None:
    """Return the identity of a family's encoder files as they are now.

    Families with the same encoder have the same identity, and can share their embeddings.

    Returns
    -------
    str or None
        64 hexadecimal digits over hub id, revision and, for each file, its name in the
        repository, size, modification time and both ends. Paths are not included.
        None if the encoder is not installed.
    """
    return _identity(family, file_stamp)


def encoder_kind(family: Family) -> str | None:
    """Return the identity of a family's encoder for what is kept for years, such as saved styles.

    Unlike :func:`encoder_identity` it ignores modification times, so it stays the same when the
    same files are installed again.
    """
    return _identity(family, content_key)


def _identity(family: Family, key_of: Callable[[Path], str]) -> str | None:
    part = family.part("encoder")
    installed = find(part) if part is not None else None
    if part is None or installed is None:
        return None
    try:
        files = [(name, key_of(path)) for name, path in sorted(installed.files.items())]
    except OSError:
        return None
    value = [part.network, part.hub_id, part.revision, files]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
