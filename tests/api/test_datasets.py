"""Datasets: made, resumed, checked, converted, reported and evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_pixcell as pixcell
from napari_pixcell.cli.main import main


def test_a_dataset_holds_pairs(made: pixcell.Dataset) -> None:
    assert (made.name, made.mpp, len(made), made.planned) == ("Two fields", 0.5, 2, 2)
    pairs = [*made]
    assert [pair.index for pair in pairs] == [0, 1]
    assert pairs[0].image.shape == (256, 256, 3)
    assert pairs[0].mask is not None and pairs[0].mask.max() > 0
    assert [pair.flagged for pair in pairs] == [bool(pair.row["flags"]) for pair in pairs]
    assert pairs[1].seed == 1235


def test_it_is_that_of_the_command_line(
    made: pixcell.Dataset, recipe: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    assert main(["dataset", "make", str(tmp_path / "recipe.json"), "--out", f"{tmp_path}/a"]) == 0
    for mine, other in zip(made, pixcell.Dataset(tmp_path / "a"), strict=True):
        assert np.array_equal(mine.image, other.image)


def test_the_worker_makes_the_rest_of_a_dataset(
    made: pixcell.Dataset,
    engine: pixcell.Engine,
    far_engine: pixcell.Engine,
    recipe: dict[str, Any],
    tmp_path: Path,
) -> None:
    begun = pixcell.Dataset.make(recipe, tmp_path / "a", first=1, engine=engine)
    assert (len(begun), begun.planned) == (1, 2)
    assert not begun.check().whole
    assert begun.resume(engine=far_engine) is begun
    for mine, other in zip(made, begun, strict=True):
        assert np.array_equal(mine.image, other.image)


def test_a_cancelled_dataset_resumes(
    recipe: dict[str, Any], tmp_path: Path, made: pixcell.Dataset
) -> None:
    folder = tmp_path / "a"

    def until_pairs_are_made(done: int, total: int, message: str) -> bool:
        return not message.startswith("Pair")

    with pytest.raises(pixcell.RequestCancelled, match="Repeat the call to resume"):
        pixcell.Dataset.make(recipe, folder, progress=until_pairs_are_made)
    dataset = pixcell.Dataset(folder)
    assert (len(dataset), dataset.planned) == (0, 2)
    assert len(dataset.resume()) == len(made)


def test_it_is_checked_converted_and_reported(made: pixcell.Dataset, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = made.check(progress=lambda done, total, message: seen.append((done, total)))
    assert found.whole, found.sentences
    assert seen[-1] == (2, 2)
    converted = made.convert("stardist", tmp_path / "out")
    assert sum(converted.counts.values()) + converted.unused == 2
    assert "Two fields" in made.report(tmp_path / "a.html").read_text("utf-8")
    with pytest.raises(pixcell.RequestCancelled):
        made.check(progress=lambda done, total, message: False)


def test_paths_in_a_dictionary_start_at_the_working_directory(
    recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = recipe | {"styles": [{"from": "slide", "slide": "none.svs"}]}
    with pytest.raises(pixcell.PixCellError, match=r"none\.svs"):
        pixcell.Dataset.make(relative, "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d, p: pixcell.Dataset(p), "There is no dataset in"),
        (lambda d, p: pixcell.Dataset.make({}, p / "a"), "not a dataset recipe"),
        (lambda d, p: pixcell.Dataset.make(p / "none.json", p / "a"), "none.json"),
        (lambda d, p: d.resume(first=0), "number of pairs to make first is 0"),
        (lambda d, p: d.check(workers=0), "number of workers is 0"),
        (lambda d, p: d.report(workers=0), "number of workers is 0"),
        (lambda d, p: d.convert("word", p / "a"), "There is no format “word”"),
        (lambda d, p: d.convert("coco", p / "a", validation=2), "The shares of a split"),
        (lambda d, p: d.evaluate(p, colour=1), "There is no setting colour"),
        (lambda d, p: d.evaluate(p / "none"), "none"),
        (lambda d, p: d.evaluate(p, seeds=0), "The number of seeds is 0"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    made: pixcell.Dataset, tmp_path: Path, call: Any, message: str
) -> None:
    with pytest.raises(pixcell.PixCellError, match=message):
        call(made, tmp_path)
