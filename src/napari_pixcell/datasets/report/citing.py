"""Licences and references that follow from the models used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.store.dataset import Description
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE, DEMO_FOLDER, Family
from napari_pixcell.models.families import get_family, segmenter_licence
from napari_pixcell.models.store import licence_texts

PIXCELL = (
    "Yellapragada S., Graikos A., Li Z., Triaridis K., Belagali V., Nandi T. N., Bai K., Knudsen "
    "B. S., Kurc T., Gupta R. R., Prasanna P., Madduri R. K., Saltz J., Samaras D. PixCell: A "
    "generative foundation model for digital histopathology images. arXiv:2506.05127, 2025."
)
UNI = (
    "Chen R. J., Ding T., Lu M. Y., Williamson D. F. K., et al. Towards a general-purpose "
    "foundation model for computational pathology. Nature Medicine 30, 850–862, 2024. "
    "doi:10.1038/s41591-024-02857-3. (UNI2-h, used here, is its successor: "
    "MahmoodLab/UNI2-h.)"
)
CELLPOSE_SAM = (
    "Pachitariu M., Rariden M., Stringer C. Cellpose-SAM: superhuman generalization for cellular "
    "segmentation. bioRxiv, 2025."
)
OURS = "napari-pixcell {version}, BSD-3-Clause: the software that made this dataset."


def known_family(name: str) -> Family | None:
    """Return a family, or None if it is unknown on this machine."""
    try:
        return get_family(name)
    except PixCellError:
        return None


def licences(
    description: Description, layouts: Iterable[LayoutSource]
) -> Iterator[tuple[str, str]]:
    """Iterate over parts of the dataset and their licences: images, masks, scores."""
    family = known_family(description.family)
    title = family.title if family is not None else description.family
    licence = description.licence or (family.licence if family is not None else "")
    yield f"Images, by the weights of {title}", licence or "not known"
    for made in layouts:
        if made.licence:
            yield f"Masks, by Cellpose {made.model}".strip(), made.licence
    segmenter = description.checks.segmenter
    if segmenter.method == "cellpose":
        licence = description.segmenter.get("licence") or segmenter_licence(segmenter.model)
        yield f"Scores, by {segmenter.words}", licence


def full_texts(description: Description, layouts: Iterable[LayoutSource]) -> dict[str, str]:
    """Return the licence texts of the weights by repository, if they are on this machine."""
    family = known_family(description.family)
    texts = licence_texts(family) if family is not None else {}
    if _by_cellpose(description, layouts):
        texts |= licence_texts(CELLPOSE)
    return texts


def references(description: Description, layouts: Iterable[LayoutSource]) -> Iterator[str]:
    """Iterate over the references to cite."""
    yield OURS.format(version=description.versions.get("napari-pixcell", "")).replace(" ,", ",")
    yield PIXCELL
    family = known_family(description.family)
    if family is not None and any(part.hub_id.endswith("UNI2-h") for part in family.parts):
        yield UNI
    if family is not None and all(part.folder == DEMO_FOLDER for part in family.parts):
        yield f"The demo networks: {family.licence}."
    if _by_cellpose(description, layouts):
        yield CELLPOSE_SAM


def _by_cellpose(description: Description, layouts: Iterable[LayoutSource]) -> bool:
    used = {made.method for made in layouts} | {description.checks.segmenter.method}
    return "cellpose" in used
