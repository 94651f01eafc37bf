"""Blends, styles from images and saved styles, used through real widgets."""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
import pytest
from pictures import tissue
from PIL import Image
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_pixcell.models.catalogue import DEMO_FOLDER
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.dock import PixCellStudio

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def two(ready: PixCellStudio, settle) -> PixCellStudio:
    """With two regions; the second is active."""
    for x in (200, 500):
        ready.session.regions.add((x, x))
    settle(ready)
    return ready


def texts(combo) -> list[str]:
    return [combo.itemText(i) for i in range(combo.count())]


def state(style) -> str:
    return style.state.text().replace("\u00a0", " ")


def pick(combo, text: str) -> None:
    combo.setCurrentText(text)
    combo.activated.emit(combo.currentIndex())


def entry(menu, text: str):
    return next(action for action in menu.actions() if action.text().startswith(text))


def say(monkeypatch, name: str) -> None:
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: (name, True))


def picture(folder: Path) -> Path:
    path = folder / "Doe.png"
    Image.fromarray(tissue(300)).save(path, dpi=(50800, 50800))
    return path


def test_a_single_style_cannot_be_blended(ready, settle) -> None:
    ready.session.regions.add((300, 300))
    settle(ready)
    style = ready.style_
    assert not style.balance.isVisible() and not style.second.isVisible()
    assert not style.blend_button.isEnabled()
    assert "Add a region, or a style from an image" in style.blend_button.toolTip()
    assert texts(style.choice) == ["Region 1", "No style: any tissue"]


def test_the_slider_blends_two_styles(two, client, settle, press) -> None:
    style, session = two.style_, two.session
    press(style.blend_button)
    assert style.balance.isVisible() and style.second.currentText() == "Region 1"
    assert state(style) == "50 % Region 2 · 50 % Region 1"
    style.balance.setValue(80)
    settle(two)
    assert state(style) == "20 % Region 2 · 80 % Region 1"
    press(two.footer.generate_button)
    assert client.waiting[-1][0].source.style == (("Region 2", 0.2), ("Region 1", 0.8))
    press(style.blend_button)
    assert session.regions.active.style == StyleChoice.of(2) and not style.balance.isVisible()
    pick(style.choice, "No style: any tissue")
    settle(two)
    assert state(style) == "No style: the model chooses the tissue"
    assert not style.save_button.isEnabled()
    assert style.save_button.toolTip().startswith("There is no style to save yet\n")


def test_a_third_style_has_its_own_share_and_can_be_removed(two, settle, press) -> None:
    style = two.style_
    two.session.regions.add((350, 350))
    two.session.regions.activate(2)
    settle(two)
    press(style.blend_button)
    style.blending.button.setChecked(True)
    press(style.blending.another_button)
    (third,) = style.blending.rows
    assert third.choice.currentText() == "Region 3" and third.percent.text() == "33 %"
    assert not style.blending.another_button.isEnabled()
    third.share.setValue(50)
    settle(two)
    assert state(style) == "25 % Region 2 · 25 % Region 1 · 50 % Region 3"
    third._remove()
    settle(two)
    assert not style.blending.rows and state(style) == "50 % Region 2 · 50 % Region 1"


def test_a_series_button_queues_its_steps(two, client, settle, press) -> None:
    style = two.style_
    press(style.blend_button)
    style.blending.button.setChecked(True)
    style.blending.count.setValue(3)
    press(style.blending.series_button)
    for _ in range(3):
        client.play()
        settle(two)
    assert len({r.job for r in two.session.gallery.results}) == 1
    shares = [r.record.request.source.style for r in two.session.gallery.results]
    assert shares == [
        (("Region 2", 1.0),),
        (("Region 2", 0.5), ("Region 1", 0.5)),
        (("Region 1", 1.0),),
    ]


