"""Undo and redo of edits of a layout, and of whole layouts before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from napari.layers import Labels

from napari_pixcell.studio.cells.classes import ClassChange
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.session import Session

MOST_STROKES = 100  # in napari's history


@dataclass
class Edits:
    """Edits of a layer that can be undone and redone, the newest last.

    None stands for the next stroke in napari's own history.
    """

    done: list[ClassChange | None] = field(default_factory=list)
    undone: list[ClassChange | None] = field(default_factory=list)

    def add(self, edit: ClassChange | None) -> None:
        self.done.append(edit)
        del self.done[:-MOST_STROKES]
        self.undone.clear()


class StrokeHistory:
    """Undoes and redoes in the active region: strokes and classes, then whole layouts.

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
        self._edits: dict[int, Edits] = {}  # by region

    def reset(self, number: int) -> None:
        """Forget the edits of a layout that was replaced, as napari does."""
        self._edits[number] = Edits()

    def count(self, number: int) -> None:
        """Count a finished stroke in a region."""
        self._edits[number].add(None)

    def record(self, change: ClassChange) -> None:
        """Record that cells were given another class."""
        self._edits.setdefault(change.number, Edits()).add(change)
        self._changed()

    @property
    def can_undo(self) -> bool:
        item = self.regions.active
        return item is not None and bool(self._of(item).done or item.earlier)

    @property
    def can_redo(self) -> bool:
        item = self.regions.active
        return item is not None and bool(self._of(item).undone or item.later)

    def undo(self) -> None:
        """Undo the last edit, or else the last change of the whole layout."""
        item = self.regions.active
        if item is not None and not self._step(item, back=True):
            self.session.layouts.undo(item.number)

    def redo(self) -> None:
        """Redo the edit or layout that was undone last."""
        item = self.regions.active
        if item is not None and not self._step(item, back=False):
            self.session.layouts.redo(item.number)

    def _of(self, item: RegionItem) -> Edits:
        return self._edits.get(item.number, Edits()) if item.layout is not None else Edits()

    def _step(self, item: RegionItem, back: bool) -> bool:
        """Undo or redo an edit. Return False if there is none."""
        layer, edits = self._active(), self._of(item)
        taken, put = (edits.done, edits.undone) if back else (edits.undone, edits.done)
        if layer is None or not taken:
            return False
        if not self.session.generator.live.on:  # nothing changes unseen under a variant
            self.session.gallery.show_none(item.number)
        edit = taken.pop()
        put.append(edit)
        if edit is not None:
            self.session.classes.apply(item.number, edit.before if back else edit.after)
        else:
            (layer.undo if back else layer.redo)()
            self._edited(layer)
        self._changed()
        return True
