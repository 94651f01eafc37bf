"""The Style section: what the generated tissue should look like."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QLabel, QMenu, QSlider, QWidget

from napari_pixcell.engine.styles.features.file import SUFFIXES
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.studio.regions.geometry import tiles_text
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.styles.choice import Ref, StyleChoice
from napari_pixcell.ui.arrange import More, clear, column, keep_room, pop_up, row, show_all
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.dialogs import ask_file, ask_name
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.features import FeaturesPanel
from napari_pixcell.ui.style_combo import StyleCombo
from napari_pixcell.ui.widgets import Bar, allow, button, calm_wheel, number, tool_button

MOST_SHARE = 95  # %: at 100 % the proportions of the other styles would be lost
MANY = 32  # tiles from which on an embedding shows its progress
IMAGES = "Images of tissue (*.png *.jpg *.jpeg *.tif *.tiff *.bmp);;All files (*)"
FEATURES = "Features of patches (*.h5 *.hdf5);;All files (*)"
BLEND = "Blend this style with another, or return to the first one"
SAVE = "Save this style by name, for any region and slide"
WAIT = "Wait until the region is embedded"
ALONE = "There is no other style. Add a region, or a style from an image in the ⋯ menu."
NO_BREAK, SHORT = "\u00a0", 28


class StyleSection(Section):
    """Chooses the embedding that is the style, and blends several."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__(session, "style", "2  Style", lines=1)
        self.regions, self.styles = session.regions, session.styles
        self.setAcceptDrops(True)
        self.label = QLabel(tr("Style"))
        self.choice = StyleCombo(session, lambda ref: self._choose(0, ref))
        self.choice.setAccessibleName(tr("Style"))
        self.balance = QSlider(Qt.Orientation.Horizontal)
        self.balance.setRange(0, 100)
        self.balance.setMinimumWidth(50)
        self.balance.setAccessibleName(tr("Balance of the first and second style"))
        on_edit(self.balance, self._weigh)
        self.second = StyleCombo(session, lambda ref: self._choose(1, ref))
        self.second.setAccessibleName(tr("Second style"))
        tip = "Add styles from an image or a file of features; rename or remove styles"
        self.menu_button = tool_button("⋯", tip, self._open_menu, "Style menu")
        line = self.add(self.label, self.choice, self.balance, self.second, self.menu_button)
        for index, stretch in ((1, 3), (2, 2), (3, 3)):
            line.setStretch(index, stretch)
        self.state.setToolTip(tr("The style is the region's embedding, one vector for each tile"))
        self.embed_button = button("Embed region", "Compute the region's embedding", self._embed)
        tip = "Cancel before the next tiles (Esc)"
        self.cancel_button = button("Cancel", tip, session.styles.cancel, "cancel embed")
        self.blend_button = button("Blend with…", BLEND, self._toggle_blend)
        self.save_button = button("Save…", SAVE, self.save)
        self.save_button.setAccessibleName(tr("Save style"))
        buttons = (self.embed_button, self.cancel_button, self.blend_button, self.save_button)
        self.add(*buttons)
        self.bar = Bar()
        keep_room(self.bar)
        self.blending = BlendingPanel(session)
        self.features = FeaturesPanel(session, link)
        self.stack(self.bar, self.blending, self.features)

    # -- actions -------------------------------------------------------------------------

    def _choose(self, index: int, ref: Ref) -> None:
        _restyle(self.session, lambda style: style.with_ref(index, ref))

    def _weigh(self, percent: int) -> None:
        _restyle(self.session, lambda style: style.with_balance(percent / 100))

    def _toggle_blend(self) -> None:
        active = self.regions.active
        if active is not None and len(active.style.parts) > 1:
            self.styles.choose(StyleChoice.of(active.style.refs[0]))
        elif active is not None:
            self.styles.choose(active.style.with_more(self.styles.another()))

    def save(self) -> None:
        ask_name(self, "Save style", self.styles.suggested_name(), self.styles.save)

    def open_picture(self) -> None:
        ask_file(self, "Style from an image", IMAGES, self.styles.add_picture)

    def open_features(self) -> None:
        ask_file(self, "Styles from features", FEATURES, self.session.features.open)

    def _rename(self, style: Style) -> None:
        ask_name(self, "Rename style", style.name, partial(self.session.library.rename, style.id))

    def _open_menu(self) -> None:
        pop_up(self.menu(), self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    def menu(self) -> QMenu:
        session, menu, styles = self.session, QMenu(self), self._styles()
        menu.setToolTipsVisible(True)
        image = menu.addAction(tr("Add style from image…"), self.open_picture)
        image.setToolTip(
            tr("Use the tissue of an image file as a style. You can also drop it here.")
        )
        features = menu.addAction(tr("Add styles from features…"), self.open_features)
        features.setToolTip(
            tr("Use patches that TRIDENT or CLAM embedded. You can also drop the file.")
        )
        menu.addSeparator()
        for style in styles:
            menu.addAction(tr(f"Rename “{style.name}”…"), lambda s=style: self._rename(s))
            menu.addAction(
                tr(f"Remove “{style.name}”"), lambda s=style: session.library.remove(s.id)
            )
        if not styles:
            menu.addAction(tr("Choose a saved style to rename or remove it")).setEnabled(False)
        return menu

    def _styles(self) -> list[Style]:
        """Return the chosen styles that come from no region."""
        active = self.regions.active
        found = self.styles.ingredients(active) if active is not None else []
        return [one.style for one in found if one.style is not None]

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        chosen = self.regions.active is not None
        if event is not None and event.mimeData().hasUrls() and chosen:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        for url in event.mimeData().urls() if event is not None else ():
            if event is not None and url.isLocalFile():
                event.acceptProposedAction()
                path = Path(url.toLocalFile())
                if path.suffix.lower() in SUFFIXES:
                    self.session.features.open(path)
                else:
                    self.styles.add_picture(path)

    # -- display -------------------------------------------------------------------------

    def refresh(self) -> None:
        active = self.regions.active
        choice = active.style if active is not None else StyleChoice()
        blended = len(choice.parts) > 1
        self.label.setVisible(not blended)
        self.choice.refresh(choice.refs[0] if choice.parts else 0, none=not blended)
        allow(self.choice, "" if active is not None else "Add a region first")
        show_all(blended, self.balance, self.second)
        if blended:
            self.second.refresh(choice.refs[1], none=False)
            set_quietly(self.balance, 100 * choice.balance)
            self.balance.setToolTip(tr(self._shares(active)))
        style = self.styles.source_region()
        self._show_progress(active, style)
        missing = style is not None and style.embedding is None and not style.embedding_busy
        self.embed_button.setVisible(missing and not self.problem_now())
        allow(self.embed_button, self.session.models.why_no_encoder())
        ready = active is not None and bool(choice.parts) and not self.styles.why_not(active)
        allow(self.save_button, "" if ready else "There is no style to save yet")
        self.blend_button.setText(tr("Stop blending" if blended else "Blend with…"))
        alone = not blended and not self.styles.another()
        allow(self.blend_button, ALONE if alone else "" if ready or blended else WAIT)
        self.blending.refresh()
        self.features.refresh()
        library = self.session.library
        now = self._state_now(active)
        if missing and self.problem_now() and self.session.models.embeds:
            self.report(action="Retry", act=self._embed, state=now)
        elif library.last_removed is not None and not self.problem_now():
            self.report(action="Restore style", act=library.undo_remove, state=now)
        else:
            self.report(state=now)
        self.summarise(self.choice.currentText() if active is not None else "")

    def _show_progress(self, active: RegionItem | None, style: RegionItem | None) -> None:
        job = style.embedding_job if style is not None else None
        making = self.session.library.coming[-1] if self.session.library.coming else None
        if making is not None:
            job = making.job
        show_all(job is not None and job.total >= MANY, self.bar, self.cancel_button)
        if job is not None:
            self.bar.advance(job.done, job.total)
            allow(self.cancel_button, "Already cancelling" if job.cancelled else "")

    def _shares(self, item: RegionItem | None) -> str:
        found = self.styles.ingredients(item) if item is not None else []
        parts = (f"{100 * one.share:.0f} % {one.name}" for one in found)
        # Lines break between the styles, and within a name only if it is long.
        return " · ".join(p.replace(" ", NO_BREAK) if len(p) < SHORT else p for p in parts)

    def _state_now(self, active: RegionItem | None) -> str:
        session = self.session
        if session.library.coming:
            return session.library.coming[-1].sentence()
        if active is None:
            return "Add a region first"
        if not active.style.parts:
            return "No style: the model chooses the tissue"
        wrong = self.styles.why_no_blend(active)
        if wrong:
            return wrong
        style = self.styles.source_region()
        if style is not None and style.embedding is None:
            job = style.embedding_job
            busy = job.sentence() if job is not None else "Embedding…"
            no_encoder = self.session.models.why_no_encoder()
            return busy if style.embedding_busy else no_encoder or "Not embedded"
        waits = self.styles.why_not(active)
        if waits:
            return waits
        if len(active.style.parts) > 1:
            return self._shares(active)
        one = self.styles.ingredients(active)[0]
        shape = one.embedding.shape if one.embedding is not None else ()
        tiles = tiles_text(math.prod(shape[:-1]))
        family = session.settings.model
        if family.grid > 1:  # a part of this family's own tile
            tiles += f" of {family.tile // family.grid} px"
        if one.item is None:
            saved = one.style is not None and one.style.id in session.library.saved
            return f"✓ {'saved' if saved else 'embedded'} ({tiles})"
        cached = ", cached" if one.item.embedding_stored else ""
        return f"✓ embedded ({tiles}{cached})"

    def _embed(self) -> None:
        style = self.styles.source_region()
        if style is not None:
            self.session.embeddings.embed(style.number)


def _restyle(session: Session, change: Callable[[StyleChoice], StyleChoice]) -> None:
    active = session.regions.active
    if active is not None:
        session.styles.choose(change(active.style))


class BlendingPanel(More):
    """Adds styles to a blend and generates series."""

    def __init__(self, session: Session) -> None:
        super().__init__("Series, more styles", "Blend more styles, or generate a series of blends")
        self.session = session
        self.rows: list[_Share] = []
        self.list = column(None, spacing=3)
        self.count = number(2, 50, "Number of steps, both ends included", value=5, width=64)
        tip = "Generate one variant for each step from the first style to the last, with one seed"
        self.series_button = button("Generate series", tip, self._generate)
        self.another_button = button("Add style", "Add a style to the blend", self._another)
        line = row(self.series_button, self.count, self.another_button)
        line.insertStretch(2, 1)
        self.stack(self.list, line)

    def _generate(self) -> None:
        self.session.generator.generate_series(self.count.value())

    def _another(self) -> None:
        another = self.session.styles.another()
        if another:
            _restyle(self.session, lambda style: style.with_more(another))

    def refresh(self) -> None:
        session, active = self.session, self.session.regions.active
        parts = active.style.parts if active is not None else ()
        self.setVisible(len(parts) > 1)
        if len(self.rows) != max(0, len(parts) - 2):
            clear(self.list)
            self.rows = [_Share(session, index) for index in range(2, len(parts))]
            for made in self.rows:
                self.list.addWidget(made)
        for made in self.rows:
            made.refresh()
        other = session.styles.another()
        allow(self.another_button, "" if other else "The blend contains all styles")
        single = "" if len(parts) > 1 else "Blend with another style first"
        allow(self.series_button, session.generator.why_not() or single)


class _Share(QWidget):
    """The third style of a blend, or a later one, and its share."""

    def __init__(self, session: Session, index: int) -> None:
        super().__init__()
        self.session, self.index = session, index
        self.choice = StyleCombo(session, lambda ref: self._choose(ref))
        self.share = QSlider(Qt.Orientation.Horizontal)
        self.share.setRange(0, MOST_SHARE)
        self.share.setMinimumWidth(60)
        self.share.setToolTip(tr("Share of this style in the blend"))
        on_edit(self.share, self._weigh)
        self.percent = QLabel()
        self.percent.setMinimumWidth(34)
        remove = button("✕", "Remove this style from the blend", self._remove, "remove style")
        remove.setFixedWidth(26)
        line = row(self.choice, self.share, self.percent, remove)
        line.setStretch(0, 3)
        line.setStretch(1, 2)
        column(self, line)
        calm_wheel(self)

    def _choose(self, ref: Ref) -> None:
        _restyle(self.session, lambda style: style.with_ref(self.index, ref))

    def _weigh(self, percent: int) -> None:
        active = self.session.regions.active
        if active is not None and self.index < len(active.style.parts):
            self.session.styles.choose(active.style.with_share(self.index, percent / 100))

    def _remove(self) -> None:
        _restyle(self.session, lambda style: style.without(self.index))

    def refresh(self) -> None:
        active = self.session.regions.active
        if active is None or self.index >= len(active.style.parts):
            return
        self.choice.refresh(active.style.parts[self.index].ref, none=False)
        percent = round(100 * active.style.shares[self.index])
        set_quietly(self.share, min(percent, MOST_SHARE))
        self.percent.setText(f"{percent} %")
