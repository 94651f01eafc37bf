"""The regions of the slide."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtWidgets import QInputDialog, QListWidget, QListWidgetItem, QMenu

from napari_pixcell.models.families import get_family
from napari_pixcell.studio.regions.item import RegionItem, tiles_of, tiles_text
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.similar import SimilarPanel
from napari_pixcell.ui.widgets import Section, Text, allow, button

ROW = 22
EMPTY = "A region is one tile or larger: its tissue gives the style."
ONE = "One tile. Pull its corner in the “Regions” layer for a larger picture."
NUMBER = Qt.ItemDataRole.UserRole


class RegionSection(Section):
    """Adds regions and chooses one."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__("region", "1  Region")
        self.session = session
        self.link = link
        self.add_button = button(
            "Add region",
            "Put a box of one tile at the centre of the view (R); move and resize it in the"
            " “Regions” layer",
            self.add_region,
        )
        self.draw_button = button(
            "Draw region", "Draw a box of any size on the slide: press, drag, let go", self.draw
        )
        self.similar = SimilarPanel(session, link)
        self.add(self.add_button, self.draw_button, self.similar.find_button)
        self.list = QListWidget()
        self.list.setToolTip("Click to work on a region; right click to rename, go to or delete")
        self.list.currentItemChanged.connect(self._chosen)
        self.list.itemClicked.connect(lambda _: self._go())
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.content.addWidget(self.list)
        self.hint = Text(small=True)
        self.content.addWidget(self.hint)
        self.content.addWidget(self.similar)
        self.finish()

    def add_region(self) -> None:
        """Add a region at the centre of the view."""
        if self.session.slide is not None:
            self.session.add_region(self.link.view_centre())

    def draw(self) -> None:
        """Let the user draw a region."""
        if self.session.ready:
            self.link.boxes.draw()

    def refresh(self) -> None:
        """Show the session's state."""
        session, active = self.session, self.session.active
        items = session.regions
        for made in (self.add_button, self.draw_button):
            allow(made, session.why_no_region())
        lines = [(item.number, _line(item, session)) for item in items]
        shown = [
            (self.list.item(i).data(NUMBER), self.list.item(i).text())
            for i in range(self.list.count())
        ]
        with QSignalBlocker(self.list):
            if shown != lines:
                self.list.clear()
                for number, text in lines:
                    entry = QListWidgetItem(text)
                    entry.setData(NUMBER, number)
                    entry.setSizeHint(QSize(0, ROW))
                    self.list.addItem(entry)
            if active in items:
                self.list.setCurrentRow(items.index(active))
        self.list.setVisible(bool(items))
        self.list.setFixedHeight(ROW * min(len(items), 5) + 6)
        self.hint.say(self._hint())
        self.similar.refresh()
        problem, note = session.problems.get("region", ""), session.notes.get("region", "")
        undo = "Undo" if session.removed is not None and note else ""
        self.tell(problem, note, undo, session.undo_remove_region)

    def _hint(self) -> str:
        active = self.session.active
        if active is None:
            return EMPTY
        tiles = tiles_of(active.size, get_family(active.family))
        if tiles == 1:
            return ONE
        return f"{active.name} is {tiles_text(tiles)}, made as one picture."

    def _chosen(self, entry: QListWidgetItem | None) -> None:
        if entry is not None:
            self.session.activate(entry.data(NUMBER))

    def _go(self, always: bool = False) -> None:
        item = self.session.active
        if item is not None:
            self.link.go_to(item.region, always)

    def _menu(self, position: object) -> None:
        entry = self.list.itemAt(position)
        if entry is None:
            return
        number = entry.data(NUMBER)
        menu = QMenu(self)
        menu.addAction("Go to", lambda: self._go(always=True))
        menu.addAction("Rename…", lambda: self._rename(number))
        menu.addAction("Delete", lambda: self.session.remove_region(number))
        menu.exec(self.list.mapToGlobal(position))

    def _rename(self, number: int) -> None:
        item = self.session.item(number)
        if item is not None:
            name, given = QInputDialog.getText(self, "Rename region", "Name", text=item.name)
            if given:
                self.session.rename_region(number, name)


def _line(item: RegionItem, session: Session) -> str:
    """Give name and size; where both sides are one, µm are said once."""
    (height, width), mpp = item.size, session.slide.mpp or 0
    across, down = f"{item.region.width * mpp:,.0f}", f"{item.region.height * mpp:,.0f}"
    um = across if across == down else f"{across} × {down}"
    return f"{item.name} · {width} × {height} px · {um} µm"
