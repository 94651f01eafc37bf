"""The Slide section: the slide, its pixel size, its session, and the model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QLabel, QMenu, QPushButton, QWidget

from napari_pixcell.models.families import families
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.saving.folder import SUFFIX
from napari_pixcell.studio.saving.places import day
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import boxed, column, row, show_all
from napari_pixcell.ui.bind import bind, set_quietly
from napari_pixcell.ui.dialogs import ask_file, ask_folder, ask_number, ask_target
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.widgets import AMBER, Text, button, combo, number, offer

if TYPE_CHECKING:
    from napari_pixcell.ui.model_manager import ModelManager

MPP_RANGE = 0.01, 20.0  # µm/px
OPENING = "Opening the session…"
FILES = (
    "Slides and images (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.svslide *.dcm *.tif *.tiff"
    " *.png *.jpg *.jpeg);;All files (*)"
)


class SlideSection(Section):
    """Opens a slide, describes it, and asks for a pixel size that the file does not state."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__(session, "slide", "Slide")
        self.link = link
        self.empty = Text("Open a slide or drop it here.")
        self.open_button = button("Open slide…", "Open a slide or an image file", self.choose)
        tip = "Open the small synthetic slide that comes with the plugin"
        self.sample_button = button("Open sample", tip, self.sample)
        self.name = Text()
        self.name.setStyleSheet("font-weight: bold;")
        self.size = Text()
        self.corrupt = Text(colour=AMBER)
        unknown = Text("The file states no pixel size. Enter it once; it is remembered.", AMBER)
        tip = "Pixel size, about 0.25 µm/px for a 40× scan and 0.5 µm/px for a 20× scan"
        self.mpp = number(*MPP_RANGE, tip, decimals=4, unit=" µm/px", step=0.05)
        self.mpp.setObjectName("mpp")
        self.mpp.setValue(0.5)
        self.mpp.setStyleSheet(f"QDoubleSpinBox {{ border: 1px solid {AMBER}; }}")
        tip = "Set the pixel size and remember it for this file"
        self.set_button = button("Set pixel size", tip, lambda: link.set_mpp(self.mpp.value()))
        self.asking = boxed(column(None, unknown, row(self.mpp, self.set_button), spacing=4))
        self.session_menu = SessionMenu(session, self)
        self.model = combo("", name="Model")
        self._offer_models()
        settings = session.settings
        bind(self.model, settings, "family", store=settings.use_family)
        self.manager: ModelManager | None = None
        self.more = button("Models…", "Download, add or remove models", self.manage)
        tip = "Stop the worker process and free its memory. The next request loads the model again."
        self.free = button("Free memory", tip, session.free_memory)
        self.models = boxed(row(QLabel("Model"), self.model, self.more, stretch=1))
        self.banner = Text(colour=AMBER)
        self.stack(self.empty)
        self.add(self.open_button, self.sample_button)
        self.add(self.name, self.session_menu, stretch=0)
        self.stack(self.size, self.corrupt, self.asking, self.models)
        self.add(self.banner, self.free, stretch=0)

    def _offer_models(self) -> None:
        offer(self.model, [(family.title, family.name) for family in families().values()])
        set_quietly(self.model, self.session.settings.family)

    def refresh(self) -> None:
        session, slide = self.session, self.session.slides.current
        show_all(slide is None, self.empty, self.open_button, self.sample_button)
        show_all(slide is not None, self.models, self.free)
        self.asking.setVisible(slide is not None and slide.mpp is None)
        self.name.say(slide.name if slide is not None else "")
        self.size.say(_size(slide) if slide is not None else "")
        self.corrupt.say(session.regions.corrupt_note())
        family = session.settings.model
        self._offer_models()
        self.model.setToolTip(f"Licence of the weights: {family.licence}")
        self.banner.say(family.notice if slide is not None else "")
        if slide is not None and session.models.missing:
            problem = self.problem_now() or f"{family.title} is not installed."
            self.report(problem, "", "Get model…", self.manage)
        else:
            self._report_session()

    def _report_session(self) -> None:
        session, note = self.session, self.note_now()
        put_off, offered = session.queue.put_off_note(), session.saver.offer
        lost = session.restoring.slide_lost
        if session.restoring.busy:
            self.report("", OPENING)
        elif lost is not None and lost.mark.path is not None:
            self.report(action="Locate slide…", act=lambda: _ask_for_slide(self, session))
        elif self.problem_now():
            self.report()
        elif put_off:
            note = f"{note} {put_off}".strip()
            self.report("", note, "Resume jobs", session.queue.resume_put_off)
        elif offered is not None:
            note = f"{note} {offered.sentence()}".strip()
            self.report("", note, "Open session", session.restoring.open_offer)
        else:
            self.report()

    def manage(self, name: str = "") -> None:
        """Open the model manager at a model, the selected one by default."""
        from napari_pixcell.ui.model_manager import ModelManager

        if self.manager is None or not self.manager.isVisible():
            self.manager = ModelManager(self.session, self)
        self.manager.choose(name or self.session.settings.family)
        self.manager.show()
        self.manager.raise_()

    def choose(self) -> None:
        ask_file(self, "Open slide", FILES, self.open)

    def correct_mpp(self) -> None:
        """Ask for the pixel size of the slide, in place of the one that it states."""
        slide = self.session.slides.current
        if slide is not None:
            words = "Pixel size in µm: about 0.25 for a 40× scan, 0.5 for a 20× scan"
            ask_number(self, "Pixel size", words, slide.mpp or 0.5, MPP_RANGE, self.link.set_mpp)

    def sample(self) -> None:
        self.open(SAMPLE_SLIDE)

    def open(self, path: Path) -> None:
        with self.session.notices.reporting("slide"):
            self.link.add_slide(open_slide(path))


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


