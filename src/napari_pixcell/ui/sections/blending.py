"""More than two styles, and series from one to another."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QSpinBox, QVBoxLayout, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.style_combo import StyleCombo
from napari_pixcell.ui.widgets import More, allow, button, clear, put, row, slim

MOST_SHARE = 95  # %: with all of it on one, the others' proportions would be lost


class Blending(More):
    """Blends further styles in, and makes series.

    Parameters
    ----------
    session : Session
        Its state.
    """

    def __init__(self, session: Session) -> None:
        super().__init__("Series, more styles")
        self.session = session
        self.button.setToolTip("Go from one style to the other in steps, or blend further ones in")
        self.rows: list[_Further] = []
        self.list = QVBoxLayout()
        self.list.setSpacing(3)
        self.content.addLayout(self.list)
        self.count = QSpinBox()
        self.count.setRange(2, 50)
        self.count.setValue(5)
        slim(self.count, 64)
        self.count.setToolTip("How many steps, with both ends")
        self.series_button = button(
            "Series of",
            "One variant for each step from the first style to the last, all with the same seed",
            lambda: session.generate_series(self.count.value()),
        )
        self.another_button = button("+ Style", "Blend another style in", self._another)
        line = row(self.series_button, self.count, self.another_button)
        line.insertStretch(2, 1)
        self.content.addLayout(line)

    def _another(self) -> None:
        active = self.session.active
        another = self.session.another_style()
        if active is not None and another:
            self.session.choose_style(active.style.with_more(another))

    def refresh(self) -> None:
        """Show the session's state."""
        active, session = self.session.active, self.session
        parts = active.style.parts if active is not None else ()
        self.setVisible(len(parts) > 1)
        if len(self.rows) != max(0, len(parts) - 2):
            clear(self.list)
            self.rows = [_Further(session, index) for index in range(2, len(parts))]
            for made in self.rows:
                self.list.addWidget(made)
        for made in self.rows:
            made.refresh()
        other = bool(session.another_style())
        allow(self.another_button, "" if other else "All styles are in this blend already")
        why = session.why_not() or ("" if len(parts) > 1 else "Blend with another style first")
        allow(self.series_button, why)


class _Further(QWidget):
    """The third style of a blend, or a later one: which, and its share."""

    def __init__(self, session: Session, index: int) -> None:
        super().__init__()
        self.session, self.index = session, index
        self.choice = StyleCombo(session, lambda ref: self._choose(ref))
        self.share = QSlider(Qt.Orientation.Horizontal)
        self.share.setRange(0, MOST_SHARE)
        self.share.setMinimumWidth(60)
        self.share.setToolTip("How much of this style")
        self.share.setAccessibleName("Share of the style")
        self.share.valueChanged.connect(self._weigh)
        self.percent = QLabel()
        self.percent.setMinimumWidth(34)
        remove = button("✕", "Take this style out of the blend", self._remove, "remove style")
        remove.setFixedWidth(26)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        for widget, stretch in ((self.choice, 3), (self.share, 2), (self.percent, 0), (remove, 0)):
            line.addWidget(widget, stretch)

    def _choose(self, ref: int | str) -> None:
        active = self.session.active
        if active is not None:
            self.session.choose_style(active.style.with_ref(self.index, ref))

    def _weigh(self, percent: int) -> None:
        active = self.session.active
        if active is not None and self.index < len(active.style.parts):
            self.session.choose_style(active.style.with_share(self.index, percent / 100))

    def _remove(self) -> None:
        active = self.session.active
        if active is not None:
            self.session.choose_style(active.style.without(self.index))

    def refresh(self) -> None:
        """Show the session's state."""
        active = self.session.active
        if active is None or self.index >= len(active.style.parts):
            return
        self.choice.refresh(active.style.parts[self.index].ref, none=False)
        percent = round(100 * active.style.shares[self.index])
        put(self.share, min(percent, MOST_SHARE))
        self.percent.setText(f"{percent} %")
