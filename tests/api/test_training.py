"""Training from Python: stains and ControlNets of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import tissue
from PIL import Image

import napari_pixcell as pixcell
from napari_pixcell.engine.events import TrainedControl
from napari_pixcell.engine.training import pairs as shared_pairs


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders of two pairs of 512 px, enough for these tests."""
    monkeypatch.setattr(shared_pairs, "LEAST_TILES", 4)
    for side, turn in (("he", 1), ("ihc", -1)):
        (tmp_path / side).mkdir()
        for number in range(2):
            picture = (tissue(512) - np.uint8(10 * number))[..., ::turn]
            Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / side / f"{number}.png")
    return tmp_path / "he", tmp_path / "ihc"


def test_regions_of_two_slides_are_a_pair_and_a_poor_stain_is_warned_of(
    engine: pixcell.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_pairs, "LEAST_TILES", 4)
    he, ihc = (
        pixcell.open_slide(np.ascontiguousarray(tissue(512)[..., ::turn]), mpp=0.5)
        for turn in (1, -1)
    )
    region = he.region_um(0, 0, 256, 256)
    with pytest.warns(pixcell.PixCellWarning, match="Do not trust it"):
        trained = pixcell.train_stain(
            "mine",
            he,
            ihc,
            he_region=region,
            ihc_region=region,
            steps=1,
            out=tmp_path,
            engine=engine,
        )
    assert (trained.name, trained.folder) == ("mine", str(tmp_path.resolve()))
    assert (trained.pairs, trained.tiles + trained.held_tiles) == (1, 4)
    assert trained.held_out >= trained.shift
    model = pixcell.get_model("mine")
    assert model.installed and model.stain


class AnsweringEngine:
    """An engine that answers a training of an hour at once; without an answer it was cancelled."""

    def __init__(self, answer: TrainedControl | None = None) -> None:
        self._answer = answer
        self.asked: list[Any] = []

    def run(self, request: Any, on_event: Any) -> None:
        self.asked.append(request)
        if self._answer is None:
            raise pixcell.RequestCancelled
        on_event(self._answer)


def test_a_cancelled_training_says_how_to_resume(folders: tuple[Path, Path]) -> None:
    engine: Any = AnsweringEngine()
    for _ in range(2):
        with pytest.raises(pixcell.RequestCancelled, match="Repeat the call to resume"):
            pixcell.train_stain("mine", *folders, lora=True, lora_steps=9, engine=engine)
    first, again = engine.asked
    assert first == again  # by which the training knows its checkpoints
    assert (first.he, first.ihc) == tuple(str(folder) for folder in folders)
    assert (first.family, first.lora_steps) == ("demo-ki67", 9)


def test_a_control_is_asked_for_and_how_it_follows_is_told(tmp_path: Path) -> None:
    agreement = ("all cells: 0.1 rather than 0.1",)
    answer = TrainedControl("mine", str(tmp_path), 0.5, 0.5, 5, 20, 4, agreement, follows=False)
    engine: Any = AnsweringEngine(answer)
    with pytest.warns(pixcell.PixCellWarning, match="Do not trust it"):
        trained = pixcell.train_control(
            "mine", tmp_path, palette={"tumour": "#FF2020"}, steps=7, batch=2, engine=engine
        )
    assert trained is answer
    (request,) = engine.asked
    assert (request.name, request.family, request.pairs) == ("mine", "demo", str(tmp_path))
    assert (request.steps, request.batch, request.segment.method) == (7, 2, "builtin")
    assert request.classes and request.palette == (("tumour", "#ff2020"),)
    assert Path(request.out).parts[-2:] == ("controls", "mine")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda he, ihc, s, r: pixcell.train_stain("demo", he, ihc), "is a built-in model"),
        (lambda he, ihc, s, r: pixcell.train_stain("a", he, he), "are the same folder"),
        (lambda he, ihc, s, r: pixcell.train_stain("a", he, ihc, steps=0), "number of steps is 0"),
        (lambda he, ihc, s, r: pixcell.train_stain("a", s, s), "Pairs are read from folders"),
        (
            lambda he, ihc, s, r: pixcell.train_stain("a", s, s, he_region=r),
            "Pass he_region and ihc_region, or neither",
        ),
        (lambda he, ihc, s, r: pixcell.train_control("a", he, start="b"), "cannot start from “b”"),
        (lambda he, ihc, s, r: pixcell.train_control("a", he, segment="b"), "not a segmentation"),
        (lambda he, ihc, s, r: pixcell.train_control("a", he, palette={}), "has no classes"),
        (
            lambda he, ihc, s, r: pixcell.train_control("a", he, base="demo-ki67"),
            "is a virtual stain",
        ),
    ],
)
def test_an_impossible_training_is_refused_in_a_sentence(
    folders: tuple[Path, Path],
    slide: pixcell.Slide,
    region: pixcell.Region,
    call: Any,
    message: str,
) -> None:
    with pytest.raises(pixcell.PixCellError, match=message):
        call(*folders, slide, region)
