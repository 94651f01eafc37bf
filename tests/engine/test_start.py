"""Starting from a picture: how much of it changes, where, and that the rest keeps its pixels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from running import pictures, run
from scipy.ndimage import distance_transform_edt

from napari_pixcell.engine import pipeline as computing
from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.engine.canvas.store import canvases_folder
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Finished, Preview, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import GenerateRequest, request_from_dict
from napari_pixcell.engine.start_image import CanvasStart
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.stored_picture import StoredPicture

CANVAS = (384, 512)
FEATHER = 16


@pytest.fixture
def tile(style: PackedArray, tissue: np.ndarray) -> GenerateRequest:
    """Return a request that starts from one tile."""
    start = PackedArray.pack(tissue[:256, :256])
    return GenerateRequest("demo", style, count=1, steps=4, guidance=1.0, start=start, strength=0.5)


@pytest.fixture
def canvas(style: PackedArray, tissue: np.ndarray) -> GenerateRequest:
    """Return a request that starts from a larger region."""
    start = PackedArray.pack(tissue)
    return GenerateRequest(
        "demo", style, size=CANVAS, count=1, steps=3, guidance=1.0, start=start, strength=0.7
    )


def away(picture: np.ndarray, start: PackedArray) -> float:
    """Return the mean difference to the start."""
    return float(np.abs(picture.astype(float) - start.unpack()).mean())


def marked(size: tuple[int, int], *corners: int) -> PackedArray:
    part = np.zeros(size, np.uint8)
    top, bottom, left, right = corners
    part[top:bottom, left:right] = 1
    return PackedArray.pack(part)


def check_part(picture: np.ndarray, request: GenerateRequest) -> None:
    """Nothing changes outside of the part and its feather, and something does in it."""
    start, part = request.start.unpack(), request.part.unpack() > 0
    changed = (picture != start).any(axis=-1)
    far = distance_transform_edt(~part) >= request.feather
    assert not changed[far].any()
    assert changed[part].mean() > 0.9


def test_strength_0_keeps_the_exact_pixels_and_1_ignores_the_start(engine, tile) -> None:
    events = run(engine, replace(tile, strength=0.0, count=2))
    assert [np.array_equal(p, tile.start.unpack()) for p in pictures(events)] == [True, True]
    (forgotten,) = pictures(run(engine, replace(tile, strength=1.0, steps=2)))
    (plain,) = pictures(run(engine, replace(tile, start=None, strength=1.0, steps=2)))
    np.testing.assert_array_equal(forgotten, plain)


def test_more_strength_leads_farther_from_the_start(engine, tile) -> None:
    distances = []
    for strength in (0.25, 0.5, 1.0):
        (picture,) = pictures(run(engine, replace(tile, strength=strength)))
        distances.append(away(picture, tile.start))
    assert distances[0] > 0 and np.all(np.diff(distances) > 1), distances


def test_progress_counts_only_the_steps_that_run(shallow, tile) -> None:
    events = run(shallow, replace(tile, count=2, steps=10, strength=0.2))
    told = [(e.done, e.total) for e in events if isinstance(e, Progress) and e.total]
    assert told == [(i, 4) for i in range(1, 5)]
    assert replace(tile, steps=10, strength=0.01).first_step == 9


def test_batched_variants_with_a_start_equal_single_ones(engine, tile) -> None:
    request = replace(tile, part=marked((256, 256), 60, 200, 60, 180), steps=2, count=2)
    engine.load("demo")
    engine.loaded.batch = 2
    try:
        events = run(engine, request)
    finally:
        engine.loaded.batch = 1
    second = [e for e in events if isinstance(e, Variant)][1]
    assert second.record.batch == (2, 1)
    (alone,) = pictures(run(engine, second.record.request))
    assert np.abs(alone.astype(int) - second.image).max() <= 1
    record = Record.from_dict(json.loads(json.dumps(second.record.to_dict())))
    np.testing.assert_array_equal(engine.reproduce(record), second.image)


def test_a_tile_keeps_its_pixels_outside_the_area(engine, tile) -> None:
    labels = np.zeros((256, 256), np.uint16)
    labels[90:110, 90:110] = 1
    part, packed = marked((256, 256), 70, 150, 70, 150), PackedArray.pack(labels)
    changed = replace(tile, guidance=1.5, part=part, layout=packed)
    check_part(pictures(run(engine, changed))[0], changed)
    anew = replace(tile, guidance=1.5, part=part, strength=1.0, embedding=None, preset="quick")
    events = run(engine, anew)
    check_part(pictures(events)[0], anew)
    preview = next(e for e in events if isinstance(e, Preview)).image
    np.testing.assert_array_equal(preview[0, 0], tile.start.unpack()[4, 4])


def test_an_area_of_a_canvas_runs_only_its_own_windows(shallow, canvas, monkeypatch) -> None:
    request = replace(canvas, part=marked(CANVAS, 20, 100, 30, 130))
    events = run(shallow, request)
    (picture,) = pictures(events)
    check_part(picture, request)
    told = [e for e in events if isinstance(e, Progress) and e.total]
    whole = Canvas(CANVAS, 256, 1)
    assert told[-1].done == told[-1].total <= whole.count(whole.turns(2)) / 2
    assert [e.done for e in told] == sorted(e.done for e in told)
    record = next(e.record for e in events if isinstance(e, Variant))
    np.testing.assert_array_equal(shallow.reproduce(record), picture)
    # What was left out would have changed nothing.
    monkeypatch.setattr(Canvas, "rows", Canvas._rows)
    monkeypatch.setattr(Canvas, "near", lambda *_: True)
    monkeypatch.setattr(CanvasStart, "touched", lambda *_: True)
    (slow,) = pictures(run(shallow, request))
    assert np.abs(picture.astype(int) - slow).max() <= 1


def test_rows_far_from_the_area_are_skipped_without_an_effect(shallow, style) -> None:
    size = (1400, 256)
    start = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    request = GenerateRequest(
        "demo", style, size=size, count=1, steps=2, guidance=1.0, start=PackedArray.pack(start)
    )
    request = replace(request, part=marked(size, 690, 720, 100, 140))
    check_part(pictures(run(shallow, request))[0], request)


def test_an_interrupted_canvas_with_a_start_resumes_to_the_same_pixels(
    shallow, canvas, monkeypatch
) -> None:
    monkeypatch.setattr(computing, "DECODED", 32)  # more than one row of windows
    request = replace(canvas, part=marked(CANVAS, 100, 300, 20, 90), seed=9)
    (whole,) = pictures(run(shallow, request))
    asked = iter(range(100))
    assert run(shallow, request, lambda: next(asked) >= 6)[-1] == Finished(cancelled=True)
    assert any(path.is_dir() for path in canvases_folder().iterdir())
    np.testing.assert_array_equal(pictures(run(shallow, request))[0], whole)


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_an_image_on_disk_is_the_same(shallow, canvas, strength, monkeypatch) -> None:
    request = replace(canvas, part=marked(CANVAS, 20, 100, 30, 130), strength=strength)
    (in_memory,) = pictures(run(shallow, request))
    monkeypatch.setenv("PIXCELL_PICTURE_MB", "0.2")
    (stored,) = pictures(run(shallow, request))
    assert isinstance(stored, StoredPicture)
    np.testing.assert_array_equal(np.asarray(stored), in_memory)
    assert np.array_equal(in_memory, request.start.unpack()) == (strength == 0)


def test_full_memory_restarts_from_the_start_image(installed, tissue, monkeypatch) -> None:
    decode, calls = computing.decode, []

    def full_once(*arguments) -> np.ndarray:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(*arguments)

    monkeypatch.setattr(computing, "decode", full_once)
    request = GenerateRequest(
        installed,
        count=1,
        steps=2,
        start=PackedArray.pack(tissue[:256, :256]),
        strength=0.5,
        part=marked((256, 256), 0, 90, 0, 90),
    )
    (picture,) = pictures(run(Engine(torch.device("cpu")), request))
    check_part(picture, request)
    assert len(calls) == 2


def test_requests_with_a_start_survive_json_and_others_keep_their_json(tile) -> None:
    request = replace(tile, part=marked((256, 256), 0, 9, 0, 9), feather=3)
    for one in (tile, request):
        assert request_from_dict(json.loads(json.dumps(one.to_dict()))) == one
    plain = replace(tile, start=None, strength=1.0).to_dict()
    assert not {"start", "strength", "part", "feather"} & set(plain)


PART = np.zeros((256, 256), np.uint8)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"strength": 1.1}, "1.1; choose one from 0 to 1"),
        ({"strength": float("nan")}, "choose one from 0 to 1"),
        ({"feather": -1}, "The feather in px is -1; choose one from 0"),
        ({"start": None}, "no image to start from.*leave the strength at 1"),
        ({"start": None, "strength": 1.0, "part": PART + 1}, "no image to start from.*remove"),
        ({"start": np.zeros((256, 256), np.uint8)}, "Use an 8-bit RGB image"),
        ({"start": np.zeros((256, 256, 3), np.float32)}, "float32. Use an 8-bit RGB"),
        ({"size": (300, 400)}, "is 256 × 256 px, but the result has 400 × 300 px"),
        ({"part": PART[1:] + 1}, r"array of \(255, 256\).*256 × 256 px that is nonzero where"),
        ({"part": PART.astype(float) + 1}, "float64. Use an 8-bit mask"),
        ({"part": PART}, "The area to regenerate is empty"),
    ],
)
def test_invalid_starts_are_refused(tile, changed, sentence: str) -> None:
    packed = {
        name: PackedArray.pack(value) if isinstance(value, np.ndarray) else value
        for name, value in changed.items()
    }
    with pytest.raises(PixCellError, match=sentence):
        replace(tile, **packed)


def test_a_start_smaller_than_the_tile_is_refused(engine, tile) -> None:
    small = PackedArray.pack(np.zeros((200, 200, 3), np.uint8))
    with pytest.raises(PixCellError, match="is 200 × 200 px, but the result has 256 × 256 px"):
        run(engine, replace(tile, start=small))


def test_fading_by_rows_equals_fading_at_once() -> None:
    canvas = Canvas((300, 256), 256, 1)
    part = np.zeros((300, 256), bool)
    part[120:180, 40:200] = True
    start = CanvasStart(np.zeros((300, 256, 3), np.uint8), canvas, part, FEATHER)
    white = np.full((300, 256, 3), 255, np.uint8)
    whole = start.merge(0, white)
    rows = [start.merge(top, white[top : top + 7]) for top in range(0, 300, 7)]
    np.testing.assert_array_equal(np.concatenate(rows), whole)
    column = whole[:, 100, 0].astype(int)
    assert column[120:180].min() == 255 and column[104] == 0
    assert np.all(np.diff(column[104:121]) > 0)


def test_a_start_is_mirrored_beyond_its_edges() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (300, 256, 3), np.uint8)
    read = CanvasStart(picture, Canvas((300, 256), 256, 1)).read(30, 64, 0, 32)
    np.testing.assert_array_equal(read[:60], picture[240:])
    np.testing.assert_array_equal(read[60:70], picture[290:][::-1])


def test_families_of_1024_px_regenerate_an_area_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    from napari_pixcell.engine.canvas.painter import CanvasPainter
    from napari_pixcell.engine.canvas.store import CanvasStore
    from napari_pixcell.engine.denoiser import Denoiser
    from napari_pixcell.engine.start_image import free_latents
    from napari_pixcell.networks.transformer import PixCellTransformer2DModel

    sizes = {"num_attention_heads": 1, "attention_head_dim": 24, "cross_attention_dim": 24}
    sizes |= {"in_channels": 4, "out_channels": 8, "caption_channels": 20, "sample_size": 128}
    transformer = PixCellTransformer2DModel(**sizes, caption_num_tokens=16, num_layers=1).eval()
    size = (1100, 1500)
    part = np.zeros(size, bool)
    part[1000:1060, 1300:1400] = True
    canvas = Canvas(size, 1024, 4)
    canvas.free = free_latents(part, canvas)
    start = CanvasStart(np.full((*size, 3), 128, np.uint8), canvas, part)
    styles = np.zeros((*canvas.cells, 20), np.float32)
    scheduler = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}
    with torch.inference_mode():
        denoiser = Denoiser(transformer, scheduler, steps=4, guidance=1, first=2)
        store = CanvasStore("x", canvas, 4, tmp_path, with_start=True)
        device = torch.device("cpu")
        painter = CanvasPainter(
            denoiser, canvas, store, seed=1, styles=styles, device=device, start=start
        )
        picture = painter.paint(
            lambda latents: np.zeros((3, *(8 * n for n in latents.shape[-2:])), np.float32),
            128,
            lambda _: None,
            lambda *_: None,
            lambda pixels: torch.full((1, 4, *(n // 8 for n in pixels.shape[:2])), 0.5),
        )
        held = np.array(store.latents)[:, ~canvas.free]
    assert painter.windows_done() == canvas.count(canvas.turns(2)) > 0
    np.testing.assert_allclose(held[:, ::50], 0.5, atol=1e-4)
    assert (picture[1000:1060, 1300:1400] == 0).all() and (picture[:900, :1200] == 128).all()
