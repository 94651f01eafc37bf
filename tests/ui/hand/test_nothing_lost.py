"""What a hand takes away comes back, and nothing is made or exported twice."""

from __future__ import annotations

from pathlib import Path

from hand import RIGHT, Hand
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog


def test_a_saved_style_that_is_removed_comes_back(
    ready, client, hand: Hand, press_on, settle, monkeypatch
) -> None:
    press_on(ready, ready.footer.guide_button)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("Tumour", True))
    press_on(ready, ready.style_.save_button)
    library = ready.session.library
    (saved,) = library.saved
    hand.choose(ready.style_.choice, ready.style_.choice.findData(saved))
    settle(ready)
    press_on(ready, ready.style_.menu_button)
    menu = QApplication.activePopupWidget()
    words = [action.text() for action in menu.actions()]
    assert "Remove “Tumour”" in words
    action = menu.actions()[words.index("Remove “Tumour”")]
    hand.click(menu.mapToGlobal(menu.actionGeometry(action).center()))
    settle(ready)
    assert not library.saved
    assert ready.style_.action.text() == "Restore style"
    press_on(ready, ready.style_.action)
    assert set(library.saved) == {saved}


def test_a_discarded_variant_comes_back(ready, client, hand: Hand, press_on, settle) -> None:
    press_on(ready, ready.footer.guide_button)
    press_on(ready, ready.footer.generate_button)
    client.play()
    settle(ready)
    gallery, strip = ready.session.gallery, ready.results.strip
    place = strip.viewport().mapToGlobal(strip.centre_of(gallery.results[1].number))
    hand.click(place, button=RIGHT)
    settle(ready)
    menu = QApplication.activePopupWidget()
    action = next(one for one in menu.actions() if one.text() == "Discard")
    hand.click(menu.mapToGlobal(menu.actionGeometry(action).center()))
    settle(ready)
    assert len(gallery.results) == 3
    hand.click(ready.results.action)
    settle(ready)
    assert len(gallery.results) == 4


def test_two_generations_differ_and_two_exports_write_nothing_twice(
    ready, client, hand: Hand, press_on, settle, tmp_path: Path, monkeypatch
) -> None:
    for _ in range(2):
        press_on(ready, ready.footer.guide_button)
    for _ in range(2):
        press_on(ready, ready.footer.generate_button)
        client.play()
        settle(ready)
    results = ready.session.gallery.results
    assert len({result.seed for result in results}) == len(results) == 8
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    for _ in range(2):
        press_on(ready, ready.results.export_button)
    assert len(list((tmp_path / "images").iterdir())) == 8
    assert "8 more were there already" in ready.results.note.text()
    assert not any("case" in path.name for path in (tmp_path / "images").iterdir())


def test_two_regions_added_at_one_place_lie_side_by_side(
    ready, hand: Hand, press_on, settle
) -> None:
    for _ in range(2):
        press_on(ready, ready.region.add_button)
    first, second = (item.region for item in ready.session.regions.current)
    assert first != second
    row = ready.region.list.visualItemRect(ready.region.list.item(0)).center()
    hand.double_click(ready.region.list.viewport().mapToGlobal(QPoint(row)))
    settle(ready)
    assert ready.session.regions.active.region == first
