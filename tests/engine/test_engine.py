"""The engine with the bundled demo family: real networks, few steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Finished, Preview, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import pixels_sha256
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.models.store import encoder_identity


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def style() -> PackedArray:
    generator = np.random.default_rng(0)
    return PackedArray.pack(generator.normal(size=(1, 128)).astype(np.float32))


def run(engine: Engine, request) -> list:
    events: list = []
    engine.run(request, events.append)
    return events


def test_a_tile_becomes_one_embedding(engine: Engine) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    events = run(engine, EmbedRequest("demo", PackedArray.pack(pixels)))
    assert isinstance(events[0], Embedding)
    assert events[0].values.shape == (1, 128)
    assert events[0].encoder == encoder_identity(DEMO)
    assert isinstance(events[-1], Finished)


def test_a_region_of_a_partial_tile_cannot_be_embedded(engine: Engine) -> None:
    pixels = np.zeros((100, 256, 3), np.uint8)
    with pytest.raises(PixCellError, match="an embedding needs 256 × 256 px"):
        run(engine, EmbedRequest("demo", PackedArray.pack(pixels)))


def test_a_request_yields_its_variants_with_progress_and_previews(engine, style) -> None:
    events = run(engine, GenerateRequest("demo", style, count=2, steps=2, seed=5))
    variants = [e for e in events if isinstance(e, Variant)]
    assert [v.record.request.seed for v in variants] == [5, 6]
    for variant in variants:
        assert variant.image.shape == (256, 256, 3)
        assert variant.image.dtype == np.uint8
        assert variant.record.sha256 == pixels_sha256(variant.image)
        assert variant.record.notice.startswith("DEMO")
    assert not np.array_equal(variants[0].image, variants[1].image)
    assert [e.done for e in events if isinstance(e, Progress)] == [0, 1, 2, 3, 4]
    previews = [e for e in events if isinstance(e, Preview)]
    assert previews and previews[0].image.shape == (32, 32, 3)


def test_a_record_reproduces_its_pixels(engine, style) -> None:
    labels = np.zeros((256, 256), np.uint16)
    labels[100:130, 100:130] = 1
    request = GenerateRequest("demo", style, PackedArray.pack(labels), count=2, steps=2)
    second = [e for e in run(engine, request) if isinstance(e, Variant)][1]
    again = run(Engine(), second.record.request)
    image = next(e.image for e in again if isinstance(e, Variant))
    np.testing.assert_array_equal(image, second.image)


def test_a_layout_changes_the_image_except_at_strength_0(engine, style) -> None:
    labels = np.zeros((256, 256), np.uint16)
    labels[100:130, 100:130] = 1
    plain = GenerateRequest("demo", style, count=1, steps=2)
    guided = replace(plain, layout=PackedArray.pack(labels))
    images = {}
    for name, request in {
        "plain": plain,
        "guided": guided,
        "strength 0": replace(guided, layout_strength=0.0),
    }.items():
        images[name] = next(e.image for e in run(engine, request) if isinstance(e, Variant))
    assert not np.array_equal(images["plain"], images["guided"])
    difference = images["plain"].astype(int) - images["strength 0"]
    assert np.abs(difference).max() <= 1


def test_a_cancelled_request_stops_at_the_next_step_without_an_error(engine, style) -> None:
    events: list = []
    request = GenerateRequest("demo", style, count=2, steps=20)

    def cancelled() -> bool:
        return sum(isinstance(e, Progress) for e in events) >= 3

    engine.run(request, events.append, cancelled)
    assert events[-1] == Finished(cancelled=True)
    assert not any(isinstance(e, Variant) for e in events)
    assert max(e.done for e in events if isinstance(e, Progress)) == 2


def test_loading_can_be_cancelled_and_the_next_request_loads_again(style) -> None:
    engine, asked = Engine(), 0
    events: list = []

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 30  # deep in the first network's tensors

    request = GenerateRequest("demo", style, count=1, steps=1)
    engine.run(request, events.append, cancelled)
    assert events == [Progress(0, 0, "Loading the model"), Finished(cancelled=True)]
    assert engine.loaded.setting is None and asked == 31
    assert any(isinstance(e, Variant) for e in run(engine, request))


def test_previews_can_be_switched_off(engine, style) -> None:
    events: list = []
    request = GenerateRequest("demo", style, count=1, steps=2)
    engine.run(request, events.append, previews=False)
    assert any(isinstance(e, Variant) for e in events)
    assert not any(isinstance(e, Preview) for e in events)


def test_a_style_of_another_model_is_refused(engine) -> None:
    other = PackedArray.pack(np.zeros((1, 1536), np.float32))
    with pytest.raises(PixCellError, match="Embed the region again with this model"):
        run(engine, GenerateRequest("demo", other, count=1))


def test_no_style_is_an_unconditional_generation(engine) -> None:
    events = run(engine, GenerateRequest("demo", None, count=1, steps=1))
    assert any(isinstance(e, Variant) for e in events)
