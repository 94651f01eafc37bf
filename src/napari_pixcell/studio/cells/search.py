"""A segmentation that can be repeated with other thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.combining import combine, take_out, without_rejected
from napari_pixcell.cells.layout import count_cells
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod, mixed
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.cells.segmenter import SegmentTask
from napari_pixcell.words import counted

BY_HAND = ("painted", "imported", "invented")  # methods whose cells no segmentation brings back


@dataclass(frozen=True, eq=False)
class Combined:
    """New cells together with those that stay."""

    labels: NDArray[np.int32]  # (height, width)
    added: int
    dropped: int  # left out because they touch others
    before: Cells | None  # the layout before
    stays: bool  # whether any cell of it stays
    replaced: int = 0  # cells of it that are gone
    # Classes of the added cells, by their labels in ``labels``
    found_classes: dict[int, str] = field(default_factory=dict)

    def origin(self, found: str) -> str:
        """Return how the layout was made; ``found`` is the origin of its new cells."""
        earlier = self.before.origin.split(", then ")[0] if self.before and self.stays else ""
        return f"{earlier}, then {found}" if earlier and earlier != found else found

    def source(self, found: LayoutSource) -> LayoutSource:
        """Return the same for records."""
        kept = self.before.source if self.before is not None and self.stays else None
        return mixed(found, kept) or found

    @property
    def loss(self) -> str:
        """A sentence about cells that were replaced, if they were not merely segmented."""
        source = self.before.source if self.before is not None else None
        if not self.replaced or source is None:
            return ""
        were = "was" if self.replaced == 1 else "were"
        if source.method in BY_HAND:
            return f"{counted(self.replaced, f'{source.method} cell')} {were} replaced."
        if source.edited:
            return f"Cells that you had edited were replaced ({self.replaced:,})."
        return ""

    @property
    def classes(self) -> dict[int, str]:
        if self.before is None or not self.stays:
            return self.found_classes
        highest = int(self.before.labels.max(initial=0))
        staying = {n: name for n, name in self.before.classes.items() if n <= highest}
        return staying | self.found_classes


def put_beside(
    found: NDArray[np.int32],
    before: Cells | None,
    part: NDArray[np.bool_] | None = None,
    keep: str = "replace",
    classes: Mapping[int, str] | None = None,
) -> Combined:
    """Add segmented or invented cells to a layout; see :func:`combine`."""
    there = before.labels if before is not None else None
    labels, added, dropped = combine(there, found, part, keep)
    staying = count_cells(labels) - added
    stays = staying > 0
    replaced = (count_cells(there) if there is not None else 0) - staying
    came: dict[int, str] = {}
    if classes:
        first = int(there.max(initial=0)) if stays and there is not None else 0
        new = labels > first
        numbers, at = np.unique(labels[new], return_index=True)
        pairs = zip(numbers.tolist(), found[new][at].tolist(), strict=True)
        came = {number: classes[label] for number, label in pairs if label in classes}
    return Combined(labels, added, dropped, before, stays, replaced, came)


@dataclass(eq=False)
class Search:
    """A segmentation whose cells are a region's layout; other thresholds repeat it."""

    region: Region  # position at the time
    how: SegmentMethod
    part: NDArray[np.bool_] | None = None  # (height, width): where cells are replaced
    keep: str = "replace"  # what happens to cells of the layout, see ``combine``
    before: Cells | None = None
    labels: NDArray[Any] | None = None  # (height, width): the layout that it made
    # (height, width): cells that the user rejected
    rejected: NDArray[np.int32] | None = None
    edited: bool = False  # its layout was painted on since
    placed: bool = False  # it has replaced the layout before it
    replaced: str = ""  # a sentence about cells by hand that it has replaced
    job: SegmentTask | None = None  # repeats it with other thresholds

    def put(self, found: NDArray[np.int32], before: Cells | None) -> Combined:
        if self.rejected is not None:
            found = without_rejected(found, self.rejected)
        return put_beside(found, before, self.part, self.keep)

    def reject(self, labels: set[int], cells: NDArray[np.int32]) -> None:
        """Remember cells that the user rejected: by label, and as they look, from 1 on."""
        if self.before is not None:
            left, _ = take_out(self.before.labels, labels)
            self.before = replace(self.before, labels=left)
        if self.rejected is None:
            self.rejected = cells
        else:
            others = int(self.rejected.max(initial=0))
            self.rejected = np.where(cells > 0, cells + others, self.rejected)
