"""Pictures of any size: where windows lie, that a stopped one goes on, and what is refused."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from running import embedded, pictures, run
from seams import seam_ratio

from napari_pixcell.engine import pipeline as computing
from napari_pixcell.engine.canvas import store as canvas_store
from napari_pixcell.engine.canvas.painter import CanvasPainter
from napari_pixcell.engine.canvas.plan import (
    BUDGET,
    Canvas,
    CanvasWindow,
    Span,
    cells_of,
    ramps,
    spread_style,
    window_styles,
)
from napari_pixcell.engine.canvas.store import CanvasStore, canvases_folder, drop_old
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Finished, Preview, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import PUBLISHED
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.engine.sampler import noise_at
from napari_pixcell.engine.solver import FIRST_ORDER
from napari_pixcell.errors import PixCellError
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.networks.transformer import PixCellTransformer2DModel
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.slides.stored_picture import StoredPicture

CPU = torch.device("cpu")
SIZES = [(256, 1024), (512, 512), (300, 700), (1024, 1024), (2560, 1300), (1100, 1100)]
SIZES_1024 = [(1024, 2048), (1100, 1100), (1500, 2600), (4096, 4096)]
FAMILIES = [(size, 256, 1) for size in SIZES] + [(size, 1024, 4) for size in SIZES_1024]


# -- where windows lie ---------------------------------------------------------------------


@pytest.mark.parametrize(("size", "tile", "grid"), FAMILIES)
def test_every_latent_is_written_once_per_step(size, tile: int, grid: int) -> None:
    canvas = Canvas(size, tile, grid)
    for turn in set(canvas.turns(20)):
        given = np.zeros((canvas.height, canvas.width), int)
        for row in canvas.rows(turn):
            for w in row.windows:
                for span, length in ((w.y, canvas.height), (w.x, canvas.width)):
                    assert 0 <= span.start <= span.write_from < span.write_to <= span.stop <= length
                    assert span.stop - span.start == canvas.window
                    assert span.start % (canvas.window // grid if grid > 1 else 2) == 0
                given[w.y.write_from : w.y.write_to, w.x.write_from : w.x.write_to] += 1
        assert given.min() == 1
        assert turn.kind == "fused" or given.max() == 1


@pytest.mark.parametrize(("size", "tile", "grid"), FAMILIES)
@pytest.mark.parametrize("steps", [1, 8, 20, 50])
def test_the_windows_stay_within_the_budget(size, tile: int, grid: int, steps: int) -> None:
    canvas = Canvas(size, tile, grid)
    turns = canvas.turns(steps)
    assert len(turns) == steps
    assert canvas.count(turns) <= BUDGET * steps * canvas.fewest


def test_lines_between_windows_move_from_step_to_step() -> None:
    turns = Canvas((1024, 1024), 256, 1).turns(20)
    assert turns[0].kind == turns[-1].kind == "fused"
    assert len({turn.shift for turn in turns if turn.kind == "down"}) >= 5


def test_decoded_windows_sum_to_one() -> None:
    for side in (64, 100, 128, 300):
        down, _ = Canvas((8 * side, 256), 256, 1).decoding(64, 16)
        total = np.zeros(down[-1].stop * 8)
        for span, weight in zip(down, ramps(down), strict=True):
            total[span.start * 8 : span.stop * 8] += weight
        np.testing.assert_allclose(total, 1, atol=1e-6)


def test_noise_of_a_part_equals_that_of_the_whole() -> None:
    whole = noise_at(5, 4, 0, 0, 100, 90)
    np.testing.assert_array_equal(noise_at(5, 4, 37, 21, 40, 50), whole[:, 37:77, 21:71])
    assert abs(whole.mean()) < 0.02 and abs(whole.std() - 1) < 0.02
    for other in (noise_at(6, 4, 0, 0, 100, 90), noise_at(5, 4, 100, 0, 100, 90)):
        assert abs(np.corrcoef(whole.ravel(), other.ravel())[0, 1]) < 0.03


def test_window_styles_are_mixed_between_cells() -> None:
    canvas = Canvas((512, 768), 256, 1)
    styles = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)

    def at(y: int, x: int) -> np.ndarray:
        return window_styles(
            styles, canvas, CanvasWindow(Span(y, y + 32, 0, 0), Span(x, x + 32, 0, 0))
        )

    np.testing.assert_array_equal(at(32, 64)[0], styles[1, 2])
    mixed = at(0, 16)[0]
    parts = styles[0, :2]
    direction = parts.mean(axis=0)
    cosine = mixed @ direction / np.linalg.norm(mixed) / np.linalg.norm(direction)
    assert cosine > 1 - 1e-6
    lengths = np.linalg.norm(parts, axis=1).mean()
    np.testing.assert_allclose(np.linalg.norm(mixed), lengths, rtol=1e-6)


def test_token_grids_are_read_row_by_row_and_tile_styles_are_mirrored() -> None:
    canvas = Canvas((1280, 1536), 1024, 4)
    assert canvas.cells == (5, 6) == cells_of((1280, 1536), 1024, 4)
    styles = np.arange(30, dtype=np.float32).reshape(5, 6, 1)
    window = CanvasWindow(Span(32, 160, 32, 160), Span(64, 192, 64, 192))
    read = window_styles(styles, canvas, window)[:, 0].reshape(4, 4)
    np.testing.assert_array_equal(read, styles[1:5, 2:6, 0])
    spread = spread_style(np.arange(16, dtype=np.float32).reshape(4, 4, 1), canvas)
    np.testing.assert_array_equal(spread[0, :, 0], [0, 1, 2, 3, 3, 2])
    np.testing.assert_array_equal(spread[:, 0, 0], [0, 4, 8, 12, 12])


# -- the demo family on canvases -------------------------------------------------------------


@pytest.fixture(scope="module")
def styles(engine: Engine) -> PackedArray:
    """Embeddings of 2 × 2 tiles of the sample slide."""
    found = embedded(engine, open_slide(SAMPLE_SLIDE).read(Region(400, 400, 512, 512), 0.5))
    assert found.shape == (2, 2, 128)
    return found


@pytest.fixture(scope="module")
def request_(styles: PackedArray) -> GenerateRequest:
    return ask(styles)


@pytest.fixture(scope="module")
def whole(shallow: Engine, request_: GenerateRequest) -> list:
    """Make it without a stop."""
    return run(shallow, request_)


def picture(events: list) -> np.ndarray:
    (found,) = pictures(events)
    return found


def unfinished() -> list[Path]:
    return [path for path in canvases_folder().iterdir() if path.is_dir()]


def ask(styles: PackedArray | None, **settings) -> GenerateRequest:
    usual = {"size": (384, 500), "count": 1, "steps": 3, "guidance": 1.0}
    return GenerateRequest("demo", styles, **usual | settings)


def test_a_canvas_yields_an_image_of_its_size_and_counts_its_windows(
    shallow: Engine, request_: GenerateRequest
) -> None:
    events = run(shallow, replace(request_, count=2))
    variants = [e for e in events if isinstance(e, Variant)]
    assert [v.image.shape for v in variants] == [(384, 500, 3)] * 2
    assert not np.array_equal(variants[0].image, variants[1].image)
    canvas = Canvas((384, 500), 256, 1)
    windows = canvas.count(canvas.turns(3))
    last = [e for e in events if isinstance(e, Progress)][-1]
    assert (last.done, last.total) == (2 * windows, 2 * windows)
    assert last.message == "Decoding, 100 %"
    assert any(getattr(e, "message", "") == f"Window {windows} of {windows}" for e in events)
    assert any(isinstance(e, Preview) and e.image.shape == (64, 64, 3) for e in events)
    assert np.array_equal(shallow.reproduce(variants[1].record), variants[1].image)
    assert list(canvases_folder().iterdir()) == []


def test_a_canvas_of_one_tile_equals_that_tile(shallow: Engine, style: PackedArray) -> None:
    sized = picture(run(shallow, ask(style, size=(256, 256))))
    assert np.array_equal(sized, picture(run(shallow, ask(style, size=None))))


def test_a_layout_steers_every_window(engine: Engine, styles: PackedArray) -> None:
    labels = np.zeros((384, 500), np.uint16)
    for i, (y, x) in enumerate((y, x) for y in range(20, 380, 40) for x in range(20, 490, 40)):
        labels[y - 8 : y + 8, x - 8 : x + 8] = i + 1
    request = ask(styles, layout=PackedArray.pack(labels), steps=3, guidance=1.5)
    image = picture(run(engine, request)).astype(float).mean(axis=2)
    for y, x in ((0, 0), (0, 250), (128, 0), (128, 250)):
        part, cells = (a[y : y + 256, x : x + 250] for a in (image, labels > 0))
        assert part[cells].mean() < part[~cells].mean() - 20


@pytest.mark.parametrize("stop_at", [2, 5, 8])
def test_a_cancelled_canvas_resumes_to_the_same_pixels(
    shallow: Engine, request_: GenerateRequest, whole: list, stop_at: int
) -> None:
    asked = iter(range(100))
    first = run(shallow, request_, lambda: next(asked) >= stop_at)
    assert first[-1] == Finished(cancelled=True)
    assert len(unfinished()) == 1
    second = run(shallow, request_)
    assert np.array_equal(picture(second), picture(whole))

    def told(events: list) -> list[int]:
        return [e.done for e in events if isinstance(e, Progress) and e.total]

    assert told(second) == told(whole)[len(told(second)) * -1 :]
    assert len(told(second)) < len(told(whole))


@pytest.mark.parametrize("call", [1, 4, 7])
def test_a_canvas_killed_between_journal_and_arrays_resumes_to_the_same_pixels(
    shallow: Engine,
    request_: GenerateRequest,
    whole: list,
    call: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = iter(range(100))
    apply = CanvasStore._apply

    class Killed(BaseException):
        pass

    def die(store: CanvasStore, rows, top: int) -> None:
        if next(calls) == call:
            raise Killed
        apply(store, rows, top)

    with monkeypatch.context() as patch:
        patch.setattr(CanvasStore, "_apply", die)
        with pytest.raises(Killed):
            run(shallow, request_)
    assert np.array_equal(picture(run(shallow, request_)), picture(whole))


def test_an_image_too_large_for_memory_is_the_same_on_disk(
    shallow: Engine, request_: GenerateRequest, whole: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXCELL_PICTURE_MB", "0.2")
    stored = run(shallow, request_)
    assert isinstance(picture(stored), StoredPicture)
    assert np.array_equal(np.asarray(picture(stored)), picture(whole))
    record = next(e.record for e in stored if isinstance(e, Variant))
    assert record.sha256 == pixels_sha256(picture(whole))
    again = shallow.reproduce(record)
    assert again.folder != picture(stored).folder
    assert np.array_equal(np.asarray(again), picture(whole))
    assert not list(canvases_folder().iterdir())


@pytest.mark.parametrize("limit", ["0.2", "100"])
def test_interrupted_decoding_resumes_with_the_next_row(
    shallow: Engine, styles: PackedArray, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(computing, "DECODED", 32)  # latents: more than one row of windows
    request = ask(styles, steps=1)
    whole = run(shallow, request)
    monkeypatch.setenv("PIXCELL_PICTURE_MB", limit)
    stop = []

    def emit(event: object) -> None:
        if isinstance(event, Progress) and event.message == "Decoding, 33 %":
            stop.append(event)

    shallow.run(request, emit, lambda: bool(stop))
    assert len(stop) == 1 and len(unfinished()) == 1
    decoded, decode = [], computing.decode
    monkeypatch.setattr(computing, "decode", lambda *a: decoded.append(1) or decode(*a))
    rest = run(shallow, request)
    assert np.array_equal(np.asarray(picture(rest)), picture(whole))
    assert len(decoded) == 3  # of 3 rows of 3 windows: a stop is noticed after the next row


def test_a_canvas_in_use_by_another_process_is_refused(
    shallow: Engine, request_: GenerateRequest, whole: list
) -> None:
    stop = []

    def emit(event: object) -> None:
        if isinstance(event, Progress) and event.total:
            stop.append(event)

    shallow.run(request_, emit, lambda: bool(stop))
    (lock,) = canvases_folder().glob("*.lock")
    code = "import filelock, sys; a = filelock.FileLock(sys.argv[1]); a.acquire(); print(); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None and other.stdout.readline()
        with pytest.raises(
            PixCellError, match="Another napari-pixcell is generating the same image"
        ):
            run(shallow, request_)
    finally:
        other.kill()
        other.wait()
    assert np.array_equal(picture(run(shallow, request_)), picture(whole))


def test_old_canvases_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "abandoned").mkdir()
    drop_old(tmp_path)
    assert (tmp_path / "abandoned").exists()
    monkeypatch.setattr(canvas_store, "KEPT_S", -1)
    drop_old(tmp_path)
    assert not (tmp_path / "abandoned").exists()


# -- what is refused -----------------------------------------------------------------------


def test_a_canvas_larger_than_the_disk_is_refused_with_its_size(
    shallow: Engine, request_: GenerateRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))(10**9, 10**9 - 10**5, 10**5)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(PixCellError, match=r"needs \d+ [kM]B on disk.*Choose a smaller region"):
        run(shallow, request_)


def test_an_unwritable_cache_folder_is_reported(
    shallow: Engine, request_: GenerateRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setenv("PIXCELL_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(PixCellError, match=r"cannot be stored.*PIXCELL_CACHE_DIR"):
        run(shallow, request_)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="not on this system")
def test_disk_space_of_a_canvas_is_allocated_at_the_start(tmp_path: Path) -> None:
    store = CanvasStore("x", Canvas((512, 512), 256, 1), 4, tmp_path)
    for name in ("latents.npy", "clean.npy", "picture.npy"):
        status = (store.folder / name).stat()
        assert status.st_blocks * 512 >= status.st_size > 0
    store.close(remove=True)


def test_finished_parts_survive_a_failed_write(
    shallow: Engine, request_: GenerateRequest, whole: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXCELL_PICTURE_MB", "0.2")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    begin = CanvasPainter._decode

    def full(*arguments) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            begin(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with monkeypatch.context() as patch:
        patch.setattr(CanvasPainter, "_decode", full)
        with pytest.raises(PixCellError, match=r"File too large.*Finished parts are kept"):
            run(shallow, request_)
    assert np.array_equal(np.asarray(picture(run(shallow, request_))), picture(whole))


def test_finished_parts_survive_a_full_disk(
    shallow: Engine, request_: GenerateRequest, whole: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves, save = iter(range(100)), np.savez

    def full(*arguments, **arrays) -> None:
        if next(saves) == 5:
            raise OSError(28, "No space left on device")
        save(*arguments, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(PixCellError, match=r"No space left.*Finished parts are kept"):
            run(shallow, request_)
    assert np.array_equal(picture(run(shallow, request_)), picture(whole))


def test_invalid_sizes_are_refused(shallow: Engine, styles: PackedArray) -> None:
    with pytest.raises(PixCellError, match="Choose sides from 1 to"):
        ask(styles, size=(0, 300))
    with pytest.raises(PixCellError, match=r"300 × 200 px is smaller than one tile.*\(256 px\)"):
        run(shallow, ask(styles, size=(200, 300)))
    with pytest.raises(PixCellError, match="layout is 256 × 256 px but the region needs 500 × 384"):
        ask(styles, layout=PackedArray.pack(np.ones((256, 256), np.uint16)))


def test_tissue_of_partial_tiles_is_refused(engine: Engine) -> None:
    pixels = PackedArray.pack(np.zeros((300, 512, 3), np.uint8))
    with pytest.raises(PixCellError, match="or more, in steps of 256 px"):
        run(engine, EmbedRequest("demo", pixels))


# -- seams ---------------------------------------------------------------------------------


def test_a_canvas_has_no_seams_and_naive_tiling_has(engine: Engine, styles: PackedArray) -> None:
    style = PackedArray.pack(styles.unpack().reshape(4, 1, -1)[0])
    ours = seam_ratio([picture(run(engine, ask(style, size=(640, 640), steps=6, seed=0)))])
    images = np.stack(pictures(run(engine, ask(style, size=None, steps=3, count=4))))
    side_by_side = images.reshape(2, 2, 256, 256, 3).swapaxes(1, 2).reshape(512, 512, 3)
    assert 0.85 <= ours <= 1.05
    assert seam_ratio([side_by_side]) > 1.10


def test_a_real_slide_has_no_seams(cmu_slide: Path) -> None:
    with open_slide(cmu_slide) as slide:
        height, width = slide.shape
        pixels = slide.read(Region(0, 0, width, height), 0.5)
    assert 0.95 <= seam_ratio([pixels]) <= 1.05


# -- as published --------------------------------------------------------------------------


def alphas(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times and cumulative alphas of linear betas at each step, the last one clean."""
    times = np.linspace(0, 999, steps + 1).round()[::-1][:-1].astype(int)
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    return times, np.append(kept[times], 1.0)


