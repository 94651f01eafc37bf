"""Cellpose's own network and its own code, small, through our engine."""

from __future__ import annotations

import logging
import pickle
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cellpose.vit import CPSAM
from segment_anything import sam_model_registry
from segment_anything.build_sam import _build_sam
from tiny_cellpose import discs

from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Event, Finished, Progress, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, SegmentRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.models.loading_segmenter import load_segmenter
from napari_pixcell.models.store import find
from napari_pixcell.models.weights import cached_sha256

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(CPU)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def request(model: object, image: np.ndarray, **values: Any) -> SegmentRequest:
    how = SegmentMethod("cellpose", str(model), **values)
    return SegmentRequest(PackedArray.pack(image), 0.5, how)


def run(engine: Engine, asked: SegmentRequest, **values: Any) -> list[Event]:
    events: list[Event] = []
    engine.run(asked, events.append, **values)
    return events


def found(engine: Engine, asked: SegmentRequest) -> np.ndarray:
    (layout,) = (event for event in run(engine, asked) if isinstance(event, SegmentedLayout))
    return layout.labels


def overlap(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(((labels > 0) & (truth > 0)).sum() / ((labels > 0) | (truth > 0)).sum())


def test_cells_are_found_where_they_are(engine: Engine, tiny_cellpose: Path) -> None:
    image, truth = discs(99, (300, 270))
    events = run(engine, request(tiny_cellpose, image))
    *_, layout, last = events
    assert last == Finished() and isinstance(layout, SegmentedLayout)
    assert layout.labels.shape == (300, 270) and layout.labels.dtype == np.int32
    assert overlap(layout.labels, truth) > 0.8
    assert abs(layout.labels.max() - truth.max()) < 0.2 * truth.max()
    source = layout.source
    assert (source.method, source.model) == ("cellpose", "tiny")
    assert source.sha256 == cached_sha256(tiny_cellpose)
    assert "your" not in source.licence and "own Cellpose model" in source.licence


def test_progress_counts_the_tiles_that_the_network_runs(
    engine: Engine, tiny_cellpose: Path
) -> None:
    image, _ = discs(1, (300, 600))
    runs: list[int] = []
    network = engine.loaded.load_segmenter(str(tiny_cellpose)).model.net
    hook = network.register_forward_pre_hook(lambda _, inputs: runs.append(len(inputs[0])))
    events = run(engine, request(tiny_cellpose, image))
    hook.remove()
    told = [(e.done, e.total, e.message) for e in events if isinstance(e, Progress) and e.total]
    assert runs == [1] * 6
    assert [done for done, _, _ in told] == list(range(7)) and {t for _, t, _ in told} == {6}
    assert told[0][2] == "Tile 1 of 6" and told[-1][2] == "Outlining the cells"


@pytest.mark.parametrize("diameter", [None, 12.0])
def test_cells_equal_those_of_cellpose_itself(
    engine: Engine, tiny_cellpose: Path, monkeypatch: pytest.MonkeyPatch, diameter: float | None
) -> None:
    from cellpose.models import CellposeModel

    image, _ = discs(7, (400, 300))
    ours = found(engine, request(tiny_cellpose, image, diameter=diameter, flow_threshold=0.6))
    half = engine.loaded.load_segmenter(str(tiny_cellpose)).dtype == torch.bfloat16
    monkeypatch.setitem(sam_model_registry, "vit_l", lambda _: _build_sam(64, 2, 2, [1]))
    model = CellposeModel(pretrained_model=str(tiny_cellpose), device=CPU, use_bfloat16=half)
    theirs = model.eval(
        image, diameter=diameter and diameter / 0.5, flow_threshold=0.6, batch_size=1
    )[0]
    assert ours.max() > 10
    np.testing.assert_array_equal(ours, theirs)


def test_a_cancel_stops_before_the_next_tile(engine: Engine, tiny_cellpose: Path) -> None:
    image, _ = discs(8, (300, 600))  # which no other test has cached
    runs: list[int] = []
    network = engine.loaded.load_segmenter(str(tiny_cellpose)).model.net
    hook = network.register_forward_pre_hook(lambda *_: runs.append(1))
    events = run(engine, request(tiny_cellpose, image), cancelled=lambda: len(runs) == 2)
    hook.remove()
    assert events[-1] == Finished(cancelled=True)
    assert len(runs) == 2
    assert not any(isinstance(event, SegmentedLayout) for event in events)
    assert found(engine, request(tiny_cellpose, image)).any()  # nothing is left of it


def test_glass_has_no_cells(engine: Engine, tiny_cellpose: Path) -> None:
    glass = np.full((256, 256, 3), 245, np.uint8)
    assert found(engine, request(tiny_cellpose, glass, cellprob_threshold=8)).max() == 0


def test_the_built_in_method_yields_a_layout_too(engine: Engine) -> None:
    image, truth = discs(3)
    asked = SegmentRequest(PackedArray.pack(image), 0.5)
    layout, last = run(engine, asked)
    assert isinstance(layout, SegmentedLayout) and last == Finished()
    assert layout.source == LayoutSource("builtin")
    assert overlap(layout.labels, truth) > 0.8


def test_nothing_is_written_to_stdout(engine: Engine, tiny_cellpose: Path, capfd) -> None:
    engine.unload()
    run(engine, request(tiny_cellpose, discs(1)[0]))
    assert capfd.readouterr().out == ""
    assert logging.getLogger("cellpose").level == logging.ERROR


# -- other thresholds ----------------------------------------------------------------------

SMALL = (256, 250)


def network_runs(engine: Engine, model: Path) -> list[int]:
    """Count the tiles that the network runs from now on."""
    runs: list[int] = []
    network = engine.loaded.load_segmenter(str(model)).model.net
    network.register_forward_pre_hook(lambda _, inputs: runs.append(len(inputs[0])))
    return runs


def test_cached_outputs_yield_the_same_cells_at_other_thresholds(tiny_cellpose: Path) -> None:
    image, _ = discs(5, SMALL)
    engine, fresh = Engine(CPU), Engine(CPU)
    found(engine, request(tiny_cellpose, image))
    runs = network_runs(engine, tiny_cellpose)
    kinds = []
    for how in (
        {"cellprob_threshold": 3.0},
        {"cellprob_threshold": 3.0, "flow_threshold": 0.05},
        {"cellprob_threshold": 3.0, "flow_threshold": 0.0},
        {"smallest_um2": 40.0},
        {},
    ):
        asked = request(tiny_cellpose, image, **how)
        again = found(engine, asked)
        fresh.outputs.clear()
        np.testing.assert_array_equal(again, found(fresh, asked))
        kinds.append(again.tobytes())
    assert not runs and len(set(kinds)) == 5


def test_the_thresholds_are_those_of_cellpose_itself(tiny_cellpose: Path, monkeypatch) -> None:
    from cellpose.models import CellposeModel

    image, _ = discs(7, SMALL)
    engine = Engine(CPU)
    half = engine.loaded.load_segmenter(str(tiny_cellpose)).dtype == torch.bfloat16
    monkeypatch.setitem(sam_model_registry, "vit_l", lambda _: _build_sam(64, 2, 2, [1]))
    model = CellposeModel(pretrained_model=str(tiny_cellpose), device=CPU, use_bfloat16=half)
    for flow, cellprob in ((0.05, 2.0), (0.0, -3.0)):
        values = {"flow_threshold": flow, "cellprob_threshold": cellprob}
        ours = found(engine, request(tiny_cellpose, image, diameter=13.0, **values))
        theirs = model.eval(image, diameter=26.0, batch_size=1, **values)[0]
        np.testing.assert_array_equal(ours, theirs)


def test_another_picture_diameter_or_model_is_another_search(
    tiny_cellpose: Path, tmp_path: Path
) -> None:
    engine = Engine(CPU)
    image, _ = discs(5, SMALL)
    found(engine, request(tiny_cellpose, image))
    other = tmp_path / "other"
    weights = torch.load(tiny_cellpose, weights_only=True)
    weights["out.bias"] += 1
    torch.save(weights, other)
    for asked in (
        request(tiny_cellpose, discs(6, SMALL)[0]),
        request(tiny_cellpose, image, diameter=12.0),
        request(other, image),
    ):
        told = [e.message for e in run(engine, asked) if isinstance(e, Progress)]
        assert told[0] == "Loading Cellpose" and any(words.startswith("Tile 1") for words in told)
    events = run(engine, request(tiny_cellpose, image))
    told = [e.message for e in events if isinstance(e, Progress)]
    assert told == ["Outlining the cells"]


def test_cached_outputs_are_bounded_and_freed_with_the_networks(
    tiny_cellpose: Path, monkeypatch
) -> None:
    size = 16 * 256 * 250
    for most_mb, kept in ((0.5, 0), (1.1, 1), (1024, 2)):
        monkeypatch.setattr("napari_pixcell.engine.segmenting.MOST_MB", most_mb)
        engine = Engine(CPU)
        for seed in range(2):
            assert found(engine, request(tiny_cellpose, discs(seed, SMALL)[0])).any()
        assert engine.outputs.currsize == kept * size
    engine.unload()
    assert engine.outputs.currsize == 0


def test_a_request_cancelled_before_it_starts_does_nothing(
    engine: Engine, tiny_cellpose: Path
) -> None:
    asked = request(tiny_cellpose, discs(5, SMALL)[0], cellprob_threshold=1.0)
    assert run(engine, asked, cancelled=lambda: True) == [Finished(cancelled=True)]


def test_the_built_in_method_takes_its_own_settings(engine: Engine) -> None:
    pixels = PackedArray.pack(discs(3)[0])
    areas = []
    for sensitivity, smallest in ((-1.0, 0.0), (0.0, 0.0), (0.0, 45.0)):
        how = SegmentMethod(sensitivity=sensitivity, smallest_um2=smallest)
        layout, _ = run(engine, SegmentRequest(pixels, 0.5, how))
        areas.append(np.bincount(layout.labels.ravel())[1:] * 0.25)
    assert areas[0].sum() < areas[1].sum() and len(areas[2]) < len(areas[1])
    assert areas[1].min() < 45 <= areas[2].min()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"sensitivity": 1.5}, "The sensitivity is 1.5. Choose one from -1 to 1."),
        ({"sensitivity": float("nan")}, "The sensitivity is nan. Choose one from -1 to 1."),
        ({"flow_threshold": -0.1}, "The flow threshold is -0.1. Choose one from 0 to 3."),
        (
            {"cellprob_threshold": 9},
            "The cell probability threshold is 9. Choose one from -8 to 8.",
        ),
        ({"smallest_um2": -3}, "The smallest cell area is -3 µm². Choose 0 or more."),
        ({"smallest_um2": float("inf")}, "The smallest cell area is inf µm². Choose 0 or more."),
        (
            {"smallest_um2": 20_000},
            "The smallest cell area is 20,000 µm², but the whole region has 16,384 µm². "
            "Choose a smaller one.",
        ),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], sentence: str) -> None:
    pixels = PackedArray.pack(np.zeros((256, 256, 3), np.uint8))
    with pytest.raises(PixCellError) as error:
        SegmentRequest(pixels, 0.5, SegmentMethod(**values))
    assert str(error.value) == sentence


