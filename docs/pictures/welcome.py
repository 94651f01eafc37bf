"""Make the three pictures of the studio's empty state, by the bundled networks and slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.segmentation import find_boundaries

import napari_pixcell
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.session import Session
from napari_pixcell.worker.client import WorkerClient

INTO = Path(napari_pixcell.__file__).parent / "ui" / "shell" / "pictures"
SIDE, CROP = 184, 112  # px of a picture, and of the tissue that it shows
BLUE, GREEN = (10, 108, 255), (24, 150, 60)


def main() -> None:
    """Generate four variants of a region of the sample, and draw the pictures."""
    session = Session(WorkerClient())
    session.slides.set(open_slide(SAMPLE_SLIDE), "sample")
    slide = session.slides.current
    height, width = slide.shape
    item = session.regions.add((width * 0.58, height * 0.16))
    session.wait(300)
    session.segmentation.segment(None)
    session.wait(300)
    session.settings.seed, session.settings.count = 1234, 4
    session.generator.generate()
    session.wait(600)
    region = item.region
    wide = Region(region.x - 128, region.y - 128, region.width + 256, region.height + 256)
    around = Image.fromarray(slide.read(wide, slide.mpp)).resize((SIDE, SIDE))
    save("region", boxed(around))
    save("cells", outlined(item.pixels[:CROP, :CROP], item.layout[:CROP, :CROP]))
    save("variants", mosaic([one.image[:CROP, :CROP] for one in session.gallery.results]))
    session.close()


def boxed(made: Image.Image) -> Image.Image:
    """Draw the box of a region in the middle half."""
    quarter = SIDE // 4
    ImageDraw.Draw(made).rectangle((quarter, quarter, 3 * quarter, 3 * quarter), None, BLUE, 4)
    return made


def outlined(tissue: NDArray[np.uint8], cells: NDArray[np.int32]) -> Image.Image:
    """Return tissue with the outlines of its cells."""
    large = np.array(Image.fromarray(tissue).resize((SIDE, SIDE)))
    labels = np.array(Image.fromarray(cells.astype(np.int32)).resize((SIDE, SIDE), 0))
    large[find_boundaries(labels, mode="thick")] = GREEN
    return Image.fromarray(large)


def mosaic(variants: list[NDArray[np.uint8]]) -> Image.Image:
    """Return four variants as a square."""
    made, half = Image.new("RGB", (SIDE, SIDE), "white"), SIDE // 2
    for index, variant in enumerate(variants):
        small = Image.fromarray(variant).resize((half - 2, half - 2))
        made.paste(small, (index % 2 * (half + 2), index // 2 * (half + 2)))
    return made


def save(name: str, picture: Image.Image) -> None:
    """Save a picture into the package."""
    INTO.mkdir(exist_ok=True)
    picture.save(INTO / f"{name}.jpg", quality=85)


if __name__ == "__main__":
    main()
