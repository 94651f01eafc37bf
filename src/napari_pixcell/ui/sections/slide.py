"""Which slide, its pixel size, and the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFileDialog, QLabel, QSizePolicy, QWidget

from napari_pixcell.models.families import families
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.session_menu import SessionMenu, ask_for_slide
from napari_pixcell.ui.widgets import AMBER, Section, Text, button, row

if TYPE_CHECKING:
    from napari_pixcell.ui.model_manager import ModelManager

FILES = (
    "Slides and pictures (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.svslide *.dcm *.tif *.tiff"
    " *.png *.jpg *.jpeg);;All files (*)"
)


class SlideSection(Section):
    """Opens a slide, shows what it is, and asks for its pixel size if the file says nothing."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__("slide", "Slide")
        self.session = session
        self.link = link
        self.empty = Text("Open a slide (drop it here), or try the sample.")
        self.open_button = button("Open a slide…", "Choose a slide file", self.choose)
        self.sample_button = button(
            "Try the sample", "A small synthetic slide that comes with the studio", self.sample
        )
        self.content.addWidget(self.empty)
        self.add(self.open_button, self.sample_button)
        self.name = Text()
        self.name.setStyleSheet("font-weight: bold;")
        self.size = Text()
        self.unknown = Text("The slide says nothing about its pixel size.", AMBER)
        self.mpp = QDoubleSpinBox()
        self.mpp.setObjectName("mpp")
        self.mpp.setRange(0.01, 20)
        self.mpp.setDecimals(4)
        self.mpp.setSingleStep(0.05)
        self.mpp.setValue(0.5)
        self.mpp.setSuffix(" µm/px")
        self.mpp.setStyleSheet(f"QDoubleSpinBox {{ border: 1px solid {AMBER}; }}")
        self.mpp.setToolTip("About 0.25 for a 40× scan and 0.5 for a 20× scan; asked only once")
        self.set_button = button(
            "Set it", "Remembered for this file", lambda: link.set_mpp(self.mpp.value())
        )
        self.session_menu = SessionMenu(session)
        line = self.add(self.name, self.session_menu)
        line.setStretch(0, 1)
        self.content.addWidget(self.size)
        self.corrupt = Text(colour=AMBER)
        self.content.addWidget(self.corrupt)
        self.content.addWidget(self.unknown)
        self.asking = QWidget()
        self.asking.setLayout(row(self.mpp, self.set_button))
        self.content.addWidget(self.asking)
        self.model = QComboBox()
        self.model.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.manager: ModelManager | None = None
        self.more = button("Models…", "Which models there are, and how to get them", self.manage)
        self.model.currentIndexChanged.connect(
            lambda _: session.settings.use_family(self.model.currentData())
        )
        self.free = button(
            "Free memory",
            "End the model's process and give its memory back; the next request loads it again",
            session.free_memory,
        )
        self.models = QWidget()
        line = row(QLabel("Model"), self.model, self.more)
        line.setStretch(1, 1)
        self.models.setLayout(line)
        self.content.addWidget(self.models)
        self.banner = Text(colour=AMBER)
        line = self.add(self.banner, self.free)
        line.setStretch(0, 1)
        self.finish()

    def refresh(self) -> None:
        """Show the session's state."""
        session, slide = self.session, self.session.slide
        for widget in (self.empty, self.open_button, self.sample_button):
            widget.setVisible(slide is None)
        for widget in (self.models, self.banner):
            widget.setVisible(slide is not None)
        unknown = slide is not None and slide.mpp is None
        self.unknown.setVisible(unknown)
        self.asking.setVisible(unknown)
        self.name.say(slide.name if slide is not None else "")
        self.size.say(_size(slide) if slide is not None else "")
        self.corrupt.say(session.corrupt_note())
        family = session.settings.model
        self.free.setVisible(slide is not None)
        with QSignalBlocker(self.model):
            known = families()
            if [self.model.itemData(i) for i in range(self.model.count())] != list(known):
                self.model.clear()
                for one in known.values():
                    self.model.addItem(one.title, one.name)
            self.model.setCurrentIndex(self.model.findData(family.name))
        self.model.setToolTip(f"Licence of the weights: {family.licence}")
        self.banner.say(family.notice if slide is not None else "")
        problem = session.problems.get("slide", "")
        if slide is not None and session.not_here:
            problem = problem or f"{family.title} is not installed on this machine."
            self.tell(problem, "", "Get it…", self.manage)
        else:
            self._tell_of_session(problem, session.notes.get("slide", ""))

    def _tell_of_session(self, problem: str, note: str) -> None:
        """Say what there is to say, and what can be done about sessions."""
        session, put_off = self.session, self.session.put_off_note()
        offer = session.saver.offer
        if session.slide_lost is not None and session.slide_lost.mark.path is not None:
            self.tell(problem, note, "Find it…", lambda: ask_for_slide(self, session, FILES))
        elif problem:
            self.tell(problem, note)
        elif put_off:
            self.tell("", f"{note} {put_off}".strip(), "Go on", session.go_on_restored)
        elif offer is not None:
            self.tell("", f"{note} {offer.sentence()}".strip(), "Open it", session.open_offer)
        else:
            self.tell("", note)

    def manage(self, name: str = "") -> None:
        """Open the model manager at the chosen model, or at another."""
        from napari_pixcell.ui.model_manager import ModelManager

        if self.manager is None or not self.manager.isVisible():
            self.manager = ModelManager(self.session, self)
        self.manager.choose(name or self.session.settings.family)
        self.manager.show()
        self.manager.raise_()

    def choose(self) -> None:
        """Ask for a slide file."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a slide", "", FILES)
        if path:
            self.open(Path(path))

    def sample(self) -> None:
        """Open the bundled slide."""
        self.open(SAMPLE_SLIDE)

    def open(self, path: Path) -> None:
        """Open a slide file as a layer."""
        with self.session.reporting("slide"):
            self.link.add_slide(open_slide(path))


def _size(slide: object) -> str:
    height, width = slide.shape  # type: ignore[attr-defined]
    mpp = slide.mpp  # type: ignore[attr-defined]
    if mpp is None:
        return f"{width:,} × {height:,} px"
    source = getattr(slide, "mpp_source", "")
    where = f" ({source})" if source else ""
    across, down = width * mpp, height * mpp
    size = (
        f"{across / 1000:.1f} × {down / 1000:.1f} mm"
        if min(across, down) >= 1000
        else f"{across:,.0f} × {down:,.0f} µm"
    )
    return f"{size} · {mpp:.4g} µm/px{where}"
