"""A dock is closed by its ✕, opened again, and its session with it."""

from __future__ import annotations

from pathlib import Path

from hand import Hand, cross
from scripted import ScriptedClient

from napari_pixcell.ui.dock import PixCellStudio


def test_close_reopen_and_open_the_session(
    slide_file: Path, viewer, client, hand: Hand, press_on, settle, qtbot
) -> None:
    def dock(client: ScriptedClient) -> PixCellStudio:
        made = PixCellStudio(viewer, client)
        viewer.window.add_dock_widget(made, name="PixCell studio")
        return made

    studio = dock(client)
    studio.session.saver.pause = 0.0
    studio.actions.open(slide_file)
    qtbot.waitUntil(lambda: studio.session.slides.ready, timeout=60_000)
    for _ in range(2):
        press_on(studio, studio.footer.guide_button)
    press_on(studio, studio.footer.generate_button)
    client.play()
    settle(studio)
    folder = slide_file.with_suffix(".pixcell")
    qtbot.waitUntil(lambda: (folder / "session.json").exists(), timeout=60_000)
    studio.session.saver.flush()
    hand.click(cross(studio))
    qtbot.waitUntil(lambda: client.closed, timeout=60_000)
    assert "PixCell results" not in viewer.window.dock_widgets

    again = dock(ScriptedClient())
    settle(again)
    qtbot.waitUntil(again.footer.action.isVisible, timeout=60_000)
    assert "1 region, 4 variants" in again.footer.note.text()
    hand.click(again.footer.action)
    qtbot.waitUntil(lambda: len(again.session.gallery.results) == 4, timeout=60_000)
    settle(again)
    names = [layer.name for layer in viewer.layers]
    assert sorted(names) == sorted(set(names)) and "Layout · Region 1" in names
    assert again.results.isVisible() and again.results.count.text() == "4 variants"
    hand.click(again.results.strip)  # the window answers
