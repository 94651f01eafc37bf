"""Layouts in the colours of their classes, for models that draw classes apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap, label_colormap
from numpy.typing import NDArray
from pydantic import PrivateAttr

from napari_pixcell.cells.class_map import Palette
from napari_pixcell.studio.cells.classes import CellClasses
from napari_pixcell.studio.regions.item import RegionItem

NONE, FIRST = 1, 2  # keys of the colours: of cells without a class, and of the first class
MOST_LABELS = 2**24  # in the table, which has a byte for each
NAPARIS = 49  # colours of a layer of labels in napari
UNCLASSED_COLOUR = "#ffffff"


class ClassColormap(DirectLabelColormap):
    """A colour for each class of cells, looked up by label.

    napari's own map has a colour for each label: it is slow with many cells, and has to be made
    anew for each new one. Here a table leads from labels to the few colours. Labels beyond the
    table are those of new cells, and have the colour of the picked class.
    """

    _keys: NDArray[np.uint8] = PrivateAttr()  # of each label, and last of all higher ones

    @classmethod
    def of(cls, palette: Palette, keys: NDArray[np.uint8], picked: int) -> ClassColormap:
        """Return the map of a palette, with the keys of labels from 0 on, and of higher ones."""
        colours: dict[int | None, str] = {None: UNCLASSED_COLOUR, NONE: UNCLASSED_COLOUR}
        colours |= {FIRST + place: colour for place, (_, colour) in enumerate(palette)}
        made = cls(color_dict=colours)
        made._keys = np.append(keys, np.uint8(picked))
        return made

    @property
    def highest(self) -> int:
        """The highest label that has a colour of its own."""
        return len(self._keys) - 2

    def colour(self, keys: Mapping[int, int], picked: int) -> None:
        """Change the keys of some labels, and of all that are higher than any so far."""
        highest = max(self.highest, max(keys, default=0))
        table = np.full(highest + 2, NONE, np.uint8)
        table[: self.highest + 1] = self._keys[:-1]
        table[list(keys)] = list(keys.values())
        table[-1] = picked
        self._keys = table
        self._clear_cache()

    def _key_of(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        keys: NDArray[np.uint8] = self._keys[np.clip(values, 0, len(self._keys) - 1)]
        return keys

    def _places(self) -> NDArray[np.uint8]:
        """Return the place in the texture of each key's colour."""
        mapping = self._label_mapping_and_color_dict[0]
        return np.array([mapping[key] for key in range(max(k or 0 for k in mapping) + 1)], np.uint8)

    # -- as napari asks ----------------------------------------------------------------------

    def _data_to_texture(self, values: Any) -> Any:
        if np.dtype(values.dtype).itemsize <= 2:
            return super()._data_to_texture(values)
        if self.use_selection:
            return np.asarray(values == self.selection).astype(np.uint8)[()]
        return self._places()[self._key_of(values)]

    def _values_mapping_to_minimum_values_set(self, apply_selection: bool = True) -> Any:
        if self.use_selection and apply_selection:
            return {self.selection: 1, None: 0}, {
                0: np.zeros(4),
                1: self._colour_of(self.selection),
            }
        return super()._values_mapping_to_minimum_values_set(apply_selection)

    def map(self, values: Any) -> NDArray[Any]:
        """Return the colours of labels: float, (…, 4)."""
        mapped = self._colour_of(np.asarray(values))
        if self.use_selection:
            mapped[np.asarray(values) != self.selection] = 0
        return mapped

    def _map_without_cache(self, values: NDArray[Any]) -> NDArray[Any]:
        return self._colour_of(values)

    def _colour_of(self, values: Any) -> NDArray[Any]:
        colours = np.array([self.color_dict[key] for key in range(len(self.color_dict) - 1)])
        found: NDArray[Any] = colours[self._key_of(values)].astype(np.float32)
        return found


class ClassColours:
    """Keeps the colours of label layers in step with the classes of their cells."""

    def __init__(self, classes: CellClasses) -> None:
        self._classes = classes

    def dress(self, layer: Labels, item: RegionItem) -> None:
        """Colour a whole layout: by class, or each cell by itself if the model knows no classes."""
        classes, highest = self._classes, int(layer.data.max(initial=0))
        if not classes.palette or highest > MOST_LABELS:
            if isinstance(layer.colormap, ClassColormap):
                layer.colormap = label_colormap(NAPARIS, background_value=0)
            return
        keys = np.full(highest + 1, NONE, np.uint8)
        keys[0] = 0
        places = self._places()
        for label, name in classes.known(item).items():
            if label < len(keys):
                keys[label] = places[name]
        layer.colormap = ClassColormap.of(classes.palette, keys, places.get(classes.picked, NONE))

    def follow(self, layer: Labels, labels: Mapping[int, str]) -> None:
        """Colour the cells whose class is new or changed."""
        colormap, places = layer.colormap, self._places()
        if isinstance(colormap, ClassColormap):
            drawn = any(label <= colormap.highest for label in labels)
            keys = {label: places.get(name, NONE) for label, name in labels.items()}
            colormap.colour(keys, places.get(self._classes.picked, NONE))
            if drawn:
                layer.refresh(extent=False)

    def _places(self) -> dict[str, int]:
        return {name: FIRST + place for place, (name, _) in enumerate(self._classes.palette)}
