"""Results as image–mask pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_pixcell.datasets import PairWriter
from napari_pixcell.studio.results.results import Result


def write_pairs(results: Sequence[Result], folder: Path, name: str) -> list[dict[str, Any]]:
    """Write results to ``images/``, ``masks/`` and ``manifest.jsonl``.

    Parameters
    ----------
    results : sequence of Result
        Those without a layout get no mask.
    folder : Path
        Made if it is not there; pairs in it are kept.
    name : str
        For the slide, in file names and records.

    Returns
    -------
    list of dict
        The manifest's rows.
    """
    writer = PairWriter(folder)
    return [writer.write(r.image, r.labels, r.named(name)) for r in results]
