"""Slides are opened in any thread, by several at once, without the window's libraries."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from pictures import tissue
from PIL import Image

from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.write import write_pyramid

THREADS = 6
KINDS = ("png", "jpg", "ome.tif", "svs")


@pytest.fixture
def slide_of(tmp_path: Path, request: pytest.FixtureRequest):
    """Return a function that returns the file of a slide of a kind."""

    def make(kind: str) -> Path:
        path = tmp_path / f"case 7.{kind}"
        if kind == "svs":
            return Path(request.getfixturevalue("cmu_slide"))
        if kind == "ome.tif":
            write_pyramid(path, tissue(700), 0.5)
        else:
            Image.fromarray(tissue(700)).save(path, dpi=(50_800, 50_800))
        return path

    return make


def read(path: Path, region: Region) -> np.ndarray:
    slide = open_slide(path, mpp=0.5)
    pixels = slide.read(region, 0.5)
    slide.close()
    return pixels


@pytest.mark.parametrize("kind", KINDS)
def test_threads_that_open_a_slide_at_once_read_the_same(slide_of, kind: str) -> None:
    path, region = slide_of(kind), Region(100, 150, 300, 200)
    expected = read(path, region)
    together = Barrier(THREADS)

    def work(_number: int) -> np.ndarray:
        together.wait(30)
        return read(path, region)

    with ThreadPoolExecutor(THREADS) as threads:
        for pixels in threads.map(work, range(THREADS)):
            np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_slide_of_another_thread_is_read_and_closed_here(slide_of, kind: str) -> None:
    path, region = slide_of(kind), Region(0, 0, 256, 256)
    with ThreadPoolExecutor(1) as thread:
        slide = thread.submit(open_slide, path, 0.5).result()
    np.testing.assert_array_equal(slide.read(region, 0.5), read(path, region))
    slide.close()


def test_opening_a_slide_brings_no_qt_and_no_napari(slide_of) -> None:
    files = [str(slide_of(kind)) for kind in ("png", "jpg", "ome.tif")]
    code = (
        "import sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from napari_pixcell.slides import open_slide\n"
        "with ThreadPoolExecutor(2) as threads:\n"
        "    assert len(list(threads.map(open_slide, sys.argv[1:]))) == 3\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(bool(loaded & {'napari', 'qtpy', 'PyQt6', 'PySide6', 'vispy'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *files], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
