"""Regions of any size: what is drawn, what becomes of it, and its layout."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pictures import tissue
from tifffile import imwrite

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.events import Finished, SegmentedLayout
from napari_pixcell.engine.requests import snap, tiles_of
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.models.catalogue import DEMO
from napari_pixcell.models.families import get_family
from napari_pixcell.slides import ArraySlide, Region
from napari_pixcell.studio.cells import layouts, segmentation
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.geometry import tiles_text
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.session import Session


@pytest.fixture
def picture() -> np.ndarray:
    return tissue(1500, 1600)


def drawn(session: Session, *box: float):
    item = session.regions.draw(Region(*box))
    session.wait(20)
    assert item is not None
    return item


@pytest.mark.parametrize(
    ("box", "meant"),
    [
        ((100.3, 50.4, 1024.2, 768.4), (100, 50, 1024, 768)),
        ((100, 50, 700, 40), (100, 0, 700, 256)),  # a side too short becomes a tile
        ((100, 500, 10, 10), (0, 377, 256, 256)),
        ((100, 500, 258, 254), (101, 499, 256, 256)),  # nearly a tile is one
        ((100, 500, 262, 256), (100, 500, 262, 256)),
        ((-80, -80, 500, 600), (0, 0, 420, 520)),  # what is off the slide is cut off
        ((1300, 1200, 900, 900), (1300, 1200, 300, 300)),
        ((-50, -50, 9000, 9000), (0, 0, 1600, 1500)),
        ((1550, 1450, 900, 900), (1344, 1244, 256, 256)),
    ],
)
def test_a_box_is_snapped_to_whole_pixels_inside_the_slide(box, meant) -> None:
    assert snap(Region(*box), (1500, 1600), 0.5, DEMO) == Region(*meant)


def test_a_box_moved_over_the_edge_keeps_its_size() -> None:
    moved = snap(Region(-80, 1200, 500, 600), (1500, 1600), 0.5, DEMO, moved=True)
    assert moved == Region(0, 900, 500, 600)


def test_a_box_is_measured_in_the_pixels_of_the_model() -> None:
    box = snap(Region(10, 10, 2048, 1024), (4000, 4000), 0.25, DEMO)
    assert size_at(box, 0.25, DEMO) == (512, 1024)
    odd = snap(Region(10, 10, 256, 768), (4000, 4000), 0.499, DEMO)
    assert size_at(odd, 0.499, DEMO) == (766, 256)
    assert odd.width == pytest.approx(256 * 0.5 / 0.499) and odd.height == 768


def test_tiles_are_counted_by_the_model() -> None:
    assert tiles_of((768, 1024), DEMO) == 12
    assert tiles_of((300, 257), DEMO) == 4
    assert tiles_of((1024, 1024), get_family("pixcell-1024")) == 1
    assert [tiles_text(n) for n in (1, 12, 6241)] == ["1 tile", "12 tiles", "6,241 tiles"]


def test_a_drawn_region_has_an_embedding_for_each_of_its_cells(session, client) -> None:
    item = drawn(session, 200, 100, 384, 300)
    assert item.region == Region(200, 100, 384, 300) and item.size == (300, 384)
    assert item.embedding.shape[:2] == (2, 2)
    assert client.requests[-1].pixels.shape == (512, 512, 3)
    whole = session.slides.current.read(Region(200, 100, 512, 512), 0.5)
    np.testing.assert_array_equal(client.requests[-1].pixels.unpack(), whole)
    np.testing.assert_array_equal(item.pixels, whole[:300, :384])


def test_tissue_is_mirrored_beyond_the_edge_of_the_slide(session, client) -> None:
    drawn(session, 1300, 1200, 300, 300)
    pixels = client.requests[-1].pixels.unpack()
    read = session.slides.current.read(Region(1300, 1200, 300, 300), 0.5)
    np.testing.assert_array_equal(pixels[:300, :300], read)
    np.testing.assert_array_equal(pixels[300:, :300], read[:-213:-1])
    np.testing.assert_array_equal(pixels[:300, 300:], read[:, :-213:-1])


def test_the_embedding_of_a_larger_region_is_cached(session, client, tmp_path) -> None:
    first = drawn(session, 200, 100, 384, 300)
    other = drawn(session, 200, 100, 384, 700)
    assert not other.embedding_stored and len(client.requests) == 2
    session.embeddings.embed(first.number)
    session.wait(20)
    assert first.embedding_stored and first.embedding.shape[:2] == (2, 2)
    assert len(client.requests) == 2


def test_a_region_is_never_embedded_from_another_slide(session, client) -> None:
    item, own = drawn(session, 200, 100, 384, 300), session.slides.current
    session.regions.move(item.number, Region(300, 200, 384, 300), settled=False)
    session.slides.set(ArraySlide([tissue(700, 700)], 0.5, "other"))
    session.embeddings.embed(item.number)  # as soon as a drag has come to its end
    session.wait(20)
    assert len(client.requests) == 1 and item.embedding is None
    session.slides.set(own)
    session.wait(20)
    assert item.embedding is not None and len(client.requests) == 2


def test_a_resized_region_keeps_its_cells_where_they_are_on_the_slide(session) -> None:
    item = drawn(session, 200, 100, 400, 300)
    labels = np.zeros((300, 400), np.int32)
    labels[20:30, 50:60] = 1
    labels[280:290, 390:400] = 2
    session.layouts.set(item.number, labels, "painted", LayoutSource("painted"))
    session.regions.move(item.number, Region(180, 110, 360, 290))
    assert item.size == item.layout.shape == (290, 360)
    assert (item.layout[10:20, 70:80] == 1).all() and item.cells == 1
    assert item.layout_source == LayoutSource("painted") and item.layout_origin == "painted"
    session.regions.move(item.number, Region(180, 110, 500, 500))
    assert item.layout.shape == (500, 500) and np.count_nonzero(item.layout) == 100


def test_a_layout_moves_with_its_region(session) -> None:
    item = drawn(session, 200, 100, 400, 300)
    labels = np.zeros((300, 400), np.int32)
    labels[20:30, 50:60] = 1
    session.layouts.set(item.number, labels, "painted")
    session.regions.move(item.number, Region(900.2, 700, 400, 300))
    assert item.region == Region(900, 700, 400, 300)
    np.testing.assert_array_equal(item.layout, labels)


def test_a_resize_that_leaves_no_cell_inside_gives_an_empty_layout(session) -> None:
    item = drawn(session, 200, 100, 400, 300)
    labels = np.zeros((300, 400), np.int32)
    labels[20:30, 50:60] = 1
    session.layouts.set(item.number, labels, "painted")
    session.regions.move(item.number, Region(900, 700, 300, 400))
    session.wait(20)
    assert not item.layout.any() and item.layout.shape == (400, 300)
    assert session.generator.why_not() == "The layout has no cells: paint some"


def test_another_model_keeps_large_regions_and_enlarges_small_ones(
    session, client, pretend_installed
) -> None:
    pretend_installed()
    large, small = drawn(session, 100, 100, 1200, 1100), drawn(session, 600, 600, 300, 256)
    labels = np.ones((1100, 1200), np.int32)
    session.layouts.set(large.number, labels, "painted")
    session.settings.use_family("pixcell-1024")
    session.wait(20)
    assert large.region == Region(100, 100, 1200, 1100) and large.layout is labels
    assert large.embedding.shape[:2] == (5, 5)
    assert small.region == Region(238, 216, 1024, 1024)
    assert small.embedding.shape[0] == 16
    session.regions.move(small.number, Region(258, 226, 1024, 1024))
    session.settings.use_family("demo")
    session.wait(20)
    assert small.region == Region(620, 610, 300, 256)  # as drawn, where it was moved to
    assert large.region == Region(100, 100, 1200, 1100)


def test_a_region_of_a_large_tile_stays_for_a_model_with_small_tiles(
    session, pretend_installed
) -> None:
    pretend_installed()
    session.settings.use_family("pixcell-1024")
    item = session.regions.add((700, 700))
    session.settings.use_family("demo")
    session.wait(20)
    assert item.size == (1024, 1024) and item.embedding.shape[:2] == (4, 4)


def test_layouts_have_the_size_of_the_region(session, tmp_path: Path) -> None:
    item = drawn(session, 200, 100, 384, 300)
    session.layouts.new()
    assert item.layout.shape == (300, 384)
    session.segmentation.segment()
    session.wait(60)
    assert item.layout.shape == (300, 384) and item.cells > 10
    labels = np.zeros((300, 384), np.uint16)
    labels[5:9, 5:9] = 4
    imwrite(tmp_path / "own.tif", labels)
    imwrite(tmp_path / "tile.tif", labels[:256, :256])
    session.layout_files.read(tmp_path / "own.tif")
    session.wait(20)
    np.testing.assert_array_equal(item.layout > 0, labels > 0)
    session.layout_files.read(tmp_path / "tile.tif")
    session.wait(20)
    assert "needs 384 × 300 px" in session.notices.problems["layout"]


def test_cells_of_a_region_resized_meanwhile_are_refused(session, client, tmp_path) -> None:
    item = drawn(session, 200, 100, 384, 300)
    (tmp_path / "mine").touch()
    session.settings.segment_model = str(tmp_path / "mine")
    session.settings.segment_method = "cellpose"
    session.segmentation.segment()
    session.wait(20, until=lambda: bool(client.segmenting))
    session.regions.move(item.number, Region(200, 100, 500, 300))
    _, tell = client.segmenting[0]
    tell(SegmentedLayout(np.ones((300, 384), np.int32), LayoutSource("cellpose")))
    tell(Finished())
    session.wait(20)
    assert item.layout is None
    assert session.notices.problems["layout"] == (
        "The region was resized during the segmentation. Press “Segment nuclei” again."
    )


def test_a_region_too_large_to_segment_is_reported(session, monkeypatch) -> None:
    monkeypatch.setattr(segmentation, "LARGEST_SEARCH", 512**2)
    drawn(session, 200, 100, 600, 500)
    session.segmentation.segment()
    assert session.notices.problems["layout"] == (
        "The region is larger than 512 × 512 px, the most that is segmented at once. Choose a "
        "smaller region, or import a mask."
    )
    assert not session.busy


def test_cells_of_a_large_layout_are_counted_in_a_thread(session, monkeypatch) -> None:
    monkeypatch.setattr(layouts, "COUNTED_AT_ONCE", 1000)
    item = drawn(session, 200, 100, 600, 500)
    labels = np.zeros((500, 600), np.int32)
    session.layouts.set(item.number, labels, "painted")
    assert item.layout_text == "Counting the cells…"
    session.wait(20)
    assert item.cells == 0 and item.layout_text == "No cells yet"
    labels[5:9, 5:9], labels[50:60, 5:9] = 3, 7
    session.layouts.edited(item.number)
    assert not session.generator.why_not()
    session.wait(20)
    assert item.cells == 2 and item.layout_text.startswith("2 cells")


def test_regions_need_only_a_slide_the_settings_and_the_notices() -> None:
    slide = SimpleNamespace(shape=(1500, 1500), mpp=0.5)
    slides = SimpleNamespace(key="case 7", current=slide, ready=True)
    notices = Notices()
    regions = Regions(slides, SimpleNamespace(model=DEMO, family=DEMO.name), notices)
    signals: list[str] = []
    for name in ("added", "moved", "removed", "restored"):
        getattr(regions, name).connect(lambda name=name: signals.append(name), max_args=0)
    first, second = regions.add((400, 400)), regions.add((800, 800))
    assert regions.current == [first, second] and regions.active is second
    regions.move(second.number, Region(600, 600, 256, 256))
    regions.remove(second.number)
    assert regions.active is first and notices.notes["region"] == "Region 2 was removed."
    regions.undo_remove()
    assert regions.active is second and second.region == Region(600, 600, 256, 256)
    assert signals == ["added", "added", "moved", "removed", "restored"]
    regions.remove(first.number, second.number)
    assert regions.current == [] and notices.notes["region"] == "2 regions were removed."
    regions.undo_remove()
    assert regions.current == [first, second] and regions.active is second
    slides.key, slides.current = "", None
    assert regions.add((0, 0)) is None and regions.current == []
    assert notices.problems["region"] == "No slide is open. Open one first."
