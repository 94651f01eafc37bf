"""A session with a scripted worker: no Qt, no torch, no display."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import tissue
from PIL import Image
from scripted import ScriptedClient
from settling import settled
from tifffile import imread, imwrite

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.events import Failure, Finished, Preview, Progress, SegmentedLayout
from napari_pixcell.slides import ArraySlide, Region, Slide, open_slide
from napari_pixcell.studio.regions.item import NO_STYLE
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.choice import StyleChoice


@pytest.fixture
def picture() -> np.ndarray:
    return tissue(800)


def added(session: Session, centre: tuple[float, float] = (400, 400)) -> Any:
    item = session.regions.add(centre)
    session.wait(20)
    assert item is not None
    return item


def test_an_added_region_is_one_tile_about_the_point_and_is_embedded(session: Session) -> None:
    item = added(session)
    assert item.region == Region(272, 272, 256, 256)
    assert session.regions.active is item
    assert item.embedding is not None
    assert session.styles.source_region() is item


def test_a_region_at_the_edge_is_moved_inside(session: Session) -> None:
    assert added(session, (0, 799)).region == Region(0, 544, 256, 256)


def test_the_pixel_size_decides_the_size_of_a_tile(session: Session) -> None:
    session.slides.set(ArraySlide([tissue(800)], 0.25, "40x"))
    assert added(session).region.width == 512
    assert session.regions.active is not None and session.regions.active.pixels.shape == (
        256,
        256,
        3,
    )


def test_a_slide_smaller_than_a_tile_is_reported(session: Session) -> None:
    session.slides.set(ArraySlide([tissue(200)], 0.5, "crop"))
    assert session.regions.add((100, 100)) is None
    assert "smaller than one tile of 128 × 128 µm" in session.notices.problems["region"]


def test_a_moved_region_is_embedded_again(session: Session, client: ScriptedClient) -> None:
    item = added(session)
    session.regions.move(item.number, Region(10.4, 20.2, 256, 256))
    assert item.embedding is None
    session.wait(20)
    assert item.region == Region(10, 20, 256, 256)
    assert item.embedding is not None
    assert len(client.requests) == 2


def test_missing_inputs_of_a_generation_are_named(session: Session) -> None:
    assert session.generator.why_not() == "Add a region first"
    item = added(session)
    assert session.generator.why_not() == ""
    session.layouts.new()
    assert session.generator.why_not() == "The layout has no cells: paint some"
    item.layout[10:20, 10:20] = 1
    session.layouts.edited(item.number)
    assert session.generator.why_not() == ""
    session.slides.set(ArraySlide([tissue(800)], None, "no size"))
    assert session.generator.why_not() == "Set the pixel size first"
    session.slides.set(None)
    assert session.generator.why_not() == "Open a slide first"


def test_a_failed_embedding_is_reported_in_the_style_section(
    session: Session, client: ScriptedClient
) -> None:
    client.embedding_failure = "The worker process ended unexpectedly; generate again."
    item = session.regions.add((400, 400))
    session.wait(20)
    assert session.notices.problems["style"] == client.embedding_failure
    assert session.generator.why_not() == "No style yet: embed it"
    client.embedding_failure = ""
    session.embeddings.embed(item.number)
    session.wait(20)
    assert "style" not in session.notices.problems
    assert session.generator.why_not() == ""


def test_segmented_nuclei_become_an_editable_layout(session: Session) -> None:
    item = added(session)
    session.segmentation.segment()
    session.wait(60)
    assert item.cells > 5
    assert item.layout.shape == (256, 256)
    assert "cells" in item.layout_text


def test_a_region_without_nuclei_is_reported(session: Session) -> None:
    session.slides.set(ArraySlide([np.full((400, 400, 3), 245, np.uint8)], 0.5, "empty"))
    added(session, (200, 200))
    session.segmentation.segment()
    session.wait(60)
    assert session.notices.problems["layout"].startswith("No nuclei were found")


def test_an_imported_mask_of_another_size_is_refused(session: Session, tmp_path: Path) -> None:
    added(session)
    imwrite(tmp_path / "m.tif", np.ones((10, 10), np.uint16))
    session.layout_files.read(tmp_path / "m.tif")
    session.wait(20)
    assert "10 × 10" in session.notices.problems["layout"]
    assert session.regions.active is not None and session.regions.active.layout is None


def test_variants_belong_to_the_region_they_were_queued_for(
    session: Session, client: ScriptedClient
) -> None:
    first = added(session)
    session.generator.generate()
    second = added_while_busy(session)
    session.regions.move(first.number, Region(0, 0, 256, 256))
    settled(session)
    client.play()
    session.wait(20)
    assert session.regions.active is second
    assert [r.seed for r in session.gallery.results] == [1234, 1235, 1236, 1237]
    for result in session.gallery.results:
        assert result.target.number == first.number
        assert result.target.region == Region(272, 272, 256, 256)
        assert result.record.request.source.region == (272, 272, 256, 256)


def added_while_busy(session: Session) -> Any:
    item = session.regions.add((200, 600))
    settled(session)
    return item


def test_painting_after_queueing_does_not_change_the_request(
    session: Session, client: ScriptedClient
) -> None:
    item = added(session)
    session.layouts.set(item.number, np.zeros((256, 256), np.int32))
    item.layout[5:15, 5:15] = 3
    session.layouts.edited(item.number)
    session.generator.generate()
    item.layout[:] = 9
    settled(session)
    layout = client.requests[-1].layout.unpack()
    assert layout.dtype == np.uint16
    assert np.unique(layout).tolist() == [0, 3]


def test_the_first_variant_is_shown_and_a_click_shows_another(
    session: Session, client: ScriptedClient
) -> None:
    item = added(session)
    session.generator.generate()
    settled(session)
    client.play()
    session.wait(20)
    results = session.gallery.results
    assert [r.shown for r in results] == [True, False, False, False]
    session.gallery.show(results[2])
    assert [r.shown for r in results] == [False, False, True, False]
    session.gallery.show_none(item.number)
    assert not any(r.shown for r in results)


def test_cancel_stops_only_the_running_job_and_keeps_its_variants(
    session: Session, client: ScriptedClient
) -> None:
    added(session)
    session.generator.generate()
    session.generator.generate()
    settled(session)
    client.play(variants=1)
    settled(session)
    session.cancel()
    settled(session)
    client.waiting.pop(0)
    assert len(session.gallery.results) == 1
    assert len(session.queue.jobs) == 1
    assert not session.notices.problems
    client.play()
    session.wait(20)
    assert len(session.gallery.results) == 5


def test_a_failure_is_shown_in_its_section_and_the_next_request_works(
    session: Session, client: ScriptedClient
) -> None:
    added(session)
    session.generator.generate()
    settled(session)
    client.waiting.pop(0)[1](Failure("The result is not a picture; lower the guidance."))
    session.wait(20)
    assert session.notices.problems["generate"].startswith("The result is not a picture")
    session.generator.generate()
    assert "generate" not in session.notices.problems
    settled(session)
    client.play()
    session.wait(20)
    assert len(session.gallery.results) == 4


def test_previews_are_shown_until_the_variant_is_finished(
    session: Session, client: ScriptedClient
) -> None:
    seen: list[bool] = []
    session.queue.preview.connect(lambda target, image: seen.append(image is not None))
    added(session)
    session.generator.generate()
    settled(session)
    _, on_event = client.waiting[0]
    on_event(Preview(0, np.zeros((32, 32, 3), np.uint8)))
    settled(session)
    client.play()
    session.wait(20)
    assert seen[0] is True
    assert seen[-1] is False


def test_a_style_can_be_another_region_or_none(session: Session, client: ScriptedClient) -> None:
    first = added(session)
    second = added(session, (200, 200))
    session.styles.set(first.number)
    session.generator.generate()
    session.styles.set(NO_STYLE)
    session.generator.generate()
    settled(session)
    assert client.requests[-1].embedding == first.embedding
    client.play()
    settled(session)
    assert client.requests[-1].embedding is None
    session.styles.set(first.number)
    session.regions.remove(first.number)
    assert second.style == StyleChoice.of(second.number)


def test_exported_pairs_carry_the_name_that_the_user_chose(
    session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    item = added(session)
    labels = np.zeros((256, 256), np.int32)
    labels[20:40, 20:40] = 5
    session.layouts.set(item.number, labels)
    session.settings.count = 2
    session.generator.generate()
    settled(session)
    client.play()
    session.wait(20)
    session.exporter.name = "study A"
    session.exporter.write_pairs(tmp_path)
    session.wait(20)
    assert not session.notices.problems
    rows = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    np.testing.assert_array_equal(imread(tmp_path / rows[0]["mask"]), labels)
    assert "case 7" not in (tmp_path / "manifest.jsonl").read_text()
    assert "2 images and 2 masks" in session.notices.notes["export"]


def test_exports_have_a_neutral_name_until_the_user_enters_one(
    session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    added(session)
    session.settings.count = 1
    session.generator.generate()
    settled(session)
    client.play()
    session.wait(20)
    (result,) = session.gallery.results
    assert session.exporter.picture_name(result)[0] == "variant-seed1234.png"
    session.exporter.write_pairs(tmp_path)
    session.wait(20)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["variant-seed1234.png"]
    assert session.slides.current.short_name not in (tmp_path / "manifest.jsonl").read_text()


def test_a_failed_export_is_reported_and_keeps_the_variants(
    session: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    added(session)
    session.generator.generate()
    settled(session)
    client.play()
    session.wait(20)
    (tmp_path / "file").write_text("in the way")
    session.exporter.write_pairs(tmp_path / "file")
    session.wait(20)
    assert session.notices.problems["export"]
    assert "Traceback" not in session.notices.problems["export"]
    assert len(session.gallery.results) == 4
    assert not session.exporter.busy


def test_regions_return_with_their_slide(session: Session) -> None:
    item = added(session)
    own = session.slides.current
    session.slides.set(ArraySlide([tissue(800)], 0.5, "other"))
    assert session.regions.current == []
    session.slides.set(own)
    assert session.regions.current == [item]
    assert session.regions.active is item


def test_closing_ends_the_worker(client: ScriptedClient) -> None:
    session = Session(client)
    session.free_memory()
    session.wait(5, until=lambda: client.restarted)
    session.close()
    assert client.closed


def test_a_session_only_wires_its_parts(session: Session) -> None:
    public = {
        name
        for name, value in vars(Session).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }
    assert public == {"busy", "cancel", "close", "free_memory", "pump", "wait"}
    parts = [part for part in vars(session).values() if is_dataclass(part)]
    for part in parts:
        if part is not session.settings:  # its fields are values
            names = [field.name for field in fields(part) if field.init]
            assert all(getattr(part, name) is getattr(session, name) for name in names)
    assert len(parts) > 20


def test_the_studio_imports_neither_qt_nor_torch() -> None:
    code = (
        "import sys, napari_pixcell.studio.session; "
        "bad = [m for m in ('torch', 'diffusers', 'qtpy', 'napari', 'PyQt6') if m in sys.modules]; "
        "sys.exit(bool(bad))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- Cellpose ----------------------------------------------------------------------------------


@pytest.fixture
def searching(session: Session, client: ScriptedClient, tmp_path: Path) -> Any:
    """Give a region whose cells a worker is looking for, and who gets its events."""
    item = added(session)
    (tmp_path / "mine").touch()
    session.settings.segment_model = str(tmp_path / "mine")
    session.settings.segment_method = "cellpose"
    session.segmentation.segment()
    session.wait(20, until=lambda: bool(client.segmenting))
    return item, client.segmenting[0][1]


def cells(side: int = 256) -> SegmentedLayout:
    labels = np.zeros((side, side), np.int32)
    labels[3:20, 3:20] = 7
    return SegmentedLayout(labels, LayoutSource("cellpose", "mine", "ab", "terms"))


def test_cells_by_cellpose_become_the_layout_and_are_recorded(
    session: Session, client: ScriptedClient, searching: Any
) -> None:
    item, tell = searching
    assert session.generator.why_not() == "Segmenting nuclei…"
    tell(Progress(1, 4, "Tile 2 of 4"))
    settled(session)
    assert item.layout_job.sentence().startswith("Tile 2 of 4")
    tell(cells())
    tell(Finished())
    session.wait(20)
    assert item.cells == 1 and item.layout_origin == "segmented by Cellpose"
    session.generator.generate()
    settled(session)
    request, _ = client.waiting[0]
    assert request.source.layout == LayoutSource("cellpose", "mine", "ab", "terms")
    item.layout[50:60, 50:60] = 8
    session.layouts.edited(item.number)
    assert item.layout_source.edited


def test_the_origin_of_a_layout_tells_that_the_region_was_moved(
    session: Session, searching: Any
) -> None:
    item, tell = searching
    session.regions.move(item.number, Region(0, 0, 256, 256))
    tell(cells())
    tell(Finished())
    session.wait(20)
    assert item.layout_origin == "segmented by Cellpose before the region was moved"
    session.regions.move(item.number, Region(90, 0, 256, 256))
    assert item.layout_origin.count("moved") == 1


def test_cells_for_another_tile_size_are_kept_for_its_model(
    session: Session, searching: Any, pretend_installed: Any
) -> None:
    item, tell = searching
    pretend_installed()
    session.slides.set(ArraySlide([tissue(1500)], 0.5, "case 7"), "case 7")
    session.settings.use_family("pixcell-1024")
    item.family = "pixcell-1024"
    tell(cells())
    tell(Finished())
    session.wait(20, until=lambda: item.layout_job is None)
    assert item.layout is None
    assert item.shelved[(256, 256)].labels.shape == (256, 256)


def test_cells_of_a_removed_region_are_discarded(session: Session, searching: Any) -> None:
    item, tell = searching
    session.regions.remove(item.number)
    tell(cells())
    settled(session)
    assert session.regions.active is None and not session.notices.problems


def test_a_segmentation_cancelled_in_time_is_never_sent(
    session: Session, client: ScriptedClient, tmp_path: Path, monkeypatch: Any
) -> None:
    item = added(session)
    read, gate = session.slides.current.read, threading.Event()

    def slow(*arguments: Any) -> Any:
        assert gate.wait(20)
        return read(*arguments)

    monkeypatch.setattr(session.slides.current, "read", slow)
    (tmp_path / "mine").touch()
    session.settings.segment_model = str(tmp_path / "mine")
    session.settings.segment_method = "cellpose"
    session.segmentation.segment()
    session.cancel()
    assert item.layout_job.sentence() == "Cancelling…"
    gate.set()
    session.wait(20)
    assert not client.segmenting and item.layout_job is None and not session.notices.problems


def test_a_segmentation_without_cells_is_reported_and_keeps_the_layout(
    session: Session, searching: Any
) -> None:
    item, tell = searching
    tell(SegmentedLayout(np.zeros((256, 256), np.int32), LayoutSource("cellpose")))
    tell(Finished())
    session.wait(20)
    assert item.layout is None and session.notices.problems["layout"].startswith(
        "No nuclei were found"
    )


def test_a_diameter_out_of_range_is_reported_and_nothing_starts(
    session: Session, client: ScriptedClient
) -> None:
    added(session)
    session.settings.segment_method = "cellpose"
    session.settings.cell_diameter = 1000
    session.segmentation.segment()
    assert "cell diameter is 1000 µm" in session.segmentation.problem
    assert not session.busy and not client.segmenting


def test_a_slide_is_opened_in_the_background(session, tmp_path) -> None:
    path = tmp_path / "case 8.png"
    pixels = np.random.default_rng(1).integers(0, 255, (700, 900, 3), np.uint8)
    Image.fromarray(pixels).save(path, dpi=(50_800, 50_800))
    threads: list[str] = []
    failures: list[str] = []

    def work() -> Slide:
        threads.append(threading.current_thread().name)
        return open_slide(path)

    session.background.compute(work, session.slides.set, failures.append)
    assert session.slides.current.name == "case 7"  # the caller does not wait
    session.wait(20, until=lambda: not session.background.busy)
    assert session.slides.current.name == "case 8.png" and failures == []
    assert threads[0].startswith("pixcell-compute")
    item = session.regions.add((450, 350))
    session.wait(20)
    assert item is not None and item.embedding is not None
    path.write_bytes(path.read_bytes()[:2000])
    session.background.compute(work, session.slides.set, failures.append)
    session.wait(20, until=lambda: not session.background.busy)
    assert failures == [
        "“case 8.png” is damaged or cut short and cannot be read in full. Copy it again from its "
        "source."
    ]
