"""Tissue like a region's: the search, and the best places."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QCheckBox, QGridLayout, QMenu, QProgressBar, QToolButton, QWidget

from napari_pixcell.engine.styles.similarity import Match
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.similar import BEST
from napari_pixcell.studio.similar_job import Similar
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import BLUE, Text, allow, button, clear, pixmap, row

SIDE = 44
FIND = (
    "Look all over the slide for tissue like the active region's: a map of it, and the best places"
)
THUMBNAIL = """
QToolButton { border: 1px solid transparent; padding: 1px; font-size: 10px;
              background: transparent; }
QToolButton:hover { background: rgba(128, 128, 128, 60); }
QToolButton:focus { border: 1px solid palette(highlight); }
"""


class SimilarPanel(QWidget):
    """What the Region section shows of a search for similar tissue.

    Parameters
    ----------
    session : Session
    link : LayerLink
        Moves the view.
    """

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.link = session, link
        self.find_button = button("Find similar", FIND, session.find_similar)
        self.find_button.setAccessibleName("Find similar tissue")
        self.state = Text(small=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")
        self.cancel_button = button(
            "Cancel",
            "Stop looking (Esc); what was looked at is kept",
            session.similar.stop,
            "cancel similar",
        )
        self.map_box = QCheckBox("Map")
        self.map_box.setToolTip(
            "Show on the slide how alike the tissue is: bright yellow is like the region, dark is "
            "no more like it than the slide's average, glass stays clear"
        )
        self.map_box.clicked.connect(session.similar.show)
        self.close_button = QToolButton()
        self.close_button.setText("✕")
        self.close_button.setToolTip("Take the map and the places away; looking again is quick")
        self.close_button.setAccessibleName("Close similar tissue")
        self.close_button.clicked.connect(lambda *_: session.similar.forget())
        self.places = QWidget()
        self.grid = QGridLayout(self.places)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(1)
        self.grid.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self.thumbnails: list[QToolButton] = []
        self._shown: Similar | None = None
        line = row(self.state, self.map_box, self.cancel_button, self.close_button)
        line.setStretch(0, 1)
        content = QGridLayout(self)
        content.setContentsMargins(0, 0, 0, 0)
        content.setVerticalSpacing(2)
        content.addLayout(line, 0, 0)
        content.addWidget(self.bar, 1, 0)
        content.addWidget(self.places, 2, 0)

    def refresh(self) -> None:
        """Show the session's state."""
        similar = self.session.similar
        job, found = similar.job, similar.found
        why = self.session.why_not_similar()
        allow(self.find_button, why)
        self.setVisible(job is not None or found is not None)
        looking = job is not None
        for widget in (self.bar, self.cancel_button):
            widget.setVisible(looking)
        self.close_button.setVisible(not looking)
        self.map_box.setVisible(found is not None)
        self.map_box.setChecked(similar.shown)
        if job is not None:
            self.state.say(job.sentence())
            self.bar.setRange(0, job.total)
            self.bar.setValue(job.done)
        elif found is not None:
            item = self.session.item(found.number)
            self.state.say(found.sentence(item.name if item is not None else "the region"))
        if found is not self._shown:
            self._shown = found
            self._fill([] if found is None else found.best)

    def _fill(self, best: list[tuple[Match, NDArray[np.uint8]]]) -> None:
        clear(self.grid)
        self.thumbnails = [self._thumbnail(*one) for one in best]
        for index, made in enumerate(self.thumbnails):
            self.grid.addWidget(made, index // BEST, index % BEST)
        self.places.setVisible(bool(best))

    def _thumbnail(self, place: Match, pixels: NDArray[np.uint8]) -> QToolButton:
        made = QToolButton()
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        made.setIconSize(QSize(SIDE, SIDE))
        made.setIcon(QIcon(pixmap(pixels, SIDE)))
        made.setText(place.percent)
        made.setAccessibleName(f"Go to a place that is {place.percent} alike")
        made.setToolTip(
            f"{place.percent} alike: 100 % is the same, 0 % the slide's average.\n"
            "Click to go there; right click to add a region there or use it as style"
        )
        made.setStyleSheet(THUMBNAIL)
        made.clicked.connect(lambda *_: self.link.go_to(place.region, always=True))
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        made.customContextMenuRequested.connect(
            lambda position: self.menu(place).exec(made.mapToGlobal(position))
        )
        return made

    def menu(self, place: Match) -> QMenu:
        """Make the menu of what can be done with a place."""
        menu = QMenu(self)
        menu.addAction("Go there", partial(self.link.go_to, place.region, True))
        menu.addAction("Add a region here", lambda: self.session.add_similar(place))
        style = menu.addAction("Use as style", lambda: self.session.use_similar(place))
        item = self.session.active
        if style is not None:
            style.setEnabled(item is not None)
            if item is not None:
                style.setText(f"Use as style of {item.name}")
        return menu
