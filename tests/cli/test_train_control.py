"""Training a ControlNet on the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from marked_cells import write_pairs
from random_checkpoints import SHALLOW, write_family

from napari_pixcell.cli.progress import ProgressLine
from napari_pixcell.engine.training import pairs as shared_pairs
from napari_pixcell.engine.training.control import encoding
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.families import get_family
from napari_pixcell.models.own_families import families_folder

BASE = "pixcell-256-cells"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    write_family(get_family(BASE), tmp_path / "weights", SHALLOW)
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**36))
    monkeypatch.setattr(shared_pairs, "LEAST_TILES", 4)
    monkeypatch.setattr(encoding, "WANTED_TILES", 1)
    monkeypatch.setitem(BUILT_IN, BASE, replace(BUILT_IN[BASE], steps=2))  # of what is drawn
    pairs, out = write_pairs(tmp_path / "pairs", 5), tmp_path / "out"
    options = ["--base", BASE, "--steps", "2", "--batch", "1", "--out", str(out)]
    return ["train-control", "mine", "--pairs", str(pairs), *options]


def test_training_resumes_after_ctrl_c(
    run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def interrupted(_line: ProgressLine, text: str, *_: object) -> None:
        shown.append(text)
        if text.startswith("Step 1 "):
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressLine, "show", interrupted)
    result = run(*command, "--classes")
    assert result["code"] == 130 and result["cancelled"]
    assert not (families_folder() / "mine.toml").exists()
    shown.clear()
    result = run(*command, "--classes")
    assert result["code"] == 0 and result["model"] == "mine"
    assert not any(text.startswith("Step 1 ") for text in shown)
    assert result["agreement"][0].startswith("all cells: ")
    assert "--family mine" in result["next"]
    # Two steps of random networks follow nothing, and the user is told.
    assert not result["follows"] and "Do not trust it" in result["stderr"]
    assert f'base = "{BASE}"' in (families_folder() / "mine.toml").read_text("utf-8")


def test_the_plan_of_usual_gpus_is_printed_and_nothing_starts(run, command: list[str]) -> None:
    result = run(*command, "--plan")
    assert result["base"] == BASE and len(result["plan"]) == 4
    assert result["plan"][-1].startswith("80 GB: Trains 1 tile at once")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--palette=a=#ff0000,b=#ff0000"], "have the same colour"),
        (["--steps=0"], "The number of steps is 0"),
        (["--base=pixcell-1024"], "PixCell-1024 is not installed"),
        (["--base=stain-er"], "“stain-er” is a virtual stain"),
    ],
)
def test_an_impossible_training_is_refused(
    run, command: list[str], arguments: list[str], words: str
) -> None:
    result = run(*command, *arguments)
    assert result["code"] == 1 and words in result["error"]
