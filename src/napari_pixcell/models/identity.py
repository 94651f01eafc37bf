"""Which weights an encoder has, told without reading gigabytes; imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import find
from napari_pixcell.slides.content import content_key, file_stamp


def encoder_identity(family: Family) -> str | None:
    """Identify the encoder of a family as its files are now.

    Families that share an encoder share its identity, and with it their embeddings.

    Returns
    -------
    str or None
        64 hexadecimal digits over hub id, revision and, for each file, its name in the
        repository, size, time of change and both ends; None where the files are not on this
        machine. Paths do not go into it.
    """
    return _identity(family, file_stamp)


def encoder_kind(family: Family) -> str | None:
    """Identify the encoder of a family for what is kept for years, such as saved styles.

    Unlike :func:`encoder_identity` it stays the same when the same files are installed again: the
    time of change does not go into it.
    """
    return _identity(family, content_key)


def _identity(family: Family, tell: Callable[[Path], str]) -> str | None:
    part = family.part("encoder")
    found = find(part) if part is not None else None
    if part is None or found is None:
        return None
    try:
        files = [(name, tell(path)) for name, path in sorted(found.files.items())]
    except OSError:
        return None
    value = [part.network, part.hub_id, part.revision, files]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
