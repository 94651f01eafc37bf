"""The embeddings of a dataset's pictures: kept, mended, and added when it is resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import labels_of, make_dataset
from drawn_engine import DIMENSION, DrawnEngine, drawn_recipe, flat_picture
from faults import count, killed
from PIL import Image

from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.recipe.making import make_dataset as follow
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.embeddings import (
    EMBEDDINGS,
    KeptEmbeddings,
    keep_embedding,
    mend_embeddings,
)
from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest

PAIRS = 3


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


@pytest.fixture
def recipe(tmp_path: Path) -> DatasetRecipe:
    """A recipe with a style of tissue, which the pictures can be compared with."""
    Image.fromarray(flat_picture(labels_of(9, 256), 9)).save(tmp_path / "tissue.png")
    tissue = {"from": "picture", "path": str(tmp_path / "tissue.png"), "mpp": 0.5}
    return drawn_recipe(styles=(tissue,), seeds=1)


def make(
    folder: Path,
    recipe: DatasetRecipe | None = None,
    most: int | None = None,
    engine: DrawnEngine | None = None,
) -> list[Event]:
    events: list[Event] = []
    request = DatasetRequest(str(folder), recipe, most)
    follow(request, (engine or DrawnEngine()).run, events.append)
    return events


def known(folder: Path) -> list[bool]:
    return KeptEmbeddings(folder, PAIRS).known.tolist()


def test_an_embedding_is_kept_as_a_unit_vector_and_the_last_one_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(2, 2, 50)).astype(np.float32)
    keep_embedding(tmp_path, 3, np.ones((1, 50), np.float32))
    keep_embedding(tmp_path, 2, np.full((1, 50), np.nan, np.float32))
    keep_embedding(tmp_path, 6, grid[:1, :1])
    keep_embedding(tmp_path, 3, grid)
    kept = KeptEmbeddings(tmp_path, 7)
    assert np.flatnonzero(kept.known).tolist() == [3, 6] and not kept.damaged
    one, other, none = kept.read(np.array([3, 6, 2]), 50)
    for found, tile in ((one, grid[1, 1]), (other, grid[0, 0])):  # another tile for each pair
        assert np.allclose(found, tile / np.linalg.norm(tile), atol=1e-3)
    assert np.isnan(none).all() and np.isnan(kept.read(np.array([3]), 49)).all()


def test_damaged_rows_are_counted_and_removed(tmp_path: Path) -> None:
    keep_embedding(tmp_path, 0, np.ones((1, 8), np.float32))
    good = (tmp_path / EMBEDDINGS).read_bytes()
    text = good.decode()
    for bad in (
        text[:-9] + "\n",
        text.replace('"index": 0', '"index": 5'),
        text.replace('"index": 0', '"index": true'),
        text.replace('"embedding": "', '"embedding": "é'),
        text.replace('"embedding": "', '"embedding": "A'),
        text.replace('"embedding"', '"other"'),
        '{"index": 0, "embedding": ""}\n',
        '{"index": 0, "embedding": "AHw="}\n',  # infinite
        "[1]\n",
    ):
        (tmp_path / EMBEDDINGS).write_text(bad + text)
        kept = KeptEmbeddings(tmp_path, 2)
        assert kept.damaged == 1 and kept.known.tolist() == [True, False], bad
        assert mend_embeddings(tmp_path, 2).damaged == 0
        assert (tmp_path / EMBEDDINGS).read_bytes() == good
    (tmp_path / EMBEDDINGS).unlink()
    assert not KeptEmbeddings(tmp_path, 2).known.any()


def test_each_pair_gets_the_embedding_of_its_own_picture(
    tmp_path: Path, recipe: DatasetRecipe
) -> None:
    make(tmp_path / "data", recipe)
    dataset = Dataset(tmp_path / "data")
    values = KeptEmbeddings(dataset.folder, PAIRS).read(np.arange(PAIRS), DIMENSION)
    for row in dataset.rows():
        colours = np.resize(dataset.image(row).reshape(-1, 3).mean(0), DIMENSION)
        assert np.allclose(values[row["index"]], colours / np.linalg.norm(colours), atol=1e-4)


def test_resuming_embeds_the_pictures_of_an_earlier_version(
    tmp_path: Path, recipe: DatasetRecipe
) -> None:
    folder = tmp_path / "data"
    make(folder, recipe)
    before = (folder / EMBEDDINGS).read_bytes()
    (folder / EMBEDDINGS).unlink()
    (folder / "images" / "000001.png").write_bytes(b"damaged")
    make(folder, most=1)  # a few pairs are asked for, not the embeddings
    assert not (folder / EMBEDDINGS).exists()
    engine = DrawnEngine()
    events = make(folder, engine=engine)
    assert not any(isinstance(request, GenerateRequest) for request in engine.asked)
    messages = [event.message for event in events if isinstance(event, Progress)]
    assert "Embedding picture 1 of 3" in messages and messages[-1] == "3 of 3 pairs"
    assert known(folder) == [True, False, True]
    assert set((folder / EMBEDDINGS).read_bytes().splitlines()) < set(before.splitlines())
    (folder / EMBEDDINGS).write_bytes(before)
    engine = DrawnEngine()
    make(folder, engine=engine)
    assert not any(isinstance(request, EmbedRequest) for request in engine.asked)


def test_without_tissue_or_with_another_encoder_nothing_is_embedded_later(
    tmp_path: Path, recipe: DatasetRecipe
) -> None:
    for name, one in (("tissue", recipe), ("none", drawn_recipe(styles=({"from": "nothing"},)))):
        folder = tmp_path / name
        make(folder, one)
        (folder / EMBEDDINGS).unlink()
        Dataset(folder).describe(weights={"encoder": "ab" * 32})
        notices = [event.message for event in make(folder) if isinstance(event, Notice)]
        assert not (folder / EMBEDDINGS).exists()
        sentence = "Earlier pictures were not embedded: the encoder has other weights"
        assert [one.startswith(sentence) for one in notices] == [True] * (name == "tissue")


def test_embeddings_survive_kills_and_the_check_sees_damage(
    tmp_path: Path, recipe: DatasetRecipe
) -> None:
    folder = tmp_path / "data"
    make(folder, recipe, most=1)
    whole = tmp_path / "whole"
    make(whole, recipe, most=1)
    calls = count(lambda: make(whole))
    for number in range(1, calls, max(1, calls // 6)):
        killed(number, lambda: make(folder))
    with (folder / EMBEDDINGS).open("ab") as file:
        file.write(b'{"index": 1, "embedd')
    found = check_dataset(Dataset(folder))
    assert found.counts["torn"] == 1 and EMBEDDINGS in " ".join(found.sentences)
    (folder / EMBEDDINGS).write_bytes(b"\x00\x01\n" + (folder / EMBEDDINGS).read_bytes())
    make(folder)
    assert check_dataset(Dataset(folder)).whole and known(folder) == [True] * PAIRS
    values = (
        KeptEmbeddings(one, PAIRS).read(np.arange(PAIRS), DIMENSION) for one in (folder, whole)
    )
    assert np.array_equal(*values)


def test_an_export_holds_no_embedding(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data")
    keep_embedding(dataset.folder, 0, np.ones((1, 8), np.float32))
    convert(dataset, "coco", tmp_path / "coco")
    texts = [path.read_bytes() for path in (tmp_path / "coco").rglob("*") if path.is_file()]
    assert texts and not any(b"embeddings" in text for text in texts)
    assert EMBEDDINGS not in {path.name for path in (tmp_path / "coco").rglob("*")}
