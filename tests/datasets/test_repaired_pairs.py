"""Datasets whose pairs are repaired, and whose masks lack nuclei that stay wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_engine import drawn_recipe
from running import shallow_engine

from napari_pixcell.datasets import read_record
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Event, Notice

# With this smallest area, in µm², no nucleus is ever found, whatever the images show.
BLIND = {"method": "builtin", "smallest_um2": 16_000.0}
EVENTS: list[Event] = []
FOLDER = "/home/someone/models"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return shallow_engine()


def made(folder: Path, engine: Engine, **changes: object) -> Dataset:
    """Make a dataset of one pair without a style."""
    values = drawn_recipe(steps=1, guidance=1.0, seeds=1, pairs=1, pairing="random").to_dict()
    values |= {"styles": [{"from": "nothing"}], "layouts": values["layouts"][:1]}
    recipe = DatasetRecipe.from_dict(values | changes)
    make_dataset(DatasetRequest(str(folder), recipe), engine.run, EVENTS.append)
    return Dataset(folder)


def test_nuclei_that_stay_wrong_are_dropped_from_the_masks_of_a_dataset(tmp_path, engine) -> None:
    folder = tmp_path / "set"
    repair = {"rounds": 1, "method": BLIND}
    dataset = made(folder, engine, repair=repair, drop_wrong=True)
    notes = [event.message for event in EVENTS if isinstance(event, Notice)]
    assert any("nuclei placed (0 before repair); " in note for note in notes)
    (row,) = dataset.rows()
    assert not dataset.mask(row).any()
    record = read_record(folder / row["image"])
    assert record.repair.rounds == 1
    assert record.repair.wrong == tuple(np.unique(record.request.layout.unpack())[1:].tolist())
    findings = check_dataset(dataset)
    assert findings.whole, findings.sentences()
    # Its row is lost: the pair is read back from its image, with the same mask.
    (folder / "manifest.jsonl").unlink()
    make_dataset(DatasetRequest(str(folder)), engine.run, lambda event: None)
    assert list(dataset.rows()) == [row]


def test_masks_stay_whole_unless_wrong_nuclei_are_to_be_dropped(tmp_path, engine) -> None:
    dataset = made(tmp_path / "set", engine, repair={"rounds": 0, "method": BLIND})
    (row,) = dataset.rows()
    record = read_record(tmp_path / "set" / row["image"])
    np.testing.assert_array_equal(dataset.mask(row), record.request.layout.unpack())
    assert record.repair.missing
    assert check_dataset(dataset).whole


def test_wrong_nuclei_are_dropped_even_without_a_repair(tmp_path, engine) -> None:
    dataset = made(tmp_path / "set", engine, drop_wrong=True)
    (row,) = dataset.rows()
    record = read_record(tmp_path / "set" / row["image"])
    assert record.repair.rounds == 0
    assert record.repair.dropped
    np.testing.assert_array_equal(dataset.mask(row), record.mask)


def test_a_dataset_names_no_folder_of_the_segmenter_of_its_repair(tmp_path, engine) -> None:
    from napari_pixcell.datasets.recipe.preparing import begin, kept_repair

    method = {"method": "cellpose", "model": f"{FOLDER}/own_model"}
    values = drawn_recipe().to_dict() | {"repair": {"rounds": 2, "seconds": 10, "method": method}}
    dataset = begin(DatasetRecipe.from_dict(values), tmp_path / "set")
    assert FOLDER not in (tmp_path / "set" / "dataset.json").read_text()
    assert kept_repair(dataset).method.model == f"{FOLDER}/own_model"
    assert kept_repair(dataset).seconds == 10
