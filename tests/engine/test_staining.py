"""Staining tissue: followed back to its noise and forth again, on tiles and larger regions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from own_stain import write_own_stain
from running import pictures, run
from seams import seam_ratio

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Finished, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import GenerateRequest, request_from_dict
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE

CANVAS = (256, 384)


@pytest.fixture
def tile(style: PackedArray, tissue: np.ndarray) -> GenerateRequest:
    """Return a request that follows one tile back, and forth without a stain."""
    start = PackedArray.pack(tissue[:256, :256])
    return GenerateRequest(
        "demo", style, count=1, steps=6, guidance=1, start=start, strength=0.5, invert=True
    )


@pytest.fixture
def canvas(tile: GenerateRequest, tissue: np.ndarray) -> GenerateRequest:
    return replace(tile, start=PackedArray.pack(tissue[:256, :384]), size=CANVAS)


def picture(engine: Engine, request) -> np.ndarray:
    (found,) = pictures(run(engine, request))
    return found


def away(image: np.ndarray, request: GenerateRequest) -> float:
    """Return the mean difference to the start."""
    return float(np.abs(image.astype(float) - request.start.unpack()).mean())


@pytest.mark.parametrize("asked", ["tile", "canvas"])
def test_inverted_tissue_is_generated_again(engine, asked, request) -> None:
    asked = request.getfixturevalue(asked)
    decoded = away(picture(engine, replace(asked, steps=20, strength=0.01)), asked)
    back = away(picture(engine, asked), asked)
    mixed = away(picture(engine, replace(asked, invert=False)), asked)
    assert back < decoded + 6 < mixed - 6, (decoded, back, mixed)


def test_an_inversion_ignores_the_seed_and_is_reproduced_by_its_record(engine, tile) -> None:
    events = run(engine, replace(tile, count=2, steps=3))
    first, second = (e for e in events if isinstance(e, Variant))
    assert np.array_equal(first.image, second.image) and first.record.request.seed == 1234
    record = Record.from_dict(json.loads(json.dumps(second.record.to_dict())))
    assert record.request.invert
    np.testing.assert_array_equal(engine.reproduce(record), second.image)
    assert "compositeWith" in record.source_type


def test_an_inversion_works_at_full_and_zero_strength(engine, tile) -> None:
    assert away(picture(engine, replace(tile, strength=1.0)), tile) < 40
    kept = picture(engine, replace(tile, strength=0.0))
    np.testing.assert_array_equal(kept, tile.start.unpack())


@pytest.mark.parametrize("asked", ["tile", "canvas"])
def test_an_inversion_reports_progress_and_can_be_cancelled(shallow, asked, request) -> None:
    asked = request.getfixturevalue(asked)
    told: list[str] = []

    def take(event) -> None:
        if isinstance(event, Progress):
            told.append(event.message)
        else:
            events.append(event)

    events: list = []
    shallow.run(asked, take, lambda: any("Inverting" in words for words in told))
    assert told[-1].startswith("Inverting the tissue, ") and events == [Finished(True)]
    assert picture(shallow, replace(asked, steps=2, count=1)).std() > 5  # nothing is left behind


def test_requests_without_an_inversion_keep_their_json(tile) -> None:
    assert "invert" not in replace(tile, invert=False).to_dict()
    assert request_from_dict(json.loads(json.dumps(tile.to_dict()))) == tile


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": None, "strength": 1.0}, "There is no image to invert"),
        ({"part": PackedArray.pack(np.ones((256, 256), np.uint8))}, "an area to regenerate"),
    ],
)
def test_an_inversion_without_a_start_or_of_an_area_is_refused(tile, changes, words: str) -> None:
    with pytest.raises(PixCellError, match=words):
        replace(tile, **changes)


# -- with a stain --------------------------------------------------------------------------


def test_a_stain_inverts_with_its_base_and_generates_with_its_adapter(
    engine, tile, tmp_path: Path
) -> None:
    name = write_own_stain(tmp_path, "mine", "Mine")
    stained = picture(engine, replace(tile, family=name))
    models = engine.load(name)
    again = picture(engine, replace(tile, family=name))
    np.testing.assert_array_equal(again, stained)  # the adapter is on again afterwards
    assert any(".lora_" in key for key in models.transformer.state_dict())
    plain = picture(engine, tile)
    assert engine.load("demo").transformer is models.transformer
    assert 0.3 < np.abs(stained.astype(float) - plain).mean() < away(stained, tile) + 10
    assert away(plain, tile) < away(stained, tile)


def test_a_large_stained_region_has_no_seams_and_naive_tiling_has(
    engine, style, tmp_path: Path
) -> None:
    name, size = write_own_stain(tmp_path, "mine", "Mine"), (512, 512)
    whole = open_slide(SAMPLE_SLIDE).read(Region(300, 500, 512, 512), 0.5)
    start = {"start": PackedArray.pack(whole), "strength": 0.6}
    request = GenerateRequest(
        name, style, count=1, steps=5, guidance=1.2, size=size, invert=True, **start
    )
    ours = picture(engine, request)
    tiles = [
        picture(engine, replace(request, size=None, start=PackedArray.pack(tile)))
        for band in whole.reshape(2, 256, 512, 3)
        for tile in (band[:, :256], band[:, 256:])
    ]
    images = np.stack(tiles).reshape(2, 2, 256, 256, 3)
    side_by_side = images.swapaxes(1, 2).reshape(*size, 3)
    # The tissue is its own measure: what steps at a line of it may step in its stain.
    assert 0.90 < seam_ratio([ours]) / seam_ratio([whole]) < 1.10
    assert seam_ratio([side_by_side]) > 1.50 * seam_ratio([whole])