# -- where weights are ---------------------------------------------------------------------


def test_missing_weights_are_reported_with_how_to_get_them(engine: Engine) -> None:
    with pytest.raises(PixCellError) as error:
        run(engine, request("cpsam_v2", discs(1)[0]))
    assert "Cellpose's weights are not installed. Get them in the model manager" in str(error.value)
    assert "napari-pixcell models get cellpose" in str(error.value)
    assert "built-in method" in str(error.value)


def test_a_missing_model_file_is_reported(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"There is no Cellpose model file mine. Choose another"):
        run(engine, request(tmp_path / "mine", discs(1)[0]))


@pytest.mark.parametrize("place", ["folder", "cellpose", "default", "hub"])
def test_published_weights_are_found_in_every_usual_folder(
    engine: Engine, tiny_cellpose: Path, tmp_path: Path, monkeypatch, place: str
) -> None:
    target = {
        "folder": tmp_path / "weights/mouseland/cellpose-sam",
        "cellpose": tmp_path / "models",
        "default": tmp_path / "home/.cellpose/models",
        "hub": tmp_path / "hub/models--mouseland--cellpose-sam/snapshots" / ("a" * 40),
    }[place]
    target.mkdir(parents=True)
    (target / "cpsam_v2").symlink_to(tiny_cellpose)
    match place:
        case "folder":
            monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
        case "cellpose":
            monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(target))
        case "default":
            monkeypatch.delenv("CELLPOSE_LOCAL_MODELS_PATH")
            monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
        case "hub":
            refs = target.parents[1] / "refs"
            refs.mkdir()
            (refs / "main").write_text("a" * 40)
            monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    where = find(CELLPOSE.parts[0])
    assert where is not None
    assert where.where == {"default": "cellpose", "hub": "cache"}.get(place, place)
    if place == "cellpose":
        assert found(engine, request("cpsam_v2", discs(1)[0])).any()
        (target / "mine").symlink_to(tiny_cellpose)  # any other model there, by its name
        assert found(engine, request("mine", discs(1)[0])).any()


