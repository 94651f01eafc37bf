"""What the window imports when the studio is opened; all else waits until it is used."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, sys
import napari, napari._qt.qt_viewer
before = set(sys.modules)
import napari_pixcell.ui.dock
print(json.dumps(sorted(set(sys.modules) - before)))
"""
LATE = (
    *("torch", "diffusers", "timm", "cellpose", "cv2", "dask", "distributed"),
    *("scipy.", "skimage", "shapely", "pandas", "pyarrow", "tifffile", "zarr", "openslide"),
    *("PIL", "httpx", "huggingface_hub", "jinja2", "magicgui", "matplotlib"),
    *("napari_pixcell.cells.segmentation", "napari_pixcell.cells.outlines"),
    *("napari_pixcell.datasets.export", "napari_pixcell.datasets.marks"),
    *("napari_pixcell.datasets.quality", "napari_pixcell.datasets.report"),
    *("napari_pixcell.datasets.recipe.recipe", "napari_pixcell.datasets.runs."),
    *("napari_pixcell.datasets.store.dataset", "napari_pixcell.evaluation"),
    *(
        "napari_pixcell.studio.review",
        "napari_pixcell.ui.review",
        "napari_pixcell.ui.model_manager",
    ),
)


def test_the_dock_imports_only_what_it_shows_first() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    new = json.loads(done.stdout.splitlines()[-1])
    assert "napari_pixcell.ui.dock" in new
    assert not [name for name in new if name.startswith(LATE)]
