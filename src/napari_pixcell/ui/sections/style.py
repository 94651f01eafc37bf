"""What the tissue should look like."""

from __future__ import annotations

import math
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QInputDialog,
    QLabel,
    QMenu,
    QProgressBar,
    QSlider,
    QToolButton,
)

from napari_pixcell.engine.styles.style import Style
from napari_pixcell.studio.regions.item import RegionItem, tiles_text
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.choice import Ref, StyleChoice
from napari_pixcell.ui.sections.blending import Blending
from napari_pixcell.ui.style_combo import StyleCombo
from napari_pixcell.ui.widgets import BLUE, Section, Text, allow, button, put

MANY = 32  # tiles whose embedding is worth a bar and a button to stop it
FORGET = "Forget computed styles"
PICTURES = "Pictures of tissue (*.png *.jpg *.jpeg *.tif *.tiff *.bmp);;All files (*)"
BLEND = "Look partly like one style, partly like another; or like the first one only again"
SAVE = "Keep this style under a name, for any region and slide"
WAIT = "There is no style to blend with others yet: add a region, and let it be embedded"
ALONE = "There is no other style yet: add a region, or choose a picture in the ⋯ menu"
NO_BREAK, SHORT = "\u00a0", 28
LINK = (
    "QPushButton { background: transparent; border: none; padding: 1px 4px; font-size: 10px;"
    " text-align: left; text-decoration: underline; }"
)


