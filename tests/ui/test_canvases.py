"""Regions of any size in a real napari window."""

from __future__ import annotations

import sys

import napari
import numpy as np
import pytest
import tifffile
from mouse import drag
from qtpy.QtCore import Qt
from scripted import preview

from napari_pixcell.engine.events import Failure, Finished, Preview, Progress, Variant
from napari_pixcell.engine.presets import PUBLISHED
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.models.catalogue import DEMO_FOLDER
from napari_pixcell.slides import ArraySlide, Region, resample
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.slides.stored_picture import create, finish
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.layers import variants as variant_layers
from napari_pixcell.ui.layers.slide import role
from napari_pixcell.ui.sections.region import DRAW
from napari_pixcell.ui.widgets import thinned

HEAVY = ("torch", "diffusers", "timm", "transformers", "cellpose")


def draw(studio, qtbot, top: float, left: float, bottom: float, right: float) -> None:
    """Draw a box in level-0 pixels on the Regions layer, as its tool does."""
    if studio.link.find("regions") is None:
        studio.session.regions.add((400, 400))
    layer, count = studio.link.find("regions"), len(studio.session.regions.current)
    mpp = studio.session.slides.current.mpp
    corners = (np.array([[top, left], [bottom, right]]) - 0.5) * mpp
    layer.add_rectangles(corners)
    qtbot.waitUntil(lambda: len(studio.session.regions.current) == count + 1, timeout=5_000)
    qtbot.waitUntil(lambda: not studio.session.background.busy, timeout=60_000)
    qtbot.wait(60)


def press(qtbot, studio, number: int) -> None:
    """Click the thumbnail of a variant."""
    strip = studio.results.strip
    qtbot.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=strip.centre_of(number))


def lies(layer, region: Region, mpp: float = 0.5) -> bool:
    """Whether a layer's pixels fill a region exactly."""
    height, width = layer.data.shape[:2]
    first = np.array(layer.data_to_world((-0.5, -0.5)))
    last = np.array(layer.data_to_world((height - 0.5, width - 0.5)))
    corner = (np.array([region.y, region.x]) - 0.5) * mpp
    size = np.array([region.height, region.width]) * mpp
    return bool(np.allclose(first, corner) and np.allclose(last - first, size))


def window(done: int, of: int = 200) -> Progress:
    return Progress(done, of, f"Window {done} of {of}")


@pytest.fixture
def canvas(ready, qtbot):
    """The studio with a region of 600 × 400 px."""
    draw(ready, qtbot, 300, 100, 700, 700)
    return ready


def test_a_region_shows_its_size_and_cost(ready, qtbot) -> None:
    section = ready.region
    qtbot.wait(60)
    assert section.state.text() == "The tissue of a region defines the style."
    click(section.add_button)
    qtbot.wait(60)
    assert section.list.item(0).text() == "Region 1 · 256 × 256 px · 128 µm"
    assert section.state.text() == "One tile. Drag a corner to enlarge it."
    draw(ready, qtbot, 300, 100, 700, 700)
    assert section.list.item(1).text() == "Region 2 · 600 × 400 px · 300 × 200 µm"
    assert section.state.text() == "Region 2: 6 tiles, generated as one image."
    assert ready.style_.state.text() == "✓ embedded (6 tiles)"
    assert not ready.style_.bar.isVisible()
    assert ready.footer.generate_button.text() == "or without a layout"
    assert not ready.footer.state.text()  # it belongs to the generation, which is not next yet
    ready.session.layouts.set(2, np.ones((400, 600), np.int32), "painted")
    qtbot.wait(60)
    assert ready.footer.generate_button.text() == "Generate 4 variants"
    assert ready.footer.state.text() == "600 × 400 px, 6 tiles"
    box = np.asarray(ready.link.find("regions").data[1])
    np.testing.assert_allclose(np.ptp(box, axis=0), (200, 300), atol=1e-4)


