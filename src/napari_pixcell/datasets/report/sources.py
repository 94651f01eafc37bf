"""The styles, layouts and models behind a dataset: counts, licences and references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.store.dataset import Dataset, Description
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE, DEMO_FOLDER, Family
from napari_pixcell.models.families import get_family, segmenter_licence
from napari_pixcell.models.store import licence_texts

MOST_ROWS = 40
METHODS = {
    "builtin": "segmented by the built-in method",
    "imported": "imported",
    "painted": "painted",
    "invented": "invented",
}

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

Cells = list[tuple[str, ...]]


@dataclass(frozen=True)
class Listing:
    """The first styles or layouts of a dataset, as a table."""

    head: tuple[str, ...]
    rows: Cells
    more: int  # number of those that are not listed
    origins: Cells  # methods behind the layouts, and the number of layouts of each


class SourceCounts:
    """Styles and layouts of a dataset; reads their rows, not their arrays.

    Attributes
    ----------
    styles, style_groups, layouts, layout_groups : int
    methods : list of LayoutSource
        Origins of the layouts, each once and without its recipe.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        groups = Counter(row["group"] for row in dataset.style_rows())
        self.styles, self.style_groups = groups.total(), len(groups)
        groups, self._made = Counter(), Counter[LayoutSource]()
        for row in dataset.layout_rows():
            groups[row["group"]] += 1
            made = LayoutSource.from_dict(row["made"])
            self._made[replace(made, recipe=None, density_map=None)] += 1
        self.layouts, self.layout_groups = groups.total(), len(groups)
        self.methods = list(self._made)

    def list_styles(self, pairs: PairTable) -> Listing:
        """Return the styles, with the number of pairs of each."""
        rows = _counted_rows(self._dataset.style_rows(), pairs.style, self.styles)
        cells: Cells = [(row["name"], row["group"], f"{count:,}") for row, count in rows]
        return Listing(("Style", "Group", "Pairs"), cells, self.styles - len(cells), [])

    def list_layouts(self, pairs: PairTable) -> Listing:
        """Return the layouts and their origins, with the number of pairs of each."""
        numbers = pairs.layout[pairs.layout >= 0]
        rows = _counted_rows(self._dataset.layout_rows(), numbers, self.layouts)
        cells: Cells = [
            (row["name"], row["group"], f"{row['cells']:,}", f"{count:,}") for row, count in rows
        ]
        origins: Cells = [(_words(made), f"{count:,}") for made, count in self._made.items()]
        head = ("Layout", "Group", "Cells", "Pairs")
        return Listing(head, cells, self.layouts - len(cells), origins)


def _counted_rows(
    rows: Iterator[JsonRow], numbers: NDArray[np.int32], total: int
) -> Iterator[tuple[JsonRow, int]]:
    counts = np.bincount(numbers, minlength=total)
    for row in islice(rows, MOST_ROWS):
        number = row["number"]  # beyond the last one if rows before it are damaged
        yield row, int(counts[number]) if number < len(counts) else 0


def _words(made: LayoutSource) -> str:
    cellpose = f"segmented by {made.method.capitalize()} {made.model}".strip()
    words = METHODS.get(made.method, cellpose)
    return f"{words}, then edited" if made.edited else words


# -- licences and references ---------------------------------------------------------------


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
