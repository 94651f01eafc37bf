"""The dock in a real napari window."""

from __future__ import annotations

import json
from pathlib import Path

import napari
import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QLabel

from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.layers.slide import role
from napari_pixcell.ui.sections.region import DRAW
from napari_pixcell.ui.shell.preferences import open_preferences
from napari_pixcell.ui.viewers import camera_of, canvas_size
from napari_pixcell.words import file_size

LEFT = Qt.MouseButton.LeftButton


def tissue(side: int) -> np.ndarray:
    return np.full((side, side, 3), (240, 225, 235), np.uint8)


def click(qtbot, widget) -> None:
    assert widget.isEnabled(), widget.text()
    qtbot.mouseClick(widget, LEFT)


def press_thumbnail(qtbot, studio, number: int) -> None:
    """Click the thumbnail of a variant."""
    strip = studio.results.strip
    qtbot.mouseClick(strip.viewport(), LEFT, pos=strip.centre_of(number))


def names(viewer: napari.Viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def world_box(layer) -> tuple[np.ndarray, np.ndarray]:
    """Outer edges of a layer's pixels in the world."""
    height, width = layer.data.shape[:2]
    first = np.array(layer.data_to_world((-0.5, -0.5)))
    return first, np.array(layer.data_to_world((height - 0.5, width - 0.5)))


def test_only_the_way_to_begin_is_shown_before_a_slide_is_open(studio, qtbot) -> None:
    qtbot.wait(60)
    assert studio.welcome.isVisible() and studio.welcome.sample_button.isVisible()
    words = [label.text() for label in studio.welcome.findChildren(QLabel) if label.isVisible()]
    assert "Open a slide, or drop one here." in words
    assert studio.footer.guide_button.text() == "Open a slide…"
    assert studio.footer.guide_button.isEnabled()
    assert not studio.tabs.isVisible()
    assert not any(section.isVisible() for section in studio.sections)


def test_the_dock_comes_from_the_plugins_menu(viewer) -> None:
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    assert type(studio).__name__ == "PixCellStudio"
    assert studio.minimumWidth() >= 320
    studio.close_session()


def test_a_dock_from_the_menu_knows_which_layer_is_active(viewer, qtbot) -> None:
    """There napari passes a proxy, in which no layer is ever the same as another look at it."""
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session, brush = studio.session, studio.layout_.tools.buttons["paint"]
    studio.actions.open(SAMPLE_SLIDE)
    qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
    studio.region.draw()
    assert studio.link.boxes.drawing
    qtbot.waitUntil(lambda: studio.region.messages.state.text() == DRAW)
    studio.region.add_region()
    session.layouts.new()
    qtbot.waitUntil(lambda: studio.link.tools.layer is not None)
    studio.link.tools.choose("paint")
    assert studio.link.tools.working
    qtbot.waitUntil(brush.isChecked)
    assert viewer.layers.selection.active is studio.link.tools.layer
    studio.close_session()


def test_a_dropped_slide_shows_its_pixel_size(studio, cmu_slide, qtbot, viewer) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(cmu_slide))])
    action, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    studio.dropEvent(QDropEvent(QPointF(5, 5), action, data, LEFT, none))
    qtbot.waitUntil(lambda: studio.session.slides.ready, timeout=60_000)
    qtbot.wait(60)
    header = studio.header
    assert header.name.whole.startswith("CMU-1-Small-Region")
    assert header.mpp_button.text() == "0.499 µm/px ✎"
    name, size = header.name.toolTip().splitlines()
    assert name == header.name.whole
    assert size.startswith("1.1 × 1.5 mm · 0.499 µm/px")
    np.testing.assert_allclose(viewer.layers[0].scale, 0.499)


