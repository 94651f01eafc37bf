"""Thumbnails of what was made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QGuiApplication, QIcon
from qtpy.QtWidgets import QGridLayout, QMenu, QToolButton, QWidget

from napari_pixcell.cells import condition_image
from napari_pixcell.studio.results import Result
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.parts import BLUE, Section, Text, clear, pixmap

SIDE = 58
COLUMNS = 4
STYLE = f"""
QToolButton {{ border: 2px solid transparent; padding: 1px; font-size: 9px;
              background: transparent; }}
QToolButton:checked {{ border: 2px solid {BLUE}; border-radius: 3px; }}
QToolButton:hover {{ background: rgba(128, 128, 128, 60); }}
"""


class ResultsSection(Section):
    """For each job a row: the tissue, the layout, and the variants made from them."""

    def __init__(self, session: Session) -> None:
        super().__init__("results", "Results")
        self.session = session
        self.hint = Text("Variants appear here and exactly over their region.", small=True)
        self.content.addWidget(self.hint)
        self.strip = QWidget()
        self.grid = QGridLayout(self.strip)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(2)
        self.grid.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.content.addWidget(self.strip)
        self.thumbnails: dict[int, QToolButton] = {}
        self._tissue: list[tuple[QToolButton, int]] = []
        self.finish()
        session.generation.added.connect(self._rebuild)
        session.generation.removed.connect(self._rebuild)

    def refresh(self) -> None:
        """Show which variants are seen."""
        results = self.session.generation.results
        for result in results:
            if result.number in self.thumbnails:
                self.thumbnails[result.number].setChecked(result.shown)
        for made, number in self._tissue:
            own = (r for r in results if r.target.number == number)
            made.setChecked(not any(r.shown for r in own))
        self.hint.setVisible(not results)
        self.tell(self.session.problems.get("results", ""), "")

    def _rebuild(self, _result: Result | None = None) -> None:
        clear(self.grid)
        self.thumbnails.clear()
        self._tissue.clear()
        place = 0
        jobs: dict[int, list[Result]] = {}
        for result in self.session.generation.results:
            jobs.setdefault(result.job, []).append(result)
        for results in reversed(list(jobs.values())):
            first = results[0]
            title = Text(f"{first.target.name} · {first.made:%H:%M}", small=True)
            self.grid.addWidget(title, place, 0, 1, COLUMNS)
            place += 1
            cells = self._context(first) + [self._variant(result) for result in results]
            for index, made in enumerate(cells):
                self.grid.addWidget(made, place + index // COLUMNS, index % COLUMNS)
            place += (len(cells) + COLUMNS - 1) // COLUMNS
        self.refresh()

    def _context(self, result: Result) -> list[QToolButton]:
        """Give the tissue and the layout that variants can be compared with."""
        number = result.target.number
        cells = []

        def hide() -> None:
            self.session.generation.show_none(number)
            self.refresh()

        if result.target.pixels is not None:
            made = _thumbnail(result.target.pixels, "tissue", hide)
            made.setToolTip("The real tissue of the region: click to see it in place")
            self._tissue.append((made, number))
            cells.append(made)
        labels = result.labels
        if labels is not None:
            made = _thumbnail(condition_image(labels), "layout", lambda: made.setChecked(False))
            made.setToolTip("The layout that these variants were made from")
            cells.append(made)
        return cells

    def _variant(self, result: Result) -> QToolButton:
        def toggle() -> None:
            self.session.generation.show(result, not result.shown)

        made = _thumbnail(result.image, f"seed {result.seed}", toggle)
        request = result.record.request
        made.setToolTip(
            f"{result.name}\n{request.steps} steps, guidance {request.guidance:g}\n"
            f"{result.record.notice}\nClick to show or hide; right click for more"
        )
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        made.customContextMenuRequested.connect(lambda position: self._menu(result, made, position))
        self.thumbnails[result.number] = made
        return made

    def _menu(self, result: Result, made: QToolButton, position: object) -> None:
        menu = QMenu(self)
        settings, request = self.session.settings, result.record.request
        menu.addAction("Use these settings", lambda: settings.use(request))
        menu.addAction("Use this seed", lambda: setattr(settings, "seed", result.seed))
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            menu.addAction("Copy seed", lambda: clipboard.setText(str(result.seed)))
        menu.addSeparator()
        menu.addAction("Discard", lambda: self.session.generation.discard(result))
        menu.exec(made.mapToGlobal(position))


def _thumbnail(image: NDArray[np.uint8], text: str, act: Callable[[], None]) -> QToolButton:
    made = QToolButton()
    made.setCheckable(True)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    made.setIconSize(QSize(SIDE, SIDE))
    made.setIcon(QIcon(pixmap(image, SIDE)))
    made.setText(text)
    made.setStyleSheet(STYLE)
    made.clicked.connect(lambda *_: act())
    return made
