"""The file of features that is open: its patches on the slide or in a list."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.features import OpenFeatures
from napari_pixcell.ui.arrange import column, row, show_all
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.feature_list import FeatureList
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import Bar, ShortLabel, Text, allow, button, check_box, tool_button
from napari_pixcell.words import counted

CLICK = "Click a patch on the slide, and the active region imitates it."
HIDDEN = "The patches are hidden. “Pick” shows them again."


class FeaturesPanel(QWidget):
    """What is open, and the ways to choose a patch of it."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session = session
        self.features = features = session.features
        self._seen: OpenFeatures | None = None
        self._list: FeatureList | None = None
        self.name = ShortLabel()
        self.state, self.bar = Text(small=True), Bar()
        tip = "Close the file of features; styles taken from it stay"
        self.close_button = tool_button("✕", tip, features.close, "Close features")
        self.map_box = check_box("Map", "Show the patches on the slide")
        on_edit(self.map_box, features.show)
        tip = "Let clicks on the slide choose a patch, also after another layer was selected"
        self.pick_button = button("Pick", tip, link.features.pick, "pick patch")
        self.list_button = button("List…", "Choose a patch by its row or position", self.open_list)
        tip = "Search the file for patches like the one chosen last; nothing is embedded"
        self.find_button = button("Find similar", tip, session.similar.find_patch, "similar patch")
        self.find_button.setAccessibleName(tr("Find patches similar to the one chosen last"))
        buttons = row(self.map_box, self.pick_button, self.list_button, self.find_button)
        buttons.addStretch(1)
        head = row(self.name, self.close_button, stretch=0)
        column(self, head, self.bar, self.state, buttons)
        self.hide()

    def open_list(self) -> None:
        """Open the list of all patches."""
        if self._list is None or not self._list.isVisible():
            self._list = FeatureList(self.session, self.window())
        self._list.show()
        self._list.raise_()

    def refresh(self) -> None:
        features = self.features
        opened, task = features.current, features.opening
        self.setVisible(opened is not None or task is not None)
        self.bar.setVisible(task is not None)
        ways = self.map_box, self.pick_button, self.list_button, self.find_button
        show_all(opened is not None and task is None, *ways)
        if task is not None:
            self.name.say(task.sentence())
            self.bar.advance(0, 0)
            self.state.say("")
        elif opened is not None:
            no_map = features.why_no_map()
            self.name.say(f"{opened.name} · {counted(len(opened), 'patch', 'patches')}")
            self.state.say(no_map or (CLICK if features.shown else HIDDEN))
            set_quietly(self.map_box, features.shown and not no_map)
            allow(self.map_box, no_map)
            allow(self.pick_button, no_map)
            allow(self.list_button, features.why_not())
            allow(self.find_button, self.session.similar.why_no_patch())
        if opened is not self._seen:
            self._seen = opened
            if opened is not None and features.why_no_map():
                self.open_list()
