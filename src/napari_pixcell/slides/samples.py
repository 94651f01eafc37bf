"""Sample slides for napari's File → Open Sample menu."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np

import napari_pixcell
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import sha256_of, write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.slides.opening import open_slide
from napari_pixcell.slides.reader import LayerData, layer_data
from napari_pixcell.slides.region import AXES, UNITS

_DEMO = Path(napari_pixcell.__file__).parent / "demo"
SAMPLE_SLIDE = _DEMO / "sample_slide.ome.tif"
SAMPLE_MASK = _DEMO / "sample_mask.tif"

CMU1_URL = "https://openslide.cs.cmu.edu/download/openslide-testdata/Aperio/CMU-1-Small-Region.svs"
CMU1_SHA256 = "ed92d5a9f2e86df67640d6f92ce3e231419ce127131697fbbce42ad5e002c8a7"
MOST_BYTES = 50 * 2**20


def sample_slide() -> list[LayerData]:
    """Open the bundled synthetic slide with its mask."""
    from tifffile import imread

    slide = open_slide(SAMPLE_SLIDE)
    layers = [layer_data(slide)]
    if SAMPLE_MASK.exists() and slide.mpp is not None:
        labels = np.asarray(imread(SAMPLE_MASK)).astype(np.int32)
        shared = {"scale": (slide.mpp, slide.mpp), "units": UNITS, "axis_labels": AXES}
        options = {"name": "Sample mask (DEMO)", "visible": False, **shared}
        layers.append((labels, options, "labels"))
    return layers


def download_cmu1() -> list[LayerData]:
    """Download CMU-1-Small-Region (CC0, 1.9 MB), once, and open it."""
    return [layer_data(open_slide(fetch_cmu1()))]


def fetch_cmu1(url: str | None = None, folder: str | Path | None = None) -> Path:
    """Return the path of CMU-1-Small-Region.svs, downloading it if it is not in the cache.

    Parameters
    ----------
    url : str, optional
        Default: the environment variable ``PIXCELL_CMU1_URL``, else OpenSlide's test data.
    folder : path, optional
        Default: the plugin's cache folder, see :mod:`napari_pixcell.folders`.

    Raises
    ------
    PixCellError
        If the download fails or its hash is wrong.
    """
    url = url or os.environ.get("PIXCELL_CMU1_URL") or CMU1_URL
    path = Path(folder or cache_folder()) / "CMU-1-Small-Region.svs"
    if path.exists() and sha256_of(path) == CMU1_SHA256:
        return path
    try:
        with urlopen(url, timeout=30) as answer:
            data = answer.read(MOST_BYTES)
    except (URLError, OSError) as error:
        raise PixCellError(
            "CMU-1-Small-Region could not be downloaded. Connect to the internet and retry, or "
            "open a slide of your own."
        ) from error
    if hashlib.sha256(data).hexdigest() != CMU1_SHA256:
        raise PixCellError(
            "The downloaded CMU-1-Small-Region is not the expected file and was discarded. Retry "
            "later."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return path