def test_an_unreadable_file_is_reported_by_name_until_it_is_put_away(
    studio, tmp_path, qtbot, settle
) -> None:
    path = tmp_path / "notes.svs"
    path.write_text("no slide")
    studio.actions.open(path)
    settle(studio)
    assert studio.footer.problem.isVisible()
    assert "notes.svs" in studio.footer.problem.text()
    click(qtbot, studio.footer.messages.dismiss)
    settle(studio)
    assert not studio.footer.problem.isVisible()
    assert not studio.footer.messages.dismiss.isVisible()


def test_an_unknown_pixel_size_is_asked_for_once(studio, tmp_path, qtbot, viewer, settle) -> None:
    from PIL import Image as Picture

    path = tmp_path / "photo.png"
    Picture.fromarray(tissue(600)).save(path)
    studio.actions.open(path)
    settle(studio)
    assert studio.header.asking.isVisible()
    assert studio.header.mpp_button.text() == "? µm/px ✎"
    assert studio.footer.guide_button.text() == "Set the pixel size"
    assert studio.footer.generate_button.text() == "Set the pixel size first"
    studio.header.mpp.setValue(0.4)
    click(qtbot, studio.header.set_button)
    settle(studio)
    assert studio.footer.guide_button.text() == "Add a region here"
    assert not studio.header.asking.isVisible()
    np.testing.assert_allclose(viewer.layers[0].scale, 0.4)
    assert open_slide(path).mpp == 0.4


def test_any_rgb_layer_is_a_slide_and_a_mask_is_not(studio, viewer, qtbot) -> None:
    viewer.add_labels(np.zeros((600, 600), int), name="mask")
    viewer.add_image(np.zeros((600, 600)), name="grey")
    assert studio.session.slides.current is None
    viewer.add_image(tissue(600), name="open already", scale=(0.5, 0.5), units=("um", "um"))
    assert studio.session.slides.current.name == "open already"
    assert studio.session.slides.current.mpp == pytest.approx(0.5)


def test_the_main_workflow(ready, viewer, client, qtbot, settle, tmp_path: Path, press) -> None:
    studio = ready
    qtbot.wait(60)
    assert studio.footer.generate_button.text() == "Add a region first"
    guide = studio.footer.guide_button
    assert guide.text() == "Add a region here"
    press(guide)
    assert studio.style_.state.text() == "✓ embedded (1 tile)"
    assert guide.text() == "Find the cells"
    press(guide)
    assert not guide.isVisible()
    assert "cells" in studio.layout_.state.text()
    assert studio.footer.generate_button.text() == "Generate 4 variants"
    press(studio.footer.generate_button)
    assert studio.footer.cancel_button.isVisible()
    client.play()
    settle(studio)
    assert not studio.footer.cancel_button.isVisible()
    assert names(viewer) == ["case 7", "Regions", "Layout · Region 1", "Synthetic preview"]
    studio.session.exporter.write_pairs(tmp_path)
    settle(studio)
    rows = (tmp_path / "manifest.jsonl").read_text().splitlines()
    assert all(json.loads(row)["mask"] for row in rows) and len(rows) == 4
    assert "4 images and 4 masks" in studio.export.note.text()
    studio.session.exporter.write_pairs(tmp_path)  # again: nothing is written twice
    settle(studio)
    assert "Wrote 0 images" in studio.export.note.text()
    assert studio.export.note.text().endswith("4 more were there already.")
    assert [len(list((tmp_path / name).iterdir())) for name in ("images", "masks")] == [4, 4]


def test_all_layers_align_with_the_region_in_um(ready, viewer, client, qtbot, settle) -> None:
    studio = ready
    studio.session.regions.add((300.2, 410.7))
    studio.session.layouts.new()
    studio.session.regions.active.layout[5:9, 5:9] = 1
    studio.session.layouts.edited(1)
    settle(studio)
    studio.session.generator.generate()
    settle(studio)
    client.play()
    settle(studio)
    region = studio.session.regions.active.region
    top_left = (np.array([region.y, region.x]) - 0.5) * 0.5
    for layer in viewer.layers:
        if role(layer) in ("layout", "preview"):
            first, last = world_box(layer)
            np.testing.assert_allclose(first, top_left)
            np.testing.assert_allclose(last - first, 128)
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    box = np.asarray(studio.link.find("regions").data[0])
    np.testing.assert_allclose(box.min(axis=0), top_left, atol=1e-4)
    np.testing.assert_allclose(box.max(axis=0), top_left + 128, atol=1e-4)


