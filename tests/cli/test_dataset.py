"""``napari-pixcell dataset``, by the arguments that are typed; an engine that draws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawn_dataset import make_dataset
from drawn_engine import DrawnEngine, drawn_recipe
from PIL import Image

from napari_pixcell.cli import main as cli
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"PIXCELL_{name}_DIR", str(tmp_path / name))
    monkeypatch.setattr(cli, "engine", DrawnEngine)


def run(capsys, *arguments: object) -> dict[str, object]:
    code = cli.main([*map(str, arguments), "--json"])
    found = json.loads(capsys.readouterr().out)
    return found | {"code": code}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(drawn_recipe().to_dict()))
    return path


def test_count_first_and_the_rest(recipe: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "data"
    assert run(capsys, "dataset", "make", recipe, "--count")["pairs"] == 12
    found = run(capsys, "dataset", "make", recipe, "--out", out, "--first", 5)
    assert (found["pairs"], found["planned"]) == (5, 12)
    assert Path(str(found["first pairs"])).is_file()
    assert run(capsys, "dataset", "resume", out)["pairs"] == 12
    again = run(capsys, "dataset", "make", recipe, "--out", out)
    assert again["code"] == 0 and again["pairs"] == 12  # what is whole is not made again


def test_check_report_and_convert(tmp_path: Path, capsys) -> None:
    folder = make_dataset(tmp_path / "data", layouts=4).folder
    assert run(capsys, "dataset", "check", folder)["code"] == 0
    report = run(capsys, "dataset", "report", folder)
    assert Path(str(report["report"])).read_text("utf-8").startswith("<!DOCTYPE html>")
    split = run(
        capsys,
        "dataset",
        "convert",
        folder,
        "--format",
        "coco",
        "--split",
        0.5,
        "--out",
        tmp_path / "c",
    )
    assert split["pairs"] and (tmp_path / "c").is_dir()
    (folder / "images" / "000001.png").write_bytes(b"changed")
    damaged = run(capsys, "dataset", "check", folder)
    assert damaged["code"] == 1 and not damaged["whole"]


def test_a_twin_of_each_tile(tmp_path: Path, capsys) -> None:
    with open_slide(SAMPLE_SLIDE) as slide:
        tiles = slide.read(Region(400, 400, 256 * 3, 256), slide.require_mpp())
    (tmp_path / "tiles").mkdir()
    Image.fromarray(tiles).save(tmp_path / "tiles" / "three.png")
    out = tmp_path / "twin"
    found = run(capsys, "dataset", "twin", tmp_path / "tiles", "--out", out, "--first", 2)
    assert (found["pairs"], found["planned"]) == (2, 3)
    rows = list(Dataset(tmp_path / "twin").rows())
    assert all(row["style"] == row["layout"] for row in rows)


def test_library_styles_by_name(tmp_path: Path, capsys) -> None:
    value = drawn_recipe().to_dict() | {"styles": [{"from": "library", "name": "Mine"}]}
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(value))
    found = run(capsys, "dataset", "make", path, "--out", tmp_path / "data")
    assert found["code"] == 1 and "Mine" in str(found["error"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("make", "RECIPE"), "Say where the dataset goes: --out DIR"),
        (("make", "RECIPE", "--out", "OUT", "--first", "0"), "0 pairs are to be made; choose 1"),
        (("resume", "OUT"), "There is no dataset in"),
        (("check", "OUT"), "There is no dataset in"),
    ],
)
def test_what_is_wrong_is_said(recipe, tmp_path, capsys, arguments, sentence) -> None:
    places = {"RECIPE": recipe, "OUT": tmp_path / "out"}
    found = run(capsys, "dataset", *(places.get(one, one) for one in arguments))
    assert found["code"] == 1 and sentence in str(found["error"])


def test_stopped_by_the_keyboard(recipe, tmp_path, capsys, monkeypatch) -> None:
    class Interrupted(DrawnEngine):
        def run(self, request, *arguments, **named) -> None:
            if len(self.asked) > 6:
                raise KeyboardInterrupt
            super().run(request, *arguments, **named)

    monkeypatch.setattr(cli, "engine", Interrupted)
    out = tmp_path / "data"
    assert cli.main(["dataset", "make", str(recipe), "--out", str(out)]) == 130
    assert "go on with: napari-pixcell dataset resume" in capsys.readouterr().err
    monkeypatch.setattr(cli, "engine", DrawnEngine)
    assert run(capsys, "dataset", "resume", out)["pairs"] == 12