def test_the_users_folder_comes_before_cellposes(tmp_path: Path, monkeypatch) -> None:
    for name in ("mine", "theirs"):
        (tmp_path / name / "cellpose-sam").mkdir(parents=True)
        (tmp_path / name / "cellpose-sam/cpsam_v2").touch()
        (tmp_path / name / "cpsam_v2").touch()
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "theirs"))
    where = find(CELLPOSE.parts[0])
    assert where is not None and where.weights == tmp_path / "mine/cellpose-sam/cpsam_v2"


# -- files that are refused ----------------------------------------------------------------


class Bomb:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_with_code_is_refused_and_nothing_runs(
    engine: Engine, tmp_path: Path, zipped: bool
) -> None:
    path, trace = tmp_path / "bomb", tmp_path / "it ran"
    content = {"W2": torch.zeros(1), "bomb": Bomb(trace)}
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(PixCellError, match=r"could run code, so it was not opened. Choose a file"):
        run(engine, request(path, discs(1)[0]))
    assert not trace.exists()
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.exists()  # it would have


def _change(change: Any) -> Any:
    def write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
        change(tensors)
        torch.save(tensors, path)

    return write


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (
            lambda path, _: path.write_bytes(b"PK no model"),
            "could run code, so it was not opened. Choose a file trained with Cellpose 4",
        ),
        (lambda path, _: torch.save([1], path), "something other than named tensors. Choose a"),
        (
            _change(lambda t: t.pop("W2")),
            "not a model of Cellpose 4.*Choose a file trained with Cellpose 4",
        ),
        (_change(lambda t: t.pop("out.bias")), "is not a complete Cellpose network"),
        (_change(lambda t: t.pop("encoder.blocks.0.attn.rel_pos_h")), "not a complete Cellpose"),
        (
            _change(lambda t: t.update({"out.bias": torch.ones(3)})),
            "is not a complete Cellpose network",
        ),
        (
            _change(lambda t: t.update({"encoder.patch_embed.proj.weight": torch.ones(9999, 1)})),
            "is not a complete Cellpose network",
        ),
        (_change(lambda t: t.update({"encoder.cls_token": torch.ones(1)})), "on DINOv3"),
    ],
)
def test_a_file_other_than_a_cellpose_model_is_refused(
    engine: Engine, tiny_cellpose: Path, tmp_path: Path, write: Any, sentence: str
) -> None:
    path = tmp_path / "bad"
    write(path, torch.load(tiny_cellpose, weights_only=True))
    with pytest.raises(PixCellError, match=sentence) as error:
        run(engine, request(path, discs(1)[0]))
    assert str(error.value).endswith(".") and str(error.value).count(". ") == 1