def test_cells_stay_in_place_when_their_box_is_enlarged(ready, qtbot, settle) -> None:
    click(ready.region.add_button)
    settle(ready)
    item, layer = ready.session.regions.active, ready.link.find("regions")
    labels = np.zeros((256, 256), np.int32)
    labels[10:20, 30:40] = 1
    ready.session.layouts.set(item.number, labels, "painted")
    corners = np.array(layer.data[0])
    corners[:, 0] = np.where(corners[:, 0] == corners[:, 0].min(), 100, corners[:, 0])
    corners[:, 1] = np.where(corners[:, 1] == corners[:, 1].max(), 300, corners[:, 1])
    layer.data = [corners]
    qtbot.waitUntil(lambda: item.size != (256, 256), timeout=5_000)
    qtbot.waitUntil(lambda: item.embedding is not None, timeout=20_000)
    cells = ready.link.find("layout", item.number)
    assert lies(cells, item.region) and cells.data.shape == item.size
    moved = 272 - item.region.y  # Region 1 began at (272, 272)
    assert (cells.data[int(moved) + 10 : int(moved) + 20, 30:40] == 1).all()
    assert np.count_nonzero(cells.data) == 100


def test_previews_variants_and_layouts_lie_over_a_region_of_any_shape(
    canvas, viewer, client, qtbot, settle
) -> None:
    item = canvas.session.regions.active
    click(canvas.layout_.segmentation.segment_button)
    settle(canvas)
    assert lies(canvas.link.find("layout", item.number), item.region)
    click(canvas.footer.generate_button)
    settle(canvas)
    request, tell = client.waiting[0]
    for value in (10, 20):
        tell(Preview(0, preview(request, value)))
        settle(canvas)
        layer = canvas.link.find("preview")
        assert layer.data.shape == (50, 75, 3) and layer.data.max() == value
        assert lies(layer, item.region)
    client.play()
    settle(canvas)
    canvas.session.gallery.star(canvas.session.gallery.results[1:3])
    variants = [layer for layer in viewer.layers if role(layer) in ("variant", "preview")]
    assert len(variants) == 3 and not any(layer.multiscale for layer in variants)
    assert all(layer.data.shape == (400, 600, 3) for layer in variants)
    assert all(lies(layer, item.region) for layer in variants)


def test_a_large_variant_is_shown_as_a_pyramid(
    canvas, viewer, client, qtbot, settle, monkeypatch
) -> None:
    monkeypatch.setattr(variant_layers, "PLAIN", 500)
    monkeypatch.setattr(resample, "COARSEST", 200)
    canvas.generate.count.setValue(2)
    click(canvas.footer.generate_button)
    settle(canvas)
    client.play()
    settle(canvas)
    layer = canvas.link.find("preview")
    assert layer.multiscale and layer.visible and layer.metadata["result"] == 1
    assert [level.shape for level in layer.data] == [(400, 600, 3), (200, 300, 3), (100, 150, 3)]
    assert lies(layer, canvas.session.regions.active.region)
    press(qtbot, canvas, 2)
    settle(canvas)
    layer = canvas.link.find("preview")  # a new layer, since napari cannot replace a pyramid
    assert layer.multiscale and layer.visible and layer.metadata["result"] == 2
    canvas.session.gallery.star(canvas.session.gallery.results)
    settle(canvas)
    layer = canvas.link.find("variant", 2)
    assert layer.multiscale and layer.name == "Synthetic · Region 2 · seed 1235"
    assert canvas.link.find("variant", 1) is None  # its pyramid is built when it is shown
    viewer.layers.remove(layer)
    press(qtbot, canvas, 1)
    settle(canvas)
    assert canvas.link.find("variant", 1).visible
    assert [result.starred for result in canvas.session.gallery.results] == [True, False]


