"""The Slide section: the slide, its pixel size, and the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QLabel

from napari_pixcell.models.families import families
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.bind import bind, set_quietly
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.session_menu import SessionMenu, ask_for_slide
from napari_pixcell.ui.widgets import (
    AMBER,
    Text,
    boxed,
    button,
    column,
    combo,
    number,
    offer,
    row,
    show_all,
)

if TYPE_CHECKING:
    from napari_pixcell.ui.model_manager import ModelManager

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
        self.sample_button = button(
            "Open sample", "Open the small synthetic slide that comes with the plugin", self.sample
        )
        self.name = Text()
        self.name.setStyleSheet("font-weight: bold;")
        self.size = Text()
        self.corrupt = Text(colour=AMBER)
        unknown = Text("The file states no pixel size. Enter it once; it is remembered.", AMBER)
        self.mpp = number(
            0.01,
            20,
            "Pixel size, about 0.25 µm/px for a 40× scan and 0.5 µm/px for a 20× scan",
            decimals=4,
            unit=" µm/px",
            step=0.05,
        )
        self.mpp.setObjectName("mpp")
        self.mpp.setValue(0.5)
        self.mpp.setStyleSheet(f"QDoubleSpinBox {{ border: 1px solid {AMBER}; }}")
        self.set_button = button(
            "Set pixel size",
            "Set the pixel size and remember it for this file",
            lambda: link.set_mpp(self.mpp.value()),
        )
        self.asking = boxed(column(None, unknown, row(self.mpp, self.set_button), spacing=4))
        self.session_menu = SessionMenu(session)
        self.model = combo("", name="Model")
        self._offer_models()
        settings = session.settings
        bind(self.model, settings, "family", store=settings.use_family)
        self.manager: ModelManager | None = None
        self.more = button("Models…", "Download, add or remove models", self.manage)
        self.free = button(
            "Free memory",
            "Stop the worker process and free its memory. The next request loads the model again.",
            session.free_memory,
        )
        self.models = boxed(row(QLabel("Model"), self.model, self.more, stretch=1))
        self.banner = Text(colour=AMBER)
        self.content.addWidget(self.empty)
        self.add(self.open_button, self.sample_button)
        self.add(self.name, self.session_menu, stretch=0)
        for widget in (self.size, self.corrupt, self.asking, self.models):
            self.content.addWidget(widget)
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
        if (
            session.restoring.slide_lost is not None
            and session.restoring.slide_lost.mark.path is not None
        ):
            self.report(action="Locate slide…", act=lambda: ask_for_slide(self, session, FILES))
        elif self.problem_now():
            self.report()
        elif put_off:
            self.report(
                "", f"{note} {put_off}".strip(), "Resume jobs", session.queue.resume_put_off
            )
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
        """Ask for a slide file and open it."""
        path, _ = QFileDialog.getOpenFileName(self, "Open slide", "", FILES)
        if path:
            self.open(Path(path))

    def sample(self) -> None:
        """Open the bundled slide."""
        self.open(SAMPLE_SLIDE)

    def open(self, path: Path) -> None:
        """Open a slide file as a layer."""
        with self.session.notices.reporting("slide"):
            self.link.add_slide(open_slide(path))


def _size(slide: Any) -> str:
    height, width = slide.shape
    mpp = slide.mpp
    if mpp is None:
        return f"{width:,} × {height:,} px"
    across, down = width * mpp, height * mpp
    size = (
        f"{across / 1000:.1f} × {down / 1000:.1f} mm"
        if min(across, down) >= 1000
        else f"{across:,.0f} × {down:,.0f} µm"
    )
    source = getattr(slide, "mpp_source", "")
    return f"{size} · {mpp:.4g} µm/px" + (f" ({source})" if source else "")
