"""IHC looks of H&E tissue by colour deconvolution, the training data of the demo stain.

Haematoxylin inside the nuclei is redrawn in the blue of a counterstain, and eosin is reduced to a
pale residue. Some nuclei receive DAB. They are chosen at random, mostly large ones, with the
field's name as seed. **This imitates the appearance of IHC and is not biology.**
"""

from __future__ import annotations

import argparse
import zlib
from dataclasses import dataclass

import numpy as np
from common import RUNS, SHARED, load_tissue
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.filters import gaussian
from skimage.measure import regionprops

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.slides import Region, open_slide

MPP = 0.5
# Optical densities of unit stain, measured on a Ki67 slide (OS-2 of OpenSlide's test data).
BLUE = np.array([0.76, 0.54, 0.36])
DAB = np.array([0.38, 0.58, 0.72])
PALE = np.array([0.62, 0.62, 0.48])
GLASS = np.array([240.0, 240.0, 245.0])
LEVELS = (0.4, 0.7, 1.05)  # weak, moderate and strong DAB


@dataclass(frozen=True, eq=False)
class Look:
    """A field in its IHC look.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
    nuclei : array, int32, (height, width)
        Nuclei of the H&E.
    levels : array, (nuclei + 1,)
        DAB of each nucleus, 0 (blue) to 3 (strong), by its label.
    """

    image: NDArray[np.uint8]
    nuclei: NDArray[np.int32]
    levels: NDArray[np.int64]

    @property
    def positive_share(self) -> float:
        """Fraction of nuclei that are brown."""
        return float((self.levels[1:] > 0).mean()) if len(self.levels) > 1 else 0.0


def choose_levels(nuclei: NDArray[np.int32], name: str) -> NDArray[np.int64]:
    """Return the DAB of each nucleus. Large and round nuclei are brown more often."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    levels = np.zeros(int(nuclei.max()) + 1, np.int64)
    for cell in regionprops(nuclei):
        area = cell.area * MPP**2
        score = 2.2 * np.log(area / 48) - 3 * max(0.0, cell.eccentricity - 0.8)
        if rng.random() < 1 / (1 + np.exp(-score)):
            levels[cell.label] = 1 + rng.choice(3, p=(0.2, 0.3, 0.5))
    return levels


def make_look(rgb: NDArray[np.uint8], name: str) -> Look:
    """Return H&E tissue in an IHC look.

    Parameters
    ----------
    rgb : array, uint8, (height, width, 3)
        H&E at 0.5 um/px.
    name : str
        Name of the field, used as the seed.
    """
    nuclei = segment_nuclei(rgb, MPP)
    levels = choose_levels(nuclei, name)
    stains = np.clip(rgb2hed(rgb)[..., :2], 0, None)
    inside = nuclei > 0
    # H&E staining varies between fields, but the nuclei of all looks are equally dark.
    usual = np.median(stains[..., 0][inside]) if inside.any() else 0.1
    texture = np.clip(stains[..., 0] / max(usual, 0.02), 0, 2.2)
    edge = gaussian(inside.astype(float), 0.6)
    amount = np.take(np.array((0.0, *LEVELS)), levels)[nuclei]
    # A watershed leaves no gap between neighbours, so each keeps its own amount up to its border.
    far, nearest = ndimage.distance_transform_edt(amount == 0, return_indices=True)
    brown = np.where((far < 1.5) & ~inside, amount[tuple(nearest)], amount)
    brown = gaussian(brown, 0.5) * (0.4 + 0.6 * texture)
    tissue = np.clip(gaussian(stains[..., 1] + stains[..., 0], 1.5) / 0.1, 0, 1)
    eosin = np.clip(stains[..., 1] / 0.1, 0, 2)
    pale = tissue * (0.06 + 0.05 * eosin + 0.04 * np.clip(texture, 0, 1))
    blue = 0.5 * edge * (0.25 + 0.75 * texture) * np.clip(1 - 0.75 * brown, 0.25, 1)
    density = pale[..., None] * PALE + blue[..., None] * BLUE + brown[..., None] * DAB
    image = np.rint(GLASS * 10.0**-density).astype(np.uint8)
    return Look(image, nuclei, levels)


def load_looks(fields: dict[str, NDArray[np.uint8]]) -> dict[str, Look]:
    """Return the look of every field."""
    return {name: make_look(field, name) for name, field in fields.items()}


def main() -> None:
    """Write a contact sheet: H&E above its look, and real Ki67 next to them."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    RUNS.mkdir(exist_ok=True)
    slide = open_slide(SHARED / "data" / "openslide_os1_os2_crops" / "OS-2-ndpi.ome.tif")
    height, width = slide.shape
    real = slide.read(Region(0, 0, width, height), MPP)
    pairs = [(real[:256, :256], real[400:656, 400:656])]
    fields = load_tissue(held_out=True) | dict(list(load_tissue(False).items())[-8:-6])
    for name, field in fields.items():
        part = np.ascontiguousarray(field[:256, :256])
        look = make_look(part, name)
        print(name, len(look.levels) - 1, "nuclei,", f"{look.positive_share:.0%} brown")
        pairs.append((part, look.image))
    rows = [np.concatenate([pair[i] for pair in pairs], axis=1) for i in (0, 1)]
    Image.fromarray(np.concatenate(rows)).save(RUNS / "ihc_look.png")


if __name__ == "__main__":
    main()