def test_a_variant_on_disk_is_shown_as_a_pyramid_and_deleted_with_its_result(
    canvas, client, qtbot, settle, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(resample, "COARSEST", 200)
    canvas.generate.count.setValue(1)
    click(canvas.footer.generate_button)
    settle(canvas)
    request, tell = client.waiting.pop()
    pixels = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    create(tmp_path / "new.zarr", request.size)[:] = pixels
    stored = finish(tmp_path / "new.zarr")
    tell(Preview(0, preview(request)))
    tell(Variant(0, stored, Record(request, sha256=pixels_sha256(stored))))
    tell(Finished())
    settle(canvas)
    (result,) = canvas.session.gallery.results
    layer = canvas.link.find("preview")
    assert layer.visible and layer.multiscale and len(layer.data) == 3
    np.testing.assert_array_equal(np.asarray(layer.data[0]), pixels)
    assert lies(layer, canvas.session.regions.active.region)
    assert not canvas.results.strip.model_.cells[-1].picture.isNull()
    canvas.session.exporter.write_pairs(tmp_path / "out")
    canvas.session.gallery.discard(result)  # and yet the export is whole
    settle(canvas)
    (exported,) = (tmp_path / "out" / "images").iterdir()
    np.testing.assert_array_equal(tifffile.imread(exported), pixels)
    assert not layer.visible and stored.folder.exists()  # as long as it can be brought back
    assert canvas.results.note.text() == "1 variant was discarded."
    click(canvas.results.action)
    assert canvas.session.gallery.results == [result]
    canvas.session.gallery.discard(result)
    canvas.session.close()
    qtbot.waitUntil(lambda: not stored.folder.exists(), timeout=5_000)


def test_the_thumbnail_of_a_large_image_samples_few_of_its_pixels() -> None:
    assert thinned(np.zeros((9000, 20_000))).shape[1] < 1024
    assert thinned(np.zeros((300, 400))).shape == (300, 400)


def test_a_speed_preset_sets_its_steps_and_enters_the_request(ready, client, qtbot, settle) -> None:
    click(ready.region.add_button)
    settle(ready)
    section, speed = ready.generate, ready.generate.speed
    assert [speed.itemText(i) for i in range(speed.count())] == [
        "Exact",
        "Balanced",
        "Quick",
        "As published",
    ]
    tips = [speed.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(speed.count())]
    assert tips == [
        "Every step in full.",
        "Nearly the same image in half the time.",
        "A third of the time, for drafts. Details differ.",
        PUBLISHED.text,
    ]
    for index, name, steps in ((1, "balanced", 10), (2, "quick", 8)):
        speed.setCurrentIndex(index)
        speed.activated.emit(index)
        qtbot.wait(60)
        assert section.steps.value() == steps and speed.toolTip() == tips[index]
        click(ready.footer.generate_button)
        settle(ready)
        assert (client.waiting[-1][0].preset, client.waiting[-1][0].steps) == (name, steps)
        client.play()
        settle(ready)
    strip = ready.results.strip.model_
    tip = strip.data(strip.index(strip.row_of(1)), Qt.ItemDataRole.ToolTipRole)
    assert "10 steps, guidance 2, balanced" in tip and "8 steps" not in tip
    ready.session.settings.use(ready.session.gallery.results[0].record.request)
    qtbot.wait(60)
    assert speed.currentText() == "Balanced" and section.steps.value() == 10


def test_colours_enter_the_request_and_follow_family_and_preset(
    ready, client, qtbot, settle
) -> None:
    click(ready.region.add_button)
    settle(ready)
    session, section = ready.session, ready.generate
    colours = section.colours
    assert [colours.itemText(i) for i in range(colours.count())] == ["Off", "Gentle", "Full"]
    assert colours.isVisible() and colours.currentData() == "full"
    colours.setCurrentIndex(1)
    qtbot.wait(60)
    assert session.settings.colour_match == "gentle"
    assert colours.toolTip().startswith("Move the mean colour")
    click(ready.footer.generate_button)
    settle(ready)
    assert client.waiting[-1][0].colour_match.how == "gentle"
    session.settings.colour_match = ""
    session.settings.use_preset(PUBLISHED.name)
    session.notices.changed.emit()
    qtbot.wait(60)
    assert colours.currentData() == "off"
    session.settings.family = "demo-ki67"
    session.notices.changed.emit()
    qtbot.wait(60)
    assert colours.isVisible() and not colours.isEnabled()
    assert colours.toolTip().startswith("A virtual stain has colours of its own\n")


def test_progress_counts_windows(canvas, client, qtbot, settle) -> None:
    canvas.generate.count.setValue(1)
    click(canvas.footer.generate_button)
    settle(canvas)
    client.waiting[0][1](window(120))
    settle(canvas)
    section = canvas.footer
    assert section.state.text().startswith("Region 2: 1 of 1 · window 120 of 200")
    assert section.bar.value() / section.bar.maximum() == 0.6


def test_a_stopped_canvas_can_be_resumed(canvas, client, qtbot, settle) -> None:
    section = canvas.footer
    canvas.generate.count.setValue(1)
    click(section.generate_button)
    settle(canvas)
    request, tell = client.waiting[0]
    tell(window(86))
    settle(canvas)
    click(section.cancel_button)
    settle(canvas)
    assert section.note.text() == (
        "Stopped at 43 %. Generate again with the same settings to resume."
    )
    assert section.action.text() == "Resume" and section.action.isVisible()
    canvas.generate.seed.setValue(5)
    client.waiting.clear()
    click(section.action)
    settle(canvas)
    assert client.waiting[0][0] == request
    assert not section.note.isVisible() and not section.action.isVisible()
    failure = "The worker process ended unexpectedly (code 1); generate again."
    client.waiting[0][1](window(100))
    client.waiting[0][1](Failure(failure))
    settle(canvas)
    assert section.problem.text() == failure and section.note.text().startswith("Stopped at 50 %")
    assert section.action.text() == "Resume" and section.action.isVisible()


def test_a_refused_canvas_is_reported_in_its_section(canvas, client, qtbot, settle) -> None:
    click(canvas.footer.generate_button)
    settle(canvas)
    message = "An image of this size needs 9.1 GB on disk. Choose a smaller one."
    client.waiting[0][1](Failure(message))
    settle(canvas)
    assert canvas.footer.problem.text() == message
    assert canvas.footer.action.text() == "Retry" and not canvas.footer.note.isVisible()


def test_a_note_without_an_action_has_no_button(ready, qtbot, settle) -> None:
    click(ready.region.add_button)
    settle(ready)
    ready.session.embeddings.clear_cache()
    settle(ready)
    style = ready.style_
    assert style.note.isVisible() and not style.action.isVisible()
    assert not style.state.text()
    click(style.messages.dismiss)
    settle(ready)
    assert not style.note.isVisible() and style.state.text() == "✓ embedded (1 tile)"


def test_a_long_embedding_shows_its_progress_and_can_be_cancelled(
    studio, client, qtbot, settle, monkeypatch
) -> None:
    told = []

    def submit(request, on_event, previews=True):
        told.append(on_event)
        return type("Handle", (), {"cancel": lambda _: on_event(Finished(cancelled=True))})()

    monkeypatch.setattr(client, "submit", submit)
    studio.link.add_slide(ArraySlide([np.zeros((2000, 2000, 3), np.uint8)], 0.5, "large"))
    studio.session.regions.draw(Region(0, 0, 1600, 1600))
    settle(studio)
    told[0](Progress(16, 49, "Embedding"))
    settle(studio)
    section = studio.style_
    assert section.state.text() == "Embedding… 16 of 49 tiles"
    assert section.bar.isVisible() and (section.bar.value(), section.bar.maximum()) == (16, 49)
    click(section.cancel_button)
    settle(studio)
    assert section.state.text() == "Not embedded" and section.embed_button.isVisible()
    assert not section.bar.isVisible() and not section.problem.isVisible()


def test_the_dock_keeps_its_width(canvas, qtbot) -> None:
    qtbot.wait(60)
    inner = canvas.tabs.page(0).widget()
    assert inner.minimumSizeHint().width() <= canvas.minimumWidth()


@pytest.mark.skipif(
    not (DEMO_FOLDER / "transformer").exists(), reason="the demo weights are not there yet"
)
@pytest.mark.usefixtures("one_worker")
def test_the_real_worker_generates_a_region_of_odd_sides(viewer: napari.Viewer, qtbot) -> None:
    before = {name for name in HEAVY if name in sys.modules}
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session = studio.session
    studio.actions.open(SAMPLE_SLIDE)
    qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
    draw(studio, qtbot, 400, 500, 700, 884)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    item = session.regions.active
    assert item.size == (300, 384) and not session.notices.problems
    click(studio.layout_.segmentation.segment_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=120_000)
    assert item.cells > 0
    previews = []
    session.queue.preview.connect(lambda _target, image: previews.append(image))
    studio.generate.count.setValue(1)
    studio.generate.speed.setCurrentIndex(2)
    studio.generate.speed.activated.emit(2)
    studio.generate.steps.setValue(3)

    # Stopped on its way, and made to its end.
    click(studio.footer.generate_button)
    qtbot.waitUntil(
        lambda: session.queue.current is None or session.queue.current.done > 2, timeout=300_000
    )
    click(studio.footer.cancel_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=60_000)
    assert not session.gallery.results
    qtbot.wait(60)
    assert studio.footer.note.text().startswith("Stopped at ")
    click(studio.footer.action)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.notices.problems
    (result,) = session.gallery.results
    assert result.image.shape == (300, 384, 3)
    assert all(image.shape == (38, 48, 3) for image in previews if image is not None)
    layer = studio.link.find("preview")
    assert layer.visible and np.array_equal(layer.data, result.image)
    assert lies(layer, item.region) and lies(studio.link.find("layout", item.number), item.region)
    request = result.record.request
    assert (request.size, request.preset, request.steps) == ((300, 384), "quick", 3)
    assert request.layout is not None and request.layout.shape == (300, 384)
    assert {name for name in HEAVY if name in sys.modules} == before
    studio.close_session()


def test_going_to_a_region_fits_it_into_the_view(canvas, viewer, qtbot) -> None:
    camera, layer = viewer.scene.camera, canvas.link.slide_layer
    camera.zoom *= 3
    qtbot.wait(60)
    canvas.link.go_to(canvas.session.regions.active.region)
    qtbot.wait(60)
    (top, left), (bottom, right) = layer.corner_pixels
    assert left <= 100 and right >= 699 and top <= 300 and bottom >= 699


def test_a_box_is_drawn_resized_and_moved_with_the_mouse(ready, qtbot, settle) -> None:
    session = ready.session
    qtbot.wait(60)
    click(ready.region.draw_button)
    layer = ready.link.find("regions")
    assert ready.viewer.layers.selection.active is layer and layer.mode == "add_rectangle"
    settle(ready)
    assert ready.region.messages.state.text() == DRAW
    drag(layer, (49.75, 24.75), (120, 100), (249.75, 324.75))  # µm
    qtbot.waitUntil(lambda: len(session.regions.current) == 1, timeout=5_000)
    settle(ready)
    assert session.regions.active.region == Region(50, 100, 600, 400)
    assert ready.region.messages.state.text() != DRAW

    assert layer.mode == "select" and layer.selected_data == {0}
    drag(layer, (249.75, 324.75), (270, 330), (299.75, 349.75))  # its lower right corner
    qtbot.waitUntil(lambda: session.regions.active.size != (400, 600), timeout=5_000)
    settle(ready)
    assert session.regions.active.region == Region(50, 100, 650, 500)

    drag(layer, (150, 150), (160, 160), (170, 170))  # inside of it
    qtbot.waitUntil(lambda: session.regions.active.region.x != 50, timeout=5_000)
    qtbot.waitUntil(lambda: session.regions.active.embedding is not None, timeout=20_000)
    assert session.regions.active.region == Region(90, 140, 650, 500)
    assert session.regions.active.embedding.shape[:2] == (2, 3)
