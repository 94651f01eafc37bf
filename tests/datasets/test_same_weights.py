"""A dataset is made with one edition of a family's weights, or it says that it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from drawn_engine import DrawnEngine, drawn_recipe

from napari_pixcell.datasets.preparation.parts import PREPARING
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.same_weights import OtherWeights, installed_weights
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, Request
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.samples import SAMPLE_SLIDE

OTHER = "ab" * 32


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "set"


def make(
    folder: Path,
    recipe: DatasetRecipe | None = None,
    most: int | None = None,
    engine: DrawnEngine | None = None,
) -> Dataset:
    engine = engine or DrawnEngine()
    make_dataset(DatasetRequest(str(folder), recipe, most), engine.run, lambda event: None)
    return Dataset(folder)


def test_a_dataset_is_not_resumed_with_other_weights(folder: Path) -> None:
    engine = DrawnEngine()
    dataset = make(folder, drawn_recipe(), 2, engine)
    made, own = list(dataset.rows()), installed_weights(dataset, "transformer", "encoder")
    assert dataset.description.weights == {"encoder": own["encoder"]}
    versions = {"napari-pixcell": "0.1"}
    dataset.describe(weights=own | {"transformer": OTHER}, versions=versions)
    engine.asked.clear()
    with pytest.raises(OtherWeights) as refused:
        make(folder, engine=engine)
    assert str(refused.value) == (
        "set was begun with other weights of demo (transformer), by napari-pixcell 0.1. Install "
        "those weights to resume it, or make a dataset in a new folder. Its pairs stay as they are."
    )
    assert not engine.asked and list(Dataset(folder).rows()) == made
    dataset.describe(weights=own)  # as if they were installed again
    assert len(list(make(folder).rows())) == 12


def test_a_complete_dataset_is_complete_with_any_weights(folder: Path) -> None:
    dataset = make(folder, drawn_recipe(seeds=1))
    dataset.describe(weights={"transformer": OTHER})
    assert len(list(make(folder).rows())) == 6


def test_weights_that_are_exchanged_while_a_dataset_is_made_end_it_at_once(folder: Path) -> None:
    engine = DrawnEngine()
    weights = installed_weights(make(folder, drawn_recipe(), 1), "transformer", "encoder")
    engine.weights = weights | {"transformer": OTHER}
    Dataset(folder).describe(weights=weights)
    with pytest.raises(OtherWeights, match=r"set was begun with .* \(transformer\)"):
        make(folder, engine=engine)
    # The second was asked for while the first was checked.
    assert sum(isinstance(one, GenerateRequest) for one in engine.asked) <= 2
    assert len(list(Dataset(folder).rows())) == 1


def test_styles_are_embedded_by_one_encoder(folder: Path) -> None:
    part = {"from": "slide", "slide": str(SAMPLE_SLIDE), "most": 2}
    recipe = drawn_recipe(styles=(part,), layouts=(), pairing="each")

    class EmbedsOnce(DrawnEngine):
        def run(self, request: Request, *more: object, **options: object) -> None:
            if self.asked and isinstance(request, EmbedRequest):
                raise PixCellError("The disk is gone.")
            super().run(request, *more, **options)

    with pytest.raises(PixCellError, match="disk is gone"):
        make(folder, recipe, engine=EmbedsOnce())
    dataset = Dataset(folder)
    assert len(list((folder / PREPARING).glob("*/styles-*.jsonl"))) == 1
    assert not list(dataset.rows())
    assert dataset.description.weights == installed_weights(dataset, "encoder")
    dataset.describe(weights={"encoder": OTHER})
    with pytest.raises(OtherWeights, match=r"other weights of demo \(encoder\)\. Install"):
        make(folder, recipe)
    shutil.rmtree(folder / PREPARING)  # nothing was embedded before, so that nothing can be mixed
    dataset = make(folder, recipe, 1)
    assert dataset.description.weights == installed_weights(dataset, "encoder")


def test_the_check_finds_pairs_that_were_made_with_other_weights(folder: Path) -> None:
    engine = DrawnEngine()
    dataset = make(folder, drawn_recipe(seeds=1), 1, engine)
    engine.weights = dataset.description.weights | {"transformer": OTHER}
    dataset = make(folder, engine=engine)
    assert check_dataset(dataset).whole
    # As an earlier version described a dataset that it then resumed with other weights
    dataset.describe(weights=engine.weights | {"transformer": "cd" * 32})
    found = check_dataset(dataset)
    assert found.counts == {"weights": 5}
    (sentence,) = found.sentences
    assert sentence.startswith("5 images were made with other weights than the first pair (")
    advice = "Reject them in the review, or make the dataset again in a new folder."
    assert sentence.endswith(f", …). {advice}")