def test_variants_follow_a_translated_slide_layer(studio, viewer, client, qtbot, settle) -> None:
    viewer.add_image(
        tissue(600), name="moved", scale=(0.5, 0.5), translate=(1000, 50), units=("um", "um")
    )
    studio.session.regions.add((300, 300))
    settle(studio)
    studio.session.generator.generate()
    settle(studio)
    client.play()
    settle(studio)
    region = studio.session.regions.active.region
    first, _ = world_box(studio.link.find("preview"))
    expected = (np.array([region.y, region.x]) - 0.5) * 0.5 + (1000, 50)
    np.testing.assert_allclose(first, expected)


def test_a_dragged_region_snaps_and_is_embedded_again(ready, client, qtbot, settle, press) -> None:
    press(ready.region.add_button)
    layer = ready.link.find("regions")
    assert isinstance(layer, Shapes)
    moved = np.array(layer.data[0]) * 1.005 + (-30, 20)  # dragged, and pulled a little
    layer.data = [moved]
    qtbot.waitUntil(lambda: len(client.requests) == 2, timeout=20_000)
    settle(ready)
    region = ready.session.regions.active.region
    assert region.width == 256
    assert region.x == round(region.x)
    box = np.asarray(layer.data[0])
    np.testing.assert_allclose(np.ptp(box, axis=0), 128, atol=1e-4)
    assert ready.session.regions.active.embedding is not None


def test_drawing_and_deleting_rectangles_adds_and_removes_regions(
    ready, viewer, qtbot, settle, press
) -> None:
    press(ready.region.add_button)
    layer = ready.link.find("regions")
    layer.add_rectangles(np.array([[10, 10], [90, 160.1]]))
    qtbot.waitUntil(lambda: len(ready.session.regions.current) == 2, timeout=5000)
    settle(ready)
    assert layer.nshapes == 2
    assert ready.session.regions.active.region == Region(20, 0, 300, 256)
    np.testing.assert_allclose(np.ptp(np.asarray(layer.data[1]), axis=0), (128, 150), atol=1e-4)
    layer.selected_data = {0}
    assert ready.session.regions.active.name == "Region 1"
    layer.remove_selected()
    qtbot.waitUntil(lambda: len(ready.session.regions.current) == 1, timeout=5000)
    assert ready.session.regions.active.name == "Region 2"


def test_a_drawn_region_stays_in_view_when_the_results_take_room(ready, viewer, settle) -> None:
    height, _ = canvas_size(viewer)
    camera = camera_of(viewer)
    camera.center, camera.zoom = (200, 200), height / 256  # 72 to 328 µm of the slide are visible
    zoom = camera.zoom
    ready.session.regions.draw(Region(272, 146, 256, 256))  # from 73 µm on
    settle(ready)
    lower, _ = canvas_size(viewer)
    assert ready.results.isVisible() and lower < height
    assert camera.zoom == zoom
    assert camera.center[-2] - lower / zoom / 2 <= 73.5
    camera.center = (300, 300)  # the user moves on, and nothing comes back
    ready.session.regions.draw(Region(272, 146, 256, 256))
    settle(ready)
    assert tuple(camera.center[-2:]) == (300, 300)


def test_painting_creates_a_layout(ready, viewer, qtbot, press) -> None:
    press(ready.region.add_button)
    press(ready.layout_.tools.buttons["paint"])
    layer = viewer.layers.selection.active
    assert isinstance(layer, Labels)
    assert layer.mode == "paint"
    assert ready.footer.generate_button.text() == "The layout has no cells: paint some"
    layer.paint((100, 100), 1)
    qtbot.waitUntil(lambda: ready.session.regions.active.cells == 1, timeout=5000)
    qtbot.wait(60)
    assert ready.footer.generate_button.isEnabled()
    click(qtbot, ready.layout_.none_button)
    assert ready.link.find("layout", 1) is None


