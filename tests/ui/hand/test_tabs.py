"""A walk through each tab with a hand, in a window of 1366 × 768."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand import Hand
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_pixcell.models.own_families import families_folder
from napari_pixcell.slides import ArraySlide, Region, open_slide
from napari_pixcell.ui.layers.slide import role


def thumbnail(studio, number: int) -> QPoint:
    """Return the place on the screen of a variant's thumbnail, which must be in view."""
    strip = studio.results.strip
    box = strip.visualRect(strip.model_.index(strip.model_.row_of(number)))
    assert strip.viewport().rect().contains(box.center())
    return strip.viewport().mapToGlobal(box.center())


def test_generate(ready, client, hand: Hand, press_on, settle, qtbot) -> None:
    session, settings = ready.session, ready.session.settings
    press_on(ready, ready.footer.guide_button)
    press_on(ready, ready.footer.guide_button)
    assert session.regions.active.cells > 0
    press_on(ready, ready.layout_.tools.buttons["paint"])
    y, x = ready.link.tools.layer.data_to_world((20, 20))
    hand.drag((y, x), (y + 4, x + 4))
    settle(ready)
    assert ready.link.tools.layer.data[20, 20] > 0
    press_on(ready, ready.generate.count)
    hand.press("ctrl+a")
    hand.type("2")
    hand.press("Return")
    press_on(ready, ready.generate.keep_seed)
    hand.choose(ready.generate.speed, 1)
    settle(ready)
    assert settings.count == 2 and settings.keep_seed
    assert settings.preset == ready.generate.speed.itemData(1)
    press_on(ready, ready.footer.generate_button)
    client.play()
    settle(ready)
    results = session.gallery.results
    assert len(results) == 2 and ready.link.tools.tool == "select"  # no stroke goes unseen
    hand.click(thumbnail(ready, results[1].number))
    settle(ready)
    assert [result.shown for result in results] == [False, True]
    qtbot.wait(2 * QApplication.doubleClickInterval())  # or three clicks would follow each other
    hand.double_click(thumbnail(ready, results[1].number))
    settle(ready)
    assert results[1].starred and results[1].shown and "1 ★" in ready.results.count.text()
    press_on(ready, ready.footer.generate_button)  # the seed is kept: nothing new would come
    assert "exist already" in ready.footer.note.text() and len(results) == 2
    hand.click(ready.footer.messages.dismiss)
    settle(ready)
    assert not ready.footer.note.isVisible()
    hand.click(ready.results.swipe)
    settle(ready)
    assert session.gallery.swipe.on
    divider = ready.results.divider
    left, right = QPoint(4, divider.height() // 2), QPoint(divider.width() - 4, 8)
    hand.drag(divider.mapToGlobal(divider.rect().center()), divider.mapToGlobal(right))
    settle(ready)
    assert session.gallery.swipe.at > 0.8
    hand.drag(divider.mapToGlobal(right), divider.mapToGlobal(left))
    settle(ready)
    assert session.gallery.swipe.at < 0.2


@pytest.fixture
def two_stains() -> None:
    folder = families_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights").touch()
    parts = "".join(f'[{kind}]\nfile = "weights"\n' for kind in ("lora", "flow"))
    for name in ("HER2x", "Ki67x"):
        (folder / f"{name}.toml").write_text(f'base = "demo"\ntitle = "{name}"\n{parts}')


@pytest.mark.usefixtures("two_stains")
def test_stain_and_measure(studio, client, hand: Hand, press_on, settle, shared_data) -> None:
    slide = open_slide(shared_data / "openslide_os1_os2_crops" / "OS-2-ndpi.ome.tif")
    studio.link.add_slide(ArraySlide([slide.read(Region(1200, 600, 660, 660), 0.5)], 0.5, "Ki67"))
    studio.session.models.check()
    settle(studio)
    press_on(studio, studio.footer.guide_button)
    for name in ("HER2x", "Ki67x"):
        press_on(studio, studio.stain.boxes[name])
    press_on(studio, studio.stain.stain_button)
    for _ in range(2):
        client.play()
        settle(studio)
    assert len(studio.session.gallery.results) == 2
    for result in studio.session.gallery.results:
        thumbnail(studio, result.number)
    press_on(studio, studio.measure.tissue_button)
    assert len(studio.session.measures.rows) == 1
    table = studio.measure.table
    assert table.isVisible() and table.model().rowCount() == 1
    (layer,) = [one for one in studio.viewer.layers if role(one) == "measured"]
    before = np.unique(layer.data).size
    press_on(studio, studio.measure.sliders[0])
    hand.press("Right", "Right", "Right")
    settle(studio)
    assert before == np.unique(layer.data).size  # the classes change, not the nuclei
    assert studio.session.measures.thresholds.weak > 0.2
    press_on(studio, studio.stain.train_button)
    dialog = studio.stain.training
    assert dialog.isVisible()
    hand.click(dialog.form["name"])
    hand.type("my-her2")
    settle(studio)
    assert studio.session.training.name == "my-her2"
    hand.press("Escape")
    settle(studio)
    assert not dialog.isVisible()


def test_dataset_and_export(
    ready, client, hand: Hand, press_on, settle, tmp_path: Path, monkeypatch
) -> None:
    for _ in range(2):
        press_on(ready, ready.footer.guide_button)
    press_on(ready, ready.footer.generate_button)
    client.play()
    settle(ready)
    press_on(ready, ready.export.name)
    hand.type("case A")
    pairs, data = tmp_path / "pairs", tmp_path / "data"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(pairs))
    press_on(ready, ready.export.export_button)
    assert len(list((pairs / "masks").iterdir())) == 4
    assert all(path.name.startswith("case_A") for path in (pairs / "images").iterdir())
    form = ready.dataset.form
    press_on(ready, form["seeds"])
    hand.press("ctrl+a")
    hand.type("3")
    hand.press("Return")
    settle(ready)
    assert ready.dataset.outlook.text().startswith("3 pairs")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(data), ""))
    press_on(ready, ready.dataset.make_button)
    assert [job.folder for job in ready.session.datasets.jobs] == [data]
    assert ready.footer.cancel_button.isVisible() and "data" in ready.footer.state.text()
    hand.click(ready.footer.cancel_button)
    settle(ready)
    assert ready.session.queue.current is None or ready.session.queue.current.cancelled


def test_every_tab_has_a_place_that_a_click_reaches(ready, hand: Hand, press_on, settle) -> None:
    for index, section in enumerate((ready.region, ready.stain, ready.export)):
        hand.click(hand.tab(ready.tabs.tabBar(), index))
        settle(ready)
        assert ready.tabs.currentIndex() == index and section.header.isVisible()
        top = QApplication.widgetAt(hand.place_of(section.header))
        assert top is section.header
        folded = not section.header.isChecked()
        hand.click(section.header)
        assert section.header.isChecked() is folded
        hand.click(section.header)