def test_a_missing_cellpose_package_is_reported(tiny_cellpose: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cellpose.models", None)
    with pytest.raises(PixCellError, match=r"pip install 'cellpose>=4\.2'"):
        load_segmenter(tiny_cellpose, CPU, torch.float32)


def test_the_published_encoder_is_restored_after_loading(tiny_cellpose: Path) -> None:
    before = sam_model_registry["vit_l"]
    load_segmenter(tiny_cellpose, CPU, torch.float32)
    assert sam_model_registry["vit_l"] is before


def test_the_published_size_is_read_from_its_names_and_shapes() -> None:
    from napari_pixcell.networks.cellpose_sam import encoder_of, encoder_sizes

    with torch.device("meta"):
        published = CPSAM()
        shapes = {name: tuple(value.shape) for name, value in published.state_dict().items()}
        with encoder_of(encoder_sizes(shapes)):
            ours = CPSAM()
    assert sum(value.numel() for value in ours.parameters()) > 300_000_000
    assert {n: tuple(v.shape) for n, v in ours.state_dict().items()} == shapes
    windows = [block.window_size for block in published.encoder.blocks]
    assert [block.window_size for block in ours.encoder.blocks] == windows


# -- memory --------------------------------------------------------------------------------


def embed(engine: Engine) -> None:
    pixels = PackedArray.pack(np.zeros((256, 256, 3), np.uint8))
    engine.run(EmbedRequest("demo", pixels), lambda _: None)


def held(engine: Engine) -> tuple[bool, bool]:
    return engine.loaded._loaded is not None, engine.loaded._segmenter is not None


@pytest.mark.parametrize(("free", "family_stays"), [(10**12, True), (10**8, False)])
def test_a_family_is_unloaded_only_if_memory_is_short(
    tiny_cellpose: Path, monkeypatch, free: int, family_stays: bool
) -> None:
    engine = Engine(CPU)
    embed(engine)
    monkeypatch.setattr("napari_pixcell.engine.loaded_models.free_bytes", lambda _: free)
    run(engine, request(tiny_cellpose, discs(1)[0]))
    assert held(engine) == (family_stays, True)
    engine.unload()
    assert held(engine) == (False, False)


def test_full_memory_unloads_the_other_model(tiny_cellpose: Path, monkeypatch) -> None:
    engine = Engine(CPU)
    embed(engine)
    loaded = engine.loaded
    segmenter = loaded.load_segmenter(str(tiny_cellpose))
    whole = segmenter.model.eval

    def once(*arguments: Any, **values: Any) -> Any:
        if loaded._loaded is not None:
            raise torch.OutOfMemoryError("out of memory")
        return whole(*arguments, **values)

    monkeypatch.setattr(segmenter.model, "eval", once)
    events = run(engine, request(tiny_cellpose, discs(1)[0]))
    words = "Memory is full. Trying again without the other model in memory"
    assert any(isinstance(e, Progress) and e.message == words for e in events)
    assert any(isinstance(e, SegmentedLayout) for e in events)
    embed(engine)
    assert loaded.step_down() is None or loaded._segmenter is None


def test_insufficient_memory_is_reported(tiny_cellpose: Path, monkeypatch) -> None:
    engine = Engine(CPU)
    segmenter = engine.loaded.load_segmenter(str(tiny_cellpose))

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(segmenter.model, "eval", full)
    with pytest.raises(PixCellError, match="not enough memory for this model in any mode"):
        run(engine, request(tiny_cellpose, discs(1)[0]))
