"""A napari window with the studio, driven as by a user, and pictures of it."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# The pictures contain nothing of the user who takes them, and change none of their files.
HOME = Path(tempfile.mkdtemp(prefix="pictures-"))
for _name in ("CONFIG", "CACHE", "DATA"):
    os.environ[f"PIXCELL_{_name}_DIR"] = str(HOME / _name.lower())
os.environ["NAPARI_CONFIG"] = str(HOME / "napari.yaml")
os.environ.setdefault("OMP_NUM_THREADS", "2")

import napari  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from qtpy.QtCore import QBuffer, QIODevice, QPoint, QSettings, Qt  # noqa: E402
from qtpy.QtGui import QPixmap  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QWidget  # noqa: E402

from napari_pixcell.ui.demo import click, open_dock, settle  # noqa: E402

SIZE = 1366, 768  # px: a small laptop
DOCK = 350
LARGEST = 150_000  # bytes of a picture
PATIENCE = 600  # seconds

QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(HOME / "qt"))


class Window:
    """napari with the studio docked, as large as a small laptop's screen.

    Parameters
    ----------
    folder : Path
        Folder of the pictures.
    theme : str
        Theme of napari.
    """

    def __init__(self, folder: Path, theme: str = "dark") -> None:
        self.folder = folder
        QSettings("napari-pixcell", "studio").clear()  # folded sections of an earlier scene
        self.viewer = napari.Viewer(title="napari", show=False)
        self.viewer.theme = theme
        self.viewer.show()
        self.viewer.window.resize(*SIZE)
        self.dock, self.studio = open_dock(self.viewer)
        self.session = self.studio.session
        settle(0.5)
        self.widen(DOCK)

    def close(self) -> None:
        """Close the window as a user does, with the session saved."""
        self.studio.close_session()
        self.viewer.close()
        settle(0.3)

    # -- what a user does --------------------------------------------------------------------

    def wait(self, until: Callable[[], Any], seconds: float = PATIENCE) -> None:
        """Process events until a condition holds."""
        end = time.monotonic() + seconds
        while not until():
            settle(0.02)
            if time.monotonic() > end:
                raise TimeoutError(
                    f"not within {seconds} s; problems: {self.session.notices.problems}"
                )

    def rest(self) -> None:
        """Wait until nothing is running, and the dock shows it."""
        self.wait(lambda: not self.session.busy and not self.session.background.busy)
        settle(0.3)

    def widen(self, width: int) -> None:
        """Set the width of the dock."""
        main = self.dock.window()
        main.resizeDocks([self.dock], [width], Qt.Orientation.Horizontal)
        settle(0.2)

    def region(self, y: float, x: float) -> Any:
        """Go to a position, as fractions of the slide, and add a region there."""
        self.look(y, x)
        self.studio.tabs.bring(self.studio.region.add_button)
        click(self.studio.region.add_button)
        self.rest()
        return self.session.regions.active

    def segment(self) -> None:
        """Segment the nuclei of the active region."""
        self.studio.tabs.bring(self.studio.layout_.segmentation.segment_button)
        click(self.studio.layout_.segmentation.segment_button)
        self.rest()

    def look(self, y: float, x: float, across: float = 2.2) -> None:
        """Pan and zoom to fractions of the slide, with ``across`` tiles of height in view."""
        layer, session = self.studio.link.slide_layer, self.session
        height, width = session.slides.current.shape
        model = session.settings.model
        self.viewer.scene.camera.center = layer.data_to_world((y * height, x * width))
        self.viewer.scene.camera.zoom = self.canvas.height() / (across * model.tile * model.mpp)
        settle(0.3)

    def look_at(self, item: Any, across: float = 1.25) -> None:
        """Pan and zoom to a region."""
        height, width = self.session.slides.current.shape
        region = item.region
        y, x = region.y + region.height / 2, region.x + region.width / 2
        self.look(y / height, x / width, across)

    def choose(self, combo: Any, index: int) -> None:
        """Choose an entry of a list."""
        combo.setCurrentIndex(index)
        combo.activated.emit(index)
        settle(0.2)

    def unfold(self, *foldable: Any) -> None:
        """Unfold parts of the dock."""
        for part in foldable:
            part.button.setChecked(True)
        settle(0.1)

    def scroll_to(self, widget: QWidget, above: int = 4) -> None:
        """Go to the tab of a widget, and scroll so that it is at the top."""
        tabs = self.studio.tabs
        tabs.bring(widget)
        settle(0.15)
        page = tabs.page(tabs.currentIndex())
        place = widget.mapTo(page.widget(), QPoint(0, 0))
        page.verticalScrollBar().setValue(place.y() - above)
        settle(0.15)

    @property
    def canvas(self) -> QWidget:
        """Return napari's canvas."""
        central = self.dock.window().centralWidget()
        return next(w for w in central.findChildren(QWidget) if "Canvas" in type(w).__name__)

    def stroke(
        self, points: Sequence[tuple[float, float]], each: Callable[[], None] = lambda: None
    ) -> None:
        """Draw with the mouse through world positions (y, x); call ``each`` at each of them."""
        camera, canvas = self.viewer.scene.camera, self.canvas
        middle = np.array([canvas.height(), canvas.width()]) / 2
        places = [middle + (np.array(p) - camera.center[-2:]) * camera.zoom for p in points]
        spots = [QPoint(round(x), round(y)) for y, x in places]
        left = Qt.MouseButton.LeftButton
        QTest.mouseMove(canvas, spots[0])
        settle(0.05)
        QTest.mousePress(canvas, left, Qt.KeyboardModifier.NoModifier, spots[0])
        for spot in spots[1:]:
            QTest.mouseMove(canvas, spot)
            settle(0.03)
            each()
        QTest.mouseRelease(canvas, left, Qt.KeyboardModifier.NoModifier, spots[-1])
        settle(0.05)

    # -- pictures ------------------------------------------------------------------------------

    def photograph(self, name: str, seconds: float = 0.5) -> None:
        """Save the whole window."""
        settle(seconds)
        path = self.folder / f"{name}.png"
        self.viewer.window.screenshot(str(path), flash=False, canvas_only=False)
        with Image.open(path) as picture:
            save(picture.convert("RGB"), self.folder / f"{name}.jpg")
        path.unlink()

    def photograph_widget(self, widget: QWidget, name: str) -> None:
        """Save a dialog, or the dock alone."""
        settle(0.3)
        save(picture_of(widget.grab()), self.folder / f"{name}.jpg")


def picture_of(pixmap: QPixmap) -> Image.Image:
    """Return a picture of Qt."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.ReadWrite)
    pixmap.save(buffer, "PNG")
    return Image.open(io.BytesIO(bytes(buffer.data()))).convert("RGB")


def save(picture: Image.Image, path: Path) -> None:
    """Write a JPEG of at most ``LARGEST`` bytes."""
    for quality in (88, 84, 80, 76, 72, 68):
        picture.save(path, quality=quality, subsampling="4:2:0", optimize=True)
        if path.stat().st_size <= LARGEST:
            break
