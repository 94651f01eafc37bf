"""The line above the tabs: the slide, its pixel size, the model, and the menu."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QToolButton, QWidget

from napari_pixcell.models.families import families
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import boxed, column, row
from napari_pixcell.ui.bind import bind, set_quietly
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.shell.menu import StudioMenu
from napari_pixcell.ui.slide_actions import MPP_RANGE, SlideActions
from napari_pixcell.ui.widgets import (
    AMBER,
    ShortLabel,
    Text,
    button,
    combo,
    number,
    offer,
    tool_button,
)

UNKNOWN = "The file states no pixel size. Enter it once; it is remembered."
MPP = "Pixel size, about 0.25 µm/px for a 40× scan and 0.5 µm/px for a 20× scan"
CHIP = (
    "QLabel { color: white; background: #8a5200; border-radius: 6px; padding: 0px 4px;"
    " font-size: 9px; font-weight: bold; }"
)
FLAT = (
    "QToolButton { border: none; background: transparent; padding: 1px 2px; }"
    "QToolButton:hover { background: rgba(128, 128, 128, 80); }"
    "QToolButton::menu-indicator { image: none; }"
)


class Header(QWidget):
    """One line, and below it the question for a pixel size that the file does not state."""

    def __init__(self, session: Session, actions: SlideActions) -> None:
        super().__init__()
        self.session = session
        self.name = ShortLabel()
        self.name.setStyleSheet("font-weight: bold;")
        tip = "Correct the pixel size of the slide"
        self.mpp_button = tool_button("", tip, actions.correct_mpp, "Correct the pixel size")
        self.model = combo("", name="Model")
        self._offer_models()
        settings = session.settings
        bind(self.model, settings, "family", store=settings.use_family)
        self.chip = QLabel(tr("DEMO"))
        self.chip.setStyleSheet(CHIP)
        self.menu_button = QToolButton()
        self.menu_button.setText("⋯")
        tip = "Open slides and sessions, manage models, preferences"
        self.menu_button.setToolTip(tr(tip))
        self.menu_button.setAccessibleName(tr("Studio menu"))
        self.menu_button.setStyleSheet(FLAT)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = StudioMenu(session, actions, self.menu_button)
        self.menu_button.setMenu(self.menu)
        self.mpp = number(*MPP_RANGE, MPP, decimals=4, unit=" µm/px", step=0.05, value=0.5)
        self.mpp.setObjectName("mpp")
        self.mpp.setStyleSheet(f"QDoubleSpinBox {{ border: 1px solid {AMBER}; }}")
        tip = "Set the pixel size and remember it for this file"
        self.set_button = button("Set pixel size", tip, self.set_mpp)
        self._set_mpp = actions.link.set_mpp
        unknown, fields = Text(UNKNOWN, AMBER), row(self.mpp, self.set_button)
        self.asking = boxed(column(None, unknown, fields, spacing=4))
        self.corrupt = Text(colour=AMBER)
        self.mpp_button.setStyleSheet(FLAT + "QToolButton { font-size: 11px; }")
        line = row(self.name, self.mpp_button, self.model, self.chip, self.menu_button)
        line.setSpacing(3)
        line.setStretch(0, 4)
        line.setStretch(2, 5)
        stack = column(self, line, self.asking, self.corrupt, spacing=3)
        stack.setContentsMargins(6, 2, 4, 2)

    def set_mpp(self) -> None:
        """Use the pixel size that was entered."""
        self._set_mpp(self.mpp.value())

    def _offer_models(self) -> None:
        known = families().values()
        offer(self.model, [(_short(family.title), family.name) for family in known])
        for index, family in enumerate(known):
            self.model.setItemData(index, family.title, Qt.ItemDataRole.ToolTipRole)
        set_quietly(self.model, self.session.settings.family)

    def refresh(self) -> None:
        session, slide = self.session, self.session.slides.current
        family, there = session.settings.model, slide is not None
        self.name.say(slide.name if there else "", _size(slide) if there else "")
        for widget in (self.mpp_button, self.model):
            widget.setVisible(there)
        if there:
            known = slide.mpp is not None
            self.mpp_button.setText(f"{slide.mpp:.3g} µm/px ✎" if known else "? µm/px ✎")
        self._offer_models()
        title, licence = family.title, f"Licence of the weights: {family.licence}"
        self.model.setToolTip(tr(f"{title}\n{licence}"))
        self.chip.setVisible(there and family.notice.startswith("DEMO"))
        self.chip.setToolTip(tr(family.notice))
        self.chip.setAccessibleName(tr(family.notice))
        self.asking.setVisible(there and slide.mpp is None)
        self.corrupt.say(session.regions.corrupt_note())


def _short(title: str) -> str:
    """Return a family's title without what is added in brackets."""
    return title.partition(" (")[0]


def _size(slide: Any) -> str:
    height, width = slide.shape
    mpp = slide.mpp
    if mpp is None:
        return f"{width:,} × {height:,} px"
    across, down = width * mpp, height * mpp
    size = f"{across:,.0f} × {down:,.0f} µm"
    if min(across, down) >= 1000:
        size = f"{across / 1000:.1f} × {down / 1000:.1f} mm"
    source = getattr(slide, "mpp_source", "")
    return f"{size} · {mpp:.4g} µm/px" + (f" ({source})" if source else "")
