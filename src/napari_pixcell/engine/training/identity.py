"""Hashes of what a training depends on, so that it only resumes what it began. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from napari_pixcell.slides.content import file_stamp


def signature_of(*values: object) -> str:
    """Return the sha256 of JSON values, which a checkpoint must match."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def key_of(files: Iterable[Path], *others: object) -> str:
    """Return a short hash of the content of files, and of JSON values."""
    return signature_of(*map(file_stamp, files), *others)[:32]
