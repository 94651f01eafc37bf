"""Files dropped on napari's canvas while the studio is open.

napari asks for a reader wherever two plugins state the same file name pattern. Its own readers
state those of nearly all slides, and those of all TIFFs, which this plugin therefore does not. A
pattern cannot tell a slide from another TIFF, but the file's content can.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.plugins.utils import get_preferred_reader
from napari.viewer import Viewer
from npe2 import PluginManager
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_pixcell.engine.styles.features.checking import seems_features
from napari_pixcell.slides.reader import PLAIN, get_reader, get_zarr_reader
from napari_pixcell.slides.remote import is_url, location_name
from napari_pixcell.studio.saving.folder import is_session
from napari_pixcell.ui.docked import PLUGIN

BUILTIN = "napari"
# With these keys napari stacks the files, or lets the user choose a reader.
ASKED = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier


class CanvasDrops(QObject):
    """Reads dropped files that either napari or this plugin can read.

    Slides, sessions and files of features go to the studio, all others to napari. The address of
    an OME-Zarr goes to the studio too, which asks before it reads from the network. A reader that
    the user has set in napari's preferences is used, and napari still asks where further plugins
    read a file.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Reads what is no slide.
    take : callable
        Receives the path of each slide, session or file of features.
    take_address : callable
        Receives the address of an OME-Zarr.
    """

    def __init__(
        self, viewer: Viewer, take: Callable[[Path], None], take_address: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._viewer, self._take, self._take_address = viewer, take, take_address
        self._watched: list[QWidget] = []

    def watch(self, window: QWidget) -> None:
        """Receive the drops on the canvas of a main window."""
        self.end()
        canvas = window.centralWidget() if isinstance(window, QMainWindow) else None
        if canvas is not None:
            within = [canvas, *canvas.findChildren(QWidget)]
            self._watched = [widget for widget in within if widget.acceptDrops()]
        for widget in self._watched:
            widget.installEventFilter(self)

    def end(self) -> None:
        for widget in self._watched:
            if isalive(widget):
                widget.removeEventFilter(self)
        self._watched = []

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if not isinstance(event, QDropEvent) or event.type() != QEvent.Type.Drop:
            return False
        urls = event.mimeData().urls()
        if len(urls) == 1 and is_zarr_address(urls[0].toString()):
            event.acceptProposedAction()
            self._take_address(urls[0].toString())
            return True
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        if not paths or len(paths) < len(urls) or event.modifiers() & ASKED:
            return False
        features = {path for path in paths if seems_features(path)}
        if not all(path in features or is_undecided(path) for path in paths):
            return False
        event.acceptProposedAction()
        for path in paths:
            if path in features or is_ours(path):
                self._take(path)
            else:
                self._viewer.open(str(path), plugin=BUILTIN)
        return True


def is_zarr_address(text: str) -> bool:
    """Whether a text is the address of a Zarr on a server."""
    return is_url(text) and location_name(text).lower().endswith(".zarr")


def is_undecided(path: Path) -> bool:
    """Whether napari's readers and this plugin's can read a file, no others, and none is preferred.

    napari would ask for a reader, or read a TIFF itself.
    """
    readers = PluginManager.instance().iter_compatible_readers([str(path)])
    plugins = {reader.plugin_name for reader in readers}
    ours = PLUGIN in plugins or path.suffix.lower() in PLAIN
    both = ours and plugins | {PLUGIN} == {BUILTIN, PLUGIN} and BUILTIN in plugins
    return both and get_preferred_reader(str(path)) is None


def is_ours(path: Path) -> bool:
    """Whether this plugin reads a file or folder; see the readers for which it refuses."""
    if path.is_dir():
        return is_session(path) or get_zarr_reader(str(path)) is not None
    return get_reader(str(path)) is not None
