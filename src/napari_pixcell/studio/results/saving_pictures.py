"""What a session does with single results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.results import Result

if TYPE_CHECKING:
    from napari_pixcell.studio.background import Background


class ResultActions(Notices):
    """Saves pictures under the name that exports carry."""

    export_name: str
    background: Background

    def picture_name(self, result: Result) -> tuple[str, str]:
        """Suggest a file's name for a variant, and give its ending."""
        from napari_pixcell.datasets.export import suffix_of
        from napari_pixcell.datasets.marks import safe_name

        suffix = suffix_of(isinstance(result.memory, StoredPicture))
        return f"{safe_name(self.export_name or 'slide')}-seed{result.seed}{suffix}", suffix

    def save_picture(self, result: Result, path: Path) -> None:
        """Write one variant as an image that says that it is synthetic, with its record."""
        from napari_pixcell.datasets.export import save_picture
        from napari_pixcell.datasets.marks import safe_name

        record = result.named(safe_name(self.export_name or "slide"))

        def done(written: Path) -> None:
            self.note("results", f"Saved {written.name}")

        self.background.compute(
            lambda: save_picture(path, result.image, record),
            done,
            lambda message: self.say("results", message),
        )
