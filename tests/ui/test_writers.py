"""Layers saved by the plugin's writers, through napari."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tifffile import TiffFile, imread

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import open_slide
from napari_pixcell.ui.writers import write_pair

PIXELS = np.random.default_rng(1).integers(90, 240, (60, 80, 3), np.uint8)
LABELS = np.zeros((60, 80), np.int32)
LABELS[10:20, 30:50], LABELS[40:50, 5:15] = 3, 9
WHERE = {"scale": (0.25, 0.25), "units": ("micrometer", "micrometer")}


def test_a_labels_layer_is_saved_as_geojson(viewer, tmp_path) -> None:
    viewer.add_labels(LABELS, **WHERE)
    [path] = viewer.layers.save(str(tmp_path / "cells.geojson"))
    features = json.loads((tmp_path / "cells.geojson").read_bytes())["features"]
    assert path == str(tmp_path / "cells.geojson") and len(features) == 2
    corners = np.array(features[0]["geometry"]["coordinates"][0])
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([30, 10], [50, 20])


def test_other_files_are_still_written_by_napari(viewer, tmp_path) -> None:
    viewer.add_labels(np.stack([LABELS, LABELS]))
    [path] = viewer.layers.save(str(tmp_path / "stack.tif"))
    assert imread(path).shape == (2, 60, 80)


def test_an_image_and_its_labels_are_saved_as_a_pair(viewer, tmp_path) -> None:
    viewer.add_image(PIXELS, rgb=True, name="my slide.png", **WHERE)
    viewer.add_labels(LABELS, **WHERE)
    paths = viewer.layers.save(str(tmp_path / "pair"), plugin="napari-pixcell")
    image, mask = tmp_path / "pair/my_slide.tif", tmp_path / "pair/my_slide_masks.tif"
    assert paths == [str(image), str(mask)]
    np.testing.assert_array_equal(imread(image), PIXELS)
    np.testing.assert_array_equal(imread(mask), LABELS)
    assert open_slide(image).mpp == pytest.approx(0.25)
    with TiffFile(mask) as file:
        assert file.pages.first.dtype == np.uint16


def test_what_is_no_pair_is_refused(tmp_path) -> None:
    image = (PIXELS, {"name": "one", "rgb": True}, "image")
    for layers, words in (
        ([image, (LABELS[:50], {}, "labels")], r"differ in size \(80 × 60 and 80 × 50 px\)"),
        ([(LABELS, {"name": "grey"}, "image"), (LABELS, {}, "labels")], "not an RGB image"),
        ([image, (LABELS[None], {}, "labels")], "not two-dimensional"),
        (
            [
                (PIXELS, {"rgb": True, "metadata": {"napari_pixcell_role": "variant"}}, "image"),
                (LABELS, {}, "labels"),
            ],
            "is a synthetic variant. Export it",
        ),
    ):
        with pytest.raises(PixCellError, match=words):
            write_pair(str(tmp_path / "pair"), layers)
    assert not list(tmp_path.iterdir())