def test_deleting_layers_by_hand_updates_the_session(
    ready, viewer, client, qtbot, settle, press
) -> None:
    press(ready.region.add_button)
    click(qtbot, ready.layout_.tools.buttons["paint"])
    viewer.layers.remove("Layout · Region 1")
    assert ready.session.regions.active.layout is None
    settle(ready)
    press(ready.footer.generate_button)
    client.play()
    settle(ready)
    viewer.layers.remove("Synthetic preview")
    settle(ready)
    assert not any(result.shown for result in ready.session.gallery.results)
    press_thumbnail(qtbot, ready, 1)
    settle(ready)
    assert ready.link.find("preview").visible
    viewer.layers.remove("Regions")
    assert ready.session.regions.current == []


def test_a_thumbnail_shows_and_hides_its_variant(
    ready, viewer, client, qtbot, settle, press
) -> None:
    press(ready.region.add_button)
    press(ready.footer.generate_button)
    client.play()
    settle(ready)

    layer, results = ready.link.find("preview"), ready.session.gallery.results
    assert layer.visible and layer.data is results[0].image
    press_thumbnail(qtbot, ready, 3)
    assert layer.visible and layer.data is results[2].image
    assert [result.shown for result in results] == [False, False, True, False]
    assert [role(layer) for layer in viewer.layers].count("preview") == 1
    press_thumbnail(qtbot, ready, 3)
    assert not layer.visible and not any(result.shown for result in results)


def test_previews_and_variants_share_one_layer(ready, viewer, client, settle, press) -> None:
    from napari_pixcell.engine.events import Preview

    press(ready.region.add_button)
    press(ready.footer.generate_button)
    for value in (10, 20):
        client.waiting[0][1](Preview(0, np.full((32, 32, 3), value, np.uint8)))
        settle(ready)
        previews = [layer for layer in viewer.layers if role(layer) == "preview"]
        assert len(previews) == 1
        assert isinstance(previews[0], Image)
        assert previews[0].data.max() == value
    first, last = world_box(previews[0])
    np.testing.assert_allclose(last - first, 128)
    client.play()
    settle(ready)
    result = ready.session.gallery.results[0]
    (layer,) = [layer for layer in viewer.layers if role(layer)[:7] in ("preview", "variant")]
    assert layer is previews[0] and layer.name == "Synthetic preview"
    assert layer.interpolation2d == "nearest" and layer.metadata["result"] == result.number
    np.testing.assert_array_equal(layer.data, result.image)
    first, last = world_box(layer)
    np.testing.assert_allclose(last - first, 128)


def test_a_preview_goes_when_its_variant_is_cancelled(ready, viewer, client, settle, press) -> None:
    from napari_pixcell.engine.events import Failure, Preview

    press(ready.region.add_button)
    press(ready.footer.generate_button)
    client.waiting[0][1](Preview(0, np.zeros((32, 32, 3), np.uint8)))
    settle(ready)
    assert ready.link.find("preview").visible
    client.waiting[0][1](Failure("Cancelled."))
    settle(ready)
    assert not ready.link.find("preview").visible


def test_keys_add_generate_and_cancel(ready, viewer, client, qtbot, settle) -> None:
    for key in ("R", "G"):
        viewer.keymap[next(k for k in viewer.keymap if str(k) == key)](viewer)
        settle(ready)
    assert len(client.waiting) == 1
    viewer.keymap[next(k for k in viewer.keymap if str(k) == "Escape")](viewer)
    settle(ready)
    assert ready.session.queue.current is None
    assert not ready.session.notices.problems


