"""A drop-down list of all styles: of regions, images and variants, saved ones, and none."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtGui import QIcon, QPixmap, QStandardItemModel
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_pixcell.engine.styles.style import Style
from napari_pixcell.studio.regions.geometry import tiles_text
from napari_pixcell.studio.regions.item import NO_STYLE
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.choice import Ref
from napari_pixcell.ui.widgets import pixmap

SIDE, SMALL = 48, 18
ANY = "No style: any tissue"


class StyleCombo(QComboBox):
    """A drop-down list of all styles, with thumbnails; ``chosen`` gets a reference to one."""

    def __init__(self, session: Session, chosen: Callable[[Ref], None]) -> None:
        super().__init__()
        self.session = session
        self.setIconSize(QSize(SMALL, SMALL))  # larger icons make the row taller
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(70)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(lambda _: chosen(self.currentData()))
        self._known: list[tuple[str, Ref, str]] = []
        self._icons: dict[str, QIcon] = {}

    def showPopup(self) -> None:
        self.session.library.refresh()  # that other sessions have saved
        super().showPopup()

    def refresh(self, ref: Ref, none: bool = True) -> None:
        """Show all styles, with ``ref`` selected; ``none`` adds an entry for no style."""
        library, regions = self.session.library, self.session.regions.current
        styles = {style.id: style for style in library.all}
        # The third item changes with an entry's tooltip and whether it is enabled.
        entries: list[tuple[str, Ref, str]] = [(item.name, item.number, "") for item in regions]
        for id_, style in styles.items():
            entries.append((style.name, id_, f"{id_ in library.saved} {library.problem(style)}"))
        if none:
            entries.append((ANY, NO_STYLE, ""))
        with QSignalBlocker(self):
            if entries != self._known and not self._open():
                self._known = entries
                self.clear()
                for name, other, _ in entries:
                    self.addItem(name, other)
                    if isinstance(other, str):
                        self._dress(self.count() - 1, styles[other])
            self.setCurrentIndex(next((i for i, e in enumerate(self._known) if e[1] == ref), -1))
        self.setToolTip(self.currentText())

    def _open(self) -> bool:
        view = self.view()
        return view is not None and view.isVisible()

    def _dress(self, index: int, style: Style) -> None:
        if style.id not in self._icons:
            none = QPixmap(SIDE, SIDE)
            none.fill(Qt.GlobalColor.transparent)
            picture = none if style.thumbnail is None else pixmap(style.thumbnail, SIDE)
            self._icons[style.id] = QIcon(picture)
        self.setItemIcon(index, self._icons[style.id])
        self.setItemData(index, self._tip(style), Qt.ItemDataRole.ToolTipRole)
        model = self.model()
        entry = model.item(index) if isinstance(model, QStandardItemModel) else None
        if entry is not None:
            entry.setEnabled(not self.session.library.problem(style))

    def _tip(self, style: Style) -> str:
        library, problem = self.session.library, self.session.library.problem(style)
        parts = [f"{share:.0%} {name}".replace("%", " %") for name, share in style.made_of]
        lines = [style.name, tiles_text(style.tiles), " · ".join(parts), problem]
        if style.id not in library.saved:
            lines.append("Not saved: lost at the end of this session")
        return "\n".join(line for line in lines if line)
