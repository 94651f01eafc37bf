"""The demo: the main workflow, by clicks on the real dock."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.viewers import camera_of

VARIANTS = 4
WINDOW = (1590, 980)
PATIENCE_S = 900


def run_demo(
    out: Path, stay_open: bool = True, slide: Path | None = None, variants: int = VARIANTS
) -> dict[str, Any]:
    """Open napari and go from a slide to exported image–mask pairs, as a user would.

    Parameters
    ----------
    out : Path
        Folder for the pairs and ``window.png``, a screenshot of the whole window.
    stay_open : bool
        Leave the window open for the user.
    slide : Path, optional
        Replaces the bundled sample.
    variants : int
        Number of variants per region.

    Returns
    -------
    dict
        Paths of the folder, the screenshot, and the written images and masks.
    """
    started = time.monotonic()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(title="napari-pixcell demo", show=False)
    viewer.show()
    viewer.window.resize(*WINDOW)  # after show(), which restores the last size
    _dock, studio = open_dock(viewer)
    studio.session.saver.on = False  # writes nothing beside the slide
    _log(f"window open after {time.monotonic() - started:.1f} s")
    try:
        _main_workflow(viewer, studio, out, slide or SAMPLE_SLIDE, variants)
        _log(f"done after {time.monotonic() - started:.1f} s")
        screenshot = out / "window.png"
        photograph(viewer, screenshot)
        rows = [json.loads(x) for x in (out / "manifest.jsonl").read_text("utf-8").splitlines()]
        if stay_open and not os.environ.get("NAPARI_PIXCELL_DEMO_CLOSE"):
            napari.run()
    finally:
        studio.close_session()
        with contextlib.suppress(RuntimeError):  # the user may have closed the window
            viewer.close()
    return {
        "folder": str(out),
        "window": str(screenshot),
        "images": [row["image"] for row in rows],
        "masks": [row["mask"] for row in rows],
    }


def open_dock(viewer: napari.Viewer) -> tuple[QWidget, PixCellStudio]:
    """Open the studio as the Plugins menu does."""
    dock, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    return dock, studio


def photograph(viewer: napari.Viewer, path: Path) -> None:
    """Save a screenshot of the whole window, canvas included."""
    settle(0.5)
    viewer.window.screenshot(str(path), size=None, flash=False, canvas_only=False)


def settle(seconds: float) -> None:
    """Process events for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def click(widget: QWidget, at: QPoint | None = None) -> None:
    """Click a widget with the mouse, at its centre or at ``at``."""
    settle(0.05)
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(widget, button, none, at or widget.rect().center())
    settle(0.05)


def _main_workflow(
    viewer: napari.Viewer, studio: PixCellStudio, out: Path, slide: Path, variants: int
) -> None:
    session = studio.session
    if slide == SAMPLE_SLIDE:
        click(studio.welcome.sample_button)
    else:
        studio.actions.open(slide)
    _wait(studio, "slide", until=lambda: session.slides.current is not None)
    settle(0.3)

    layer = studio.link.slide_layer
    assert layer is not None
    height, width = session.slides.current.shape
    tile_um = session.settings.model.tile * session.settings.model.mpp
    tile = tile_um / session.slides.current.mpp
    # Two regions side by side: one shows its layout, the other its variants.
    for offset in (0.62, -0.62):
        centre = height * 0.45, width * 0.45 + offset * tile
        camera_of(viewer).center = layer.data_to_world(centre)
        camera_of(viewer).zoom = (viewer.window.geometry()[2] - 2 * 350) / (2.6 * tile_um)
        settle(0.1)
        click(studio.region.add_button)
        _wait(studio, "style", "region", until=lambda: not session.busy)
        click(studio.layout_.segmentation.segment_button)
        _wait(studio, "layout", until=lambda: not session.busy)
    camera_of(viewer).center = layer.data_to_world((height * 0.45, width * 0.45))

    studio.generate.count.setValue(variants)
    click(studio.footer.generate_button)
    _wait(studio, "generate", until=lambda: session.queue.current is None)
    settle(0.2)
    # Show the first variant by a click on its thumbnail.
    first, strip = session.gallery.results[0], studio.results.strip
    if not first.shown:
        click(strip.viewport(), strip.centre_of(first.number))
    session.exporter.write_pairs(out)
    _wait(studio, "export", until=lambda: not session.exporter.busy)


def _wait(studio: PixCellStudio, *sections: str, until: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not until():
        settle(0.05)
        _check(studio, *sections)
        if time.monotonic() > end:
            raise PixCellError(
                f"The demo did not finish within {PATIENCE_S // 60} min. See worker.log."
            )
    settle(0.1)
    _check(studio, *sections)


def _check(studio: PixCellStudio, *sections: str) -> None:
    for section in sections:
        if section in studio.session.notices.problems:
            raise PixCellError(studio.session.notices.problems[section])


def _log(text: str) -> None:
    sys.stderr.write(f"napari-pixcell demo: {text}\n")


__all__ = ["click", "open_dock", "photograph", "run_demo", "settle"]
