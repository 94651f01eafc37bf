"""The tabs of the studio, one for each task."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QTabWidget, QWidget

from napari_pixcell.ui.arrange import column, scrolled
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.sections.base import Section

SCROLL_BAR = 19  # px of a scroll bar in napari's theme, with the frame of the tabs


class Tabs(QTabWidget):
    """Sections by task, each tab with a scrolled column of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.setUsesScrollButtons(False)
        self.tabBar().setExpanding(True)
        self.tabBar().setElideMode(Qt.TextElideMode.ElideNone)
        self.tabBar().setAccessibleName(tr("Tasks"))
        self.tabBar().setStyleSheet("QTabBar::tab { padding: 5px 6px; }")

    def add(self, title: str, tip: str, *sections: Section) -> None:
        """Add a tab with sections below each other."""
        content = QWidget()
        stack = column(content, *sections, spacing=3)
        stack.setContentsMargins(3, 4, 3, 4)
        stack.addStretch(1)
        self.setTabToolTip(self.addTab(scrolled(content), tr(title)), tr(tip))

    def page(self, index: int) -> QScrollArea:
        found = self.widget(index)
        assert isinstance(found, QScrollArea)
        return found

    @property
    def pages(self) -> list[QScrollArea]:
        """The scrolled columns, from the first tab on."""
        return [self.page(index) for index in range(self.count())]

    def bring(self, widget: QWidget) -> None:
        """Select the tab of a widget, unfold its section and scroll to it."""
        for index, page in enumerate(self.pages):
            if page.isAncestorOf(widget):
                self.setCurrentIndex(index)
                for section in page.findChildren(Section):
                    if section.isAncestorOf(widget) and widget is not section.header:
                        section.header.setChecked(True)
                page.ensureWidgetVisible(widget)

    @property
    def needed_width(self) -> int:
        """The width in px at which nothing of the tabs is cut off."""
        inner = (page.widget() for page in self.pages)
        widths = [one.minimumSizeHint().width() for one in inner if one is not None]
        return max(widths, default=0) + SCROLL_BAR
