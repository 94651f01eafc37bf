"""Stamps: outlines of layouts, drawn and placed without touching other cells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from real_layouts import annotated, gaps_are_kept, sample_layout
from skimage.measure import regionprops

from napari_pixcell.cells import Scatter, StampLibrary, default_library
from napari_pixcell.cells.editing import fit, place
from napari_pixcell.cells.inventing.measuring import cell_shapes
from napari_pixcell.cells.inventing.stamps import DEFAULT_FILE, join
from napari_pixcell.errors import PixCellError


def test_cell_shapes_equal_scikit_image() -> None:
    labels = sample_layout(side=256)
    shapes, props = cell_shapes(labels, 0.5), regionprops(labels)
    assert shapes.labels.tolist() == [p.label for p in props]
    np.testing.assert_allclose(shapes.area_um2, [p.area * 0.25 for p in props])
    centres = np.array([p.centroid for p in props]) * 0.5
    np.testing.assert_allclose(np.stack([shapes.y_um, shapes.x_um], 1), centres)
    ratio = [p.axis_major_length / p.axis_minor_length for p in props if p.area > 20]
    big = shapes.area_um2 > 5
    # ours counts a pixel as a square, scikit-image as a point
    np.testing.assert_allclose(shapes.elongation[big], ratio, rtol=0.05)
    # scikit-image counts from the rows; both are directions, the same after half a turn.
    angles = [np.pi / 2 - p.orientation for p in props if p.area > 20]
    long = np.array(ratio) > 1.2
    off = np.exp(2j * (shapes.angle[big] - angles)) - 1
    assert np.abs(off[long]).max() < 1e-6


def test_the_bundled_stamps_match_the_sample_slide() -> None:
    library = default_library()
    assert 200 <= len(library) <= 1000
    assert DEFAULT_FILE.stat().st_size < 100_000
    shapes = cell_shapes(sample_layout(side=1984), 0.5)
    median = np.median(shapes.area_um2[~shapes.cut])
    assert np.median(library.area_um2) == pytest.approx(median, rel=0.1)
    assert np.percentile(library.elongation, 90) > 2 > np.median(library.elongation) > 1.2


def test_stamps_of_a_layout_are_whole_single_nuclei(shared_data: Path) -> None:
    labels = annotated(shared_data, 1012)
    labels[200:206, 100:101] = 900  # a speck
    labels[100:160, 100:170] = 901  # a monster
    labels[20:44, 60:70] = 902  # a dumbbell
    labels[20:44, 80:90] = 902
    labels[30:33, 70:80] = 902
    library = StampLibrary.from_layout(labels, 0.5, "mine")
    assert library.name == "mine" and library.mpp == 0.5
    assert 40 < len(library) < len(np.unique(labels)) - 1
    areas = [mask.sum() for mask in library.masks]
    assert min(areas) >= 12 and max(areas) < 1000
    assert not any(mask.shape == (24, 30) for mask in library.masks)
    assert all(mask.any(axis=1).all() and mask.any(axis=0).all() for mask in library.masks)


def test_stamps_equal_outlines_of_the_layout() -> None:
    labels = np.zeros((40, 40), np.uint16)
    labels[5:15, 10:16] = 7
    labels[0:5, 30:36] = 9  # cut by the border
    (mask,) = StampLibrary.from_layout(labels, 0.5).masks
    np.testing.assert_array_equal(mask, np.ones((10, 6), bool))


def test_stamp_libraries_round_trip(tmp_path: Path) -> None:
    library = StampLibrary.from_layout(sample_layout(), 0.5, "sample")
    library.save(tmp_path / "s.npz")
    again = StampLibrary.load(tmp_path / "s.npz")
    assert (again.mpp, again.name, len(again)) == (0.5, "sample", len(library))
    for one, two in zip(library.masks, again.masks, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_outlines_are_drawn_with_the_requested_size_shape_and_direction(mpp: float) -> None:
    library = default_library()
    for index in range(0, 400, 20):
        drawn = library.draw(
            index, mpp, area_um2=80, angle=0.7, elongation=2.2, mirrored=bool(index % 40)
        )
        shape = cell_shapes(drawn.astype(int), mpp)
        assert shape.area_um2[0] == pytest.approx(80, rel=0.05)
        assert shape.elongation[0] == pytest.approx(2.2, rel=0.06)
        assert shape.angle[0] == pytest.approx(0.7, abs=0.06)
        middle = np.array(drawn.shape) // 2 * mpp
        np.testing.assert_allclose((shape.y_um[0], shape.x_um[0]), middle, atol=mpp)


def test_angles_count_from_right_to_down() -> None:
    bar = StampLibrary((np.ones((4, 20), bool),), 0.5)
    down_right = bar.draw(0, 0.5, angle=np.pi / 4)
    half = down_right.shape[0] // 2
    assert down_right[half + 4, half + 4] and not down_right[half + 4, half - 4]


def test_placing_an_outline_can_be_undone() -> None:
    labels = sample_layout()
    before = labels.copy()
    outline = default_library().draw(3, 0.5)
    free = next(
        (y, x) for y in range(40, 470, 7) for x in range(40, 470, 7) if fit(labels, outline, (y, x))
    )
    np.testing.assert_array_equal(labels, before)
    patch = place(labels, outline, free)
    assert patch is not None
    assert np.count_nonzero(labels != before) == outline.sum()
    assert set(np.unique(labels[labels != before])) == {before.max() + 1}
    assert patch.before.size <= outline.size
    again = before.copy()
    patch.apply(again)
    np.testing.assert_array_equal(again, labels)
    patch.undo(labels)
    np.testing.assert_array_equal(labels, before)


def test_outlines_never_touch_other_cells() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[10:20, 10:20] = 1
    dot = np.ones((3, 3), bool)
    assert place(labels, dot, (15, 15)) is None
    assert place(labels, dot, (15, 21)) is None  # side by side
    assert place(labels, dot, (21, 21)) is None  # corner to corner
    assert place(labels, dot, (22, 22), gap_px=2) is None
    assert place(labels, dot, (22, 22)) is not None
    assert gaps_are_kept(labels)


def test_outlines_are_cut_at_the_border_and_specks_left_out() -> None:
    labels = np.zeros((20, 20), np.int32)
    block = np.ones((5, 5), bool)
    patch = place(labels, block, (0, 10))
    assert patch is not None and patch.after.shape == (3, 5)
    assert place(labels, block, (-2, 2)) is not None  # one row of five
    assert place(labels, block, (21.4, 21.4)) is None  # a corner of one pixel
    assert place(labels, block, (50, 50)) is None


def test_strokes_follow_arc_length_however_they_are_divided() -> None:
    scatter = Scatter(default_library(), spacing_um=5, orientation="along", seed=4)
    whole = scatter.placements([(0, 0), (0, 30), (30, 30)])
    assert len(whole) == 13
    places = [(round(p.y_um, 6), round(p.x_um, 6)) for p in whole]
    assert places[:3] == [(0, 0), (0, 5), (0, 10)] and places[-1] == (30, 30)
    pieces = scatter.placements([(0, 0), (0, 1), (0, 1), (0, 7.5), (0, 30), (12, 30), (30, 30)])
    for one, two in zip(whole, pieces, strict=True):
        assert (one.stamp, one.area_um2, one.mirrored) == (two.stamp, two.area_um2, two.mirrored)
        assert (one.y_um, one.x_um) == pytest.approx((two.y_um, two.x_um))
    assert whole[1].angle == 0 and whole[-1].angle == pytest.approx(np.pi / 2)
    assert scatter.placements([(0, 0), (0, 30)]) != Scatter(
        default_library(), 5, orientation="along", seed=5
    ).placements([(0, 0), (0, 30)])


def test_a_click_is_one_stamp() -> None:
    for orientation in ("free", "along", "fixed"):
        stroke = Scatter(default_library(), orientation=orientation).stroke()
        assert len(stroke.add(3, 3) + stroke.finish()) == 1
        assert stroke.finish() == []


def test_size_and_jitter_are_kept() -> None:
    line = [(0.0, 0.0), (0.0, 2000.0)]
    fixed = Scatter(
        default_library(), 5, area_um2=50, size=2, size_jitter=0.3, orientation="fixed", angle=1,
        orientation_jitter=0.2,
    ).placements(line)  # fmt: skip
    logs = np.log([p.area_um2 for p in fixed])
    assert np.exp(np.median(logs)) == pytest.approx(100, rel=0.1)
    assert logs.std() == pytest.approx(0.3, rel=0.15)
    angles = np.array([p.angle for p in fixed])
    assert angles.mean() == pytest.approx(1, abs=0.05)
    assert angles.std() == pytest.approx(0.2, rel=0.15)


def test_strokes_count_stamps_without_room() -> None:
    labels = np.zeros((64, 256), np.int32)
    labels[:, 128:] = 1
    stroke = Scatter(default_library(), spacing_um=8, area_um2=40).stroke()
    along = stroke.add(16, 0) + stroke.add(16, 127)
    patches = []
    for placement in along:
        patch = stroke.stamp(labels, 0.5, placement)
        if patch is not None:
            patch.apply(labels)
        patches.append(patch)
    assert stroke.placed == len([p for p in patches if p is not None]) >= 6
    assert stroke.missed == len(along) - stroke.placed >= 6
    assert gaps_are_kept(labels) and (labels[:, 128:] == 1).all()
    for patch in reversed([p for p in patches if p is not None]):
        patch.undo(labels)
    assert set(np.unique(labels)) == {0, 1}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: StampLibrary((), 0.5), "has no whole nuclei to use as stamps. Choose"),
        (
            lambda: StampLibrary.from_layout(np.zeros((9, 9), int), 0.5),
            "has no whole nuclei to use as stamps. Choose",
        ),
        (
            lambda: StampLibrary.from_layout(np.ones((9, 9), int), 0.5),
            "has no whole nuclei to use as stamps. Choose",
        ),
        (
            lambda: StampLibrary((np.ones((3, 3), bool),), 0),
            "pixel size of the stamps is 0 µm. Choose one from 0.01 to 10",
        ),
        (
            lambda: join([StampLibrary((np.ones((3, 3), bool),), m) for m in (1, 2)], ""),
            "different pixel sizes. Use one",
        ),
        (lambda: Scatter(default_library(), 0), "spacing of the stamps is 0 µm. Choose one"),
        (lambda: Scatter(default_library(), area_um2=-4), "area of the stamps is -4 µm². Choose"),
        (lambda: Scatter(default_library(), size=float("nan")), "size of the stamps is nan. Choo"),
        (lambda: Scatter(default_library(), size_jitter=9), "stamps' size is 9. Choose one"),
        (lambda: Scatter(default_library(), orientation_jitter=-1), "stamps' angle is -1. Choose"),
        (lambda: Scatter(default_library(), angle=90), "angle of the stamps is 90 radians. Choose"),
        (lambda: Scatter(default_library(), orientation="up"), "“up” is not an orientation"),
        (lambda: Scatter(default_library(), seed=-1), "The seed is -1. Choose a whole number"),
    ],
)
def test_invalid_stamp_settings_are_explained(make, sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        make()


def test_files_that_are_not_stamp_libraries_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    sentence = r"s\.npz is not a stamp library. Choose a file that was saved as one"
    path.write_text(json.dumps({}))
    with pytest.raises(PixCellError, match=sentence):
        StampLibrary.load(path)
    np.savez(path, bits=np.array([{"a": 1}], object), sides=np.ones((1, 2)), mpp=1, name="")
    with pytest.raises(PixCellError, match=sentence):
        StampLibrary.load(path)
    np.savez(path, bits=np.zeros(1, np.uint8), sides=np.full((1, 2), 2, np.uint8), mpp=1, name="")
    with pytest.raises(PixCellError, match=sentence):
        StampLibrary.load(path)
    with pytest.raises(PixCellError, match=sentence):
        StampLibrary.load(tmp_path / "other" / "s.npz")
