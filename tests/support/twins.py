"""A twin of two small slides, with every kind of layout that a preparation computes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from drawn_engine import drawn_recipe

from napari_pixcell.cells import write_labels
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.slides.samples import SAMPLE_SLIDE

PAIRS = 11  # five styles with tissue, two files, and two variations of two invented layouts


def twin_of_two_slides(folder: Path) -> DatasetRecipe:
    """Return a recipe of two slides and a blend of them, with layouts of several sources."""
    other = folder / f"other{SAMPLE_SLIDE.suffix}"
    shutil.copy(SAMPLE_SLIDE, other)
    labels = np.zeros((256, 256), np.int32)
    labels[40:60, 40:60], labels[100:120, 150:170] = 1, 2
    (folder / "cells").mkdir(exist_ok=True)
    write_labels(folder / "cells" / "one.tif", labels, 0.5)
    write_labels(folder / "cells" / "two.tif", np.rot90(labels), 0.5)
    slides = tuple(
        {"from": "slide", "slide": str(path), "most": 2} for path in (SAMPLE_SLIDE, other)
    )
    near, far = (
        {"from": "region", "slide": str(path), "region": [at, at, 257, 257]}
        for path, at in ((SAMPLE_SLIDE, 400), (other, 500))
    )
    blend = {"from": "blend", "styles": [near, far], "shares": [3, 1]}
    invented = {"from": "invent", "recipe": {"density": 900.0}, "count": 2}
    return drawn_recipe(
        styles=(slides[0], blend, slides[1]),
        layouts=(
            {"from": "style"},
            {"from": "folder", "path": str(folder / "cells")},
            {"from": "vary", "layout": invented, "count": 2, "jitter_um": 2},
        ),
        pairing="matched",
        seeds=1,
        colour_match="gentle",
    )
