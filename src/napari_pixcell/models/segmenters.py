"""Where a Cellpose model is, told by its name or path; imports no torch."""

from __future__ import annotations

from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.models.store import cellpose_folder, find

NOT_INSTALLED = (
    "Cellpose's weights are not installed; get them in the model manager, or with “napari-pixcell "
    "models get cellpose”. The built-in method finds nuclei without them."
)
OWN_LICENCE = (
    "The user's own Cellpose model; if it was trained on from Cellpose's weights, their terms "
    "reach it: they were trained on data for non-commercial use"
)


def segmenter_file(model: str) -> Path:
    """Find the file of a Cellpose model; nothing is fetched.

    Parameters
    ----------
    model : str
        A published name, looked for as in :func:`napari_pixcell.models.store.find`; the path of a
        file; or the name of a file in Cellpose's own folder.

    Raises
    ------
    PixCellError
        If it is not on this machine.
    """
    part = CELLPOSE.parts[0]
    if model == part.weights:
        found = find(part)
        if found is None:
            raise PixCellError(NOT_INSTALLED)
        return found.weights
    for path in (Path(model).expanduser(), cellpose_folder() / model):
        if path.is_file():
            return path
    raise PixCellError(
        f"There is no Cellpose model file {Path(model).name}; choose another one, or "
        f"“{part.weights}”."
    )


def segmenter_licence(model: str) -> str:
    """Give the licence of a model: the published one's, or what holds for the user's own."""
    return CELLPOSE.licence if model == CELLPOSE.parts[0].weights else OWN_LICENCE