class StyleSection(Section):
    """Chooses whose embedding is the style, and blends several."""

    def __init__(self, session: Session) -> None:
        super().__init__("style", "2  Style")
        self.session = session
        self.setAcceptDrops(True)
        self.like = QLabel("Look like")
        self.choice = StyleCombo(session, self._choose)
        self.choice.setAccessibleName("Style")
        self.balance = QSlider(Qt.Orientation.Horizontal)
        self.balance.setRange(0, 100)
        self.balance.setMinimumWidth(50)
        self.balance.setAccessibleName("From the first style to the second")
        self.balance.valueChanged.connect(self._weigh)
        self.second = StyleCombo(session, self._choose_second)
        self.second.setAccessibleName("Second style")
        self.menu_button = QToolButton()
        self.menu_button.setText("⋯")
        self.menu_button.setToolTip("From a picture, save, rename, remove")
        self.menu_button.setAccessibleName("More for styles")
        self.menu_button.clicked.connect(self._open_menu)
        line = self.add(self.like, self.choice, self.balance, self.second, self.menu_button)
        for index, stretch in ((1, 3), (2, 2), (3, 3)):
            line.setStretch(index, stretch)
        self.state = Text()
        self.state.setToolTip("The style is the region's embedding, one vector for each tile")
        self.embed_button = button("Embed", "Compute the embedding of the region", self._embed)
        self.cancel_button = button(
            "Cancel", "Stop before the next tiles (Esc)", session.cancel_embedding, "cancel embed"
        )
        self.blend_button = button("Blend with…", BLEND, self._turn)
        self.save_button = button("Save…", SAVE, self.save)
        line = self.add(
            self.state, self.embed_button, self.cancel_button, self.blend_button, self.save_button
        )
        line.setStretch(0, 1)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")
        self.content.addWidget(self.bar)
        self.blending = Blending(session)
        self.content.addWidget(self.blending)
        self.forget_button = button(FORGET, "", session.forget_styles, FORGET)
        self.forget_button.setStyleSheet(LINK)
        self.content.addWidget(self.forget_button)
        self.finish()

    # -- what the user does --------------------------------------------------------------

    def _choose(self, ref: Ref) -> None:
        if self.session.active is not None:
            self.session.choose_style(self.session.active.style.with_ref(0, ref))

    def _choose_second(self, ref: Ref) -> None:
        if self.session.active is not None:
            self.session.choose_style(self.session.active.style.with_ref(1, ref))

    def _weigh(self, percent: int) -> None:
        if self.session.active is not None:
            self.session.choose_style(self.session.active.style.with_balance(percent / 100))

    def _turn(self) -> None:
        """Begin to blend, or look like the first style only."""
        active = self.session.active
        if active is None:
            return
        if len(active.style.parts) > 1:
            self.session.choose_style(StyleChoice.of(active.style.refs[0]))
        else:
            self.session.choose_style(active.style.with_more(self.session.another_style()))

    def save(self) -> None:
        """Ask for a name and keep the style."""
        name, given = QInputDialog.getText(
            self, "Save style", "Name", text=self.session.suggested_name()
        )
        if given:
            self.session.save_style(name)

    def open_picture(self) -> None:
        """Ask for a picture whose tissue the variants should look like."""
        path, _ = QFileDialog.getOpenFileName(self, "Style from a picture", "", PICTURES)
        if path:
            self.session.style_from_picture(Path(path))

    def _rename(self, style: Style) -> None:
        name, given = QInputDialog.getText(self, "Rename style", "Name", text=style.name)
        if given:
            self.session.rename_style(style.id, name)

    def _open_menu(self) -> None:
        self.menu().exec(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    def menu(self) -> QMenu:
        """Give what can be done with styles."""
        session, menu = self.session, QMenu(self)
        menu.setToolTipsVisible(True)
        picture = menu.addAction("From a picture…", self.open_picture)
        picture.setToolTip("Look like the tissue in an image file; it can also be dropped here")
        menu.addSeparator()
        for style in self._styles():
            menu.addAction(f"Rename “{style.name}”…", lambda s=style: self._rename(s))
            menu.addAction(f"Remove “{style.name}”", lambda s=style: session.remove_style(s.id))
        if not self._styles():
            none = menu.addAction("Rename or remove: choose a saved style first")
            none.setEnabled(False)
        return menu

    def _styles(self) -> list[Style]:
        """Give the chosen styles that are no region's."""
        active = self.session.active
        found = self.session.ingredients(active) if active is not None else []
        return [one.style for one in found if one.style is not None]

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept files."""
        if event is not None and event.mimeData().hasUrls() and self.session.active is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Look like the picture that was dropped."""
        for url in event.mimeData().urls() if event is not None else ():
            if event is not None and url.isLocalFile():
                event.acceptProposedAction()
                self.session.style_from_picture(Path(url.toLocalFile()))

    # -- what the user sees --------------------------------------------------------------

    def refresh(self) -> None:
        """Show the session's state."""
        session, active = self.session, self.session.active
        choice = active.style if active is not None else StyleChoice()
        blended = len(choice.parts) > 1
        self.like.setVisible(not blended)
        self.choice.refresh(choice.refs[0] if choice.parts else 0, none=not blended)
        allow(self.choice, "" if active is not None else "Add a region first")
        for widget in (self.balance, self.second):
            widget.setVisible(blended)
        if blended:
            self.second.refresh(choice.refs[1], none=False)
            put(self.balance, round(100 * choice.balance))
            self.balance.setToolTip(self._shares(active))
        style = session.style_item()
        job = style.embedding_job if style is not None else None
        making = session.styles_coming[-1] if session.styles_coming else None
        if making is not None:
            job = making.job
        self.state.say(making.sentence() if making is not None else self._state(active))
        long = job is not None and job.total >= MANY
        self.bar.setVisible(long)
        self.cancel_button.setVisible(long)
        if job is not None:
            self.bar.setRange(0, job.total if job.done else 0)
            self.bar.setValue(job.done)
            allow(self.cancel_button, "It is stopping" if job.cancelled else "")
        missing = style is not None and style.embedding is None and not style.embedding_busy
        self.embed_button.setVisible(missing and "style" not in session.problems)
        ready = active is not None and bool(choice.parts) and not session.why_no_style(active)
        self.save_button.setVisible(ready)
        allow(self.save_button, "" if ready else "There is no style yet that could be saved")
        self.blend_button.setVisible(ready or blended)
        self.blend_button.setText("Don't blend" if blended else "Blend with…")
        alone = not blended and not session.another_style()
        allow(self.blend_button, ALONE if alone else "" if ready or blended else WAIT)
        self.blending.refresh()
        self._show_stored()
        problem = session.problems.get("style", "")
        note = session.notes.get("style", "")
        again = bool(problem) and missing
        self.tell(problem, note, "Try again" if again else "", self._embed)

    def _shares(self, item: RegionItem | None) -> str:
        found = self.session.ingredients(item) if item is not None else []
        parts = (f"{100 * one.share:.0f} % {one.name}" for one in found)
        # Lines break between the styles, not inside their names, unless these are long.
        return " · ".join(p.replace(" ", NO_BREAK) if len(p) < SHORT else p for p in parts)

    def _state(self, active: RegionItem | None) -> str:
        session = self.session
        if active is None:
            return "Add a region first"
        if not active.style.parts:
            return "No style: the model chooses the tissue"
        wrong = session.why_no_blend(active)
        if wrong:
            return wrong
        style = session.style_item()
        if style is not None and style.embedding is None:
            job = style.embedding_job
            busy = job.sentence() if job is not None else "Embedding…"
            return busy if style.embedding_busy else "Not embedded"
        waits = session.why_no_style(active)
        if waits:
            return waits
        if len(active.style.parts) > 1:
            return self._shares(active)
        one = session.ingredients(active)[0]
        shape = one.embedding.shape if one.embedding is not None else ()
        tiles = tiles_text(math.prod(shape[:-1]))
        family = session.settings.model
        if family.grid > 1:  # not what is a tile elsewhere
            tiles += f" of {family.tile // family.grid} px"
        if one.item is None:
            saved = one.style is not None and one.style.id in session.saved
            return f"✓ {'saved' if saved else 'embedded'} ({tiles})"
        stored = ", stored" if one.item.embedding_stored else ""
        return f"✓ embedded ({tiles}{stored})"

    def _show_stored(self) -> None:
        cache = self.session.embedder.cache
        self.forget_button.setVisible(bool(cache.bytes))
        if cache.bytes:
            self.forget_button.setText(f"{FORGET} ({_megabytes(cache.bytes)})")
            self.forget_button.setToolTip(
                "The styles of regions are kept on this computer, without any names, so that a "
                f"slide opens with them at once: {_megabytes(cache.bytes)} of at most "
                f"{_megabytes(cache.limit)}. Forgotten ones are computed again when needed. "
                "Those that you saved by name stay."
            )

    def _embed(self) -> None:
        style = self.session.style_item()
        if style is not None:
            self.session.embed(style.number)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else "less than 1 MB"
