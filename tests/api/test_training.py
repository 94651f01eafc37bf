"""Training from Python: stains and ControlNets of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from marked_cells import write_pairs
from pictures import tissue
from PIL import Image

import napari_pixcell as pixcell
from napari_pixcell.engine.training import pairs as shared_pairs
from napari_pixcell.engine.training.control import encoding


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of four pairs of 512 px."""
    for side, turn in (("he", 1), ("ihc", -1)):
        (tmp_path / side).mkdir()
        for number in range(4):
            picture = (tissue(512) - np.uint8(10 * number))[..., ::turn]
            Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / side / f"{number}.png")
    return tmp_path / "he", tmp_path / "ihc"


def test_a_stain_is_cancelled_resumed_in_the_worker_and_made(
    slide: pixcell.Slide, region: pixcell.Region, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    shown: list[str] = []

    def to_step_50(done: int, total: int, message: str) -> bool:
        return not message.startswith("Step 50 ")

    def train(**settings: Any) -> Any:
        return pixcell.train_stain("mine", *folders, steps=100, out=tmp_path / "out", **settings)

    with pytest.raises(pixcell.RequestCancelled, match="Repeat the call to resume"):
        train(progress=to_step_50)
    with pixcell.Engine(  # one of its own, which knows the folders of this test
        where="worker", progress=lambda done, total, message: shown.append(message)
    ) as far:
        trained = train(engine=far)
        made = far.stain("mine", slide, region, steps=1)
    assert not any(message.startswith("Step 50 ") for message in shown)
    assert any(message.startswith("Step 100 ") for message in shown)
    assert (trained.name, trained.folder) == ("mine", str((tmp_path / "out").resolve()))
    assert trained.pairs == 4 and trained.tiles + trained.held_tiles == 16
    assert trained.held_out >= 0 and "“mine” was trained on" in trained.sentence()
    assert pixcell.get_model("mine").installed
    assert made.record.request.family == "mine"


def test_regions_of_two_slides_are_a_pair_and_a_poor_stain_is_warned_of(
    engine: pixcell.Engine, tmp_path: Path
) -> None:
    he, ihc = (
        pixcell.open_slide(np.ascontiguousarray(tissue(1024)[..., ::turn]), mpp=0.5)
        for turn in (1, -1)
    )
    region = he.region_um(0, 0, 512, 512)
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
    assert trained.pairs == 1
    assert trained.held_out >= trained.shift


def test_a_control_is_trained_and_how_it_follows_is_told(
    engine: pixcell.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_pairs, "LEAST_TILES", 4)
    monkeypatch.setattr(encoding, "WANTED_TILES", 1)
    pairs = write_pairs(tmp_path / "pairs", 5)
    with pytest.warns(pixcell.PixCellWarning, match="Do not trust it"):
        trained = pixcell.train_control(
            "mine",
            pairs,
            base="demo",
            palette={"small dark": "#ff2020", "large pale": "#2060ff"},
            steps=1,
            batch=1,
            out=tmp_path / "out",
            engine=engine,
        )
    assert (trained.name, trained.pairs, trained.follows) == ("mine", 5, False)
    assert trained.agreement[0].startswith("all cells: ")
    assert len(trained.agreement) == 3
    with pixcell.Engine("mine") as own:
        assert own.tile == 256


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
