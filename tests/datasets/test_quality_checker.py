"""Pairs through the checks, with the demo family's own encoder and the built-in segmentation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.color import hsv2rgb, rgb2hsv

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.quality import Checker, RealTiles, look_of
from napari_pixcell.datasets.store.checks import FLAGS, SCORES, Checks
from napari_pixcell.datasets.store.dataset import DatasetStyle
from napari_pixcell.engine.events import Embedding, Failure, Finished
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE


def tissue(x: int, y: int) -> np.ndarray:
    with open_slide(SAMPLE_SLIDE) as slide:
        return slide.read(Region(x, y, 256, 256), 0.5)


@pytest.fixture(scope="module")
def ask():
    from napari_pixcell.engine.engine import Engine

    engine = Engine()

    def run(request):
        events = []
        engine.run(request, events.append)
        return events

    return run


@pytest.fixture(scope="module")
def embedded(ask):
    def embed(pixels):
        events = ask(EmbedRequest("demo", PackedArray.pack(np.ascontiguousarray(pixels))))
        return next(event.values for event in events if isinstance(event, Embedding))

    return embed


@pytest.fixture(scope="module")
def tile():
    return tissue(800, 500)


@pytest.fixture(scope="module")
def style(tile, embedded):
    return DatasetStyle(0, "Tissue", "a", embedded(tile), look_of(tile))


@pytest.fixture(scope="module")
def checker(ask):
    return Checker(Checks(), DEMO, 0.5, ask)


@pytest.fixture(scope="module")
def labels(tile):
    return segment_nuclei(tile, 0.5)


def test_real_tissue_passes_all_checks(checker, tile, labels, style):
    verdict = checker.check(tile, labels, style)
    assert verdict.flags == ()
    assert list(verdict.scores) == list(SCORES)
    for name in ("dice", "kappa", "aji", "pq", "count", "placed", "style", "sharpness"):
        assert verdict.scores[name] == pytest.approx(1)
    assert [verdict.scores[name] for name in ("partial", "missing", "extra")] == [0, 0, 0]
    assert verdict.nuclei.to_row() == {"partial": [], "missing": [], "extra": None}
    assert verdict.scores["colour"] == pytest.approx(0, abs=1e-6)
    assert verdict.scores["copy_pixels"] is None  # nothing to compare with
    assert checker.segmenter == LayoutSource("builtin")


def test_each_nucleus_is_compared(checker, tile, labels, style):
    areas = np.bincount(labels.ravel())[1:]
    gone, moved = (1 + np.argsort(areas)[-2:]).tolist()
    (y, x), count = np.argwhere(labels == moved)[0], len(areas)
    mask = np.where(labels == gone, 0, labels)
    mask[mask == moved] = 0
    mask[y : y + 2, x : x + 2] = count + 5  # a speck of it
    free = np.argwhere(_free(labels, 13))[0] - 6
    mask[free[0] : free[0] + 13, free[1] : free[1] + 13] = count + 9
    verdict = checker.check(tile, mask, style)
    assert verdict.nuclei.missing.tolist() == [count + 9]
    assert np.array_equal(verdict.nuclei.extra > 0, np.isin(labels, (gone, moved)))
    assert verdict.scores["missing"] == pytest.approx(1 / count)
    assert verdict.scores["extra"] == pytest.approx(2 / count)
    assert verdict.scores["placed"] + verdict.scores["partial"] == pytest.approx(1 - 1 / count)


def _free(labels, side):
    """Return the centres of squares without a cell."""
    from scipy.ndimage import maximum_filter

    inside = np.zeros(labels.shape, bool)
    inside[side:-side, side:-side] = True
    return inside & (maximum_filter(labels, side) == 0)


def test_each_defect_gets_its_flag(checker, tile, labels, style):
    hsv = rgb2hsv(tile)
    hsv[..., 0] = (hsv[..., 0] + 0.25) % 1
    tinted = (255 * hsv2rgb(hsv)).round().astype(np.uint8)
    blurred = gaussian_filter(tile.astype(float), (2.5, 2.5, 0)).astype(np.uint8)
    bright = (3 * (tile.astype(float) - 128) + 200).clip(0, 255).astype(np.uint8)
    assert checker.check(tile, labels[::-1], style).flags == ("mask",)
    assert checker.check(tile, np.roll(labels, 128, axis=1), style).flags == ("mask",)
    assert "colour" in checker.check(tinted, labels, style).flags
    assert "blur" in checker.check(blurred, labels, style).flags
    assert "failed" in checker.check(bright, labels, style).flags
    for value in (0, 240, 255):
        assert "failed" in checker.check(np.full_like(tile, value), labels, style).flags


def test_another_style_is_flagged(checker, tile, style):
    opposite = replace(style, embedding=-style.embedding)
    verdict = checker.check(tile, None, opposite)
    assert verdict.flags == ("style",)
    assert verdict.scores["style"] < -0.5
    assert verdict.scores["dice"] is None  # without a mask there is nothing to follow
    assert verdict.scores["placed"] is None and verdict.nuclei is None


def test_without_a_reference_no_drift_is_scored(checker, tile, labels):
    scores = checker.check(tile, labels, DatasetStyle(0, "Nothing", "a", None)).scores
    assert scores["dice"] == 1
    assert [scores[name] for name in ("style", "colour", "sharpness")] == [None] * 3


def test_a_rotated_copy_is_flagged(ask, embedded, style):
    real = RealTiles()
    for x in (300, 556, 812, 1068):
        real.add(tissue(x, 500), embedded(tissue(x, 500)))
    checker = Checker(Checks(), DEMO, 0.5, ask, real)
    copied, style = tissue(556, 500)[:, ::-1].copy(), replace(style, embedding=None)
    assert checker.check(copied, None, style).flags == ("copy",)
    assert checker.most_copy_pixels == 0.75  # few tiles do not tell how alike tissue can be
    assert "copy" not in checker.check(tissue(900, 1200), None, style).flags


def test_shared_cells_alone_are_not_a_copy(ask, embedded, style):
    """A picture with a real tile's cells in their places, and nothing else of it."""
    real = RealTiles()
    tile = tissue(556, 500)
    real.add(tile, embedded(tile))
    cells = segment_nuclei(tile, 0.5)
    noise = np.random.default_rng(0).normal(0, 25, (32, 32))
    ground = np.kron(gaussian_filter(noise, 0.7), np.ones((8, 8)))[..., None] + (215, 160, 205)
    made = np.where(cells[..., None] > 0, (90, 50, 130), ground).clip(0, 255).astype(np.uint8)
    checker, style = Checker(Checks(), DEMO, 0.5, ask, real), replace(style, embedding=None)
    with_mask = checker.check(made, cells, style).scores["copy_pixels"]
    assert with_mask < checker.check(made, None, style).scores["copy_pixels"] - 0.2