def ddim(predict, latents: np.ndarray, steps: int) -> np.ndarray:
    """Sample by DDIM without noise; ``predict`` returns clean latents at a time."""
    times, kept = alphas(steps)
    for index, time in enumerate(times):
        a, b = kept[index], kept[index + 1]
        clean = predict(latents, int(time), a)
        noise = (latents - a**0.5 * clean) / (1 - a) ** 0.5
        latents = b**0.5 * clean + (1 - b) ** 0.5 * noise
    return latents


@pytest.fixture(scope="module", params=[(16, 4), (8, 1)], ids=["16 tokens", "1 token"])
def tiny(request) -> tuple[PixCellTransformer2DModel, int, int]:
    """A transformer with windows of some latents, and the side of its grid of embeddings."""
    window, grid = request.param
    torch.manual_seed(0)
    sizes = {"num_attention_heads": 1, "attention_head_dim": 24, "cross_attention_dim": 24}
    sizes |= {"in_channels": 4, "out_channels": 8, "caption_channels": 20, "sample_size": window}
    network = PixCellTransformer2DModel(**sizes, caption_num_tokens=grid**2, num_layers=2)
    return network.eval(), window, grid


@torch.inference_mode()
def sampled(network, canvas: Canvas, styles: np.ndarray, folder: Path, batch: int) -> np.ndarray:
    """Paint a canvas by the published method, and return its latents."""
    scheduler = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02} | FIRST_ORDER
    denoiser = Denoiser(network, scheduler, steps=5, guidance=1.5)
    store = CanvasStore(f"{canvas.size} {batch}", canvas, 4, folder)
    where = {"seed": 3, "styles": styles, "device": CPU, "batch": batch}

    def decode(latents: torch.Tensor) -> np.ndarray:
        """Return the first channels as pixels, in [0, 1]."""
        return np.kron(latents[0, :3].sigmoid().numpy(), np.ones((8, 8), np.float32))

    painter = CanvasPainter(denoiser, canvas, store, **where)
    made = painter.paint(decode, canvas.window, lambda _: None, lambda *_: None)
    found = np.array(store.latents)
    expected = 255 / (1 + np.exp(-np.moveaxis(found[:3], 0, -1)))
    expected = np.kron(expected, np.ones((8, 8, 1)))[: canvas.size[0], : canvas.size[1]]
    assert np.abs(made - expected).max() <= 1  # the Gaussian windows of the decoder sum to one
    return found


