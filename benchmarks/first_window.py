"""The part of ``first_variant.py`` in the window; runs ``napari`` in the user's environment.

    python first_window.py SLIDE AT OUT

The program is called only to learn where its controls are, and when it is done. Everything else
is done by mouse and keys.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import napari
import psutil
from hand import Hand, window_manager
from napari.__main__ import main as command
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QAction
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QMenu,
    QMenuBar,
    QPushButton,
    QTreeView,
    QWidget,
)

PATIENCE_MS = 300_000
STUDIO = "PixCell studio (PixCell studio)"
SIDE_UM = 150  # of the box that is drawn: about a tile of the demo model


class Waiting:
    """What the hand needs of pytest-qt."""

    def wait(self, ms: int) -> None:
        QTest.qWait(ms)

    def waitUntil(self, true: Callable[[], Any], timeout: int = PATIENCE_MS) -> None:
        end = time.monotonic() + timeout / 1000
        while not true():
            if time.monotonic() > end:
                raise TimeoutError
            QTest.qWait(5)


class Newcomer:
    """Walks the way, and writes down how long each step takes."""

    def __init__(self, slide: Path, at: tuple[float, float], out: Path) -> None:
        self.slide, self.at, self.out = slide, at, out
        self.waiting = Waiting()
        # Importing napari is a part of its start.
        self._since = time.monotonic() - (time.time() - psutil.Process().create_time())
        self.steps = out / "steps.jsonl"
        self.steps.write_text("")

    def walk(self) -> None:
        self.viewer = napari.current_viewer()
        self.window: QWidget = self.viewer.window._qt_window
        self.window.activateWindow()
        self.waiting.waitUntil(self.window.isActiveWindow)
        self.hand = Hand(self.viewer, self.waiting)
        self.done("start napari")
        self.open_studio()
        self.done("open the studio by the menu")
        self.open_slide()
        self.done("open the slide by the dialog")
        self.draw()
        self.done("zoom in, draw a box, and get its style")
        self.press("Find the cells")
        item = self.studio.session.regions.active
        self.until(lambda: item.layout is not None and not item.layout_busy)
        self.done("find the cells")
        self.press("Generate 4 variants")
        gallery = self.studio.session.gallery
        self.until(lambda: any(result.shown for result in gallery.results))
        self.done("generate, until the first variant is shown")
        self.until(lambda: not self.studio.session.busy)
        self.done("the other three variants")
        self.hand.lift()
        self.studio.close_session()
        self.window.close()

    def done(self, step: str) -> None:
        """Write down a step, and take a screenshot that does not count."""
        seconds = time.monotonic() - self._since
        with self.steps.open("a") as file:
            file.write(json.dumps([step, seconds]) + "\n")
        print(f"{seconds:8.1f} s  {step}", flush=True)
        self.waiting.wait(500)
        self.look("-".join(step.replace(",", "").split()))
        self._since = time.monotonic()

    def look(self, name: str) -> None:
        for one in (name, "end"):
            QApplication.primaryScreen().grabWindow(0).save(str(self.out / f"{one}.png"))

    # -- steps -------------------------------------------------------------------------------

    def open_studio(self) -> None:
        bar = self.window.findChild(QMenuBar)
        (plugins,) = (a for a in bar.actions() if plain(a.text()) == "Plugins")
        self.hand.click(bar.mapToGlobal(bar.actionGeometry(plugins).center()))
        self.enter(self.enter(plugins.menu(), "PixCell studio").menu(), STUDIO)
        from napari_pixcell.ui.dock import PixCellStudio

        self.waiting.waitUntil(lambda: self.window.findChildren(PixCellStudio))
        (self.studio,) = self.window.findChildren(PixCellStudio)
        self.until(self.studio.welcome.isVisible)

    def enter(self, menu: QMenu, title: str) -> QAction:
        """Click an entry of a menu that is open, and return it."""
        self.waiting.waitUntil(menu.isVisible)
        self.waiting.wait(200)
        self.look("menu")
        (action,) = (one for one in menu.actions() if plain(one.text()) == title)
        self.hand.click(menu.mapToGlobal(menu.actionGeometry(action).center()))
        return action

    def open_slide(self) -> None:
        session = self.studio.session
        asked = QTimer()  # the dialog has a loop of its own
        asked.timeout.connect(lambda: self.answer(asked))
        asked.start(50)
        self.press("Open a slide…")
        self.until(lambda: session.slides.current is not None and session.slides.ready)
        self.until(lambda: not session.background.busy)

    def answer(self, asked: QTimer) -> None:
        """Choose the slide in the dialog for files, once it is there."""
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QFileDialog) or not dialog.isActiveWindow():
            return
        asked.stop()
        try:
            rows = dialog.findChild(QTreeView)
            files = rows.model()
            self.waiting.waitUntil(lambda: files.rowCount(rows.rootIndex()))
            (index,) = files.match(
                files.index(0, 0, rows.rootIndex()), Qt.ItemDataRole.DisplayRole, self.slide.name
            )
            self.waiting.waitUntil(lambda: rows.visualRect(index).isValid())
            self.waiting.wait(200)
            self.hand.click(rows.viewport().mapToGlobal(rows.visualRect(index).center()))
            self.look("dialog")
            buttons = dialog.findChildren(QPushButton)
            self.hand.click(next(one for one in buttons if plain(one.text()) == "Open"))
        except BaseException:
            self.look("failed")
            dialog.reject()  # or its loop would not end
            raise

    def draw(self) -> None:
        """Turn the wheel over the tissue, and draw a box with the tool of the studio."""
        slide, layer = self.studio.session.slides.current, self.studio.link.slide_layer
        height, width = slide.shape
        down, across = self.at
        centre = layer.data_to_world((down * height, across * width))
        y, x = (float(value) for value in centre[-2:])
        for _ in range(30):
            canvas = self.viewer.window._qt_viewer.canvas.native
            if SIDE_UM * self.viewer.scene.camera.zoom > 0.3 * canvas.height():
                break
            self.hand.wheel((y, x), 1)
            self.waiting.wait(20)
        self.hand.click(self.studio.region.draw_button)
        half = SIDE_UM / 2
        self.hand.drag((y - half, x - half), (y + half, x + half))
        session = self.studio.session
        self.until(lambda: session.regions.active is not None)
        self.until(lambda: not session.busy and not session.background.busy)

    def press(self, words: str) -> None:
        """Press the blue button, which must say this."""
        footer = self.studio.footer

        def blue() -> QWidget:
            guide = footer.guide_button
            return guide if guide.isVisible() else footer.generate_button

        self.until(lambda: blue().text() == words and blue().isEnabled())
        self.hand.click(blue())

    def until(self, true: Callable[[], Any]) -> None:
        """Wait, and stop if the studio reports a problem."""

        def over() -> bool:
            problems = self.studio.session.notices.problems
            if problems:
                raise RuntimeError(str(problems))
            return bool(true())

        self.waiting.waitUntil(over)


def plain(text: str) -> str:
    """Return the title of a menu without its mnemonic."""
    return text.replace("&", "")


def main() -> None:
    slide, at, out = sys.argv[1:]
    down, across = (float(part) for part in at.split(","))
    newcomer = Newcomer(Path(slide), (down, across), Path(out))
    sys.argv = ["napari"]
    failed: list[BaseException] = []

    def walk() -> None:
        try:
            newcomer.walk()
        except BaseException as error:
            newcomer.look("failed")
            failed.append(error)
            QApplication.exit(1)

    def run(**options: Any) -> None:
        QTimer.singleShot(0, walk)
        shown(**options)

    shown, napari.run = napari.run, run
    with tempfile.TemporaryDirectory() as folder, window_manager(Path(folder)):
        command()
    if failed:
        raise failed[0]
    os._exit(0)


if __name__ == "__main__":
    main()
