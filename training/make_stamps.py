"""Extract the bundled stamps: outlines of real nuclei from the CC0 labels of BBBC038v1.

    python training/make_stamps.py --data ../shared/data

The pixel sizes of these images differ and are not published. Each image is therefore scaled until
the median area of its nuclei equals that of the sample slide's mask at 0.5 µm/px. Relative sizes
are real within an image, but not between images. Images with few or coarsely drawn nuclei are
skipped. The others contribute the same number of outlines, as far as available.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tifffile import imread

from napari_pixcell.cells.inventing.measuring import cell_shapes
from napari_pixcell.cells.inventing.stamps import DEFAULT_FILE, StampLibrary, join
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.slides.samples import SAMPLE_MASK

LOOKS = ("purple_on_white", "purple_on_purple_highmag", "he_pink", "hematoxylin_on_beige")
FEWEST_NUCLEI, LEAST_AREA_PX = 15, 230
MPP = 0.25
EACH = 8


def whole_median(labels: NDArray[np.integer], mpp: float) -> float:
    """Return the median area of the cells that do not touch the border, in µm²."""
    shapes = cell_shapes(labels, mpp)
    return float(np.median(shapes.area_um2[~shapes.cut]))


def resampled(library: StampLibrary, mpp: float) -> StampLibrary:
    """Return every outline drawn at another pixel size, cropped to its box."""
    masks = []
    for index in range(len(library)):
        drawn = library.draw(index, mpp)
        rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
        masks.append(drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return StampLibrary(tuple(masks), mpp, library.name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DEFAULT_FILE)
    options = parser.parse_args()
    folder = options.data / "dsb2018_stained"
    median = whole_median(imread(SAMPLE_MASK), DEMO.mpp)
    libraries = []
    with (folder / "index.csv").open() as file:
        for row in csv.DictReader(file):
            if row["look"] not in LOOKS or int(row["n_nuclei"]) < FEWEST_NUCLEI:
                continue
            labels = np.asarray(Image.open(folder / "labels" / row["file"])).astype(np.int32)
            pixels = whole_median(labels, 1.0)
            if pixels >= LEAST_AREA_PX:
                mpp = float(np.sqrt(median / pixels))
                libraries.append(resampled(StampLibrary.from_layout(labels, mpp, "", EACH), MPP))
    stamps = join(libraries, "BBBC038v1 nuclei")
    stamps.save(options.out)
    print(
        f"{len(stamps)} outlines of {len(libraries)} pictures, {options.out.stat().st_size:,} B; "
        f"median {np.median(stamps.area_um2):.1f} µm² (sample slide {median:.1f}), "
        f"elongation 5/50/95 % {np.percentile(stamps.elongation, [5, 50, 95]).round(2)}"
    )


if __name__ == "__main__":
    main()
