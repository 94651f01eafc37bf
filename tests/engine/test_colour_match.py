"""Colour match: the tissue of a picture takes the colours of its style, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from running import pictures, run
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from napari_pixcell.cells import condition_image, segment_nuclei
from napari_pixcell.cells.class_map import ClassMap, make_palette
from napari_pixcell.engine import colour_match as matching
from napari_pixcell.engine.canvas.store import canvases_folder
from napari_pixcell.engine.colour_match import (
    FULL,
    GENTLE,
    OFF,
    ColourMatch,
    colour_match,
    colour_setting,
    match,
    match_rows,
)
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Preview, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.pipeline import match_tile
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.styles.region_embedding import region_colours
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.engine.tissue_colours import (
    GLASS,
    ColourCount,
    TissueColours,
    mixed_colours,
    tissue_colours,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, DEMO_STAIN, PIXCELL_256
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import ArraySlide

MAGENTA = TissueColours((60, 95, -60), (12, 20, 20))
BLUISH = TissueColours((55, 20, -35), (14, 6, 8))


OTHER_CLASSES = (40.0, 30.0, -40.0), (75.0, 20.0, -15.0)


def full(tissue: TissueColours) -> ColourMatch:
    return ColourMatch(FULL, tissue)


def recoloured(pixels: np.ndarray) -> np.ndarray:
    """Return the same tissue, bluer and paler, as another laboratory stains it."""
    lab = rgb2lab(pixels)
    middle = lab.mean(axis=(0, 1))
    changed = (lab - middle) * 0.85 + middle + (4, -9, -4)
    return np.rint(255 * lab2rgb(changed)).astype(np.uint8)


def distance(one: TissueColours, other: TissueColours) -> float:
    return float(deltaE_ciede2000(np.array(one.mean), np.array(other.mean)))


def glass(pixels: np.ndarray) -> np.ndarray:
    return pixels.min(axis=-1) >= GLASS


@pytest.mark.parametrize("how", [GENTLE, FULL])
def test_tissue_takes_the_colours_of_its_style_and_glass_stays(
    tissue: np.ndarray, how: str
) -> None:
    pixels = recoloured(tissue)
    pixels[:40] = (244, 243, 245)
    target = tissue_colours(tissue)
    matched = match(pixels, ColourMatch(how, target))
    assert distance(tissue_colours(pixels), target) > 6
    assert distance(tissue_colours(matched), target) < 0.3
    assert np.array_equal(matched[glass(pixels)], pixels[glass(pixels)])
    again = match(matched, ColourMatch(how, target)).astype(int)
    assert np.abs(again - matched).max() <= 3  # of 255
    contrast = abs(tissue_colours(matched).std[0] - target.std[0])
    assert contrast < 0.5 if how == FULL else contrast > 0.8


def test_a_gradient_from_glass_to_tissue_stays_smooth() -> None:
    ramp = np.linspace((150, 90, 140), (250, 249, 251), 512)
    pixels = np.repeat(np.rint(ramp).astype(np.uint8)[None], 64, axis=0)
    pale = TissueColours((85, 8, -4), (4, 3, 2))
    for target, steepest in ((BLUISH, 4), (pale, 2), (MAGENTA, 9)):
        steps = np.diff(match(pixels, full(target))[0].astype(int), axis=0)
        assert np.abs(steps).max() <= steepest  # the picture itself has steps of 1


@pytest.mark.parametrize("band", [1, 7, 100])
def test_an_image_matched_in_bands_is_the_same(
    tissue: np.ndarray, monkeypatch: pytest.MonkeyPatch, band: int
) -> None:
    target, whole = full(BLUISH), match(tissue, full(BLUISH))
    monkeypatch.setattr(matching, "BAND", band)
    monkeypatch.setattr(matching, "PIECE", 3000)
    rows: list[tuple[int, int]] = []
    nuclei = segment_nuclei(tissue) > 0
    apart, by_class = tissue.copy(), full(replace(BLUISH, classes=OTHER_CLASSES))
    match_rows(apart, by_class, nuclei=lambda top, stop: nuclei[top:stop])
    assert np.array_equal(apart, match(tissue, by_class, nuclei=nuclei))
    changed = tissue.copy()
    match_rows(changed, target, None, lambda *done: rows.append(done))
    assert np.array_equal(changed, whole)
    assert rows[-1] == (2 * len(tissue), 2 * len(tissue))
    count = ColourCount()
    for part in np.array_split(tissue, 5)[::-1]:
        count.add(part)
    assert count.colours() == tissue_colours(tissue)


def test_without_enough_tissue_nothing_changes(tissue: np.ndarray) -> None:
    white = np.full((256, 256, 3), 246, np.uint8)
    nearly = white.copy()
    nearly[:20, :30] = tissue[:20, :30]
    for few in (white, nearly, tissue[:16, :20]):
        known = tissue_colours(few)
        assert not known.enough and colour_match(FULL, known) is None
        assert np.array_equal(match(few, full(BLUISH)), few)
        assert np.array_equal(match(tissue, full(known)), tissue)
    assert colour_match(FULL, None) is None and colour_match(OFF, BLUISH) is None
    assert match(tissue, None) is tissue


@pytest.mark.parametrize("level", [0, 1, 128, 190, 215])
@pytest.mark.filterwarnings("error::RuntimeWarning")  # of numpy
def test_grey_and_flat_pictures_give_numbers(tissue: np.ndarray, level: int) -> None:
    flat = np.full((64, 64, 3), level, np.uint8)
    for pixels, target in ((flat, BLUISH), (tissue, tissue_colours(flat))):
        for how in (GENTLE, FULL):
            matched = match(pixels, ColourMatch(how, target))
            assert matched.shape == pixels.shape and matched.dtype == np.uint8
    grey = np.repeat(tissue.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    assert np.ptp(match(tissue, full(tissue_colours(grey))).mean(axis=(0, 1))) < 4


@pytest.mark.filterwarnings("error::RuntimeWarning")  # of numpy
def test_no_large_part_is_clipped_whatever_the_style(tissue: np.ndarray) -> None:
    extremes = [(light, a, b) for light in (1, 50, 99) for a in (-120, 120) for b in (-120, 0, 120)]
    for mean in [*extremes, MAGENTA.mean]:
        matched = match(tissue, full(TissueColours(mean, (30, 40, 40))))
        ends = ((matched == 0) | (matched == 255)).any(axis=-1)
        assert ends.mean() < 0.3


def test_only_new_pixels_change_and_a_few_nuclei_hardly(tissue: np.ndarray) -> None:
    target, seen = tissue_colours(tissue), np.zeros(tissue.shape[:2], np.float32)
    seen[:, 200:] = np.linspace(0, 1, 40).repeat(8)[: seen.shape[1] - 200]
    mixed = np.where(seen[..., None] > 0, recoloured(tissue), tissue)
    matched = match(mixed, full(target), seen)
    assert np.array_equal(matched[seen == 0], tissue[seen == 0])
    new = seen >= 0.5
    before, after = (distance(tissue_colours(p[new][None]), target) for p in (mixed, matched))
    assert before > 6 and after < 3  # as most of it is half new
    few = np.zeros_like(seen)
    few[100:130, 300:330] = 1
    spot = match(mixed, full(target), few).astype(int) - mixed
    assert np.abs(spot[few == 0]).max() == 0 < np.abs(spot).mean(axis=-1)[few > 0].mean() < 2


def test_the_colours_of_a_blend_are_the_mean_by_shares() -> None:
    mixed = mixed_colours([(MAGENTA, 3), (BLUISH, 1)])
    assert mixed is not None and mixed.mean == (58.75, 76.25, -53.75)
    assert mixed_colours([(MAGENTA, 1), (None, 0)]) == MAGENTA
    assert mixed_colours([(MAGENTA, 1), (None, 1)]) is None and mixed_colours([]) is None
    pale = TissueColours((100, 0, 0), (0, 0, 0), 0.0)
    glassy = mixed_colours([(MAGENTA, 1), (pale, 1)])
    assert glassy is not None and glassy.mean == MAGENTA.mean


@pytest.mark.parametrize(
    ("mean", "std"), [((50, 0, float("nan")), (1, 1, 1)), ((500, 0, 0), (1, 1, 1))]
)
def test_damaged_colours_are_refused(mean: Any, std: Any) -> None:
    with pytest.raises(PixCellError, match="tissue colours of a style are damaged"):
        TissueColours(mean, std)
    with pytest.raises(PixCellError, match="tissue colours of a style are damaged"):
        replace(BLUISH, classes=((50, 0, 0), mean if np.isnan(mean).any() else (500, 0, 0)))


# -- nuclei and the rest apart -----------------------------------------------------------------


def class_distances(pixels: np.ndarray, nuclei: np.ndarray, target: TissueColours) -> list[float]:
    """Return how far the mean colours of nuclei and of the rest are from a target's."""
    assert target.classes is not None
    own = [tissue_colours(pixels[part][None]).mean for part in (nuclei, ~nuclei)]
    return [
        float(deltaE_ciede2000(np.array(mean), np.array(wanted)))
        for mean, wanted in zip(own, target.classes, strict=True)
    ]


