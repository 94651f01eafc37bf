"""Marking the part of a region in which cells are looked for or invented."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_pixcell.studio.regions.item import AREA_KINDS
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import Text, allow, button, row

TIP = (
    "Paint over a part of the region: “Segment nuclei” and “Invent” then work there alone, and "
    "“Invent” places many, some or few cells"
)


class Area(QWidget):
    """Paints and forgets the area of the active region.

    Parameters
    ----------
    session : Session
        Its state.
    link : LayerLink
        To the layer that is painted on.
    """

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.link = session, link
        self.kind = QComboBox()
        for value, (name, _) in AREA_KINDS.items():
            self.kind.addItem(name, value)
        self.kind.setToolTip("For “Invent”: how many cells there will be where you paint")
        self.kind.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.kind.activated.connect(lambda _index: self.mark())
        self.mark_button = button("Mark a part", TIP, self.mark)
        self.clear_button = button("Unmark", "Forget the marked part", link.area.clear)
        self.state = Text(small=True)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(2)
        line = row(self.mark_button, QLabel("for"), self.kind, self.clear_button)
        line.setStretch(2, 1)
        stack.addLayout(line)
        stack.addWidget(self.state)

    def mark(self) -> None:
        """Let the user paint with the chosen kind."""
        self.link.area.paint(self.kind.currentData())

    def refresh(self) -> None:
        """Show the session's state."""
        item = self.session.active
        marked = item is not None and item.area is not None
        for made in (self.mark_button, self.kind):
            allow(made, self.session.why_no_cells())
        allow(self.clear_button, "" if marked else "No part is marked")
        if not marked or item is None or item.area is None:
            self.state.say("")
        elif not item.area.any():
            self.state.say("Paint over the part now")
        else:
            percent = max(1, round(100 * float((item.area > 0).mean())))
            self.state.say(f"Cells are looked for and invented in the marked {percent} % only.")