def test_an_error_is_shown_in_its_section_with_one_remedy(ready, client, press) -> None:
    client.embedding_failure = "The worker process ended unexpectedly; try again."
    press(ready.region.add_button)
    assert ready.style_.problem.text() == client.embedding_failure
    assert ready.style_.action.text() == "Retry"
    client.embedding_failure = ""
    press(ready.style_.action)
    assert not ready.style_.problem.isVisible()
    assert ready.style_.state.text() == "✓ embedded (1 tile)"


def test_results_stay_on_their_slide_when_another_is_chosen(
    ready, viewer, client, settle, press
) -> None:
    press(ready.region.add_button)
    press(ready.footer.generate_button)
    ready.link.add_slide(ArraySlide([tissue(900)], 0.25, "another"))
    client.play()
    settle(ready)
    assert ready.session.slides.current.name == "another"
    place = ready.session.gallery.results[0].target
    assert place.mpp == 0.5
    assert place.region == Region(272, 272, 256, 256)
    viewer.layers.selection.active = viewer.layers["case 7"]
    settle(ready)
    assert ready.region.list.count() == 1


def test_closing_the_dock_ends_the_worker(viewer, client, qtbot) -> None:
    from napari_pixcell.ui.dock import PixCellStudio

    studio = PixCellStudio(viewer, client)
    dock = viewer.window.add_dock_widget(studio)
    qtbot.wait(50)
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: client.closed, timeout=5000)
    viewer.add_image(tissue(300))  # nothing of the dock listens any more
    assert studio.session.slides.current is None


def test_nothing_is_cut_off_at_the_smallest_width(ready, qtbot) -> None:
    qtbot.wait(60)
    inner = ready.tabs.page(0).widget()
    assert inner.minimumSizeHint().width() <= ready.minimumWidth()


def test_cached_embeddings_are_marked_and_can_be_cleared(ready, qtbot, settle, press) -> None:
    studio = ready
    preferences = open_preferences(studio.session, studio)
    qtbot.wait(60)
    clear = preferences.clear_button
    assert clear.isVisible() and not clear.isEnabled()
    assert clear.toolTip().startswith("The cache is empty\n")
    press(studio.region.add_button)
    assert studio.style_.state.text() == "✓ embedded (1 tile)"
    assert clear.isEnabled() and clear.text() == "Clear embedding cache"
    used = file_size(studio.session.embedder.cache.bytes)
    assert f"{used} of at most 200 MB" in preferences.cached.text() and used != "0 MB"
    studio.session.embeddings.embed(studio.session.regions.active.number)
    settle(studio)
    assert studio.style_.state.text() == "✓ embedded (1 tile, cached)"
    click(qtbot, clear)
    settle(studio)
    assert not clear.isEnabled() and "200 MB" in preferences.cached.text()
    assert studio.style_.note.text() == "The embedding cache was cleared. Saved styles stay."
    press(studio.style_.messages.dismiss)
    assert studio.style_.state.text() == "✓ embedded (1 tile)"
    preferences.close()
    studio.session.changed.emit()  # nothing of the dialog listens any more
    settle(studio)


def test_a_large_tile_has_sixteen_embeddings(studio, qtbot, pretend_installed, press) -> None:
    pretend_installed()
    studio.link.add_slide(ArraySlide([tissue(1400)], 0.5, "large"))
    studio.session.settings.use_family("pixcell-1024")
    qtbot.wait(60)
    press(studio.region.add_button)
    assert studio.style_.state.text() == "✓ embedded (16 tiles of 256 px)"


def test_a_region_of_a_model_that_is_not_installed_waits_for_it(
    studio, qtbot, settle, pretend_installed, press
) -> None:
    studio.link.add_slide(ArraySlide([tissue(1400)], 0.5, "large"))
    studio.session.settings.use_family("pixcell-1024")
    qtbot.wait(60)
    press(studio.region.add_button)
    assert studio.style_.state.text() == "Not embedded"
    pretend_installed()
    studio.session.models.check()
    settle(studio)
    assert studio.style_.state.text() == "✓ embedded (16 tiles of 256 px)"
