"""Write masks with Cellpose's writers and read ours with its interface, in another process.

python cellpose_files.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from cellpose import io

folder = Path(sys.argv[1])
labels = np.load(folder / "labels.npy")
image = np.zeros((*labels.shape, 3), np.uint8)
flows = [image, np.zeros((2, *labels.shape), np.float32), np.zeros(labels.shape, np.float32)]
io.masks_flows_to_seg(image, labels, flows, str(folder / "own.tif"))
io.save_masks(image, labels, flows, str(folder / "own.tif"), png=True, tif=True)

ours = np.load(folder / "ours_seg.npy", allow_pickle=True).item()
found = {
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
(folder / "found.json").write_text(json.dumps(found))
