"""Warnings of the public API: what users should know about a result."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parent.parent)


class PixCellWarning(UserWarning):
    """A sentence that users should know about a result, such as an assumed pixel size."""


def warn(text: str) -> None:
    """Warn with a text at the line that called the package; an empty text warns of nothing."""
    if not text:
        return
    depth, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(text, PixCellWarning, stacklevel=depth)
