"""The one builder of requests, for the dock, the command line and datasets."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine import tissue as tissue_module
from napari_pixcell.engine.events import Embedding
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import (
    EmbedRequest,
    GenerateRequest,
    Source,
    request_from_dict,
)
from napari_pixcell.engine.requests import (
    GenerationSettings,
    StartImage,
    enlarged_as,
    generate_request,
    read_tissue,
    segment_request,
    size_of,
    snap,
    source_of,
    stain_request,
    tiles_of,
    why_too_small,
)
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.styles.region_embedding import embed_region, joined
from napari_pixcell.engine.tissue import Tissue, size_at
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, DEMO_STAIN, PIXCELL_256_CELLS
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.slides import ArraySlide, Region

STYLE = np.ones((1, 128), np.float32)
TILE = (DEMO.tile, DEMO.tile)


@pytest.fixture
def slide() -> ArraySlide:
    pixels = np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), np.uint8)
    return ArraySlide([pixels], 0.5, "noise")


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [False, True])
def test_defaults_come_from_the_family_and_the_preset(layout: bool) -> None:
    settings = GenerationSettings.for_family(
        PIXCELL_256_CELLS, layout=layout, preset="quick", seed=7
    )
    guidance = PIXCELL_256_CELLS.layout_guidance if layout else PIXCELL_256_CELLS.guidance
    assert settings == GenerationSettings(seed=7, steps=8, guidance=guidance, preset="quick")


def test_given_steps_and_guidance_replace_the_defaults() -> None:
    settings = GenerationSettings.for_family(
        DEMO, layout=True, preset="quick", steps=3, guidance=0.0
    )
    assert (settings.steps, settings.guidance) == (3, 0.0)


def test_a_setting_out_of_range_is_refused() -> None:
    with pytest.raises(PixCellError, match="number of variants is 0"):
        generate_request(DEMO, GenerationSettings(count=0), size=TILE, embedding=None)


# -- requests ----------------------------------------------------------------------------------


def test_a_request_is_what_its_parts_say() -> None:
    labels = np.eye(256, dtype=np.uint16)
    image = np.zeros((256, 256, 3), np.uint8)
    settings = GenerationSettings(
        seed=5, count=2, steps=9, guidance=2.5, layout_strength=0.5, layout_until=0.8
    )
    start = StartImage(image=PackedArray.pack(image), strength=0.4, invert=True)
    source = source_of(
        "case 1", Region(1, 2, 3, 4), 0.25, layout=LayoutSource("painted"), style=[("A", 1.0)]
    )
    request = generate_request(
        DEMO, settings, size=TILE, embedding=STYLE, layout=labels, source=source, start=start
    )
    assert request == GenerateRequest(
        "demo",
        PackedArray.pack(STYLE),
        PackedArray.pack(labels),
        seed=5,
        count=2,
        steps=9,
        guidance=2.5,
        layout_strength=0.5,
        layout_until=0.8,
        source=Source("case 1", (1, 2, 3, 4), 0.25, LayoutSource("painted"), (("A", 1.0),)),
        start=PackedArray.pack(image),
        strength=0.4,
        invert=True,
    )


@pytest.mark.parametrize(("size", "stated"), [(TILE, None), ((256, 300), (256, 300))])
def test_only_a_size_other_than_one_tile_is_stated(size, stated) -> None:
    request = generate_request(DEMO, GenerationSettings(), size=size, embedding=None)
    assert request.size == stated and size_of(request, DEMO) == size


def test_a_layout_of_another_size_is_refused() -> None:
    layout = np.ones((10, 10), np.uint16)
    with pytest.raises(PixCellError, match="10 × 10"):
        generate_request(DEMO, GenerationSettings(), size=(256, 300), embedding=None, layout=layout)


@pytest.mark.parametrize(
    ("layout", "guidance"),
    [
        (False, DEMO_STAIN.guidance),
        (True, DEMO_STAIN.layout_guidance),
        (np.ones(TILE, np.uint16), DEMO_STAIN.layout_guidance),
    ],
)
def test_a_stain_is_one_variant_with_the_defaults_of_its_family(layout, guidance) -> None:
    request = stain_request(
        DEMO_STAIN, size=TILE, embedding=STYLE, source=Source("a"), seed=3, layout=layout
    )
    assert (request.family, request.count, request.seed) == (DEMO_STAIN.name, 1, 3)
    assert (request.steps, request.guidance) == (DEMO_STAIN.steps, guidance)
    assert (request.layout is not None) == isinstance(layout, np.ndarray)


def test_a_stain_as_published_starts_from_noise_with_the_published_guidance() -> None:
    family = replace(DEMO_STAIN, guidance=3.0)
    place = {"size": TILE, "embedding": STYLE, "source": Source("a"), "seed": 3}
    request = stain_request(family, **place, published=True)
    assert (request.guidance, request.steps, request.published) == (1.2, 20, True)
    assert stain_request(family, **place).guidance == 3.0
    start = StartImage(image=PackedArray.pack(np.zeros((*TILE, 3), np.uint8)))
    with pytest.raises(PixCellError, match="published method starts from noise"):
        stain_request(family, **place, start=start, published=True)


@pytest.mark.parametrize("family", [DEMO, PIXCELL_256_CELLS])
def test_the_gap_between_cells_is_that_of_the_family(family) -> None:
    request = generate_request(family, GenerationSettings(), size=TILE, embedding=None)
    assert request.cell_gap == family.cell_gap == (family is DEMO)
    value = request.to_dict()
    assert ("cell_gap" in value) == (family is not DEMO)  # earlier requests did not state it
    assert request_from_dict(value) == request


def test_a_missing_cellpose_model_is_named_before_anything_is_loaded() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(PixCellError, match="There is no Cellpose model file none"):
        segment_request(pixels, 0.5, SegmentMethod("cellpose", "none"))


def test_building_requests_does_not_import_torch() -> None:
    code = (
        "import sys, napari_pixcell.engine.requests\n"
        "import napari_pixcell.engine.styles.region_embedding\n"
        "import napari_pixcell.engine.styles.pictures\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- regions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "snapped"),
    [
        ((100.3, 50.4, 1024.2, 768.4), (100, 50, 1024, 768)),
        ((100, 50, 700, 40), (100, 0, 700, 256)),  # a side too short becomes a tile
        ((100, 500, 10, 10), (0, 377, 256, 256)),
        ((100, 500, 258, 254), (101, 499, 256, 256)),  # barely more than a tile is one tile
        ((100, 500, 262, 256), (100, 500, 262, 256)),
        ((-80, -80, 500, 600), (0, 0, 420, 520)),  # cropped at the edge of the slide
        ((1300, 1200, 900, 900), (1300, 1200, 300, 300)),
        ((-50, -50, 9000, 9000), (0, 0, 1600, 1500)),
        ((1550, 1450, 900, 900), (1344, 1244, 256, 256)),
    ],
)
def test_a_drawn_box_snaps_to_whole_pixels_on_the_slide(box, snapped) -> None:
    assert snap(Region(*box), (1500, 1600), 0.5, DEMO) == Region(*snapped)


def test_a_box_moved_over_the_edge_keeps_its_size() -> None:
    moved = snap(Region(-80, 1200, 500, 600), (1500, 1600), 0.5, DEMO, moved=True)
    assert moved == Region(0, 900, 500, 600)


def test_a_tile_is_measured_in_pixels_of_the_model() -> None:
    box = snap(Region(10, 10, 2048, 1024), (4000, 4000), 0.25, DEMO)
    assert size_at(box, 0.25, DEMO) == (512, 1024)
    odd = snap(Region(10, 10, 256, 768), (4000, 4000), 0.499, DEMO)
    assert size_at(odd, 0.499, DEMO) == (766, 256)
    assert odd.width == pytest.approx(256 * 0.5 / 0.499) and odd.height == 768


def test_a_slide_smaller_than_a_tile_is_refused() -> None:
    with pytest.raises(PixCellError, match="smaller than one tile of 128 × 128 µm"):
        snap(Region(0, 0, 100, 100), (255, 255), 0.5, DEMO)


def test_tiles_are_counted_in_the_tile_size_of_the_model() -> None:
    assert tiles_of((768, 1024), DEMO) == 12
    assert tiles_of((300, 257), DEMO) == 4
    assert tiles_of((1024, 1024), get_family("pixcell-1024")) == 1


def test_the_drawn_box_follows_its_enlarged_region() -> None:
    drawn = enlarged_as(
        Region(620, 610, 300, 256), Region(0, 0, 1024, 1024), Region(20, 10, 1024, 1024)
    )
    assert drawn == Region(640, 620, 300, 256)


def test_a_region_smaller_than_a_tile_is_too_small_to_stain() -> None:
    assert not why_too_small(Region(0, 0, 256, 256), 0.5, DEMO_STAIN, "Region 1")
    text = why_too_small(Region(0, 0, 90, 300), 0.5, DEMO_STAIN, "Region 1")
    assert text.startswith("Region 1 is 45 × 150 µm, and ") and "128 µm or more" in text


# -- tissue and embeddings ---------------------------------------------------------------------


class Encoder:
    """Embeds each tile as its mean colour."""

    def __init__(self) -> None:
        self.requests: list[EmbedRequest] = []
        self.identity = encoder_identity(DEMO) or ""

    def __call__(self, request: EmbedRequest) -> Embedding:
        self.requests.append(request)
        pixels = request.pixels.unpack()
        rows, columns = (side // DEMO.tile for side in pixels.shape[:2])
        tiles = pixels.reshape(rows, DEMO.tile, columns, DEMO.tile, 3).astype(np.float32)
        return Embedding(tiles.mean(axis=(1, 3)), self.identity)


def test_tissue_read_by_bands_equals_tissue_read_at_once(slide, monkeypatch) -> None:
    region = Region(100, 100, 1000, 1100)
    at_once = read_tissue(slide, region, DEMO)
    assert at_once.shape == (1100, 1000, 3)
    monkeypatch.setattr(tissue_module, "LARGEST_READ", 8 * DEMO.tile**2)
    assert len(Tissue(slide, region, DEMO).bands()) == 3
    np.testing.assert_array_equal(read_tissue(slide, region, DEMO), at_once)


def test_a_region_embedded_by_bands_equals_one_embedded_at_once(slide, monkeypatch) -> None:
    tissue, encoder = Tissue(slide, Region(100, 100, 1000, 1100), DEMO), Encoder()
    at_once, _ = embed_region(tissue, encoder)
    assert len(encoder.requests) == 1
    monkeypatch.setattr(tissue_module, "LARGEST_READ", 8 * DEMO.tile**2)
    by_bands, _ = embed_region(tissue, encoder)
    assert len(encoder.requests) == 4
    np.testing.assert_array_equal(by_bands, at_once)


def test_an_embedding_is_computed_once(slide, tmp_path) -> None:
    cache, encoder = EmbeddingCache(tmp_path), Encoder()
    tissue = Tissue(slide, Region(100, 100, 600, 300), DEMO)
    computed, cached = embed_region(tissue, encoder, cache)
    assert not cached
    values, cached = embed_region(tissue, encoder, cache)
    assert cached and len(encoder.requests) == 1
    np.testing.assert_array_equal(values, computed)


def test_an_embedding_of_two_encoders_is_not_cached(slide) -> None:
    tissue = Tissue(slide, Region(0, 0, 256, 512), DEMO)
    bands = [Embedding(np.ones((1, 8), np.float32), name) for name in ("a", "b")]
    assert joined(bands, tissue).values.shape == (2, 1, 8)
    assert joined(bands, tissue).encoder == ""
