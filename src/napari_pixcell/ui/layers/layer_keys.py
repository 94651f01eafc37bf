"""Keys of a layout's layer. napari's own for labels stay, but for X and Z, which it has no use for.

Letters that nothing else has there: napari's layer takes the digits and E, P, F, L, M and B, the
viewer V, the studio R, G, S and H.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.layout_tools import CellTools

# By tool; painting and erasing have napari's own keys.
TOOL_KEYS = {"outline": "O", "stamp": "T", "split": "K", "fill": "C"}
SHOWN_KEYS = TOOL_KEYS | {"paint": "P", "erase": "E"}


def bind_cell_keys(layer: Labels, tools: CellTools) -> None:
    """Give a layout's layer its keys."""

    def hide(layer: Labels) -> None:
        layer.visible = not layer.visible

    keys: dict[str, tuple[Callable[[Labels], Any], str]] = {
        "X": (lambda _: tools.toggle_outlines(), "Outline or fill the cells"),
        "Z": (hide, "Hide or show the cells"),
        "Control-Z": (lambda _: tools.undo(), "Undo"),
        "Control-Shift-Z": (lambda _: tools.redo(), "Redo"),
        "Delete": (lambda _: tools.delete_selected(), "Delete the selected cell"),
    }
    for tool, key in TOOL_KEYS.items():
        keys[key] = _chooses(tools, tool), f"{tool.capitalize()} cells"
    for key, (act, words) in keys.items():
        layer.bind_key(key, _named(act, words), overwrite=True)
    bind_escape(layer, tools.session.cancel)


def bind_escape(layer: Labels, cancel: Callable[[], None]) -> None:
    """Let Esc reach the studio: napari asks the selected layer first, and labels have an own Esc.

    An outline or a stroke that is being drawn is given up first, as napari does.
    """
    of_napari = Labels.class_keymap.get(_key("Escape"))

    def escape(layer: Labels) -> None:
        drawn = (layer._overlays[name] for name in ("polygon", "brush_stroke"))
        polygon, stroke = drawn
        if of_napari is not None and (polygon.points or stroke.active):
            of_napari(layer)
        else:
            cancel()

    layer.bind_key("Escape", _named(escape, "Cancel what runs"), overwrite=True)


def _chooses(tools: CellTools, tool: str) -> Callable[[Labels], None]:
    return lambda _: tools.choose_by_key(tool)


def _key(text: str) -> Any:
    from app_model.types import KeyBinding

    return KeyBinding.from_str(text)


def _named(act: Callable[[Labels], Any], words: str) -> Callable[[Labels], None]:
    def pressed(layer: Labels) -> None:
        act(layer)

    pressed.__doc__ = f"{words} (PixCell)"
    return pressed
