"""The keys of the studio: what each does, in one table."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from napari.layers import Image, Shapes
from napari.viewer import Viewer

from napari_pixcell.ui.layers.slide import is_slide, role

if TYPE_CHECKING:
    from napari_pixcell.ui.dock import PixCellStudio

DIGITS = "1234567890"
LENT = (*DIGITS, "S", "Escape")  # to the selected layer, which has keys of its own there
# Modes of the “Regions” layer in which napari's own letters and digits draw nothing.
RESTING = ("select", "pan_zoom")


class Key(NamedTuple):
    """A key of the studio.

    Parameters
    ----------
    keys : str
        As napari names them, with blanks between.
    shown : str
        As people read them.
    words : str
        What they do.
    """

    keys: str
    shown: str
    words: str


TABLE = (
    Key("R", "R", "New region"),
    Key("G", "G", "Generate"),
    Key("Escape", "Esc", "Cancel what runs"),
    Key(" ".join(DIGITS[:-1]), "1 – 9", "Show that variant of the region's newest job"),
    Key("0", "0", "Show none of the region's variants"),
    Key("H", "H", "Hold to see the original"),
    Key("S", "S", "Keep the variant that is seen, or no longer"),
)
ON_LAYOUT = (
    Key("", "O", "Outline cells (while a layout is selected, as all below)"),
    Key("", "T", "Stamp nuclei"),
    Key("", "K", "Split cells by a line"),
    Key("", "C", "Fill holes of cells"),
    Key("", "X", "Cells filled, or as outlines"),
    Key("", "Z", "Hide or show the cells"),
    Key("", "Del", "Delete the cell that was clicked"),
)
NATIVE = (
    Key("", "[ ]", "Smaller, larger brush (while painting)"),
    Key("", "V", "Show or hide the selected layer"),
)
IN_REVIEW = (
    Key("", "A", "Accept the pair (while the thumbnails of “Review pairs” have the focus)"),
    Key("", "D", "Reject it"),
    Key("", "N", "No decision"),
    Key("", "U", "Undo the last decision; Ctrl+Z too, Ctrl+Y does it again"),
    Key("", "M", "Outlines of the mask on or off"),
    Key("", "Enter", "Show the pair in the viewer"),
)
NOTE = "While a layout is selected, 1 – 7 choose napari's painting tools."


def key_list() -> str:
    """Give all keys with their words, as a table in Qt's HTML."""
    rows = "".join(
        f"<tr><td><b>{key.shown}</b>&nbsp;&nbsp;</td><td>{key.words}</td></tr>"
        for key in (*TABLE, *NATIVE, *ON_LAYOUT, *IN_REVIEW)
    )
    return f"<table>{rows}</table><p>{NOTE}</p>"


class Keys:
    """Binds the keys to a viewer, and gives them back.

    napari asks the selected layer for a key before it asks the viewer, and images and shapes have
    keys of their own on digits and S. So these go to the slide, to variants and to the resting
    “Regions” layer too; layouts and foreign layers keep napari's.

    Parameters
    ----------
    studio : PixCellStudio
        Does what the keys say.
    """

    def __init__(self, studio: PixCellStudio) -> None:
        self._studio = weakref.ref(studio)
        self._viewer = weakref.ref(studio.viewer)
        self._session = studio.session
        self._lent: Any = None
        acts: dict[str, Any] = {
            "R": lambda: self._dock(lambda dock: dock.region.add_region()),
            "G": self._session.generate,
            "Escape": self._session.cancel,
            "S": self._session.gallery.star_looked,
        }
        for digit in DIGITS:
            acts[digit] = _nth(self._session, int(digit))
        words = {key: entry.words for entry in TABLE for key in entry.keys.split()}
        self._calls: dict[str, Callable[[Any], Any]] = {
            key: _call(act, words[key]) for key, act in acts.items()
        }
        self._calls["H"] = _hold(self._peek, words["H"])
        for key, call in self._calls.items():
            studio.viewer.bind_key(key, call, overwrite=True)
        link = studio.link
        link.connect_to(studio.viewer.layers.selection.events.active, self._lend)
        self._link = link
        self._lend()

    def close(self) -> None:
        """Give all keys back."""
        self._take_back()
        viewer = self._viewer()
        if viewer is not None:
            for key in self._calls:
                viewer.bind_key(key, None, overwrite=True)

    def _dock(self, act: Callable[[PixCellStudio], None]) -> None:
        studio = self._studio()
        if studio is not None:
            act(studio)

    def _peek(self, on: bool) -> None:
        gallery, active, looked = (
            self._session.gallery,
            self._session.active,
            self._session.gallery.looked,
        )
        number = active.number if active is not None else 0
        if looked is not None and not any(r.shown for r in gallery.of_region(number)):
            number = looked.target.number
        gallery.peek(number if on else None)

    def _lend(self, _event: Any = None) -> None:
        """Put the keys of results on the selected layer, where it can do without its own."""
        self._take_back()
        viewer: Viewer | None = self._viewer()
        layer = viewer.layers.selection.active if viewer is not None else None
        ours = isinstance(layer, Image) and (is_slide(layer) or bool(role(layer)))
        regions = isinstance(layer, Shapes) and role(layer) == "regions"
        if layer is None or not (ours or regions):
            return
        self._lent = layer
        self._fit()
        if regions:
            layer.events.mode.connect(self._fit)

    def _fit(self, _event: Any = None) -> None:
        layer = self._lent
        resting = isinstance(layer, Image) or layer.mode in RESTING
        for key in LENT:
            layer.bind_key(key, self._calls[key] if resting else None, overwrite=True)

    def _take_back(self) -> None:
        layer, self._lent = self._lent, None
        if layer is None:
            return
        if isinstance(layer, Shapes):
            layer.events.mode.disconnect(self._fit)
        for key in LENT:
            layer.bind_key(key, None, overwrite=True)


def _nth(session: Any, number: int) -> Callable[[], None]:
    def show() -> None:
        if session.active is not None:
            session.gallery.show_nth(session.active.number, number)

    return show


def _call(act: Callable[[], Any], words: str) -> Callable[[Any], None]:
    def pressed(_source: Any) -> None:
        act()

    pressed.__doc__ = f"{words} (PixCell)"
    return pressed


def _hold(act: Callable[[bool], None], words: str) -> Callable[[Any], Iterator[None]]:
    def held(_source: Any) -> Iterator[None]:
        act(True)
        yield
        act(False)

    held.__doc__ = f"{words} (PixCell)"
    return held
