"""Real H&E fields and their IHC looks, as training/ihc_look.py makes them for the demo stain."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def real_fields(data: Path, count: int) -> list[np.ndarray]:
    """Give fields of breast tissue at 0.5 µm/px, uint8 (512, 512, 3)."""
    paths = sorted((data / "brecahad_30" / "images").glob("*.jpg"))[:count]
    halves = (np.asarray(Image.open(path).convert("RGB").reduce(2)) for path in paths)
    return [np.ascontiguousarray(half[:512, :512]) for half in halves]


def brown_look(picture: np.ndarray) -> np.ndarray:
    """Give a field its IHC look: no biology."""
    training = str(Path(__file__).parents[2] / "training")
    sys.path.insert(0, training)
    try:
        look = importlib.import_module("ihc_look")
    finally:
        sys.path.remove(training)
    return look.make_look(picture, "a field").image
