"""Layouts from and for other tools: import on a region or on the whole slide, and export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.layouts import SECTION, Layouts
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.words import counted

if TYPE_CHECKING:
    from napari_pixcell.cells import SlideCells

IMPORTED = LayoutSource("imported")


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Cells that were imported and do not lie in the region.

    Parameters
    ----------
    path : Path
        The file.
    region : int
        Number of the region.
    cells : int
        Number of cells in the file.
    middle : (x, y)
        Where they are, in level-0 pixels.
    relative : bool
        Whether they would lie in the region if they counted from its corner.
    """

    path: Path
    region: int
    cells: int
    middle: tuple[float, float]
    relative: bool

    @property
    def sentence(self) -> str:
        x, y = self.middle
        if self.cells == 1:
            return f"The cell is not in this region. It is near x {x:,.0f}, y {y:,.0f}."
        return (
            f"None of the {counted(self.cells, 'cell')} is in this region. "
            f"They are near x {x:,.0f}, y {y:,.0f}."
        )


@dataclass(frozen=True, eq=False)
class _Imported:
    """Content of a file: the cells of the slide, or the layout of one region."""

    whole: SlideCells | None = None
    labels: NDArray[np.int32] | None = None
    classes: dict[int, str] | None = None
    report: str = ""
    elsewhere: Elsewhere | None = None


@dataclass(eq=False)
class LayoutFiles:
    """Imports and exports the cells of regions."""

    slides: Slides
    regions: Regions
    layouts: Layouts
    settings: Settings
    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self.reading = ""  # name of the file that is being read; empty for none
        # Imported cells of whole slides, by the key of the slide
        self.slide_cells: dict[str, SlideCells] = {}
        self._elsewhere: Elsewhere | None = None  # of the last import
        self.layouts.changed.connect(self._forget_elsewhere)
        self.regions.added.connect(self.cut, max_args=1)
        self.regions.moved.connect(self._follow, max_args=1)
        self.regions.refitted.connect(self._cut_if_empty, max_args=1)

    def read(self, path: Path, on_region: bool = False, split_touching: bool = False) -> None:
        """Import cells from a file of another tool.

        A picture of the active region's size, or of its pixel size, becomes its layout. Cells of
        the whole slide are kept for all its regions, future ones included; each shows its part.

        Parameters
        ----------
        path : Path
            See :func:`napari_pixcell.cells.reading.read_cells`.
        on_region : bool
            Outlines are relative to the region's corner, in its own pixels.
        split_touching : bool
            Split touching cells of a binary mask at their waists.
        """
        item, slide, key = self.regions.active, self.slides.current, self.slides.key
        if slide is None or self.reading:
            return
        if item is None:
            self.notices.say(SECTION, "Cells need a region. Add one first, then import again.")
            return
        place, size = item.region, item.size
        self.reading, self._elsewhere = Path(path).name, None
        self.notices.say(SECTION, "")

        def done(found: _Imported) -> None:
            self.reading = ""
            if found.whole is not None:
                self.slide_cells[key] = found.whole
                self._elsewhere = found.elsewhere
                if found.elsewhere is None:
                    self.notices.note(SECTION, found.report, item.number)
                for other in self.regions.items.values():
                    if other.slide == key and (other is item or other.layout is None):
                        self.cut(other, remember=True)
            elif self.regions.has(item) and item.size == size:
                assert found.labels is not None
                self.layouts.set(
                    item.number,
                    found.labels,
                    f"imported from {Path(path).name}",
                    IMPORTED,
                    found.classes,
                )
                self.notices.note(SECTION, found.report, item.number)
            else:
                self.notices.say(
                    SECTION,
                    "The region was resized during the import. Import the cells again.",
                    item.number,
                )
            self.notices.changed.emit()

        def failed(message: str) -> None:
            self.reading = ""
            self.notices.say(SECTION, message, item.number)

        self.background.compute(
            lambda: _read(Path(path), slide, item, place, size, on_region, split_touching),
            done,
            failed,
        )
        self.notices.changed.emit()

    @property
    def elsewhere(self) -> Elsewhere | None:
        """The last import, if none of its cells lies in the active region it was made for."""
        item, found = self.regions.active, self._elsewhere
        return found if item is not None and found and found.region == item.number else None

    def _forget_elsewhere(self, item: RegionItem) -> None:
        if self._elsewhere is not None and self._elsewhere.region == item.number:
            self._elsewhere = None

    def cut(self, item: RegionItem, remember: bool = False) -> None:
        """Set a region's layout to its part of the imported cells of the slide, if any."""
        whole, place, size = self.slide_cells.get(item.slide), item.region, item.size
        if whole is None or not self.settings.takes_layout:
            return

        def done(found: Any) -> None:
            labels, classes, report = found
            here = self.regions.has(item)
            if not here or item.region != place or item.size != size:
                return
            if report.read:
                origin = f"imported from {whole.source}"
                self.layouts.set(item.number, labels, origin, IMPORTED, classes, remember)
            elif item.of_slide and item.layout is not None:
                self.layouts.set(item.number, None, remember=remember)
            item.of_slide = item.layout is None or bool(report.read)

        self.background.compute(
            lambda: whole.layout(place, size), done, lambda words: self.notices.say(SECTION, words)
        )

    def _cut_if_empty(self, item: RegionItem) -> None:
        if item.layout is None:
            self.cut(item)

    def _follow(self, item: RegionItem) -> None:
        """Cut the slide's cells anew for a region that was moved, unless they were edited."""
        source = item.layout_source
        if item.of_slide and not (source is not None and source.edited):
            self.cut(item)

    def write(self, path: Path) -> None:
        """Write the active region's layout for other tools; the file name decides the format."""
        from napari_pixcell.cells.writing import check_export, export_layout, files_of

        item, slide = self.regions.active, self.slides.current
        if item is None or item.layout is None or slide is None:
            return
        with self.notices.reporting(SECTION):
            check_export(path)
            # The dialog asked before replacing the named file, but knows none beside it.
            taken = [one.name for one in files_of(path)[1:] if one.exists()]
            if taken and not path.exists():
                raise PixCellError(
                    f"{taken[0]}, which belongs to {path.name}, exists. Choose another name."
                )
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
                self.notices.note(SECTION, f"Wrote {item.cells:,} cells to {names}.")

            self.background.compute(work, done, lambda words: self.notices.say(SECTION, words))


def _read(
    path: Path,
    slide: Any,
    item: RegionItem,
    region: Region,
    size: tuple[int, int],
    on_region: bool,
    split_touching: bool,
) -> _Imported:
    from napari_pixcell.cells import cells_for, put_on_slide, read_cells

    file = read_cells(path, image=slide.short_name, split_touching=split_touching)
    counted_from = "region" if on_region else "auto"
    of_region = {size, (round(region.height), round(region.width))}
    if not on_region and (file.shape is None or file.shape not in of_region):
        whole = put_on_slide(file, slide.shape, slide.mpp)
        if whole is not None:
            dropped = f" ({file.report})" if file.report.lost else ""
            inside, total = whole.count_in(region), counted(len(whole), "cell")
            if not inside:
                relative = file.shape is None and not file.mpp and whole.count_from_corner(size)
                away = Elsewhere(path, item.number, len(whole), whole.middle, relative)
                return _Imported(whole, elsewhere=away)
            return _Imported(
                whole, report=f"{inside:,} of {total} on the slide lie in this region{dropped}."
            )
    labels, classes, report = cells_for(file, region, size, slide.shape, slide.mpp, counted_from)
    return _Imported(None, labels, classes, str(report))
