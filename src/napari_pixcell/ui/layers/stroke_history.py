"""Undo and redo of strokes on a layout, and of whole layouts before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.layers import Labels

from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.session import Session

MOST_STROKES = 100  # in napari's history


@dataclass
class Strokes:
    """Numbers of strokes in a layer's history that can be undone and redone."""

    done: int = 0
    undone: int = 0


class StrokeHistory:
    """Undoes and redoes in the active region: strokes first, then imports and segmentations.

    Parameters
    ----------
    session : Session
    active : callable
        Returns the label layer of the active region, or None.
    edited : callable
        Called with the layer after a stroke was undone or redone.
    changed : callable
        Called after that.
    """

    def __init__(
        self,
        session: Session,
        active: Callable[[], Labels | None],
        edited: Callable[[Labels], None],
        changed: Callable[[], Any],
    ) -> None:
        self.session, self.regions = session, session.regions
        self._active, self._edited, self._changed = active, edited, changed
        self._strokes: dict[int, Strokes] = {}  # by region

    def reset(self, number: int) -> None:
        """Forget the strokes of a layout that was replaced, as napari does."""
        self._strokes[number] = Strokes()

    def count(self, number: int) -> None:
        """Count a finished stroke in a region."""
        strokes = self._strokes[number]
        strokes.done, strokes.undone = min(strokes.done + 1, MOST_STROKES), 0

    @property
    def can_undo(self) -> bool:
        item = self.regions.active
        return item is not None and bool(self._of(item).done or item.earlier)

    @property
    def can_redo(self) -> bool:
        item = self.regions.active
        return item is not None and bool(self._of(item).undone or item.later)

    def undo(self) -> None:
        """Undo the last stroke, or else the last change of the whole layout."""
        item = self.regions.active
        if item is not None and not self._step(item, -1):
            self.session.layouts.undo(item.number)

    def redo(self) -> None:
        """Redo the stroke or layout that was undone last."""
        item = self.regions.active
        if item is not None and not self._step(item, 1):
            self.session.layouts.redo(item.number)

    def _of(self, item: RegionItem) -> Strokes:
        return self._strokes.get(item.number, Strokes()) if item.layout is not None else Strokes()

    def _step(self, item: RegionItem, strokes: int) -> bool:
        """Undo (-1) or redo (1) a stroke. Return False if there is none."""
        layer, counts = self._active(), self._of(item)
        if layer is None or not (counts.done if strokes < 0 else counts.undone):
            return False
        if not self.session.generator.live.on:  # nothing changes unseen under a variant
            self.session.gallery.show_none(item.number)
        counts.done, counts.undone = counts.done + strokes, counts.undone - strokes
        (layer.undo if strokes < 0 else layer.redo)()
        self._edited(layer)
        self._changed()
        return True
