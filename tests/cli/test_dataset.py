"""``napari-pixcell dataset``, with an engine that draws cells instead of generating tissue."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import make_dataset
from drawn_engine import DrawnEngine, drawn_recipe
from labelled import SIDE, write_tiles
from PIL import Image

from napari_pixcell.cli import dataset
from napari_pixcell.cli.main import main
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.words import pace

OFF = dict.fromkeys(("least_kappa", "least_style", "most_copy_pixels", "most_colour"))


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "engine", DrawnEngine)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(drawn_recipe().to_dict()))
    return path


def test_a_dataset_is_counted_started_and_resumed(run, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    assert run("dataset", "make", recipe, "--plan")["pairs"] == 12
    found = run("dataset", "make", recipe, "--out", out, "--first", 5)
    assert (found["pairs"], found["planned"]) == (5, 12)
    assert Path(str(found["first pairs"])).is_file()
    assert run("dataset", "resume", out)["pairs"] == 12
    again = run("dataset", "make", recipe, "--out", out)
    assert again["code"] == 0 and again["pairs"] == 12  # finished pairs are kept


def test_check_report_and_convert(run, tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data", layouts=4).folder
    assert run("dataset", "check", folder)["code"] == 0
    report = run("dataset", "report", folder)
    assert Path(str(report["report"])).read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "tissue" not in report  # its styles have none
    split = run(
        "dataset", "convert", folder, "--format", "coco", "--split", 0.5, "--out", tmp_path / "c"
    )
    assert split["pairs"] and (tmp_path / "c").is_dir()
    (folder / "images" / "000001.png").write_bytes(b"changed")
    damaged = run("dataset", "check", folder)
    assert damaged["code"] == 3 and not damaged["whole"]


def test_a_report_as_json_holds_the_comparison_with_real_tissue(run, tmp_path: Path) -> None:
    Image.fromarray(np.full((256, 256, 3), 180, np.uint8)).save(tmp_path / "tile.png")
    tissue = {"from": "picture", "path": str(tmp_path / "tile.png"), "mpp": 0.5}
    value = drawn_recipe(styles=(tissue,), seeds=1).to_dict() | {"checks": OFF}
    (tmp_path / "recipe.json").write_text(json.dumps(value))
    run("dataset", "make", tmp_path / "recipe.json", "--out", tmp_path / "data")
    found = run("dataset", "report", tmp_path / "data")["tissue"]
    assert found["whole"] is None and found["parts"] == {}
    assert found["notes"][0].startswith("3 pictures and 1 real tile are too few to tell.")


def test_each_tile_gets_a_twin(run, tmp_path: Path) -> None:
    with open_slide(SAMPLE_SLIDE) as slide:
        tiles = slide.read(Region(400, 400, 256 * 3, 256), slide.require_mpp())
    (tmp_path / "tiles").mkdir()
    Image.fromarray(tiles).save(tmp_path / "tiles" / "three.png")
    out = tmp_path / "twin"
    found = run("dataset", "twin", tmp_path / "tiles", "--out", out, "--first", 2, "--best-of", 2)
    assert (found["pairs"], found["planned"]) == (2, 3)
    rows = list(Dataset(tmp_path / "twin").rows())
    assert all(row["style"] == row["layout"] for row in rows)
    assert [row["candidates"] for row in rows] == [2, 2]
    refused = run("dataset", "twin", tmp_path / "tiles", "--out", out, "--best-of", 0)
    assert "“best of 0”. Use “best of 3”, with a number from 2 to 20" in str(refused["error"])


def test_a_recipe_names_styles_of_the_library(run, tmp_path: Path) -> None:
    value = drawn_recipe().to_dict() | {"styles": [{"from": "library", "name": "Mine"}]}
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(value))
    found = run("dataset", "make", path, "--out", tmp_path / "data")
    assert found["code"] == 1 and "Mine" in str(found["error"])


def test_the_schema_of_recipes_is_printed(run, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run("dataset", "schema")
    assert printed["properties"]["seeds"]["minimum"] == 1
    assert main(["dataset", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"] == printed["properties"]


@pytest.mark.parametrize("arguments", [["--plan"], ["--out", "data"]])
def test_a_wrong_recipe_is_refused_before_anything_is_made(
    run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe.write_text(json.dumps(drawn_recipe().to_dict() | {"steps": "20x", "seed": 1}))
    found = run("dataset", "make", recipe, *arguments)
    assert found["code"] == 1 and str(found["error"]).splitlines() == [
        "“steps” is “20x”. Use a whole number from 1 to 1,000.",
        "The recipe has no “seed”. Did you mean “seeds”?",
    ]
    assert list(tmp_path.iterdir()) == [recipe]


def test_a_run_in_which_pairs_failed_ends_with_1(
    run, recipe: Path, tmp_path: Path, monkeypatch
) -> None:
    class Refusing(DrawnEngine):
        def __init__(self) -> None:
            super().__init__()
            self.refuses = set(range(1234 + first, 1250))

    monkeypatch.setattr(dataset, "engine", Refusing)
    first = 0
    found = run("dataset", "make", recipe, "--out", tmp_path / "data")
    assert found["code"] == 1 and "No pair was made: 3 pairs failed. The first: " in found["error"]
    first = 11
    found = run("dataset", "resume", tmp_path / "data")
    assert (found["code"], found["pairs"], found["failed"]) == (1, 11, 1)
    assert "1 pair failed, see failed.jsonl. Resume the dataset to retry." in found["stderr"]
    status = run("dataset", "status", tmp_path / "data", "--follow")
    assert (status["code"], status["failed"]) == (1, 1)
    again = run("dataset", "resume", tmp_path / "data")
    assert again["code"] == 1 and "No pair was made: 1 pair failed" in again["error"]


def test_the_speed_and_the_time_left_are_told(run, tmp_path) -> None:
    assert pace(0, 5, 1.0) == "" and pace(3, 5, 0.0) == ""
    assert pace(30, 60, 10.0) == "3 pairs/s, 20 s left"
    assert pace(12_345, 0, 10.0) == "1,234 pairs/s"
    folder = make_dataset(tmp_path / "data").folder
    assert "6 of 6 pairs" in run("dataset", "check", folder)["stderr"]
    assert "6 of 6 pairs" in run("dataset", "report", folder)["stderr"]
    converted = run("dataset", "convert", folder, "--format", "coco", "--out", tmp_path / "out")
    assert "5 of 5 pairs" in converted["stderr"]  # one is flagged


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("make", "RECIPE"), "Add --out DIR, a new folder"),
        (("make", "RECIPE", "--out", "OUT", "--first", "0"), "--first is 0. Choose 1"),
        (("resume", "OUT"), "There is no dataset in"),
        (("check", "OUT"), "There is no dataset in"),
        (("check", "OUT", "--workers", "0"), "--workers is 0. Choose a number from 1 to 256"),
        (("report", "OUT", "--workers", "-1"), "--workers is -1. Choose a number from 1"),
        (
            ("convert", "OUT", "--format", "coco", "--out", "OUT", "--workers", "999"),
            "--workers is 999. Choose a number from 1 to 256",
        ),
    ],
)
def test_an_impossible_dataset_is_refused(run, recipe, tmp_path, arguments, sentence) -> None:
    places = {"RECIPE": recipe, "OUT": tmp_path / "out"}
    found = run("dataset", *(places.get(one, one) for one in arguments))
    assert found["code"] == 1 and sentence in str(found["error"])


def test_a_dataset_resumes_after_ctrl_c(run, recipe, tmp_path, monkeypatch) -> None:
    class Interrupted(DrawnEngine):
        def run(self, request, *arguments, **named) -> None:
            if len(self.asked) > 6:
                raise KeyboardInterrupt
            super().run(request, *arguments, **named)

    monkeypatch.setattr(dataset, "engine", Interrupted)
    out = tmp_path / "data"
    interrupted = run("dataset", "make", recipe, "--out", out)
    assert interrupted["code"] == 130
    assert "Cancelled. Run the same command again to resume." in interrupted["stderr"]
    monkeypatch.setattr(dataset, "engine", DrawnEngine)
    assert run("dataset", "resume", out)["pairs"] == 12


# -- do the pairs help? --------------------------------------------------------------------


def test_an_evaluation_prints_its_answer_and_resumes(run, tmp_path: Path, monkeypatch) -> None:
    from napari_pixcell.evaluation import job

    folder = make_dataset(tmp_path / "data", side=SIDE, pairs=2).folder
    real, test = (write_tiles(tmp_path / name, [name], n) for name, n in (("a", 50), ("b", 60)))
    command = ["dataset", "evaluate", folder, "--real", real, "--test", test, "--seeds", 1]
    command += ["--steps", 1, "--arms", "strong", "mixed", "--out", tmp_path / "out"]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_page", interrupted)
        stopped = run(*command)
    assert stopped["code"] == 130 and "Run the same command again" in stopped["stderr"]
    found = run(*command)
    assert found["code"] == 0 and found["answer"] == "cannot be told"
    assert found["found"].startswith("It cannot be told whether the pairs help: AJI ")
    assert Path(found["page"]).parent == tmp_path / "out" and Path(found["page"]).is_file()
    assert "No slide or patient is stated" in found["stderr"]


def test_an_evaluation_that_is_impossible_gets_one_sentence(run, tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data", side=SIDE, pairs=2).folder
    real = write_tiles(tmp_path / "real", ["a_1", "a_2"])
    found = run("dataset", "evaluate", folder, "--real", real)
    assert found["code"] == 1 and "no slide can be held out" in str(found["error"])
    found = run("dataset", "evaluate", folder, "--real", real, "--test", real)
    assert found["code"] == 1 and "is also a training tile" in str(found["error"])
