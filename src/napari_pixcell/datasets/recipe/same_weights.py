"""Whether a dataset is resumed with the weights that it was begun with.

Pictures of two editions of a family would look like one dataset, but have two distributions.
"""

from __future__ import annotations

from collections.abc import Collection

from napari_pixcell.datasets.preparation.parts import PREPARING
from napari_pixcell.datasets.store.dataset import STYLES, Dataset
from napari_pixcell.engine.record import Record, other_weights
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import cached_sha256
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import find


class OtherWeights(PixCellError):
    """The weights are not those of the dataset, so every other pair would be refused as well."""


def keep_encoder(dataset: Dataset, weights: dict[str, str] | None = None) -> None:
    """Store the hash of the encoder that embeds the styles of a dataset, before the first style.

    ``weights`` are those of its family where they are installed, by default on this machine.
    """
    if weights is None:
        weights = installed_weights(dataset, "encoder")
    begun = dataset.prepared(STYLES) or any((dataset.folder / PREPARING).glob("*/styles-*.jsonl"))
    if "encoder" in weights and not begun and not dataset.description.device:
        dataset.describe(weights={"encoder": weights["encoder"]})


def check_installed(dataset: Dataset) -> None:
    """Raise OtherWeights if the installed weights are not those that a dataset was begun with.

    Parts that are not installed, and adapters, whose hash is known once they are loaded, do not
    count here.
    """
    known = dataset.description.weights
    installed = installed_weights(dataset, *known)
    _refuse(dataset, other_weights({part: known[part] for part in installed}, installed))


def check_record(dataset: Dataset, record: Record) -> None:
    """Raise OtherWeights if an image was made with other weights than a dataset."""
    if record.weights:
        _refuse(dataset, other_weights(dataset.description.weights, record.weights))


def check_weights(dataset: Dataset, weights: dict[str, str], part: str) -> None:
    """Raise OtherWeights if a part of a dataset was made with other weights than the rest."""
    changed = other_weights(dataset.description.weights, weights)
    if changed:
        raise OtherWeights(
            f"{part} was made with other weights of {dataset.description.family} "
            f"({', '.join(changed)}) than {dataset.folder.name}. Delete this part and make its "
            "pairs again where the same weights are installed."
        )


def installed_weights(dataset: Dataset, *kinds: str) -> dict[str, str]:
    """Return the sha256 of the installed weight files of some parts of a dataset's family."""
    return weights_of(dataset.description.family, kinds) if kinds else {}


def weights_of(family: str, kinds: Collection[str] = ()) -> dict[str, str]:
    """Return the sha256 of the installed weight files of some parts of a family, or of all.

    Raises
    ------
    PixCellError
        If there is no such family.
    """
    parts = [part for part in get_family(family).parts if part.kind in kinds or not kinds]
    found = {part.kind: find(part) for part in parts if part.kind != "lora"}
    return {kind: cached_sha256(one.weights) for kind, one in found.items() if one is not None}


def _refuse(dataset: Dataset, changed: list[str]) -> None:
    if not changed:
        return
    description = dataset.description
    version = description.versions.get("napari-pixcell")
    made_by = f", by napari-pixcell {version}" if version else ""
    raise OtherWeights(
        f"{dataset.folder.name} was begun with other weights of {description.family} "
        f"({', '.join(changed)}){made_by}. Install those weights to resume it, or make a dataset "
        "in a new folder. Its pairs stay as they are."
    )
