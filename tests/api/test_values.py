"""Slides, styles, layouts, variants, measurements and models as values."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import napari_pixcell as pixcell

LABELS = np.zeros((64, 96), np.uint16)
LABELS[10:20, 10:20], LABELS[10:20, 20:30], LABELS[40:52, 60:70] = 1, 2, 7


# -- slides --------------------------------------------------------------------------------


def test_regions_are_in_micrometres_from_the_corner(slide: pixcell.Slide) -> None:
    assert slide.size_um == (992, 992)
    assert slide.region_um(100, 50, 64, 32) == pixcell.Region(200, 100, 128, 64)


def test_an_array_is_a_slide() -> None:
    image = np.full((300, 400, 3), 200, np.uint8)
    slide = pixcell.open_slide(image, mpp=0.25)
    assert slide.size_um == (100, 75)
    assert slide.read(slide.region_um(0, 0, 50, 50), 0.5).shape == (100, 100, 3)
    assert pixcell.open_slide(slide) is slide


@pytest.mark.parametrize(
    ("source", "mpp", "message"),
    [
        ("missing.svs", None, "does not exist"),
        (np.zeros((9, 9), np.uint8), 0.5, r"an array of \(9, 9\), uint8"),
        (np.zeros((9, 9, 3), np.uint8), 500.0, "500"),
        (7, None, "of the type int"),
    ],
)
def test_what_is_no_slide_is_refused(source: object, mpp: float | None, message: str) -> None:
    with pytest.raises(pixcell.PixCellError, match=message):
        pixcell.open_slide(source, mpp)  # type: ignore[arg-type]


def test_a_slide_without_a_pixel_size_has_no_micrometres() -> None:
    slide = pixcell.open_slide(np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(pixcell.PixCellError, match="pixel size of “image” is unknown"):
        slide.region_um(0, 0, 1, 1)


# -- layouts -------------------------------------------------------------------------------


def test_a_layout_is_written_and_read(tmp_path: Path) -> None:
    layout = pixcell.Layout(LABELS, 0.5, {7: "Lymphocyte"})
    assert (len(layout), layout.shape) == (3, (64, 96))
    assert str(layout).startswith("3 cells")
    (path,) = layout.save(tmp_path / "cells.tif")
    again = pixcell.Layout.read(path)
    assert np.array_equal(again.labels, LABELS)
    assert (again.mpp, again.classes) == (0.5, {7: "Lymphocyte"})


def test_a_layout_keeps_its_own_labels() -> None:
    mine = LABELS.copy()
    layout = pixcell.Layout(mine, 0.5)
    mine[:] = 0
    assert len(layout) == 3


def test_a_layout_goes_to_qupath_and_back_on_its_slide(
    engine: pixcell.Engine,
    slide: pixcell.Slide,
    region: pixcell.Region,
    layout: pixcell.Layout,
    tmp_path: Path,
) -> None:
    layout.save(tmp_path / "cells.geojson")
    again = engine.read_layout(tmp_path / "cells.geojson", slide, region)
    assert np.array_equal(again.labels > 0, layout.labels > 0)
    assert len(again) == len(layout)
    with pytest.raises(pixcell.PixCellError, match="has outlines, not labels"):
        pixcell.Layout.read(tmp_path / "cells.geojson")


def test_cells_that_are_left_out_are_warned_of(
    engine: pixcell.Engine, slide: pixcell.Slide, layout: pixcell.Layout, tmp_path: Path
) -> None:
    layout.save(tmp_path / "cells.geojson")
    with pytest.warns(pixcell.PixCellWarning, match="dropped"):
        engine.read_layout(tmp_path / "cells.geojson", slide, slide.region_um(490, 490, 128, 128))


def test_resampling_keeps_every_cell() -> None:
    layout = pixcell.Layout(LABELS, 0.5, {7: "Lymphocyte"})
    finer = layout.resampled(0.25)
    assert (finer.shape, len(finer), finer.mpp) == ((128, 192), 3, 0.25)
    assert [*finer.classes.values()] == ["Lymphocyte"]
    assert np.array_equal(finer.resampled(0.5).labels > 0, LABELS > 0)


def test_layouts_are_invented_and_varied_by_seed(layout: pixcell.Layout) -> None:
    first, second = (pixcell.Layout.invent(128, 64, density=5000, seed=3) for _ in range(2))
    assert first.shape == (128, 256)
    assert np.array_equal(first.labels, second.labels)
    assert first.source is not None and first.source.method == "invented"
    alike = pixcell.Layout.invent(128, 128, like=layout, seed=1)
    assert len(alike) == pytest.approx(len(layout), rel=0.4)
    varied = first.vary(4, jitter=1, drop=0.5, add=0)
    assert len(varied) < len(first)
    assert varied.source is not None and varied.source.edited


@pytest.mark.parametrize(
    ("labels", "mpp", "message"),
    [
        (LABELS.astype(float), 0.5, "values of the type float64"),
        (LABELS > 0, 0.5, "values of the type bool"),
        (LABELS[0], 0.5, r"an array of \(96,\)"),
        (LABELS.astype(int) - 1, 0.5, "labels from -1 to 6"),
        (LABELS.astype(np.int64) << 40, 0.5, "labels from 0 to 7,"),
        (LABELS, 0, "0"),
    ],
)
def test_what_is_no_layout_is_refused(labels: object, mpp: float, message: str) -> None:
    with pytest.raises(pixcell.PixCellError, match=message):
        pixcell.Layout(labels, mpp)  # type: ignore[arg-type]


def test_a_label_image_without_a_pixel_size_needs_one(tmp_path: Path) -> None:
    np.save(tmp_path / "cells.npy", LABELS)
    with pytest.raises(pixcell.PixCellError, match=r"states no pixel size\. Pass mpp="):
        pixcell.Layout.read(tmp_path / "cells.npy")
    assert len(pixcell.Layout.read(tmp_path / "cells.npy", mpp=0.5)) == 3


def test_unknown_statistics_and_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(pixcell.PixCellError, match="unknown: colour"):
        pixcell.Layout.invent(64, 64, colour=1)
    with pytest.raises(pixcell.PixCellError, match=r"cells\.doc"):
        pixcell.Layout(LABELS, 0.5).save(tmp_path / "cells.doc")


# -- styles --------------------------------------------------------------------------------


def test_styles_are_saved_read_and_blended(style: pixcell.Style, tmp_path: Path) -> None:
    style.save(tmp_path / "mine.style")
    again = pixcell.read_style(tmp_path / "mine.style")
    assert np.array_equal(again.embedding, style.embedding)
    assert again.colours == style.colours
    same = pixcell.blend([style, again], [1, 3])
    assert np.allclose(same.embedding, style.embedding, atol=1e-5)
    assert same.made_of == (("region", 0.25), ("region", 0.75))


def test_styles_that_do_not_fit_are_refused(style: pixcell.Style, tmp_path: Path) -> None:
    from dataclasses import replace

    other = replace(style, encoder="another")
    (tmp_path / "broken.style").write_bytes(b"{}\n")
    for call, message in (
        (lambda: pixcell.blend([style, other]), "2 styles of different encoders"),
        (lambda: pixcell.blend([style], [1, 2]), "1 style and 2 weights"),
        (lambda: pixcell.blend([style, style], [0, 0]), "at least one more than 0"),
        (lambda: pixcell.blend([]), "0 styles and 0 weights"),
        (lambda: pixcell.blend([style, "a"]), "not str"),  # type: ignore[list-item]
        (lambda: pixcell.read_style(tmp_path / "none.style"), "does not exist"),
        (lambda: pixcell.read_style(tmp_path / "broken.style"), "is damaged"),
        (lambda: style.save(tmp_path / "no" / "a.style"), "cannot be written"),
    ):
        with pytest.raises(pixcell.PixCellError, match=message):
            call()


# -- variants and measurements -------------------------------------------------------------


def test_variants_are_exported_with_their_masks_and_records(
    engine: pixcell.Engine, style: pixcell.Style, layout: pixcell.Layout, tmp_path: Path
) -> None:
    made = engine.generate(style, layout, count=2, seed=1, steps=1, name="mine")
    assert repr(made[0]) == "Variant(seed=1, 256 × 256 px, 0.5 µm/px)"
    paths = pixcell.export(made, tmp_path / "pairs")
    assert [path.name for path in paths] == ["mine-seed1.png", "mine-seed2.png"]
    copied = pickle.loads(pickle.dumps(made[0]))  # as processes of the user's exchange it
    assert (copied.image == made[0].image).all() and copied.record == made[0].record
    assert len([*(tmp_path / "pairs" / "masks").iterdir()]) == 2
    assert pixcell.read_record(paths[1]).sha256 == made[1].record.sha256


def test_repaired_variants_may_lose_the_nuclei_that_they_do_not_show(
    engine: pixcell.Engine, style: pixcell.Style, layout: pixcell.Layout, tmp_path: Path
) -> None:
    (made,) = engine.generate(style, layout, count=1, steps=1, repair=0)
    assert made.record.repair is not None
    (path,) = pixcell.export([made], tmp_path, drop_wrong=True)
    kept = pixcell.read_record(path)
    assert kept.repair is not None and kept.repair.dropped
    assert len(np.unique(kept.mask)) == len(layout) + 1 - len(kept.repair.wrong)


def test_ihc_is_measured_and_h_and_e_is_warned_of(
    engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region, layout: pixcell.Layout
) -> None:
    image = engine.read(slide, region)
    with pytest.warns(pixcell.PixCellWarning, match="looks like H&E"):
        measured = pixcell.measure_ihc(image, 0.5, layout)
    assert measured.score().nuclei == len(layout)
    for call, message in (
        (lambda: pixcell.measure_ihc(image / 255, 0.5), "float64"),
        (lambda: pixcell.measure_ihc(image, 0), "0"),
        (lambda: pixcell.measure_ihc(image, 0.5, LABELS), "The mask of nuclei is 96 × 64 px"),
        (lambda: pixcell.measure_ihc(image * 0 + 255, 0.5), "no tissue"),
    ):
        with pytest.raises(pixcell.PixCellError, match=message):
            call()


# -- models --------------------------------------------------------------------------------


def test_models_are_listed_checked_and_offered() -> None:
    names = {model.name: model for model in pixcell.list_models()}
    assert {"demo", "demo-ki67", "pixcell-256", "cellpose"} <= {*names}
    assert names["demo"].installed
    assert not names["pixcell-256"].installed
    assert names["demo-ki67"].stain and not names["demo"].stain
    assert pixcell.get_model("demo").check() == []
    assert any("is missing" in problem for problem in names["pixcell-256"].check())
    assert names["pixcell-256"].bytes > 10**9
    with pytest.raises(pixcell.PixCellError, match=r"Licence: .* Pass accept_licence=True"):
        names["pixcell-256"].download()
    names["demo"].download()  # nothing to get, so nothing to accept
    with pytest.raises(pixcell.PixCellError, match="There is no family “other”"):
        pixcell.get_model("other")


def test_nothing_is_downloaded_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = pixcell.get_model("pixcell-256")
    with pytest.raises(pixcell.PixCellError, match="HF_HUB_OFFLINE is set"):
        model.download(accept_licence=True, progress=False)
