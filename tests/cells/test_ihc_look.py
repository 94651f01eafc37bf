"""Recognition of H&E and IHC."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

from napari_pixcell.cells.ihc.deconvolution import looks_like
from napari_pixcell.slides import Region, open_slide

IHC = (
    "openslide_os1_os2_crops/OS-2-ndpi.ome.tif",
    "openslide_os1_os2_crops/OS-2-vsi.ome.tif",
    "skimage_ihc/ihc.png",
)
HE = (
    "openslide_os1_os2_crops/OS-1-detail.ome.tif",
    "wsi_cmu1_small_region/CMU-1-Small-Region.svs",
    "skimage_skin/skin.tif",
    "brecahad_30/images/10018.jpg",
    "brecahad_30/images/10040.jpg",
    "tnbc_naylor_subset/images/1004.png",
    "tnbc_naylor_subset/images/1028.png",
    "cellbindb_demo/mouse_HE_512/image.tif",
)


def pixels(path: Path) -> np.ndarray:
    if path.suffix in (".jpg", ".png") or path.name in ("skin.tif", "image.tif"):
        return imread(path)[..., :3]
    slide = open_slide(path)
    height, width = slide.shape
    return slide.read(Region(0, 0, width, height), 0.5)


@pytest.mark.parametrize(("look", "name"), [("IHC", n) for n in IHC] + [("H&E", n) for n in HE])
def test_real_tissue_is_recognised(look: str, name: str, shared_data: Path) -> None:
    assert looks_like(pixels(shared_data / name)) == look


def test_a_single_tile_is_enough(shared_data: Path) -> None:
    picture = pixels(shared_data / IHC[0])
    tiles = [picture[y : y + 256, x : x + 256] for y in (0, 256, 512) for x in (0, 256, 512)]
    assert {looks_like(tile) for tile in tiles} == {"IHC"}


def test_glass_and_blue_nuclei_alone_are_unclear() -> None:
    glass = np.full((256, 256, 3), 240, np.uint8)
    assert looks_like(glass) == "unclear"
    glass[50:100, 50:100] = (110, 100, 170)
    assert looks_like(glass) == "unclear"