class SessionMenu(QPushButton):
    """A button with a menu. Its tooltip says where the session is saved."""

    def __init__(self, session: Session, slides: SlideSection) -> None:
        super().__init__()
        self.session = session
        self.setText("Session")
        self.setObjectName("session")
        self.setAccessibleName("Session: open, save as")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.addAction("Open another slide…", slides.choose)
        self.mpp_action = menu.addAction("Correct the pixel size…", slides.correct_mpp)
        menu.addSeparator()
        self.open_action = menu.addAction("Open session…", self.choose)
        self.earlier = menu.addMenu("Earlier sessions of this slide")
        dismiss = session.saver.dismiss_offers
        self.dismiss_action = menu.addAction("Do not offer earlier sessions now", dismiss)
        self.save_action = menu.addAction("Save session as…", self.save_as)
        menu.addSeparator()
        self.this_action = menu.addAction("Save work on this slide automatically")
        self.this_action.setCheckable(True)
        self.this_action.triggered.connect(session.saver.switch)
        self.drop_action = menu.addAction("Discard restored jobs", session.queue.drop_put_off)
        menu.aboutToShow.connect(self.refresh)
        self.setMenu(menu)

    def refresh(self) -> None:
        session = self.session
        book = session.saver.book()
        there = session.slides.current is not None and book is not None
        self.mpp_action.setEnabled(session.slides.current is not None)
        self.save_action.setEnabled(there)
        self.this_action.setEnabled(there)
        self.this_action.setChecked(session.saver.on and (book is None or not book.off))
        self.earlier.clear()
        for one in session.saver.offers:
            words = f"{day(one.saved)}: {one.contents()}"
            self.earlier.addAction(words, partial(session.restoring.open, one.path))
        self.earlier.menuAction().setVisible(bool(session.saver.offers))
        self.dismiss_action.setVisible(session.saver.offer is not None)
        self.drop_action.setVisible(bool(session.queue.put_off))

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip:
            self.setToolTip(self.session.saver.where())
        return bool(super().event(event))

    def choose(self) -> None:
        title = f"Open session (folder ending in {SUFFIX})"
        ask_folder(self, title, self.session.restoring.open, self._near())

    def save_as(self) -> None:
        kinds, save = f"Sessions (*{SUFFIX})", self.session.saver.save_as
        ask_target(self, "Save session as", self._near(), kinds, save)

    def _near(self) -> str:
        slide = self.session.slides.current
        return str(Path(slide.path).parent) if slide is not None and slide.path else ""


def _ask_for_slide(parent: QWidget, session: Session) -> None:
    """Ask for the missing slide of a session that is being opened."""
    opening = session.restoring.slide_lost
    if opening is not None:
        title, near = f"Where is “{opening.mark.name}”?", str(opening.folder.path.parent)
        ask_file(parent, title, FILES, session.restoring.slide_moved_to, near)
