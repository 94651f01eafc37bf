"""The search for tissue like a region's: its map and the best matches."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QMenu, QToolButton, QWidget

from napari_pixcell.engine.styles.similarity import Match
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.similar import BEST, Similar
from napari_pixcell.ui.arrange import clear, column, pop_up, row, show_all, tight_grid
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import Bar, Text, allow, button, check_box, pixmap, tool_button

SIDE = 38  # six of them fit into the narrowest dock
FIND = "Search the slide for tissue like the active region's, and map the similarity"
MAP = (
    "Show the similarity on the slide: bright yellow is like the region, dark is average or below, "
    "background stays clear"
)
THUMBNAIL = """
QToolButton { border: 1px solid transparent; padding: 1px; font-size: 10px;
              background: transparent; }
QToolButton:hover { background: rgba(128, 128, 128, 60); }
QToolButton:focus { border: 1px solid palette(highlight); }
"""


class SimilarPanel(QWidget):
    """The progress and the result of a search for similar tissue."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.link = session, link
        similar = session.similar
        self.find_button = button("Find similar", FIND, similar.find)
        self.find_button.setAccessibleName(tr("Find similar tissue"))
        self.state = Text(small=True)
        self.bar = Bar()
        tip = "Cancel the search (Esc). Searching again resumes it."
        self.cancel_button = button("Cancel", tip, similar.cancel, "cancel similar")
        self.map_box = check_box("Map", MAP)
        on_edit(self.map_box, similar.show)
        tip = "Remove the map and the matches"
        self.close_button = tool_button("✕", tip, similar.forget, "Close similar tissue")
        self.matches = QWidget()
        self.grid = tight_grid(self.matches, spacing=1)
        self.grid.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self.thumbnails: list[QToolButton] = []
        self._shown: Similar | None = None
        head = row(self.state, self.map_box, self.cancel_button, self.close_button, stretch=0)
        column(self, head, self.bar, self.matches)

    def refresh(self) -> None:
        similar = self.session.similar
        job, found = similar.job, similar.found
        allow(self.find_button, self.session.similar.why_not())
        self.setVisible(job is not None or found is not None)
        show_all(job is not None, self.bar, self.cancel_button)
        self.close_button.setVisible(job is None)
        self.map_box.setVisible(found is not None)
        set_quietly(self.map_box, similar.shown)
        if job is not None:
            self.state.say(job.sentence())
            self.bar.advance(job.done, job.total)
        elif found is not None:
            item = self.session.regions.get(found.number)
            name = item.name if item is not None else found.name
            self.state.say(found.sentence(name or "the region"))
        if found is not self._shown:
            self._shown = found
            self._fill([] if found is None else found.best)

    def _fill(self, best: list[tuple[Match, NDArray[np.uint8]]]) -> None:
        clear(self.grid)
        self.thumbnails = [self._thumbnail(*match) for match in best]
        for index, made in enumerate(self.thumbnails):
            self.grid.addWidget(made, index // BEST, index % BEST)
        self.matches.setVisible(bool(best))

    def _thumbnail(self, match: Match, pixels: NDArray[np.uint8]) -> QToolButton:
        made = tool_button(
            match.percent,
            f"{match.percent} similar: 100 % is identical, 0 % the average of the slide.\n"
            "Click to go there. Right-click to add a region or use it as a style.",
            lambda: self.link.go_to(match.region),
            f"Go to a match, {match.percent} similar",
        )
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        made.setIconSize(QSize(SIDE, SIDE))
        made.setIcon(QIcon(pixmap(pixels, SIDE)))
        made.setStyleSheet(THUMBNAIL)
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        wanted = made.customContextMenuRequested
        wanted.connect(lambda at: pop_up(self.menu(match), made.mapToGlobal(at)))
        return made

    def menu(self, match: Match) -> QMenu:
        menu = QMenu(self)
        menu.addAction(tr("Go to match"), partial(self.link.go_to, match.region))
        similar, item = self.session.similar, self.session.regions.active
        menu.addAction(tr("Add region here"), lambda: similar.add_region(match))
        style = menu.addAction(tr("Use as style"), lambda: similar.use_style(match))
        if style is not None:
            style.setEnabled(item is not None)
            if item is not None:
                style.setText(tr(f"Use as style of {item.name}"))
        return menu
