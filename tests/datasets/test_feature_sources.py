"""Styles of a recipe out of files of features, without the encoder that made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_engine import DrawnEngine
from feature_files import features_of, places, write_trident

from napari_pixcell.datasets import read_record
from napari_pixcell.datasets.recipe.making import NOT_COMPARED, make_dataset
from napari_pixcell.datasets.recipe.preparing import count_pairs
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.style_sources import StyleSources
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.events import Event, Notice
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import PIXCELL_256, PIXCELL_1024
from napari_pixcell.slides.content import content_key


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


def rows(family=PIXCELL_256, **keys: object) -> tuple[int, ...]:
    sources = StyleSources(({"from": "features", **keys},), family)
    try:
        return tuple(one.source["row"] for one in sources)
    finally:
        sources.close()


def test_pairs_are_made_of_features_without_the_encoder(tmp_path: Path) -> None:
    values = features_of(12)
    values[[2, 5]] = np.nan
    path = write_trident(tmp_path / "Doe 1954.h5", values, places(3, 4))
    part = {"from": "features", "file": str(path), "most": 9, "seed": 3}
    recipe, engine, events = (
        DatasetRecipe("F", "pixcell-256", (part,)),
        DrawnEngine(),
        list[Event](),
    )
    assert count_pairs(recipe) == 9
    folder = tmp_path / "data"
    make_dataset(DatasetRequest(str(folder), recipe), engine.run, events.append)
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert NOT_COMPARED in notices
    dataset = Dataset(folder)
    styles = [json.loads(line) for line in (folder / "styles.jsonl").read_text().splitlines()]
    chosen = [style["source"]["row"] for style in styles]
    assert len(chosen) == 9 and chosen == sorted(set(chosen) - {2, 5})
    assert {style["source"]["features"] for style in styles} == {content_key(path)}
    assert {style["group"] for style in styles} == {"slide-1"}
    for row in dataset.rows():
        request = read_record(folder / row["image"]).request
        assert np.array_equal(request.embedding.unpack(), values[[chosen[row["style"]]]])
        assert request.source.style == ((f"Slide 1, row {chosen[row['style']]}", 1.0),)
        assert row["scores"]["style"] is None and row["scores"]["contrast"] is not None
    written = "".join(one.read_text() for one in folder.glob("*.json*"))
    assert "Doe" not in written
    everything = DatasetRecipe("F", "pixcell-256", ({"from": "features", "file": str(path)},))
    events.clear()
    request = DatasetRequest(str(tmp_path / "all"), everything)
    make_dataset(request, engine.run, events.append)
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert "Left out 2 styles whose features hold no numbers." in notices
    assert len(list(Dataset(tmp_path / "all").rows())) == 10


def test_the_draw_depends_on_the_seed_alone(tmp_path: Path) -> None:
    path = write_trident(tmp_path / "a.h5", features_of(60), places(6, 10))
    first = rows(file=str(path), most=5, seed=1)
    assert first == rows(file=str(path), most=5, seed=1) and len(set(first)) == 5
    assert first != rows(file=str(path), most=5, seed=2)
    assert rows(file=str(path), most=5) == rows(file=str(path), most=5, seed=0)
    assert rows(file=str(path)) == tuple(range(60))
    assert set(rows(file=str(path), most=8, seed=1)) >= set(first)


def test_files_of_a_folder_are_one_slide_each(tmp_path: Path) -> None:
    folder = tmp_path / "features_uni_v2"
    (folder / "more").mkdir(parents=True)
    for name in ("b.h5", "a.h5", "more/c.hdf5"):
        write_trident(folder / name, features_of(4), places(2, 2), encoder=None)
    (folder / "notes.txt").write_text("nothing")
    part = {"from": "features", "file": str(folder), "most": 2}
    sources = StyleSources((part,), PIXCELL_256)
    styles = list(sources)
    assert [one.group for one in styles] == [f"slide-{n}" for n in (1, 1, 2, 2, 3, 3)]
    assert list(sources.file_names()) == ["a.h5", "b.h5", "more/c.hdf5"]
    assert len({one.name for one in styles}) == 6
    blend = {"from": "blend", "styles": [part]}
    (mixed,) = StyleSources((blend,), PIXCELL_256)
    assert len(mixed.mixed) == 6 and mixed.embedded(lambda pixels: pixels).shape == (1, 1, 1536)


def test_squares_of_neighbours_are_styles_of_a_family_with_a_grid(tmp_path: Path) -> None:
    values = features_of(45)
    values[40] = np.nan
    path = write_trident(tmp_path / "a.h5", values, places(5, 9))
    sources = StyleSources(({"from": "features", "file": str(path)},), PIXCELL_1024)
    (one, other) = sources
    assert (one.source["row"], other.source["row"]) == (0, 4)
    assert np.array_equal(other.embedding, values.reshape(5, 9, -1)[:4, 4:8])
    values[13] = np.nan
    path = write_trident(tmp_path / "b.h5", values, places(5, 9))
    assert rows(PIXCELL_1024, file=str(path)) == (0,)


def test_files_without_styles_are_refused(tmp_path: Path) -> None:
    few = write_trident(tmp_path / "few.h5", features_of(12), places(3, 4))
    words = "“few.h5” has no 4 × 4 neighbouring patches, which a style of PixCell-1024 needs."
    with pytest.raises(PixCellError, match=words):
        rows(PIXCELL_1024, file=str(few))
    none = write_trident(tmp_path / "none.h5", np.full((4, 1536), np.nan, "f4"), places(2, 2))
    with pytest.raises(PixCellError, match=r"“none\.h5” holds no numbers\. Choose the file of"):
        rows(file=str(none))
    other = write_trident(tmp_path / "other.h5", features_of(4), places(2, 2), encoder="virchow")
    recipe = DatasetRecipe("F", "pixcell-256", ({"from": "features", "file": str(other)},))
    engine = DrawnEngine()
    with pytest.raises(PixCellError, match=r"embeddings of Virchow, and PixCell-256 needs"):
        request = DatasetRequest(str(tmp_path / "data"), recipe)
        make_dataset(request, engine.run, lambda event: None)
    assert not (tmp_path / "data").exists() and not engine.asked


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    values = features_of(4)
    path = write_trident(tmp_path / "a.h5", values, places(2, 2))
    sources = StyleSources(({"from": "features", "file": str(path)},), PIXCELL_256)
    tiles = sources.tiles(0)
    sources.close()
    values[3] = np.nan
    write_trident(path, values, places(2, 2))
    with pytest.raises(PixCellError, match=r"“a\.h5” changed since its rows were listed\."):
        sources.style(0, tiles, 3)
    sources.close()
