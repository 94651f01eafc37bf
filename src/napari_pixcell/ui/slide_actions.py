"""What the user asks about slides, sessions and models, wherever it is asked: the dialogs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from napari_pixcell.slides.remote import host_of, is_url, location_name
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.saving.folder import SUFFIX
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.dialogs import (
    ask_file,
    ask_folder,
    ask_name,
    ask_number,
    ask_target,
    ask_yes,
)
from napari_pixcell.ui.layers.link import LayerLink

if TYPE_CHECKING:
    from napari_pixcell.ui.model_manager import ModelManager

MPP_RANGE = 0.01, 20.0  # µm/px
FILES = (
    "Slides and images (*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.vmu *.svslide *.dcm *.tif *.tiff"
    " *.png *.jpg *.jpeg zarr.json .zattrs);;All files (*)"
)
NO_ADDRESS = "This is not an address. Enter one that starts with https:// or http://."
READ = (
    "Read “{name}” from {host}? Only the parts that you look at are fetched, and nothing is sent "
    "but requests for them."
)
FEATURES = "Features of patches (*.h5 *.hdf5);;All files (*)"


class SlideActions:
    """Opens slides, sessions and the model manager; the dialogs belong to ``parent``."""

    def __init__(self, session: Session, link: LayerLink, parent: QWidget) -> None:
        self.session, self.link, self.parent = session, link, parent
        self.manager: ModelManager | None = None

    # -- slides --------------------------------------------------------------------------

    def choose(self) -> None:
        ask_file(self.parent, "Open slide", FILES, self.open)

    def open(self, path: Path) -> None:
        """Open a slide, which then lies over the others."""
        self.session.slides.open(path, self.link.add_slide)

    def choose_zarr(self) -> None:
        ask_folder(self.parent, "Open OME-Zarr (folder ending in .zarr)", self.open)

    def ask_address(self) -> None:
        """Ask for the address of an OME-Zarr on a server."""
        ask_name(self.parent, "Open slide at an address", "https://", self.open_address)

    def open_address(self, address: str) -> None:
        """Open an OME-Zarr on a server, once the user allows to read from there."""
        address = address.strip()
        if not is_url(address):
            self.session.notices.say("slide", NO_ADDRESS)
            return
        host, name = host_of(address), location_name(address)
        ask_yes(
            self.parent,
            "Read from the network",
            READ.format(name=name, host=host),
            f"Read from {host}",
            lambda: self.session.slides.open(address, self.link.add_slide, allow_network=True),
        )

    def choose_features(self) -> None:
        ask_file(self.parent, "Styles from features", FEATURES, self.session.features.open)

    def sample(self) -> None:
        self.open(SAMPLE_SLIDE)

    def correct_mpp(self) -> None:
        """Ask for the pixel size of the slide, in place of the one that it states."""
        slide = self.session.slides.current
        if slide is not None:
            words = "Pixel size in µm: about 0.25 for a 40× scan, 0.5 for a 20× scan"
            known, act = slide.mpp or 0.5, self.link.set_mpp
            ask_number(self.parent, "Pixel size", words, known, MPP_RANGE, act)

    # -- sessions ------------------------------------------------------------------------

    def open_session(self) -> None:
        title = f"Open session (folder ending in {SUFFIX})"
        ask_folder(self.parent, title, self.session.restoring.open, self._near())

    def save_session_as(self) -> None:
        kinds, save = f"Sessions (*{SUFFIX})", self.session.saver.save_as
        ask_target(self.parent, "Save session as", self._near(), kinds, save)

    def locate_slide(self) -> None:
        """Ask for the missing slide of a session that is being opened."""
        opening = self.session.restoring.slide_lost
        if opening is not None:
            title, near = f"Where is “{opening.mark.name}”?", str(opening.folder.path.parent)
            ask_file(self.parent, title, FILES, self.session.restoring.slide_moved_to, near)

    def _near(self) -> str:
        slide = self.session.slides.current
        return str(Path(slide.path).parent) if slide is not None and slide.path else ""

    # -- models --------------------------------------------------------------------------

    def manage(self, name: str = "") -> None:
        """Open the model manager at a model, the selected one by default."""
        from napari_pixcell.ui.model_manager import ModelManager

        if self.manager is None or not self.manager.isVisible():
            self.manager = ModelManager(self.session, self.parent)
        self.manager.choose(name or self.session.settings.family)
        self.manager.show()
        self.manager.raise_()
