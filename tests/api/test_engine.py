"""The engine: the same pixels everywhere, progress, cancelling, and memory that is freed."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

import napari_pixcell as pixcell
from napari_pixcell.cli.main import main

STEPS = 2


def watched(engine: pixcell.Engine, monkeypatch: pytest.MonkeyPatch, progress: object) -> None:
    """Let an engine of all tests show the progress of one."""
    monkeypatch.setattr(engine._runner, "_progress", progress)


# -- results -------------------------------------------------------------------------------


def test_pixels_are_the_same_here_in_the_worker_and_on_the_command_line(
    engine: pixcell.Engine,
    far_engine: pixcell.Engine,
    slide: pixcell.Slide,
    region: pixcell.Region,
    tmp_path: Path,
) -> None:
    images = []
    for one in (engine, far_engine):
        style, layout = one.embed(slide, region, cache=False), one.segment(slide, region)
        made = one.generate(style, layout, count=2, seed=5, steps=STEPS)
        assert [variant.seed for variant in made] == [5, 6]
        images.append([variant.image for variant in made])
    layout.save(tmp_path / "cells.tif")
    box = ",".join(map(str, region.as_list()))
    command = f"generate {slide.path} --region {box} --count 2 --seed 5 --steps {STEPS}"
    files = f"--layout {tmp_path / 'cells.tif'} --out {tmp_path / 'pairs'} --no-cache"
    assert main([*command.split(), *files.split()]) == 0
    records = [
        pixcell.read_record(tmp_path / "pairs" / "images" / f"variant-seed{n}.png") for n in (5, 6)
    ]
    for here, there, record in zip(*images, records, strict=True):
        assert here.shape == (256, 256, 3)
        assert np.array_equal(here, there)
        again = engine.reproduce(record)
        assert np.array_equal(again.image, here)
        assert again.record.sha256 == record.sha256


def test_a_record_reproduces_its_variant(
    either: pixcell.Engine, style: pixcell.Style, layout: pixcell.Layout
) -> None:
    made = either.generate(style, layout, count=2, seed=9, steps=STEPS)[1]
    again = either.reproduce(made)
    assert np.array_equal(again.image, made.image)
    assert again.seed == 10


def test_a_file_is_reproduced_in_one_call(
    engine: pixcell.Engine, style: pixcell.Style, layout: pixcell.Layout, tmp_path: Path
) -> None:
    made = engine.generate(style, layout, count=1, steps=STEPS)[0]
    path = made.save(tmp_path / "image")
    assert path.name == "image.png"
    assert np.array_equal(pixcell.reproduce(path, engine=engine).image, made.image)
    assert np.array_equal(pixcell.reproduce(path).image, made.image)


def test_variants_know_where_they_belong(
    engine: pixcell.Engine, style: pixcell.Style, slide: pixcell.Slide, layout: pixcell.Layout
) -> None:
    region = slide.region_um(400, 300, 160, 128)
    made = engine.generate(style, slide=slide, region=region, count=1, steps=STEPS)[0]
    assert made.image.shape == (256, 320, 3)
    assert made.mask is None
    assert made.layer["scale"] == (0.5, 0.5)
    assert made.layer["translate"] == pytest.approx((300, 400))
    placed = engine.generate(style, layout, count=1, steps=STEPS)[0]
    assert placed.layer["translate"] == pytest.approx((430, 430))
    assert placed.mask is not None
    assert np.array_equal(placed.mask, layout.labels)
    loose = engine.generate(None, size=(256, 256), count=1, steps=STEPS)[0]
    assert "translate" not in loose.layer


def test_an_image_may_be_started_from_and_changed_in_part(
    engine: pixcell.Engine, style: pixcell.Style, slide: pixcell.Slide, region: pixcell.Region
) -> None:
    start = engine.read(slide, region)
    part = np.zeros(start.shape[:2], bool)
    part[64:128, 64:128] = True
    made = engine.generate(
        style,
        slide=slide,
        region=region,
        start=start,
        part=part,
        feather=4,
        strength=0.9,
        count=1,
        steps=STEPS,
        colours="off",
    )[0]
    assert np.array_equal(made.image[:40], start[:40])
    assert not np.array_equal(made.image[80:100, 80:100], start[80:100, 80:100])


def test_a_stain_of_the_dock_is_that_of_the_command_line(
    either: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region, tmp_path: Path
) -> None:
    made = either.stain("demo-ki67", slide, region, steps=STEPS, cache=False)
    assert made.image.shape == (256, 256, 3)
    box = ",".join(map(str, region.as_list()))
    command = f"stain {slide.path} --region {box} --stain demo-ki67 --steps {STEPS} --no-cache"
    assert main([*command.split(), "--out", str(tmp_path)]) == 0
    (path,) = (tmp_path / "images").glob("*.png")
    assert pixcell.read_record(path).sha256 == made.record.sha256


def test_an_image_is_a_style(engine: pixcell.Engine, slide: pixcell.Slide) -> None:
    image = engine.read(slide, slide.region_um(100, 100, 128, 128))
    style = engine.embed(image, mpp=0.5, name="Field")
    same = engine.embed(slide, slide.region_um(100, 100, 128, 128))
    assert style.name == "Field"
    assert np.allclose(style.embedding, same.embedding)


def test_a_picture_without_a_pixel_size_is_a_style_with_a_warning(
    engine: pixcell.Engine, slide: pixcell.Slide, tmp_path: Path
) -> None:
    from PIL import Image

    Image.fromarray(engine.read(slide, slide.region_um(0, 0, 128, 128))).save(tmp_path / "a.png")
    with pytest.warns(pixcell.PixCellWarning, match="states no pixel size") as caught:
        engine.embed(tmp_path / "a.png")
    assert caught[0].filename == __file__


def test_cellpose_segments(
    engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region, tiny_cellpose: Path
) -> None:
    found = engine.segment(slide, region, method="cellpose", model=str(tiny_cellpose))
    assert found.shape == (256, 256)
    assert found.source is not None
    assert found.source.model == "tiny"


# -- progress and cancelling ---------------------------------------------------------------


def test_progress_is_shown_as_a_bar(
    engine: pixcell.Engine,
    style: pixcell.Style,
    layout: pixcell.Layout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    watched(engine, monkeypatch, True)
    engine.generate(style, layout, count=1, steps=STEPS)
    assert "Variant 1 of 1" in capsys.readouterr().err


def test_a_function_receives_progress_and_cancels_by_false(
    either: pixcell.Engine,
    style: pixcell.Style,
    layout: pixcell.Layout,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[int, int]] = []

    def on_progress(done: int, total: int, message: str) -> bool:
        seen.append((done, total))
        return done < STEPS + 1  # the first variant is finished then

    watched(either, monkeypatch, on_progress)
    with pytest.raises(pixcell.RequestCancelled, match="1 variant was finished") as cancelled:
        either.generate(style, layout, count=6, steps=STEPS, seed=3)
    assert (1, 6 * STEPS) in seen
    watched(either, monkeypatch, False)
    first = either.generate(style, layout, count=6, steps=STEPS, seed=3)[0]
    (finished,) = cancelled.value.finished
    assert np.array_equal(finished.image, first.image)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_that_function_ends_the_request_and_is_raised(
    either: pixcell.Engine,
    style: pixcell.Style,
    layout: pixcell.Layout,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    def on_progress(done: int, total: int, message: str) -> None:
        if done == 1:
            raise error("mine")

    watched(either, monkeypatch, on_progress)
    with pytest.raises(error, match="mine"):
        either.generate(style, layout, count=3, steps=STEPS)
    watched(either, monkeypatch, False)
    assert len(either.generate(style, layout, count=1, steps=STEPS)) == 1


def test_ctrl_c_leaves_a_usable_engine(
    either: pixcell.Engine,
    style: pixcell.Style,
    layout: pixcell.Layout,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # dask_jobqueue has its own
    before = either.generate(style, layout, count=1, steps=STEPS, seed=8)[0]
    begun = threading.Event()

    def on_progress(done: int, total: int, message: str) -> None:
        if done == 2:
            begun.set()

    def press() -> None:
        begun.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    watched(either, monkeypatch, on_progress)
    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        either.generate(style, layout, count=500, steps=STEPS)
    thread.join()
    watched(either, monkeypatch, False)
    again = either.generate(style, layout, count=1, steps=STEPS, seed=8)[0]
    assert np.array_equal(again.image, before.image)


def test_another_thread_cancels(
    either: pixcell.Engine,
    style: pixcell.Style,
    layout: pixcell.Layout,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = threading.Event()
    watched(either, monkeypatch, lambda done, total, message: begun.set() if done else None)

    def press() -> None:
        begun.wait()
        either.cancel()

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(pixcell.RequestCancelled):
        either.generate(style, layout, count=500, steps=STEPS)
    thread.join()


# -- memory --------------------------------------------------------------------------------


def test_the_worker_process_ends_with_the_block_also_by_an_error() -> None:
    with pytest.raises(ZeroDivisionError), pixcell.Engine("demo", where="worker") as engine:
        backend = engine._runner.backend
        backend._client.submit(_embedding_request())
        number = backend._client.process_id
        assert psutil.pid_exists(number)
        _ = 1 / 0
    assert backend._client.process_id is None
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == "zombie"


def _embedding_request() -> object:
    from napari_pixcell.engine.packed import PackedArray
    from napari_pixcell.engine.request_values import EmbedRequest

    return EmbedRequest("demo", PackedArray.pack(np.zeros((256, 256, 3), np.uint8)))


def test_the_memory_of_models_is_freed_with_the_block(style: pixcell.Style) -> None:
    with pixcell.Engine("demo") as engine:
        engine.generate(style, count=1, steps=1)
        loaded = engine._runner.backend._engine.loaded
        assert loaded._loaded is not None
        engine.free()
        assert loaded._loaded is None
        engine.generate(style, count=1, steps=1)
    assert loaded._loaded is None
    with pytest.raises(pixcell.PixCellError, match="This engine is closed"):
        engine.generate(style, count=1)
    engine.close()  # a second time


# -- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, s, c: e.generate("stroma", c), "A style is expected, not str"),
        (lambda e, s, c: e.generate(s, c.labels), "A layout is expected, not ndarray"),
        (lambda e, s, c: e.generate(s, pixcell.Layout(c.labels, 0.25)), "layout has 0.25 µm/px"),
        (lambda e, s, c: e.generate(s, pixcell.Layout(c.labels * 0, 0.5)), "has no cells"),
        (lambda e, s, c: e.generate(s, c, size=(256, 256)), "Omit size"),
        (lambda e, s, c: e.generate(s, size=256), r"The size is 256\. Use \(height, width\)"),
        (lambda e, s, c: e.generate(s, c, count=0), "The number of variants is 0"),
        (lambda e, s, c: e.generate(s, c, steps=0), "The number of steps is 0"),
        (lambda e, s, c: e.generate(s, c, seed=-1), "The seed is -1"),
        (lambda e, s, c: e.generate(s, c, preset="slow"), "slow"),
        (lambda e, s, c: e.generate(s, c, colours="wild"), "There is no colour match"),
        (lambda e, s, c: e.generate(s, c, strength=0.5), "strength needs an image"),
        (lambda e, s, c: e.generate(s, c, start=c.labels), "The start image is an array"),
        (
            lambda e, s, c: e.generate(s, c, start=np.zeros((256, 256, 3), np.uint8), feather=2),
            "feather blends around a part",
        ),
        (
            lambda e, s, c: e.generate(
                s, c, start=np.zeros((256, 256, 3), np.uint8), part=c.labels, feather=-1
            ),
            "The feather is -1 µm",
        ),
        (lambda e, s, c: e.generate(s, c, slide=pixcell.sample_slide()), "both slide and region"),
        (lambda e, s, c: e.generate(s, repair=2), "A repair compares nuclei with a layout"),
    ],
)
def test_a_generation_that_makes_no_sense_is_refused_in_a_sentence(
    engine: pixcell.Engine, style: pixcell.Style, layout: pixcell.Layout, call: object, message: str
) -> None:
    with pytest.raises(pixcell.PixCellError, match=message):
        call(engine, style, layout)  # type: ignore[operator]


def test_a_layout_of_another_size_is_refused(
    engine: pixcell.Engine, style: pixcell.Style, slide: pixcell.Slide, layout: pixcell.Layout
) -> None:
    region = slide.region_um(400, 300, 160, 128)
    with pytest.raises(pixcell.PixCellError, match="256 × 256 px but the region needs 320 × 256"):
        engine.generate(style, layout, slide=slide, region=region)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, s, r: pixcell.Engine("pixcell-9"), "There is no family “pixcell-9”"),
        (lambda e, s, r: pixcell.Engine("demo", where="cloud"), "place “cloud” is unknown"),
        (lambda e, s, r: pixcell.Engine("demo", progress=3), "The progress is 3"),
        (lambda e, s, r: e.embed(np.zeros((256, 256), np.uint8)), "is an array of"),
        (lambda e, s, r: e.embed(np.zeros((256, 256, 3))), "float64"),
        (lambda e, s, r: e.embed(np.zeros((256, 256, 3), np.uint8)), "“image” is unknown"),
        (
            lambda e, s, r: e.embed(np.zeros((99, 99, 3), np.uint8), mpp=0.5),
            "smaller than one tile",
        ),
        (lambda e, s, r: e.embed([[1]]), "is of the type list"),
        (lambda e, s, r: e.embed("missing.svs", r), "does not exist"),
        (lambda e, s, r: e.embed(s, s.region_um(9e6, 0, 128, 128)), "lies outside the slide"),
        (lambda e, s, r: e.embed(s, s.region_um(0, 0, 5, 5)), "smaller than one tile"),
        (lambda e, s, r: e.read(s, (0, 0, 9, 9)), "A region is expected, not tuple"),
        (lambda e, s, r: e.segment(s, r, method="magic"), "is not a segmentation method"),
        (lambda e, s, r: e.segment(s, r, colour=1), "There is no setting colour"),
        (lambda e, s, r: e.segment(s, r, method="cellpose"), "weights are not installed"),
        (lambda e, s, r: e.segment(np.zeros((8200, 8200, 3), np.uint8)), "“image” is unknown"),
        (lambda e, s, r: e.stain("ki68", s, r), "There is no stain “ki68”"),
        (lambda e, s, r: e.stain("her2", s, r), "is not installed"),
        (lambda e, s, r: e.stain("demo-ki67", s, r, keep=2), "part of the tissue to keep is 2"),
        (
            lambda e, s, r: e.stain("demo-ki67", s, r, keep=0.5, published=True),
            "Omit keep and invert",
        ),
        (
            lambda e, s, r: e.stain("demo-ki67", s, s.region_um(0, 0, 50, 50)),
            "Choose a larger region",
        ),
        (
            lambda e, s, r: e.read_layout("cells.tif", s, r, counted_from="top"),
            "cannot be counted from “top”",
        ),
        (
            lambda e, s, r: e.read_layout("cells.tif", s, r, cells_mpp=0),
            "pixel size of the cells is 0",
        ),
        (lambda e, s, r: e.read_layout("cells.tif", s, r), "does not exist"),
        (lambda e, s, r: e.reproduce("image.png"), "does not exist"),
    ],
)
def test_input_that_cannot_be_used_is_refused_in_a_sentence(
    engine: pixcell.Engine, slide: pixcell.Slide, region: pixcell.Region, call: object, message: str
) -> None:
    with pytest.raises(pixcell.PixCellError, match=message):
        call(engine, slide, region)  # type: ignore[operator]


def test_at_most_a_large_region_is_segmented_at_once(engine: pixcell.Engine) -> None:
    large = pixcell.open_slide(np.broadcast_to(np.uint8(200), (9000, 9000, 3)), mpp=0.5)
    with pytest.raises(pixcell.PixCellError, match="At most 8192 × 8192 px can be segmented"):
        engine.segment(large)


def test_a_family_without_layouts_and_a_style_of_another_encoder_are_refused(
    style: pixcell.Style, layout: pixcell.Layout, pretend_installed: object
) -> None:
    pretend_installed()  # type: ignore[operator]
    with pixcell.Engine("pixcell-256") as engine:
        with pytest.raises(pixcell.PixCellError, match="does not support layouts"):
            engine.generate(None, layout)
        with pytest.raises(pixcell.PixCellError, match="the encoder of another model"):
            engine.generate(style)


def test_a_record_of_other_weights_is_not_reproduced(
    either: pixcell.Engine, style: pixcell.Style
) -> None:
    from dataclasses import replace

    made = either.generate(style, count=1, steps=1)[0]
    other = replace(made.record, weights=made.record.weights | {"transformer": "0" * 64})
    with pytest.raises(pixcell.PixCellError, match="made with other weights"):
        either.reproduce(other)
