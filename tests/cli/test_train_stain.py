"""Teaching a stain on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pictures import tissue
from PIL import Image

from napari_pixcell.cli.main import main
from napari_pixcell.cli.train_stain import _Lines
from napari_pixcell.engine.events import Event, Progress
from napari_pixcell.engine.training import pairs as stain_pairs
from napari_pixcell.models.own_families import families_folder


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the options for two pairs of 512 px, enough for these tests."""
    monkeypatch.setattr(stain_pairs, "LEAST_TILES", 4)
    for side, turn in (("he", 1), ("ihc", -1)):
        (tmp_path / side).mkdir()
        for number in range(2):
            picture = (tissue(512) - np.uint8(20 * number))[..., ::turn]
            Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / side / f"{number}.png")
    return [f"--{side}={tmp_path / side}" for side in ("he", "ihc")]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict, str]:
    code = main(["train-stain", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_ctrl_c_keeps_what_was_done_and_the_same_command_goes_on(
    pairs: list[str], tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real = _Lines.__call__

    def interrupted(lines: _Lines, event: Event) -> None:
        real(lines, event)
        if isinstance(event, Progress):
            told.append(event.message)
            if event.message.startswith("Step 50 "):
                raise KeyboardInterrupt

    monkeypatch.setattr(_Lines, "__call__", interrupted)
    out = tmp_path / "stain"
    command = ["mine", *pairs, "--steps", 100, "--out", out]
    code, result, err = run(capsys, *command)
    assert code == 130 and result == {"stopped": True, "folder": str(out)}
    assert "Stopped; run the same command again to go on. What was done is kept in" in err
    told.clear()
    code, result, err = run(capsys, *command)
    assert code == 0 and result["stain"] == "mine" and result["folder"] == str(out)
    assert not any(message.startswith("Step 50 ") for message in told)
    assert any(message.startswith("Step 100 of 100 · held-out error") for message in told)
    assert "--stain mine" in result["next"] and "“mine” was trained on" in result["taught"]
    assert main(["models", "list", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["families"]}
    assert listed["mine"]["installed"] and listed["mine"]["title"] == "Virtual mine"
    assert 'base = "demo-ki67"' in (families_folder() / "mine.toml").read_text("utf-8")


def test_two_regions_of_slides_are_a_pair(pairs: list[str], tmp_path: Path, capsys) -> None:
    slides = [f"--{side}={tmp_path / side / '0.png'}" for side in ("he", "ihc")]
    places = ["--he-region=0,0,512,512", "--ihc-region=0,0,512,512", "--mpp=0.5"]
    out = tmp_path / "stain"
    code, result, _ = run(capsys, "mine", *slides, *places, "--steps=1", "--out", out)
    assert code == 0 and "of 1 pair." in result["taught"]
    for side in ("he", "ihc"):
        assert [p.name for p in (out / "pairs" / side).iterdir()] == ["pair-0001.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo-ki67"], "“demo-ki67” is a built-in model; choose another name"),
        (["mine", "--base=stain-er"], "Virtual ER is not installed: the transformer from"),
        (["mine", "--base=rabies"], "The model “rabies” does not exist. Train a stain on one of"),
        (["mine", "--he-region=0,0,9,9"], "Give a region of both slides: --he-region and"),
        (["mine", "--steps=0"], "The number of steps is 0; choose one from 1"),
    ],
)
def test_what_cannot_be_taught_gets_a_sentence(
    pairs: list[str], tmp_path: Path, capsys, arguments: list[str], words: str
) -> None:
    code, result, _ = run(capsys, *arguments, *pairs, "--out", tmp_path / "stain")
    assert code == 1 and words in result["error"]


def test_folders_that_do_not_match_get_a_sentence(pairs: list[str], tmp_path, capsys) -> None:
    (tmp_path / "ihc" / "1.png").unlink()
    code, result, _ = run(capsys, "mine", *pairs, "--out", tmp_path / "stain")
    assert code == 1 and "“he” holds 2 images and “ihc” 1 image (“1” has" in result["error"]
