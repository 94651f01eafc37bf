"""Files and licences of Cellpose models. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.models.store import cellpose_folder, find

NOT_INSTALLED = (
    "Cellpose's weights are not installed. Get them in the model manager, or with “napari-pixcell "
    "models get cellpose”. The built-in method segments nuclei without them."
)
OWN_LICENCE = (
    "The user's own Cellpose model. If it was fine-tuned from Cellpose's weights, their terms "
    "apply: they were trained on data for non-commercial use"
)


def segmenter_file(model: str) -> Path:
    """Return the file of a Cellpose model. Nothing is downloaded.

    Parameters
    ----------
    model : str
        A published name, searched as in :func:`napari_pixcell.models.store.find`, the path of a
        file, or the name of a file in Cellpose's own folder.

    Raises
    ------
    PixCellError
        If it is not on this machine.
    """
    part = CELLPOSE.parts[0]
    if model == part.weights:
        installed = find(part)
        if installed is None:
            raise PixCellError(NOT_INSTALLED)
        return installed.weights
    for path in (Path(model).expanduser(), cellpose_folder() / model):
        if path.is_file():
            return path
    raise PixCellError(
        f"There is no Cellpose model file {Path(model).name}. Choose another one, or "
        f"“{part.weights}”."
    )


def segmenter_licence(model: str) -> str:
    """Return the licence of a Cellpose model, published or the user's own."""
    return CELLPOSE.licence if model == CELLPOSE.parts[0].weights else OWN_LICENCE
