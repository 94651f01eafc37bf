"""The dialog that frees memory and disk space, and leads to the plugin's preferences."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import Text, allow, button
from napari_pixcell.words import file_size

CLEAR = "Clear embedding cache"
FREE = "Stop the worker process and free its memory. The next request loads the model again."
CACHED = (
    "Embeddings of regions are cached without names, so that a slide reopens at once: {} of at "
    "most {}. They are computed again when needed. Saved styles stay."
)
ELSEWHERE = (
    "Sizes of the caches, previews and automatic saving: File → Preferences → PixCell studio."
)


class PreferencesDialog(QDialog):
    """Says what the models and the cache take, and frees it."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("PixCell: memory and preferences"))
        self.session = session
        self.memory = Text(FREE)
        tip = "Free the memory of the models, on GPU and CPU"
        self.free_button = button("Free memory", tip, session.free_memory)
        self.cached = Text()
        tip = "Delete the cached embeddings of regions"
        self.clear_button = button(CLEAR, tip, session.embeddings.clear_cache)
        self.elsewhere = Text(ELSEWHERE)
        closing = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        closing.rejected.connect(self.close)
        stack = column(
            self,
            row(self.memory, self.free_button, stretch=0),
            row(self.cached, self.clear_button, stretch=0),
            self.elsewhere,
            closing,
            spacing=12,
        )
        stack.setContentsMargins(14, 14, 14, 12)
        self.setMinimumWidth(460)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        session.changed.connect(self.refresh)
        self.finished.connect(lambda _: session.changed.disconnect(self.refresh))
        self.refresh()

    def refresh(self) -> None:
        cache = self.session.embedder.cache
        self.cached.say(CACHED.format(file_size(cache.bytes or 0), file_size(cache.limit or 0)))
        allow(self.clear_button, "" if cache.bytes else "The cache is empty")


def open_preferences(session: Session, parent: QWidget) -> PreferencesDialog:
    """Open the dialog."""
    made = PreferencesDialog(session, parent)
    made.show()
    return made