@pytest.mark.parametrize(
    "image",
    [
        np.full((256, 256, 3), np.nan),
        np.zeros((256, 256), np.uint8),
        np.zeros((0, 256, 3), np.uint8),
        None,
    ],
)
def test_other_arrays_than_pictures_fail(image, style):
    def ask(request):
        raise AssertionError("nothing is to be asked")

    verdict = Checker(Checks(), DEMO, 0.5, ask).check(image, None, style)
    assert verdict.flags == ("failed",)
    assert set(verdict.scores.values()) == {None}


def test_a_larger_picture_is_checked_by_whole_tiles(checker, tile, style):
    wide = np.concatenate([tile, tile[:, :100]], axis=1)
    assert checker.check(wide, None, style).flags == ()


def test_thresholds_that_are_off_flag_nothing(ask, tile, labels, style):
    off = {name: None for name in vars(Checks()) if name != "segmenter"}
    checker = Checker(Checks(**off), DEMO, 0.5, ask)
    blank = np.full_like(tile, 240)
    assert checker.check(blank, labels, replace(style, embedding=None)).flags == ()


def test_flags_have_a_fixed_order(checker, tile, labels, style):
    flags = checker.check(np.zeros_like(tile), labels, style).flags
    assert list(flags) == [flag for flag in FLAGS if flag in flags]


def test_failures_of_the_engine_are_reported(style, tile, labels):
    for events, words in (
        ([Failure("There is not enough memory.")], "There is not enough memory."),
        ([Finished(cancelled=True)], "gave no result. Resume the dataset"),
    ):
        with pytest.raises(PixCellError, match=words):
            Checker(Checks(), DEMO, 0.5, lambda request, e=events: e).check(tile, labels, style)