def test_a_style_is_saved_renamed_used_and_removed(two, settle, monkeypatch, press) -> None:
    style, session = two.style_, two.session
    say(monkeypatch, "Stroma A")
    press(style.save_button)
    assert "Saved as “Stroma A”" in style.note.text()
    assert entry(style.menu(), "Choose a saved style").isEnabled() is False
    press(style.messages.dismiss)
    pick(style.choice, "Stroma A")
    settle(two)
    assert state(style) == "✓ saved (1 tile)"
    place = style.choice.currentIndex()
    assert not style.choice.itemIcon(place).isNull()
    say(monkeypatch, "Stroma B")
    entry(style.menu(), "Rename “Stroma A”").trigger()
    settle(two)
    assert "Stroma B" in texts(style.choice) and style.choice.currentText() == "Stroma B"
    entry(style.menu(), "Remove “Stroma B”").trigger()
    settle(two)
    assert style.choice.currentText() == "Region 2" and "was removed" in style.note.text()
    say(monkeypatch, "  ")
    press(style.save_button)
    assert "needs a name" in style.problem.text() and session.library.all == []


def test_an_image_becomes_a_style_by_menu_or_drop(two, settle, tmp_path, monkeypatch) -> None:
    style, path = two.style_, picture(tmp_path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    entry(style.menu(), "Add style from image").trigger()
    settle(two)
    assert style.choice.currentText() == "Picture" and state(style) == "✓ embedded (4 tiles)"
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    action, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    style.dropEvent(QDropEvent(QPointF(5, 5), action, data, LEFT, none))
    settle(two)
    assert style.choice.currentText() == "Picture 2"
    assert two.session.slides.current.name == "case 7"  # it was not opened as a slide
    two.session.styles.add_picture(tmp_path / "gone.png")
    settle(two)
    assert "gone.png" in style.problem.text() and not style.action.isVisible()


def test_a_style_of_another_encoder_cannot_be_chosen(two, settle, monkeypatch) -> None:
    style = two.style_
    two.session.styles.save("Old")
    settle(two)
    pick(style.choice, "Old")
    settle(two)
    two.session.models._encoders["demo"] = "another"
    two.session.changed.emit()
    settle(two)
    item = style.choice.model().item(style.choice.findText("Old"))
    assert not item.isEnabled() and "another model" in item.toolTip()
    two.session.notices.say("style", "")
    settle(two)
    assert "embed its tissue again" in style.state.text()
    assert not two.footer.generate_button.isEnabled()


def test_nothing_is_cut_off_while_three_styles_are_blended(two, settle) -> None:
    two.session.styles.choose(StyleChoice.of(1, 2, 1))
    two.style_.blending.button.setChecked(True)
    settle(two)
    assert two.style_.minimumSizeHint().width() <= 300


@pytest.mark.skipif(
    not (DEMO_FOLDER / "transformer").exists(), reason="the demo weights are not there yet"
)
@pytest.mark.usefixtures("one_worker")
def test_blends_and_variants_as_styles_with_the_real_worker(
    viewer: napari.Viewer, cmu_slide: Path, qtbot
) -> None:
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session = studio.session

    def idle() -> None:
        qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
        qtbot.wait(60)

    studio.actions.open(cmu_slide)
    qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
    for centre in ((900, 1500), (1000, 600)):
        session.regions.add(centre)
    idle()
    session.settings.count, session.settings.steps = 1, 3
    session.settings.use_preset("exact")
    session.settings.steps = 3
    click(studio.style_.blend_button)
    qtbot.wait(60)
    studio.style_.blending.button.setChecked(True)
    studio.style_.blending.count.setValue(3)
    click(studio.style_.blending.series_button)
    idle()
    images = [result.image.astype(float) for result in session.gallery.results]
    assert len(images) == 3 and not session.notices.problems
    first, middle, last = images
    assert np.abs(first - middle).mean() < np.abs(first - last).mean()
    session.styles.add_variant(session.gallery.results[0])
    idle()
    assert session.regions.active.style.refs == (session.library.all[0].id,)
    click(studio.footer.generate_button)
    idle()
    assert len(session.gallery.results) == 4 and not session.notices.problems
    studio.close_session()
