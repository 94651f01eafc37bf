"""The classes of cells that the masks of pairs name, looked for in a thread, and their colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_pixcell.cells.class_map import UNCLASSED, Palette, make_palette
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices

if TYPE_CHECKING:
    from napari_pixcell.engine.training.control.pairs import ControlFiles

AT_ONCE = 4  # masks, between which other work has its turn
MOST = 400  # masks that are read; of more, the engine finds all classes when it trains


@dataclass(eq=False)
class PairClasses:
    """Lists the classes in the masks of a folder, and holds the colours that the user chose."""

    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self.counts: Counter[str] = Counter()  # cells of each class, "" for none
        self.colours: dict[str, str] = {}  # that the user chose, by class
        self.problem = ""  # why a mask cannot be read
        self._masks: list[ControlFiles] = []
        self._read = 0

    @property
    def names(self) -> list[str]:
        """The classes found so far, the most common first."""
        return [name for name, _ in self.counts.most_common() if name]

    @property
    def complete(self) -> bool:
        """Whether all masks have been read."""
        return self._read == len(self._masks)

    @property
    def looking(self) -> bool:
        return not self.problem and self._read < min(len(self._masks), MOST)

    def look(self, masks: list[ControlFiles]) -> None:
        """Read the masks of another folder, some at a time."""
        self.counts, self.colours, self.problem = Counter(), {}, ""
        self._masks, self._read = masks, 0
        self._go_on(masks)

    def colour(self, name: str, colour: str) -> None:
        """Choose the colour of a class, ``#rrggbb``."""
        self.colours[name] = colour
        self.notices.changed.emit()

    def palette(self) -> Palette:
        """Return the classes in their colours; empty if not all are known.

        Raises
        ------
        PixCellError
            If there are too many classes.
        """
        if not self.names or not (self.complete or self.colours):
            return ()
        names = [*self.names, *([UNCLASSED] if self.counts[UNCLASSED] else [])]
        return tuple((n, self.colours.get(n, colour)) for n, colour in make_palette(names))

    def why_none(self) -> str:
        """Return why there are no classes; empty if there are some."""
        if self.problem:
            return self.problem
        if self.looking:
            return f"The classes are being read: {self._read:,} of {len(self._masks):,} masks"
        if self.names:
            return ""
        return "The masks name no classes. Use files that do, such as GeoJSON of QuPath"

    def _go_on(self, masks: list[ControlFiles]) -> None:
        """Read some more masks, unless another folder was chosen."""
        part = masks[self._read : min(self._read + AT_ONCE, MOST)]
        if not part:
            return

        def done(counts: Counter[str]) -> None:
            if masks is self._masks:
                self.counts += counts
                self._read += len(part)
                self.notices.changed.emit()
                self._go_on(masks)

        def failed(words: str) -> None:
            if masks is self._masks:
                self.problem = words
                self.notices.changed.emit()

        self.background.compute(lambda: _classes_of(part), done, failed)


def _classes_of(masks: Sequence[ControlFiles]) -> Counter[str]:
    from napari_pixcell.cells import read_cells  # slow to import
    from napari_pixcell.cells.layout import areas

    counts: Counter[str] = Counter()
    for one in masks:
        assert one.cells is not None
        cells = read_cells(one.cells, image=one.image.name)
        if cells.outlines is not None:
            counts.update(map(str, cells.outlines.classes.tolist()))
        elif cells.labels is not None:
            found = areas(cells.labels)[0].tolist()
            counts.update(cells.classes.get(label, UNCLASSED) for label in found)
    return counts
