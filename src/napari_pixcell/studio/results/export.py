"""Variants as files: image–mask pairs, and single pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.slides import Slides

SECTION = "export"


@dataclass(eq=False)
class Exporter:
    """Writes variants under the name that exports carry."""

    slides: Slides
    gallery: Gallery
    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self.name = ""  # in file names and records; neutral unless the user enters one
        self.busy = False
        self.drop_wrong = False  # nuclei that the images do not show leave the masks
        self.slides.changed.connect(self._forget_name)

    def why_not(self) -> str:
        """Return why nothing can be exported now; empty if it can."""
        if self.busy:
            return "The export is running"
        return "" if self.gallery.to_export() else "Generate variants first"

    def _forget_name(self) -> None:
        self.name = ""  # it was entered for another slide

    def write_pairs(self, folder: Path) -> None:
        """Write the starred variants, or else all of them, as image–mask pairs.

        Parameters
        ----------
        folder : Path
            Gets ``images/``, ``masks/`` and ``manifest.jsonl``; pairs in it are kept. Variants
            without a layout get no mask.
        """
        from napari_pixcell.datasets import PairWriter

        results, name, drop_wrong = self.gallery.to_export(), self.name, self.drop_wrong
        self.busy = True
        self.notices.say(SECTION, "")

        def work() -> list[dict[str, Any]]:
            writer, rows = PairWriter(folder), []
            for result in results:
                record = result.named(name)
                record = record.without_wrong() if drop_wrong else record
                if not writer.has(record.mask, record):
                    rows.append(writer.write(result.image, record.mask, record))
            return rows

        def done(rows: list[dict[str, Any]]) -> None:
            self.busy = False
            masks = sum(1 for row in rows if row.get("mask"))
            text = f"Wrote {len(rows)} images and {masks} masks to {folder}."
            if there := len(results) - len(rows):
                text += f" {there} more {'was' if there == 1 else 'were'} there already."
            self.notices.note(SECTION, text)

        def failed(message: str) -> None:
            self.busy = False
            self.notices.say(SECTION, message)

        self.background.compute(work, done, failed)

    def picture_name(self, result: Result) -> tuple[str, str]:
        """Return a file name for a variant, and its suffix."""
        from napari_pixcell.datasets.export import suffix_of
        from napari_pixcell.datasets.marks import safe_name

        suffix = suffix_of(isinstance(result.memory, StoredPicture))
        return f"{safe_name(self.name)}-seed{result.seed}{suffix}", suffix

    def save_picture(self, result: Result, path: Path) -> None:
        """Write one variant as an image marked as synthetic, with its record."""
        from napari_pixcell.datasets.export import save_picture

        record = result.named(self.name)
        self.background.compute(
            lambda: save_picture(path, result.image, record),
            lambda written: self.notices.note("results", f"Saved {written.name}"),
            lambda message: self.notices.say("results", message),
        )
