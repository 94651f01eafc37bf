"""Thumbnails of what was made."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QGuiApplication, QIcon, QPixmap
from qtpy.QtWidgets import QGridLayout, QMenu, QToolButton, QWidget

from napari_pixcell.cells import condition_image
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.studio.results import Result
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.parts import BLUE, Section, Text, clear, pixmap, thinned

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
        self._pictures: dict[tuple[str, int], QPixmap] = {}
        self._own: dict[int, QPixmap] = {}
        self._tissue: list[tuple[QToolButton, int]] = []
        self.finish()
        session.gallery.added.connect(self._rebuild)
        session.gallery.removed.connect(self._rebuild)

    def refresh(self) -> None:
        """Show which variants are seen."""
        results = self.session.gallery.results
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
        for result in self.session.gallery.results:
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
            self.session.gallery.show_none(number)
            self.refresh()

        if result.target.pixels is not None:
            made = _thumbnail(self._picture("tissue", result), "tissue", hide)
            made.setToolTip("The real tissue of the region: click to see it in place")
            self._tissue.append((made, number))
            cells.append(made)
        if result.record.request.layout is not None:
            picture = self._picture("layout", result)
            made = _thumbnail(picture, "layout", lambda: made.setChecked(False))
            made.setToolTip("The layout that these variants were made from")
            cells.append(made)
        return cells

    def _picture(self, kind: str, result: Result) -> QPixmap:
        """Draw a thumbnail of what all variants of a job share, once."""
        key = kind, result.job
        if key not in self._pictures:
            image = result.target.pixels
            if kind == "layout" and (labels := result.labels) is not None:
                image = condition_image(thinned(labels))
            assert image is not None
            self._pictures[key] = pixmap(image, SIDE)
        return self._pictures[key]

    def _variant(self, result: Result) -> QToolButton:
        def toggle() -> None:
            self.session.gallery.show(result, not result.shown)

        if result.number not in self._own:
            self._own[result.number] = pixmap(result.small, SIDE)
        made = _thumbnail(self._own[result.number], f"seed {result.seed}", toggle)
        request = result.record.request
        made.setToolTip(
            f"{result.name}\n{_how(request)}\n"
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
        menu.addAction("Use as style", lambda: self.session.use_as_style(result))
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            menu.addAction("Copy seed", lambda: clipboard.setText(str(result.seed)))
        menu.addSeparator()
        menu.addAction("Discard", lambda: self.session.gallery.discard(result))
        menu.exec(made.mapToGlobal(position))


def _how(request: GenerateRequest) -> str:
    """Say how a variant was made, and how large it is if it is no tile."""
    parts = [f"{request.steps} steps", f"guidance {request.guidance:g}"]
    if request.preset != EXACT.name:
        parts.append(request.preset)
    if request.size is not None:
        parts.append(f"{request.size[1]} × {request.size[0]} px")
    return ", ".join(parts)


def _thumbnail(picture: QPixmap, text: str, act: Callable[[], None]) -> QToolButton:
    made = QToolButton()
    made.setCheckable(True)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    made.setIconSize(QSize(SIDE, SIDE))
    made.setIcon(QIcon(picture))
    made.setText(text)
    made.setStyleSheet(STYLE)
    made.clicked.connect(lambda *_: act())
    return made
