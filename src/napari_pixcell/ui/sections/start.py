"""Starting a generation from the tissue or a variant: how much changes, and where."""

from __future__ import annotations

from napari_pixcell.studio.session import Session
from napari_pixcell.studio.settings import NOTHING, SHOWN, STARTS, TISSUE
from napari_pixcell.ui.arrange import More, labelled, row
from napari_pixcell.ui.bind import bind, on_edit, set_quietly
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import Text, allow, button, check_box, combo, number, slider

SOME_CELLS = 1  # the kind of area that is painted; all kinds act alike here
TITLE = "Start from"
ONLY_PART = (
    "Change the marked area only; pixels beyond its soft border stay exactly the same. "
    "Choose another style to fill the area with other tissue."
)


class StartPanel(More):
    """Chooses the image that a generation starts from, how much of it changes, and where."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__(TITLE, "Change the tissue or a variant instead of generating from noise")
        self.session, self.link = session, link
        settings = session.settings
        self.start_from = combo("The image that the generation starts from", STARTS, "Start from")
        bind(self.start_from, settings, "start_from")
        tip = "0 keeps the image unchanged, 1 replaces it completely"
        self.strength = slider(0, 1, tip, "Strength of the change")
        bind(self.strength, settings, "strength")
        self.words = Text(small=True)
        self.only_part = check_box("Marked area only", ONLY_PART)
        on_edit(self.only_part, self._only_part)
        self.mark_button = button("Mark area", "Paint over the area to regenerate", self.mark)
        blends = "Width over which the area blends into the old image"
        self.feather = number(0, 100, blends, unit=" µm")
        bind(self.feather, settings, "feather_um", show=round, read=float)
        self.border = labelled("Soft border", self.feather)
        fields = labelled("Start from", self.start_from), labelled("Change", self.strength)
        area = row(self.only_part, self.mark_button, stretch=0)
        self.stack(*fields, self.words, area, self.border)

    def mark(self) -> None:
        self.button.setChecked(True)
        self._only_part(True)
        self.link.area.paint(SOME_CELLS)

    def _only_part(self, on: bool) -> None:
        settings = self.session.settings
        if on and settings.start_from == NOTHING:
            settings.start_from = TISSUE
        settings.only_part = on

    def refresh(self) -> None:
        session, settings = self.session, self.session.settings
        started = settings.start_from != NOTHING
        allow(self.strength, "" if started else "Choose what to start from first")
        set_quietly(self.only_part, started and settings.only_part)
        allow(self.mark_button, "" if session.regions.active is not None else "Add a region first")
        self.border.setVisible(started and settings.only_part)
        self.words.say(session.generator.start_words())
        source = {SHOWN: "variant", TISSUE: "tissue"}.get(settings.start_from)
        self.button.setText(tr(f"{TITLE} {source}" if source else TITLE))
