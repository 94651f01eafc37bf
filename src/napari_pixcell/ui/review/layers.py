"""A pair of a dataset as layers of the viewer, in µm."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Labels
from napari.viewer import Viewer

from napari_pixcell.slides.region import UNITS
from napari_pixcell.slides.region import AXES
from napari_pixcell.studio.review.open_dataset import LoadedPair
from napari_pixcell.ui.layers.slide import ROLE, role

KIND = "review"
GAP_UM = 20.0


def show_pair(viewer: Viewer, pair: LoadedPair) -> None:
    """Show image and mask of a pair left of all layers, in place of the previous pair."""
    layers = viewer.layers
    for layer in [one for one in layers if role(one) == KIND]:
        layers.remove(layer)
    chosen = layers.selection.active
    top = left = 0.0
    if len(layers):
        top, left = layers.extent.world[0][-2:]
        left -= GAP_UM + pair.image.shape[1] * pair.mpp
    name = f"{pair.name} · pair {pair.number}"
    where = {
        "scale": (pair.mpp, pair.mpp),
        "translate": (top, left),
        "units": UNITS,
        "axis_labels": AXES,
        "metadata": {ROLE: KIND},
    }
    image = Image(pair.image, rgb=True, name=f"Synthetic · {name}", **where)
    layers.append(image)
    if pair.labels is not None:
        cells = Labels(pair.labels.astype(np.int32), name=f"Synthetic cells · {name}", **where)
        cells.contour = 1
        cells.editable = False
        layers.append(cells)
    layers.selection.active = chosen if chosen in layers else image
    viewer.fit_to_view(layers=[image])