def test_nuclei_and_the_rest_take_the_colours_of_their_classes(tissue: np.ndarray) -> None:
    """Also if nuclei have another hue than the style's, and another share of the picture."""
    nuclei = segment_nuclei(tissue) > 0
    target = tissue_colours(tissue, 0.5)
    greenish = rgb2lab(tissue)
    greenish[nuclei] += (4, -16, 10)
    greenish[~nuclei] += (-3, 6, -2)
    pixels = np.rint(255 * lab2rgb(greenish)).astype(np.uint8)
    rows = np.argsort(-nuclei.mean(axis=1))[: len(nuclei) // 2]  # those with the most nuclei
    pixels, nuclei = pixels[np.sort(rows)], nuclei[np.sort(rows)]
    matched = match(pixels, full(target), nuclei=nuclei)
    assert min(class_distances(pixels, nuclei, target)) > 3
    assert max(class_distances(matched, nuclei, target)) < 0.5
    assert class_distances(match(pixels, full(target)), nuclei, target)[0] > 4
    again = match(matched, full(target), nuclei=nuclei).astype(int)
    assert np.abs(again - matched).mean() < 0.5


def test_nuclei_drawn_darker_or_paler_by_their_classes_stay_so(tissue: np.ndarray) -> None:
    nuclei = segment_nuclei(tissue, 0.5) > 0
    target = tissue_colours(recoloured(tissue), 0.5)
    asked = full(target)
    contrast, hue = [], []
    for change in (-12, 12):
        lab = rgb2lab(tissue)
        lab[nuclei] += (change, 0, 0)
        pixels = np.rint(255 * lab2rgb(lab)).astype(np.uint8)
        for how in (asked, replace(asked, drawn=True)):
            made = rgb2lab(match(pixels, how, nuclei=nuclei))
            contrast.append(made[nuclei][:, 0].mean() - made[~nuclei][:, 0].mean())
            hue.append(made[nuclei][:, 1:].mean(axis=0))
    levelled, kept = contrast[2] - contrast[0], contrast[3] - contrast[1]
    assert levelled < 6 and kept > 16  # of 24
    assert target.classes is not None
    assert np.allclose(hue, target.classes[0][1:], atol=4)


def test_a_request_with_classes_keeps_the_lightness_of_nuclei() -> None:
    asked = GenerateRequest("demo", colour_match=full(BLUISH))
    assert asked.shown_match == full(BLUISH)
    classes = ClassMap(make_palette(["dark", "pale"]), ((1,), (2,)))
    assert replace(asked, classes=classes).shown_match == replace(full(BLUISH), drawn=True)
    assert GenerateRequest("demo").shown_match is None


def test_there_is_no_seam_along_the_outlines_of_a_layout(tissue: np.ndarray) -> None:
    """A change depends on the colour alone: pixels of one colour stay of one colour."""
    nuclei = segment_nuclei(tissue) > 0
    matched = match(tissue, full(replace(BLUISH, classes=OTHER_CLASSES)), nuclei=nuclei)
    colours, index = np.unique(tissue.reshape(-1, 3), axis=0, return_inverse=True)
    first = np.zeros_like(colours)
    first[index.ravel()] = matched.reshape(-1, 3)
    assert np.array_equal(first[index.ravel()].reshape(tissue.shape), matched)


def test_all_tissue_is_matched_at_once_without_enough_nuclei(tissue: np.ndarray) -> None:
    classes = full(replace(BLUISH, classes=OTHER_CLASSES))
    whole = match(tissue, full(BLUISH))
    few = np.zeros(tissue.shape[:2], bool)
    few[:12, :12] = True
    anywhere = np.random.default_rng(0).random(tissue.shape[:2]) < 0.3  # unlike any nuclei
    for nuclei in (None, few, ~few, anywhere):
        assert np.array_equal(match(tissue, classes, nuclei=nuclei), whole)
    nuclei = segment_nuclei(tissue) > 0
    assert np.array_equal(match(tissue, full(BLUISH), nuclei=nuclei), whole)
    gentle = ColourMatch(GENTLE, classes.tissue)
    assert np.array_equal(
        match(tissue, gentle, nuclei=nuclei), match(tissue, replace(gentle, tissue=BLUISH))
    )
    assert not np.array_equal(match(tissue, classes, nuclei=nuclei), whole)
    assert tissue_colours(np.full_like(tissue, 250), 0.5).classes is None


def test_classes_are_kept_only_where_they_are_known() -> None:
    known = replace(BLUISH, classes=OTHER_CLASSES)
    assert "classes" not in to_json(BLUISH)
    assert from_json(TissueColours, json.loads(json.dumps(to_json(known))), "{detail}") == known
    mixed = mixed_colours([(known, 1), (replace(known, classes=((60, 10, -20), (95, 0, 5))), 3)])
    assert mixed is not None and mixed.classes == ((55.0, 15.0, -25.0), (90.0, 5.0, 0.0))
    mixed = mixed_colours([(known, 1), (MAGENTA, 1)])
    assert mixed is not None and mixed.classes is None


def test_settings_have_defaults_and_a_stain_has_none() -> None:
    assert colour_setting(None, DEMO, "exact") == FULL == DEMO.colour_match
    assert colour_setting(None, PIXCELL_256, "exact") == OFF
    assert colour_setting("", DEMO, "published") == OFF
    assert colour_setting(GENTLE, DEMO, "published") == GENTLE
    assert (
        colour_setting(None, DEMO_STAIN, "exact")
        == OFF
        == colour_setting(None, replace(DEMO_STAIN, colour_match=FULL), "exact")
    )
    with pytest.raises(PixCellError, match="Demo Ki67 changes the colours of the tissue"):
        colour_setting(FULL, DEMO_STAIN, "exact")
    for ask in (lambda: colour_setting("loud", DEMO, "exact"), lambda: ColourMatch("loud", BLUISH)):
        with pytest.raises(PixCellError, match="There is no colour match “loud”"):
            ask()


def test_the_colours_of_a_large_region_are_those_of_fields_of_view(tissue: np.ndarray) -> None:
    pixels = np.tile(tissue, (6, 6, 1))  # 2304 × 3072 px
    slide = ArraySlide([pixels], 0.5, "Layer")
    large = region_colours(Tissue(slide, Region(0, 0, 3072, 2304), DEMO))
    assert distance(large, tissue_colours(pixels)) < 1
    small = region_colours(Tissue(slide, Region(0, 0, 512, 384), DEMO))
    assert replace(small, classes=None) == tissue_colours(tissue)
    assert small.classes is not None and large.classes is not None
    for one, other in zip(small.classes, large.classes, strict=True):
        assert deltaE_ciede2000(np.array(one), np.array(other)) < 3


# -- in the engine -----------------------------------------------------------------------------


@pytest.fixture
def request_(style: PackedArray) -> GenerateRequest:
    target = full(TissueColours((60, 20, -8), (15, 6, 4)))
    return GenerateRequest("demo", style, count=2, steps=1, guidance=1.0, colour_match=target)


@pytest.mark.parametrize("part", [False, True], ids=["whole", "area"])
def test_a_layout_tells_nuclei_from_the_rest(
    shallow: Engine, request_: GenerateRequest, tissue: np.ndarray, part: bool
) -> None:
    """In tiles, canvases and repaired variants alike."""
    pixels = tissue[:256, :256]
    labels = segment_nuclei(pixels).astype(np.uint16)
    target = full(replace(tissue_colours(pixels), classes=OTHER_CLASSES))
    request = replace(
        request_, count=1, layout=PackedArray.pack(labels), colour_match=target, steps=4
    )
    request = replace(request, start=PackedArray.pack(pixels), strength=0.25)  # keeps nuclei
    seen = None
    if part:
        seen = np.ones((256, 256), np.float32)
        seen[:, :64] = 0
        area = PackedArray.pack((seen > 0).astype(np.uint8))
        request = replace(request, part=area, strength=1.0, feather=0)
    (plain,) = pictures(run(shallow, replace(request, colour_match=None)))
    nuclei = condition_image(labels)[..., 0] > 0
    expected = match(np.asarray(plain), target, seen, nuclei=nuclei)
    if not part:
        assert not np.array_equal(expected, match(np.asarray(plain), target, seen))
    (tile,) = pictures(run(shallow, request))
    assert np.array_equal(tile, expected)
    assert np.array_equal(match_tile(request, plain), expected)
    (canvas,) = pictures(run(shallow, replace(request, size=(256, 256))))
    assert np.array_equal(canvas, expected)


def test_tiles_are_matched_and_their_records_reproduce_them(
    shallow: Engine, request_: GenerateRequest
) -> None:
    plain = pictures(run(shallow, replace(request_, colour_match=None)))
    variants = [e for e in run(shallow, request_) if isinstance(e, Variant)]
    for variant, before in zip(variants, plain, strict=True):
        assert np.array_equal(variant.image, match(before, request_.colour_match))
        assert not np.array_equal(variant.image, before)
    record = Record.from_dict(json.loads(json.dumps(variants[1].record.to_dict())))
    assert record.request.colour_match == request_.colour_match
    assert np.array_equal(shallow.reproduce(record), variants[1].image)
    assert "colour_match" not in replace(request_, colour_match=None).to_dict()


@pytest.mark.parametrize("limit", ["256", "0.2"], ids=["in memory", "on disk"])
def test_a_canvas_is_matched_as_a_whole_and_resumes_while_it_is(
    shallow: Engine, request_: GenerateRequest, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("PIXCELL_PICTURE_MB", limit)
    request = replace(request_, size=(384, 500), count=1)
    (plain,) = pictures(run(shallow, replace(request, colour_match=None)))
    expected = match(np.asarray(plain), request.colour_match)
    monkeypatch.setattr(matching, "BAND", 64)
    seen: list[object] = []

    def emit(event: object) -> None:
        matched = isinstance(event, Progress) and event.message.startswith("Matching colours")
        seen.extend([event] * matched)

    shallow.run(request, emit, lambda: len(seen) >= 9)  # of 12: bands were written
    assert [path for path in canvases_folder().iterdir() if path.is_dir()]
    (resumed,) = pictures(run(shallow, request))
    assert np.array_equal(resumed, expected)


def test_kept_tissue_keeps_its_pixels(
    shallow: Engine, request_: GenerateRequest, tissue: np.ndarray
) -> None:
    start = PackedArray.pack(tissue[:256, :256])
    kept = replace(request_, count=1, start=start, strength=0.0)
    (same,) = pictures(run(shallow, kept))
    assert np.array_equal(same, start.unpack())
    part = np.zeros((256, 256), np.uint8)
    part[60:200, 60:200] = 1
    request = replace(kept, strength=1.0, part=PackedArray.pack(part), feather=8)
    (plain,) = pictures(run(shallow, replace(request, colour_match=None)))
    (matched,) = pictures(run(shallow, request))
    (canvas,) = pictures(run(shallow, replace(request, size=(256, 256))))
    outside = np.ones((256, 256), bool)
    outside[52:208, 52:208] = False
    assert np.array_equal(matched[outside], start.unpack()[outside])
    assert not np.array_equal(matched[part > 0], plain[part > 0])
    assert np.array_equal(canvas, matched)
    assert np.array_equal(match_tile(request, plain), matched)
    assert match_tile(kept, same) is same


@pytest.mark.parametrize("kind", ["tile", "canvas", "area", "repaired"])
def test_previews_are_matched_like_the_finished_image(
    shallow: Engine, request_: GenerateRequest, tissue: np.ndarray, kind: str
) -> None:
    request, seen = replace(request_, count=1), None
    if kind == "canvas":
        request = replace(request, size=(256, 320))
    if kind == "area":
        part = np.ones((256, 256), np.uint8)
        part[:, :64] = 0
        start = PackedArray.pack(tissue[:256, :256])
        request = replace(request, start=start, part=PackedArray.pack(part), feather=8)
        seen = part[4::8, 4::8].astype(np.float32)
    if kind == "repaired":
        layout = PackedArray.pack(np.tri(256, k=-200, dtype=np.uint8))
        request = replace(request, layout=layout, repair=Repair(rounds=0))
    plain, shown = (
        next(event.image for event in run(shallow, one) if isinstance(event, Preview))
        for one in (replace(request, colour_match=None), request)
    )
    assert np.array_equal(shown, match(plain, request.colour_match, seen, 64))
    assert not np.array_equal(shown, plain)


def test_a_preview_is_matched_as_the_image_that_it_stands_for(tissue: np.ndarray) -> None:
    image = tissue[:256, :256].copy()
    image[64:] = 255  # less tissue than a picture of the preview's size may have
    preview = image[4::8, 4::8]
    assert np.array_equal(match(preview, full(BLUISH)), preview)
    shown, whole = match(preview, full(BLUISH), each=64), match(image, full(BLUISH))
    assert distance(tissue_colours(whole), BLUISH) < 3
    assert np.abs(shown.astype(int) - whole[4::8, 4::8]).mean() < 3


def test_a_stain_is_not_matched(engine: Engine, request_: GenerateRequest) -> None:
    with pytest.raises(PixCellError, match="changes the colours of the tissue"):
        run(engine, replace(request_, family=DEMO_STAIN.name))


def test_a_match_takes_lab_of_d65() -> None:
    pixels = np.full((40, 40, 3), (180, 110, 160), np.uint8)
    assert tissue_colours(pixels).mean == pytest.approx(rgb2lab(pixels / 255)[0, 0], abs=0.01)
