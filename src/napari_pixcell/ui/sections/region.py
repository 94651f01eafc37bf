"""The Region section: the regions of the slide."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QPoint, QSignalBlocker, QSize, Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QMenu

from napari_pixcell.engine.requests import tiles_of
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.regions.geometry import tiles_text
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import pop_up
from napari_pixcell.ui.dialogs import ask_name
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.similar import SimilarPanel
from napari_pixcell.ui.widgets import allow, button

ROW = 22  # px
LEAST_ROWS, MOST_ROWS = 2, 5  # of the list; more regions scroll
EMPTY = "The tissue of a region defines the style."
DRAW = "Drag on the slide, corner to corner."
ONE = "One tile. Drag a corner to enlarge it."
NUMBER = Qt.ItemDataRole.UserRole


class RegionSection(Section):
    """Adds regions and selects one."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__(session, "region", "1  Region", lines=1)
        self.link, self.regions = link, session.regions
        self.add_button = button(
            "Add region",
            "Add a region of one tile at the centre of the view (R). "
            "Move and resize it in the “Regions” layer.",
            self.add_region,
        )
        tip = "Draw a region of any size by dragging on the slide"
        self.draw_button = button("Draw region", tip, self.draw)
        self.similar = SimilarPanel(session, link)
        self.list = QListWidget()
        tip = "Click to select a region, double-click to go to it. Right-click to rename or delete."
        self.list.setToolTip(tr(tip))
        self.list.currentItemChanged.connect(self._chosen)
        self.list.itemClicked.connect(lambda _: self._show())
        self.list.itemDoubleClicked.connect(lambda _: self._go())
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.add(self.add_button, self.draw_button, self.similar.find_button)
        self.stack(self.list, self.similar)

    def add_region(self) -> None:
        if self.session.slides.current is None:
            return
        item = self.regions.add(self.link.view_centre())
        if item is not None:
            self.link.bring_into_view(item.region)

    def draw(self) -> None:
        if self.session.slides.ready:
            self.link.boxes.draw()

    def refresh(self) -> None:
        for made in (self.add_button, self.draw_button):
            allow(made, self.regions.why_not())
        self._list(self.regions.current)
        self.similar.refresh()
        removed = len(self.regions.last_removed) if self.note_now() else 0
        undo = ("", "Restore region")[removed] if removed < 2 else f"Restore {removed} regions"
        self.report(action=undo, act=self.regions.undo_remove, state=self._hint())
        active, count = self.regions.active, len(self.regions.current)
        self.summarise(f"{active.name}, {count} in all" if active is not None else "")

    def _list(self, items: list[RegionItem]) -> None:
        lines = [(item.number, _line(item, self.session)) for item in items]
        entries = [self.list.item(i) for i in range(self.list.count())]
        with QSignalBlocker(self.list):
            if [(entry.data(NUMBER), entry.text()) for entry in entries] != lines:
                self.list.clear()
                for number, text in lines:
                    entry = QListWidgetItem(text)
                    entry.setData(NUMBER, number)
                    entry.setSizeHint(QSize(0, ROW))
                    self.list.addItem(entry)
            if self.regions.active in items:
                self.list.setCurrentRow(items.index(self.regions.active))
        self.list.setFixedHeight(ROW * min(max(len(items), LEAST_ROWS), MOST_ROWS) + 6)

    def _hint(self) -> str:
        if self.link.boxes.drawing:
            return DRAW
        active = self.regions.active
        if active is None:
            return EMPTY
        tiles = tiles_of(active.size, get_family(active.family))
        return ONE if tiles == 1 else f"{active.name}: {tiles_text(tiles)}, generated as one image."

    def _chosen(self, entry: QListWidgetItem | None) -> None:
        if entry is not None:
            self.regions.activate(entry.data(NUMBER))

    def _show(self) -> None:
        if self.regions.active is not None:
            self.link.bring_into_view(self.regions.active.region)

    def _go(self) -> None:
        if self.regions.active is not None:
            self.link.go_to(self.regions.active.region)

    def _menu(self, position: QPoint) -> None:
        entry = self.list.itemAt(position)
        if entry is None:
            return
        number = entry.data(NUMBER)
        menu = QMenu(self)
        menu.addAction(tr("Go to region"), self._go)
        menu.addAction(tr("Rename region…"), lambda: self._rename(number))
        menu.addAction(tr("Delete region"), lambda: self.regions.remove(number))
        pop_up(menu, self.list.mapToGlobal(position))

    def _rename(self, number: int) -> None:
        item = self.regions.get(number)
        if item is not None:
            ask_name(self, "Rename region", item.name, partial(self.regions.rename, number))


def _line(item: RegionItem, session: Session) -> str:
    (height, width), mpp = item.size, session.slides.current.mpp or 0
    across, down = f"{item.region.width * mpp:,.0f}", f"{item.region.height * mpp:,.0f}"
    um = across if across == down else f"{across} × {down}"
    return f"{item.name} · {width} × {height} px · {um} µm"
