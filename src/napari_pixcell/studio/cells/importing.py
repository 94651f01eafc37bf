"""What a session does with cells from and for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.cells.finding import FindActions
from napari_pixcell.studio.regions.item import RegionItem

if TYPE_CHECKING:
    from napari_pixcell.cells import SlideCells

IMPORTED = LayoutSource("imported")
CELLS = (".geojson", ".json", ".gz", ".npy", ".roi", ".zip")
EITHER = (".tif", ".tiff", ".png")


@dataclass(frozen=True, eq=False)
class _Found:
    """What came out of a file: the cells of the slide, or the layout of one region."""

    whole: SlideCells | None = None
    labels: NDArray[np.int32] | None = None
    classes: dict[int, str] | None = None
    report: str = ""


class ImportActions(FindActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that imports and exports."""

    slide_key: str
    importing = ""  # name of the file that is being read

    def __init__(self) -> None:
        super().__init__()
        self.slide_cells: dict[str, SlideCells] = {}  # by the key of the slide

    def import_cells(
        self, path: Path, on_region: bool = False, split_touching: bool = False
    ) -> None:
        """Take cells from a file of another tool.

        A picture of the active region's size, or of its pixel size, becomes its layout. What lies
        on the slide is kept for all of its regions, those of later too; each shows its part.

        Parameters
        ----------
        path : Path
            See :func:`napari_pixcell.cells.reading.read_cells`.
        on_region : bool
            Outlines count from the region's corner in its own pixels, not from the slide's.
        split_touching : bool
            Touching cells of a black and white mask are split at their waists.
        """
        item, slide, key = self.active, self.slide, self.slide_key
        if slide is None or self.importing:
            return
        if item is None:
            self.say("layout", "There is no region yet; add one where the cells should be seen.")
            return
        place, size = item.region, item.size
        self.importing = Path(path).name
        self.say("layout", "")

        def done(found: _Found) -> None:
            self.importing = ""
            if found.whole is not None:
                self.slide_cells[key] = found.whole
                self.note("layout", found.report)
                for other in self._items.values():
                    if other.slide == key and (other is item or other.layout is None):
                        self.cut_cells(other, remember=True)
            elif self._items.get(item.number) is item and item.size == size:
                assert found.labels is not None
                self.set_layout(
                    item.number,
                    found.labels,
                    f"imported from {Path(path).name}",
                    IMPORTED,
                    found.classes,
                )
                self.note("layout", found.report)
            else:
                self.say(
                    "layout",
                    "The region was given another size while its cells were read; import them "
                    "again.",
                )
            self.changed.emit()

        def failed(message: str) -> None:
            self.importing = ""
            self.say("layout", message)

        self.background.compute(
            lambda: _read(Path(path), slide, place, size, on_region, split_touching), done, failed
        )
        self.changed.emit()

    def cut_cells(self, item: RegionItem, remember: bool = False) -> None:
        """Give a region its part of the slide's cells, if there are any in it."""
        whole, place, size = self.slide_cells.get(item.slide), item.region, item.size
        if whole is None or not self.takes_layout:
            return

        def done(found: Any) -> None:
            labels, classes, report = found
            here = self._items.get(item.number) is item
            if not here or item.region != place or item.size != size:
                return
            if report.read:
                origin = f"imported from {whole.source}"
                self.set_layout(item.number, labels, origin, IMPORTED, classes, remember)
            elif item.of_slide and item.layout is not None:
                self.set_layout(item.number, None, remember=remember)
            item.of_slide = item.layout is None or bool(report.read)

        self.background.compute(
            lambda: whole.layout(place, size), done, lambda words: self.say("layout", words)
        )

    def follow_cells(self, item: RegionItem) -> None:
        """Cut the slide's cells anew for a region that was moved, unless they were edited."""
        source = item.layout_source
        if item.of_slide and not (source is not None and source.edited):
            self.cut_cells(item)

    def export_layout(self, path: Path) -> None:
        """Write the active region's layout for other tools; the name says the format."""
        from napari_pixcell.cells.writing import check_export, export_layout

        item, slide = self.active, self.slide
        if item is None or item.layout is None or slide is None:
            return
        with self.reporting("layout"):
            check_export(path)
            labels, place, classes = item.layout.copy(), item.region, dict(item.classes)
            mpp, size = self.settings.model.mpp, item.size
            scale = place.width / size[1], place.height / size[0]

            def work() -> list[Path]:
                return export_layout(
                    path,
                    labels,
                    mpp,
                    classes,
                    (place.x, place.y),
                    scale,
                    lambda: slide.read(place, mpp),
                )

            def done(written: list[Path]) -> None:
                names = " and ".join(file.name for file in written)
                self.note("layout", f"Wrote {item.cells:,} cells to {names}.")

            self.background.compute(work, done, lambda words: self.say("layout", words))

    @property
    def takes_layout(self) -> bool:
        """Whether the chosen family follows layouts."""
        raise NotImplementedError


def holds_cells(path: Path) -> bool:
    """Whether a file is of cells rather than a slide: by its name, or a picture without colour."""
    name = path.name.lower()
    if name.endswith(CELLS):
        return True
    if not name.endswith(EITHER) or not path.is_file():
        return False
    try:
        if name.endswith(".png"):
            from PIL import Image

            with Image.open(path) as image:
                return image.mode in ("1", "L", "I", "I;16", "P")
        from tifffile import TiffFile

        with TiffFile(path) as file:
            page = file.pages.first
            return page.samplesperpixel == 1 and page.dtype is not None and page.dtype.kind in "bu"
    except Exception:  # whatever opens slides has a sentence for a damaged file
        return False


def _read(
    path: Path,
    slide: Any,
    region: Region,
    size: tuple[int, int],
    on_region: bool,
    split_touching: bool,
) -> _Found:
    from napari_pixcell.cells import cells_for, put_on_slide, read_cells

    file = read_cells(path, image=slide.short_name, split_touching=split_touching)
    counted_from = "region" if on_region else "auto"
    of_region = {size, (round(region.height), round(region.width))}
    if not on_region and (file.shape is None or file.shape not in of_region):
        whole = put_on_slide(file, slide.shape, slide.mpp)
        if whole is not None:
            dropped = f" ({file.report})" if file.report.lost else ""
            return _Found(whole, report=f"{len(whole):,} cells of the slide were read{dropped}")
    labels, classes, report = cells_for(file, region, size, slide.shape, slide.mpp, counted_from)
    return _Found(None, labels, classes, str(report))
