"""Files of Cellpose: written with its writers, and ours read with its interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def written_and_read(folder: Path) -> dict[str, Any]:
    """Write ``labels.npy`` as Cellpose does, as own…; give what it reads in ours…."""
    from cellpose import io

    labels = np.load(folder / "labels.npy")
    image = np.zeros((*labels.shape, 3), np.uint8)
    shape = (np.zeros((2, *labels.shape), np.float32), np.zeros(labels.shape, np.float32))
    flows = [image, *shape]
    io.masks_flows_to_seg(image, labels, flows, str(folder / "own.tif"))
    io.save_masks(image, labels, flows, str(folder / "own.tif"), png=True, tif=True)
    ours = np.load(folder / "ours_seg.npy", allow_pickle=True).item()
    return {
        "keys": sorted(ours),
        "seg": bool((ours["masks"] == labels).all()),
        "outlines": bool(
            (ours["outlines"] > 0).any() and ((ours["outlines"] > 0) <= (labels > 0)).all()
        ),
        "manual": len(ours["ismanual"]) == int(labels.max()),
        "filename": ours["filename"],
        "tif": bool((io.imread(str(folder / "ours_masks.tif")) == labels).all()),
        "training": Path(io.get_label_files([str(folder / "ours.tif")], "_masks")[0][0]).name,
    }