def test_the_published_method_equals_a_plain_loop_over_windows(tiny, tmp_path: Path) -> None:
    network, window, grid = tiny
    cells = (grid + 3, 2 * grid + 1)
    unit = window // grid
    canvas = Canvas((8 * unit * cells[0], 8 * unit * cells[1] - 5), 8 * window, grid, True)
    assert canvas.cells == cells
    styles = np.random.default_rng(0).normal(size=(*cells, 20)).astype(np.float32)

    def predict(latents: np.ndarray, time: int, kept: float) -> np.ndarray:
        total, count = np.zeros_like(latents), np.zeros(latents.shape[1:])
        tops, lefts = (
            [*range(0, side - window, window // 2), side - window] for side in latents.shape[1:]
        )
        for top in tops:
            for left in lefts:
                part = latents[:, top : top + window, left : left + window]
                # Of its own cells: the one that holds the centre, where windows lie between two.
                first = [int((corner + unit / 2) // unit) for corner in (top, left)]
                own = styles[first[0] : first[0] + grid, first[1] : first[1] + grid]
                tokens = torch.from_numpy(own.reshape(1, -1, 20))
                both = torch.cat([network.unconditional(1), tokens])
                noisy = torch.from_numpy(part).float()[None].expand(2, -1, -1, -1)
                away, towards = network(noisy, both, torch.tensor([time] * 2)).sample[:, :4]
                noise = (away + 1.5 * (towards - away)).numpy()
                clean = (part - (1 - kept) ** 0.5 * noise) / kept**0.5
                total[:, top : top + window, left : left + window] += clean
                count[top : top + window, left : left + window] += 1
        return total / count

    noise = noise_at(3, 4, 0, 0, canvas.height, canvas.width).astype(float)
    with torch.inference_mode():
        expected = ddim(predict, noise, 5)
    for batch in (1, 3):
        found = sampled(network, canvas, styles, tmp_path, batch)
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_windows_overlap_by_half_at_every_published_step() -> None:
    canvas = Canvas((4096, 4096), 1024, 4, published=True)
    assert canvas.count(canvas.turns(20)) == 20 * 7 * 7
    row = canvas.rows(canvas.turns(20)[7])[3]
    assert [w.x.start for w in row.windows] == list(range(0, 385, 64))
    small = Canvas((512, 300), 256, 1, published=True)
    assert [w.x.start for w in small.rows(small.turns(1)[0])[0].windows] == [0, 16, 32]


def test_one_published_tile_equals_plain_ddim(shallow: Engine, style: PackedArray) -> None:
    request = ask(style, size=None, steps=4, guidance=1.0, preset=PUBLISHED.name)
    events = run(shallow, request)
    models = shallow.load("demo")
    channels = models.transformer.config.in_channels
    tokens = torch.from_numpy(style.unpack().reshape(1, 1, -1))

    def predict(latents: np.ndarray, time: int, kept: float) -> np.ndarray:
        noisy = torch.from_numpy(latents).float()[None]
        output = models.transformer(noisy, tokens, torch.tensor([time])).sample
        velocity = output[0, :channels].numpy()
        return kept**0.5 * latents - (1 - kept) ** 0.5 * velocity  # the demo predicts velocity

    with torch.inference_mode():
        noise = noise_at(request.seed, channels, 0, 0, 32, 32).astype(float)
        latents = ddim(predict, noise, 4)
        decoded = computing.decode(torch.from_numpy(latents).float()[None], models)
    expected = np.moveaxis(decoded.clip(0, 1) * 255, 0, -1)
    assert np.abs(picture(events) - expected).max() <= 1.01
    variant = next(e for e in events if isinstance(e, Variant))
    assert variant.record.request.published
    ours = picture(run(shallow, replace(request, preset="exact")))
    assert np.abs(ours - expected).max() > 2  # of second order


def test_a_published_canvas_is_recorded_and_reproduced(
    shallow: Engine, request_: GenerateRequest, whole: list
) -> None:
    events = run(shallow, replace(request_, preset=PUBLISHED.name))
    record = next(e.record for e in events if isinstance(e, Variant))
    assert not np.array_equal(picture(events), picture(whole))
    again = Record.from_dict(record.to_dict())
    assert np.array_equal(shallow.reproduce(again), picture(events))


def test_the_published_method_starts_from_noise(tissue: np.ndarray) -> None:
    start = PackedArray.pack(tissue[:256, :256])
    with pytest.raises(PixCellError, match="published method starts from noise"):
        GenerateRequest("demo", start=start, preset=PUBLISHED.name)


# -- a grid of tokens, and a ControlNet -------------------------------------------------------


def test_windows_with_sixteen_tokens_and_a_layout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"num_attention_heads": 1, "attention_head_dim": 24, "cross_attention_dim": 24}
    sizes |= {"in_channels": 4, "out_channels": 8, "caption_channels": 20, "sample_size": 128}
    transformer = PixCellTransformer2DModel(**sizes, caption_num_tokens=16, num_layers=1).eval()
    controlnet = PixCellControlNet.from_transformer(transformer, 1).eval()
    torch.nn.init.normal_(controlnet.controlnet_blocks[0].weight)
    canvas = Canvas((1100, 1100), 1024, 4)
    styles = np.random.default_rng(0).normal(size=(*canvas.cells, 20)).astype(np.float32)
    scheduler = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}
    pictures = []
    for size in (1, 3):
        with torch.inference_mode():
            denoiser = Denoiser(transformer, scheduler, steps=2, guidance=2, controlnet=controlnet)
            store = CanvasStore(str(len(pictures)), canvas, 4, tmp_path)
            painter = CanvasPainter(
                denoiser,
                canvas,
                store,
                seed=1,
                styles=styles,
                device=CPU,
                condition=lambda w: torch.full((1, 4, 128, 128), w.x.start / 128),
                batch=size,
            )
            painter.paint(
                lambda latents: np.zeros((3, 1024, 1024), np.float32),
                128,
                lambda _: None,
                lambda *_: None,
            )
            pictures.append(np.array(store.latents))
    assert np.isfinite(pictures[0]).all()
    assert np.abs(pictures[0] - pictures[1]).max() <= 1e-4 * np.abs(pictures[0]).max()
