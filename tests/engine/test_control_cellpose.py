"""A ControlNet is trained on images alone, whose cells Cellpose segments."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from control_runs import train, words
from PIL import Image
from random_checkpoints import SHALLOW, write_family
from tiny_cellpose import discs

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Finished, Notice
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest
from napari_pixcell.engine.training import pairs as shared_pairs
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.control import encoding, job, reading
from napari_pixcell.engine.training.control.reading import PairReader
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.folder import TrainingFolder
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, CELLPOSE
from napari_pixcell.models.families import OWN_LICENCE, get_family

BASE = "pixcell-256-cells"


@pytest.fixture(scope="module")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("weights")
    write_family(get_family(BASE), folder, SHALLOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_pairs, "LEAST_TILES", 4)
        patch.setattr(encoding, "WANTED_TILES", 1)
        patch.setattr(job, "free_bytes", lambda device: 80_000_000_000)
        # Two denoising steps: what is drawn does not matter here.
        patch.setitem(BUILT_IN, BASE, replace(BUILT_IN[BASE], steps=2))
        yield folder


@pytest.fixture
def engine(small_base: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(small_base))
    return Engine(torch.device("cpu"))


@pytest.fixture
def request_(tmp_path: Path, tiny_cellpose: Path) -> TrainControlRequest:
    folder = tmp_path / "alone"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(discs(number)[0]).save(folder / f"{number}.png")
    how = SegmentMethod("cellpose", model=str(tiny_cellpose))
    out = str(tmp_path / "out")
    return TrainControlRequest("mine", BASE, str(folder), out, segment=how, steps=1, batch=1)


def test_cells_are_cellposes_and_its_terms_extend_to_the_control(
    engine: Engine, request_: TrainControlRequest
) -> None:
    events = train(engine, request_)
    assert events[-1] == Finished()
    assert f"There are no masks, so {request_.segment.words} segments the images." in words(
        events, Notice
    )
    kept = sorted((Path(request_.out) / "work").glob("cells-*.npy"))
    assert len(kept) == 5
    found = [np.load(path) for path in kept]
    for number in range(5):
        labels = discs(number)[1]
        overlap = max(
            (2 * np.sum((labels > 0) & (one > 0)) / np.sum((labels > 0) * 1 + (one > 0) * 1))
            for one in found
        )
        assert overlap > 0.8
    licence = get_family("mine").licence
    assert "whose terms extend to it" in licence and f"; masks: {OWN_LICENCE}" in licence


def test_the_published_weights_are_named_with_their_own_terms(
    engine: Engine,
    request_: TrainControlRequest,
    tiny_cellpose: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published = replace(request_, segment=SegmentMethod("cellpose"))
    with pytest.raises(PixCellError, match=r"^Cellpose's weights are not installed\. Get them in"):
        train(engine, published)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "cpsam_v2").symlink_to(tiny_cellpose)
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    assert train(engine, published)[-1] == Finished()
    assert f"; masks: {CELLPOSE.licence}" in get_family("mine").licence


def test_cells_are_kept_between_runs_but_not_those_of_another_model(
    engine: Engine, request_: TrainControlRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, work = tmp_path / "model", Path(request_.out) / "work"
    shutil.copy(request_.segment.model, model)
    request = replace(request_, segment=replace(request_.segment, model=str(model)))
    train(engine, request, stop="Encoding pair 2")
    segmented, calls = reading.run_cellpose, []

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return segmented(*arguments)

    monkeypatch.setattr(reading, "run_cellpose", counted)
    assert train(engine, request)[-1] == Finished() and not calls
    assert len(list(work.glob("*.npz"))) == 5
    changed = torch.load(model, weights_only=True)
    changed["out.bias"] += 0.5
    torch.save(changed, model)  # under the same name
    assert train(engine, request)[-1] == Finished() and len(calls) == 5
    assert len(list(work.glob("*.npz"))) == 10


def test_full_memory_makes_room_for_cellpose(
    engine: Engine, request_: TrainControlRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.run(EmbedRequest(BASE, PackedArray.pack(discs(0)[0])), lambda _: None)
    loaded, said = engine.loaded, []
    segmenter = loaded.load_segmenter(request_.segment.model)
    whole = segmenter.model.eval

    def once(*arguments: Any, **values: Any) -> Any:
        if loaded._loaded is not None:
            raise torch.OutOfMemoryError("out of memory")
        return whole(*arguments, **values)

    monkeypatch.setattr(segmenter.model, "eval", once)
    context = TrainingContext(loaded, said.append, lambda: None, engine._fitting)
    folder = TrainingFolder(Path(request_.out), "ControlNet")
    pairs = PairReader(request_, get_family(BASE), folder, context)
    assert pairs.read(0).labels.max() > 10
    assert words(said, Notice) == ["Memory is full. Trying again without the other model in memory"]


def test_a_cancelled_segmentation_keeps_what_is_done(
    engine: Engine, request_: TrainControlRequest
) -> None:
    assert train(engine, request_, stop="Reading pair 3")[-1] == Finished(cancelled=True)
    assert len(list((Path(request_.out) / "work").glob("cells-*.npy"))) == 2
