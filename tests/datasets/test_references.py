"""The real tissue of a dataset's styles between machines that share no data folder."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn_engine import DrawnEngine, drawn_recipe
from PIL import Image

from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.preparing import real_files
from napari_pixcell.datasets.recipe.references import (
    HEAD,
    KEY,
    References,
    export_references,
    import_references,
    references_of,
)
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.events import Event, Notice
from napari_pixcell.errors import PixCellError


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset of two tiles of tissue, of which one of three pairs is made."""
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "one machine"))
    tissue = np.random.default_rng(0).integers(100, 255, (256, 512, 3), np.uint8)
    Image.fromarray(tissue).save(tmp_path / "tiles.png")
    style = {"from": "picture", "path": str(tmp_path / "tiles.png"), "mpp": 0.5}
    resume(
        tmp_path / "data",
        DatasetRequest(str(tmp_path / "data"), drawn_recipe(styles=(style,), seeds=1), 1),
    )
    return Dataset(tmp_path / "data")


def resume(folder: Path, request: DatasetRequest | None = None) -> list[str]:
    events: list[Event] = []
    make_dataset(request or DatasetRequest(str(folder), None, 1), DrawnEngine().run, events.append)
    return [event.message for event in events if isinstance(event, Notice)]


def test_real_tissue_is_brought_to_another_machine(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "private" / "tissue.zip"
    bundle.parent.mkdir()
    assert export_references(dataset, bundle) == 2
    assert bundle.stat().st_mode & 0o077 == 0
    there = {number: path.read_bytes() for number, path in real_files(dataset).items()}
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "another machine"))
    assert references_of(dataset) == References(0, 2)
    (notice,) = resume(dataset.folder)
    assert "real tissue of 2 styles is not on this machine" in notice
    assert notice.endswith("Bring it with “napari-pixcell dataset references”.")
    assert import_references(dataset, bundle) == 2
    here = real_files(dataset)
    assert {number: path.read_bytes() for number, path in here.items()} == there
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*here.values(), here[0].parent))
    assert references_of(dataset) == References(2, 0) and resume(dataset.folder) == []
    compared = [row["scores"]["copy_pixels"] is not None for row in dataset.rows()]
    assert compared == [True, False, True]


def test_files_that_are_not_of_the_dataset_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"would lie in the dataset, which holds no real tissue"):
        export_references(dataset, dataset.folder / "tissue.zip")
    export_references(dataset, tmp_path / "whole.zip")
    data = (tmp_path / "whole.zip").read_bytes()
    bad = tmp_path / "bad.zip"
    for damaged in (b"", data[: len(data) // 2], data.replace(b"NUMPY", b"DAMAG")):
        bad.write_bytes(damaged)
        with pytest.raises(PixCellError, match=r"“bad.zip” is no complete file of real tissue"):
            import_references(dataset, bad)
    heads = {
        "is no complete file of real tissue": {},
        "a later version of napari-pixcell": {KEY: 2, "dataset": ""},
        "the real tissue of another dataset than data": {KEY: 1, "dataset": "another"},
    }
    for sentence, head in heads.items():
        with zipfile.ZipFile(bad, "w") as archive:
            archive.writestr(HEAD, json.dumps(head))
        with pytest.raises(PixCellError, match=sentence):
            import_references(dataset, bad)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr(HEAD, json.dumps({KEY: 1, "dataset": dataset.description.id}))
        archive.writestr("../000000.npz", b"")
    assert import_references(dataset, bad) == 0
    for path in real_files(dataset).values():
        path.unlink()
    with pytest.raises(PixCellError, match=r"No real tissue of data is on this machine. Run the"):
        export_references(dataset, tmp_path / "none.zip")
