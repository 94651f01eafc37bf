"""Training a stain on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import tissue
from PIL import Image

from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.engine.training import pairs as stain_pairs
from napari_pixcell.models.own_families import families_folder


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options for two pairs of 512 px, enough for these tests."""
    monkeypatch.setattr(stain_pairs, "LEAST_TILES", 4)
    for side, turn in (("he", 1), ("ihc", -1)):
        (tmp_path / side).mkdir()
        for number in range(2):
            picture = (tissue(512) - np.uint8(20 * number))[..., ::turn]
            Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / side / f"{number}.png")
    return [f"--{side}={tmp_path / side}" for side in ("he", "ihc")]


def test_training_resumes_after_ctrl_c(
    run, pairs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def interrupted(_line: ProgressLine, text: str, *_: object) -> None:
        shown.append(text)
        if text.startswith("Step 50 "):
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressLine, "show", interrupted)
    out = tmp_path / "stain"
    command = ["train-stain", "mine", *pairs, "--steps", 100, "--out", out]
    result = run(*command)
    assert result["code"] == 130 and result["cancelled"] and result["folder"] == str(out)
    assert f"Run the same command again to resume. The work so far is in {out}" in result["stderr"]
    shown.clear()
    result = run(*command)
    assert result["code"] == 0 and result["stain"] == "mine" and result["folder"] == str(out)
    assert not any(text.startswith("Step 50 ") for text in shown)
    assert any(text.startswith("Step 100 of 100 · held-out error") for text in shown)
    assert "--stain mine" in result["next"] and "“mine” was trained on" in result["taught"]
    listed = {row["name"]: row for row in run("models", "list")["families"]}
    assert listed["mine"]["installed"] and listed["mine"]["title"] == "Virtual mine"
    assert 'base = "demo-ki67"' in (families_folder() / "mine.toml").read_text("utf-8")


def test_two_regions_of_slides_are_a_pair(run, pairs: list[str], tmp_path: Path) -> None:
    slides = [f"--{side}={tmp_path / side / '0.png'}" for side in ("he", "ihc")]
    places = ["--he-region=0,0,512,512", "--ihc-region=0,0,512,512", "--mpp=0.5"]
    out = tmp_path / "stain"
    result = run("train-stain", "mine", *slides, *places, "--steps=1", "--out", out)
    assert result["code"] == 0 and "of 1 pair. On" in result["taught"]
    again = run("train-stain", "mine", *slides, *places, "--steps=1", "--out", out)
    assert again["taught"] == result["taught"]  # the same command adds no second pair
    for side in ("he", "ihc"):
        assert [p.name for p in (out / "pairs" / side).iterdir()] == ["pair-0001.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo-ki67"], "“demo-ki67” is a built-in model. Choose another name"),
        (["mine", "--base=stain-er"], "Virtual ER is not installed: the transformer from"),
        (["mine", "--base=rabies"], "The model “rabies” does not exist. Train a stain on one of"),
        (["mine", "--he-region=0,0,9,9"], "Add --he-region and --ihc-region"),
        (["mine", "--steps=0"], "The number of steps is 0. Choose one from 1"),
    ],
)
def test_an_impossible_training_is_refused(
    run, pairs: list[str], tmp_path: Path, arguments: list[str], words: str
) -> None:
    result = run("train-stain", *arguments, *pairs, "--out", tmp_path / "stain")
    assert result["code"] == 1 and words in result["error"]


def test_folders_that_do_not_match_are_refused(run, pairs: list[str], tmp_path) -> None:
    (tmp_path / "ihc" / "1.png").unlink()
    result = run("train-stain", "mine", *pairs, "--out", tmp_path / "stain")
    assert result["code"] == 1
    assert "“he” holds 2 images and “ihc” 1 image (“1” has no partner)" in result["error"]
