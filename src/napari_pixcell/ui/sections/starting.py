"""Starting from the tissue or from a variant: how much of it changes, and where."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QSizePolicy, QSpinBox
from superqt import QLabeledDoubleSlider

from napari_pixcell.studio.generation.start import NOTHING, SHOWN, STARTS, TISSUE
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import More, Text, allow, button, put, row

STRENGTH = "0 keeps the very pixels, 1 forgets them"
MARK = "Paint over the part of the region that shall change"
SOME_CELLS = 1  # what is painted: any kind will do here
TITLE = "Start from the region"


class Starting(More):
    """Chooses what a generation starts from, how much of that changes, and where.

    Parameters
    ----------
    session : Session
        Its state.
    link : LayerLink
        To the layer on which a part is marked.
    """

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__(TITLE)
        self.session, self.link = session, link
        settings = session.settings
        self.start_from = QComboBox()
        for name, text in STARTS.items():
            self.start_from.addItem(text, name)
        self.start_from.setAccessibleName("Start from")
        self.start_from.setToolTip("What the new picture is made out of, instead of nothing")
        self.start_from.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.start_from.activated.connect(
            lambda _index: setattr(settings, "start_from", self.start_from.currentData())
        )
        self.strength = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, 1)
        self.strength.setDecimals(2)
        self.strength.setSingleStep(0.05)
        self.strength.setAccessibleName("How much changes")
        self.strength.setToolTip(STRENGTH)
        self.strength.valueChanged.connect(
            lambda value: setattr(settings, "strength", round(float(value), 2))
        )
        self.words = Text(small=True)
        self.only_part = QCheckBox("Only in the marked part")
        self.only_part.setToolTip(
            "What lies outside of the part and of its border keeps its very pixels; choose "
            "another style to fill the part with other tissue"
        )
        self.only_part.toggled.connect(self._only_part)
        self.mark_button = button("Mark a part", MARK, self.mark)
        self.feather = QSpinBox()
        self.feather.setRange(0, 100)
        self.feather.setSuffix(" µm")
        self.feather.setAccessibleName("Soft border")
        self.feather.setToolTip("How far around the part the new picture fades into the old one")
        self.feather.valueChanged.connect(
            lambda value: setattr(settings, "feather_um", float(value))
        )
        self.border = QLabel("Soft border around it")
        line = row(QLabel("Start from"), self.start_from)
        line.setStretch(1, 1)
        self.content.addLayout(line)
        self.content.addLayout(row(QLabel("Keep"), self.strength, QLabel("change")))
        self.content.addWidget(self.words)
        line = row(self.only_part, self.mark_button)
        line.setStretch(0, 1)
        self.content.addLayout(line)
        line = row(self.border, self.feather)
        line.setStretch(0, 1)
        self.content.addLayout(line)

    def mark(self) -> None:
        """Let the user paint the part that changes."""
        self.button.setChecked(True)
        self._only_part(True)
        self.link.area.paint(SOME_CELLS)

    def _only_part(self, on: bool) -> None:
        settings = self.session.settings
        if on and settings.start_from == NOTHING:
            settings.start_from = TISSUE  # a part is always of something
        settings.only_part = on

    def refresh(self) -> None:
        """Show the session's state."""
        session, settings = self.session, self.session.settings
        started = settings.start_from != NOTHING
        with QSignalBlocker(self.start_from):
            self.start_from.setCurrentIndex(self.start_from.findData(settings.start_from))
        put(self.strength, settings.strength)
        allow(self.strength, "" if started else "Choose what to start from first")
        with QSignalBlocker(self.only_part):
            self.only_part.setChecked(started and settings.only_part)
        there = session.active is not None
        allow(self.mark_button, "" if there else "Add a region first")
        part = started and settings.only_part
        put(self.feather, round(settings.feather_um))
        self.border.setVisible(part)
        self.feather.setVisible(part)
        self.words.say(session.start_words())
        short = {SHOWN: "the variant", TISSUE: "the tissue"}.get(settings.start_from)
        self.button.setText(
            f"Start from {short} · {settings.strength:.0%} changes" if short else TITLE
        )
