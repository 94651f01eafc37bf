"""The slide that a session works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_pixcell.slides import open_slide
from napari_pixcell.slides.remote import location_name
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices


@dataclass(eq=False)
class Slides:
    """The current slide; others that were open keep their regions until they come back."""

    changed = Signal()  # another slide is current, or none

    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self.current: Any = None
        self.key = ""  # identifies it in regions and results
        self.opening = ""  # name of a file that is being opened

    @property
    def ready(self) -> bool:
        return self.current is not None and self.current.mpp is not None

    def why_not(self) -> str:
        if self.current is None:
            return "Open a slide first"
        return "" if self.ready else "Set the pixel size first"

    def open(
        self, path: Path | str, show: Callable[[Any], object], *, allow_network: bool = False
    ) -> None:
        """Open a file or an address in a thread, and pass the slide to ``show``.

        That makes it the current one. A file that cannot be opened is reported, and the current
        slide stays.
        """
        self.notices.say("slide", "")
        self.opening = location_name(path)

        def done(slide: Any) -> None:
            self.opening = ""
            show(slide)
            self.notices.changed.emit()

        def failed(message: str) -> None:
            self.opening = ""
            self.notices.say("slide", message)

        self.background.compute(lambda: open_slide(path, allow_network=allow_network), done, failed)

    def set(self, slide: Any, key: str = "") -> None:
        """Work on ``slide``; None for no slide."""
        if self.current is not None:
            self.current.corrupt.found.disconnect(self._found_corrupt, missing_ok=True)
        if slide is not None:
            slide.corrupt.found.connect(self._found_corrupt)
        self.current = slide
        self.key = (key or slide.name) if slide is not None else ""
        self.notices.problems.pop("slide", None)
        self.changed.emit()
        self.notices.changed.emit()

    def _found_corrupt(self) -> None:
        self.background.post(self.notices.changed.emit)  # in whatever thread a tile was read
