"""Whether a dataset is whole, and the same as another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from napari_pixcell.datasets.parallel.joining import FAILED
from napari_pixcell.datasets.preparation.parts import PREPARING
from napari_pixcell.datasets.recipe.preparing import REAL, private_folder
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.parts import PARTS
from napari_pixcell.datasets.store.recovery import LEFTOVER
from napari_pixcell.engine.record import pixels_sha256


def rows_of(folder: Path) -> list[dict[str, object]]:
    """Return all rows, in their order, with the pixels of their images and the hashes of masks."""
    found = []
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        del row["files"][row["image"]]  # its record holds the time
        mask = hashlib.sha256((folder / row["mask"]).read_bytes()).hexdigest()
        assert row["files"] == {row["mask"]: mask}
        assert row["pixels"] == pixels_sha256(np.asarray(Image.open(folder / row["image"])))
        found.append(row)
    return found


def prepared(folder: Path) -> dict[str, object]:
    """Return what the preparation of a dataset wrote, its private real tissue included."""
    dataset = Dataset(folder)
    private = private_folder(dataset.description)
    kinds = (folder / "styles", folder / "layouts", private / REAL)
    files = [path for kind in kinds for path in sorted(kind.iterdir())]
    lines = [folder / name for name in ("styles.jsonl", "layouts.jsonl")]
    found: dict[str, object] = {path.name: path.read_bytes() for path in (*files, *lines)}
    assert not (folder / PREPARING).exists() and len(found) == len(files) + len(lines)
    return found | {"plan": dataset.description.plan, "weights": dataset.description.weights}


def is_whole(folder: Path, pairs: int) -> None:
    """Check that no pair of a dataset is missing, double or damaged, and no parts are left."""
    found = check_dataset(Dataset(folder))
    assert found.whole and found.pairs == pairs, found.sentences
    assert not any((folder / name).exists() for name in (PARTS, FAILED, LEFTOVER))
    embeddings = (folder / "embeddings.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["index"] for line in embeddings) == list(range(pairs))
