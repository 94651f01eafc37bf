"""The cells of the strip: titles, tissues, layouts and variants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractListModel, QModelIndex, Qt
from qtpy.QtGui import QPixmap

from napari_pixcell.cells import condition_image
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import pixmap, thinned

SIDE = 96  # px of a thumbnail
HOW_TO = "Click to show or hide, double-click to star, right-click for more"


@dataclass(eq=False)
class Cell:
    """A title, the tissue or layout of a job, or a variant."""

    kind: str
    result: Result
    picture: QPixmap | None
    text: str
    tip: str


class StripModel(QAbstractListModel):
    """For each job a title, its tissue, its layout and its variants; the newest job first.

    ``caption`` returns what tells a variant from others of its job.
    """

    def __init__(
        self, gallery: Gallery, background: Background, caption: Callable[[Result], str]
    ) -> None:
        super().__init__()
        self.gallery, self._caption = gallery, caption
        self._background = background
        self.cells: list[Cell] = []
        self._pictures: dict[int, QPixmap] = {}  # of variants, also of discarded ones

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.cells)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.cells):
            return None
        cell = self.cells[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return tr(cell.text)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr(cell.tip)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            starred = cell.kind == "variant" and cell.result.starred
            states = [w for w, on in (("shown", self.is_on(cell)), ("starred", starred)) if on]
            return ", ".join([cell.tip.splitlines()[0] if cell.tip else cell.text, *states])
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        cell = self.cells[index.row()] if index.isValid() else None
        if cell is None or cell.kind == "title":
            return Qt.ItemFlag.NoItemFlags
        if cell.kind != "variant":
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def row_of(self, number: int) -> int:
        """Return the row of a variant, or -1."""
        for row, cell in enumerate(self.cells):
            if cell.kind == "variant" and cell.result.number == number:
                return row
        return -1

    def is_on(self, cell: Cell) -> bool:
        """Return True if the cell's tissue or variant is visible over its region."""
        if cell.kind == "tissue":
            return not any(r.shown for r in self.gallery.of_region(cell.result.target.number))
        return cell.kind == "variant" and cell.result.shown

    def add(self, result: Result) -> None:
        """Insert a variant after those of its job, or a new job above the others."""
        row, others = self._row_for(result)
        new = [] if others else self._context(result)
        if result.number not in self._pictures:
            self._pictures[result.number] = pixmap(result.small, SIDE)
        caption = self._caption(result)
        told = caption if caption != result.label else "", *_told(result), HOW_TO
        picture = self._pictures[result.number]
        new.append(Cell("variant", result, picture, caption, "\n".join(filter(None, told))))
        self.beginInsertRows(QModelIndex(), row, row + len(new) - 1)
        self.cells[row:row] = new
        self.endInsertRows()

    def remove(self, result: Result) -> None:
        """Remove a variant, and its job with the last one."""
        row = self.row_of(result.number)
        if row < 0:
            return
        group = [i for i, cell in enumerate(self.cells) if cell.result.job == result.job]
        alone = sum(self.cells[i].kind == "variant" for i in group) == 1
        first, last = (group[0], group[-1]) if alone else (row, row)
        self.beginRemoveRows(QModelIndex(), first, last)
        del self.cells[first : last + 1]
        self.endRemoveRows()

    def forget_pictures(self) -> None:
        """Drop the thumbnails of variants that can no longer be restored."""
        gallery = self.gallery
        known = {result.number for result in (*gallery.results, *gallery.discarded)}
        for number in self._pictures.keys() - known:
            del self._pictures[number]

    def _row_for(self, result: Result) -> tuple[int, bool]:
        """Return the row for a new variant, and whether its job has others."""
        row, found = 0, False
        for index, cell in enumerate(self.cells):
            job = cell.result.job
            if job == result.job:
                found = True
                if cell.kind != "variant" or cell.result.number < result.number:
                    row = index + 1
            elif job > result.job:
                row = index + 1
        return row, found

    def _context(self, result: Result) -> list[Cell]:
        cells = [Cell("title", result, None, f"{result.target.name}\n{result.made:%H:%M}", "")]
        if result.target.pixels is not None:
            picture = pixmap(result.target.pixels, SIDE)
            tip = "Real tissue of the region. Click to show it in place."
            cells.append(Cell("tissue", result, picture, "tissue", tip))
        if result.record.request.layout is not None:
            tip = "Layout of these variants"
            cells.append(Cell("layout", result, None, "layout", tip))
            self._draw_layout(cells[-1])
        return cells

    def _draw_layout(self, cell: Cell) -> None:
        """Draw a layout in a thread, since unpacking a large one is slow."""

        def draw() -> NDArray[np.uint8]:
            labels, request = cell.result.labels, cell.result.record.request
            assert labels is not None
            return condition_image(thinned(labels), request.cell_gap, request.classes)

        def drawn(image: NDArray[np.uint8]) -> None:
            cell.picture = pixmap(image, SIDE)
            if cell in self.cells:
                index = self.index(self.cells.index(cell))
                self.dataChanged.emit(index, index)

        self._background.compute(draw, drawn, lambda _: None)


def _told(result: Result) -> tuple[str, ...]:
    record = result.record
    return result.name, how(record.request), result.nuclei, record.notice


def how(request: GenerateRequest) -> str:
    """Return the settings of a request in words, with its size if it is no tile."""
    parts = [f"{request.steps} steps", f"guidance {request.guidance:g}"]
    if request.preset != EXACT.name:
        parts.append(request.preset)
    if request.size is not None:
        parts.append(f"{request.size[1]} × {request.size[0]} px")
    return ", ".join(parts)
