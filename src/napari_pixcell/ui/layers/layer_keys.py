"""Key bindings of a layout's layer.

They use letters that are free there: napari's label layer has the digits and E, P, F, L, M and B,
the viewer has V, and the studio has R, G, S and H. Only napari's X and Z are replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app_model.types import KeyBinding
from napari.layers import Labels

# By tool. Those of painting and erasing are napari's own too.
TOOL_KEYS = {"paint": "P", "outline": "O", "stamp": "T", "erase": "E", "split": "K", "fill": "C"}
TOOL_NAMES = {
    "paint": "Brush",
    "outline": "Outline",
    "stamp": "Stamp",
    "erase": "Eraser",
    "split": "Split",
    "fill": "Fill",
}
SHOWN_KEYS = TOOL_KEYS | {"select": "Esc"}

Act = Callable[[], Any]


def bind_keys(layer: Labels, acts: Mapping[str, tuple[Act, str]]) -> None:
    """Bind keys of a layer, each with an action and its description."""
    for key, (act, words) in acts.items():
        layer.bind_key(key, described(act, words), overwrite=True)


def bind_escape(layer: Labels, cancel: Act) -> None:
    """Bind Escape to ``cancel``, which napari's own binding of label layers would hide.

    As in napari, Escape first discards an outline or a stroke that is being drawn.
    """
    of_napari = Labels.class_keymap.get(KeyBinding.from_str("Escape"))

    def escape() -> None:
        polygon, stroke = (layer._overlays[name] for name in ("polygon", "brush_stroke"))
        if of_napari is not None and (polygon.points or stroke.active):
            of_napari(layer)
        else:
            cancel()

    bind_keys(layer, {"Escape": (escape, "Cancel, or return to Select")})


def described(act: Act, words: str) -> Callable[[Any], None]:
    """Return a key's callback, with a description for napari's list of shortcuts."""

    def pressed(_source: Any) -> None:
        act()

    pressed.__doc__ = f"{words} (PixCell)"
    return pressed
