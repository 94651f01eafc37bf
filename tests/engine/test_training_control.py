"""A ControlNet is trained on images and masks by the engine, and then is a family of the user's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from control_runs import train, weights, words
from marked_cells import LARGE, SMALL, field, write_pairs
from random_checkpoints import SHALLOW, SIZES, Widths, write_family
from running import pictures, run

from napari_pixcell.cells.writing import write_labels
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Event, Finished, Notice, TrainedControl, summary
from napari_pixcell.engine.request_values import request_from_dict
from napari_pixcell.engine.requests import GenerationSettings, generate_request
from napari_pixcell.engine.training import pairs as shared_pairs
from napari_pixcell.engine.training.control import controlnet_stage, encoding, job
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.folder import TrainingFolder
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.families import get_family
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.models.weights import load_file
from napari_pixcell.worker.protocol import event_from_message

BASE, STEPS = "pixcell-256-cells", 4
TWO_LAYERS = Widths(**SIZES, flow=16, layers=2)


@pytest.fixture(scope="module")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The published family with a ControlNet, of one narrow layer, and quick trials of it."""
    folder = tmp_path_factory.mktemp("weights")
    write_family(get_family(BASE), folder, SHALLOW)
    write_family(get_family("pixcell-256"), folder, TWO_LAYERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_pairs, "LEAST_TILES", 4)
        patch.setattr(encoding, "WANTED_TILES", 1)
        patch.setattr(job, "free_bytes", lambda device: 80_000_000_000)
        patch.setattr(controlnet_stage, "EVALUATE_EVERY", 2)
        for name in (BASE, "pixcell-256"):  # what is drawn for trial is not looked at
            patch.setitem(BUILT_IN, name, replace(BUILT_IN[name], steps=2))
        yield folder


@pytest.fixture(autouse=True)
def installed_base(small_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(small_base))


@pytest.fixture(scope="module")
def cpu() -> Engine:
    return Engine(torch.device("cpu"))


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs") / "marked", 5)


@pytest.fixture
def request_(marked: Path, tmp_path: Path) -> TrainControlRequest:
    out = str(tmp_path / "out")
    return TrainControlRequest("mine", BASE, str(marked), out, classes=True, steps=STEPS, batch=2)


@dataclass(frozen=True)
class Cancelled:
    """A training that was cancelled after two steps, and then resumed."""

    folder: Path
    first: list[Event]
    registered: bool
    second: list[Event]
    toml: str


@pytest.fixture(scope="module")
def resumed(
    cpu: Engine, small_base: Path, marked: Path, tmp_path_factory: pytest.TempPathFactory
) -> Cancelled:
    folder = tmp_path_factory.mktemp("resumed")
    out = str(folder / "out")
    request = TrainControlRequest("mine", BASE, str(marked), out, True, steps=STEPS, batch=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_CONFIG_DIR", str(folder / "config"))
        patch.setenv("PIXCELL_WEIGHTS", str(small_base))
        first = train(cpu, request, stop=f"Step 2 of {STEPS}")
        registered = (families_folder() / "mine.toml").exists()
        second = train(cpu, request)
        return Cancelled(
            folder, first, registered, second, (families_folder() / "mine.toml").read_text("utf-8")
        )


def test_a_cancelled_training_registers_nothing_and_resumes(resumed: Cancelled) -> None:
    assert resumed.first[-1] == Finished(cancelled=True) and not resumed.registered
    assert resumed.second[-1] == Finished()
    assert not any(text.startswith(("Step 1 ", "Step 2 ")) for text in words(resumed.second))
    assert any(text.startswith(f"Step 4 of {STEPS} · loss ") for text in words(resumed.second))
    assert not list((resumed.folder / "out" / "work").glob("*.pt"))


def test_a_resumed_training_yields_the_same_weights(
    cpu: Engine, resumed: Cancelled, request_: TrainControlRequest
) -> None:
    train(cpu, request_)
    one, other = weights(resumed.folder / "out"), weights(request_.out)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_cancelled_after_its_last_step_resumes_with_its_figures(
    cpu: Engine, request_: TrainControlRequest
) -> None:
    short = replace(request_, steps=2)
    assert train(cpu, short, stop="Step 2 of 2")[-1] == Finished(cancelled=True)
    events = train(cpu, short)
    assert not any(text.startswith("Step ") for text in words(events))
    (event,) = (one for one in events if isinstance(one, TrainedControl))
    assert event.held_out > 0 and event.other > 0


def test_weights_have_the_published_layout(resumed: Cancelled, small_base: Path) -> None:
    part = get_family(BASE).part("controlnet")
    published = small_base / part.hub_id / "controlnet"
    old = load_file(published / "diffusion_pytorch_model.safetensors")
    new = weights(resumed.folder / "out")
    shapes = [{name: tuple(value.shape) for name, value in one.items()} for one in (old, new)]
    assert shapes[0] == shapes[1]
    moved = [name for name in old if not torch.allclose(old[name].half(), new[name])]
    assert any("controlnet_blocks" in name for name in moved)
    config = json.loads((resumed.folder / "out/controlnet/config.json").read_text("utf-8"))
    assert config["n_controlnet_blocks"] == 1


def test_the_event_and_the_card_hold_the_figures_of_each_class(resumed: Cancelled) -> None:
    event = next(one for one in resumed.second if isinstance(one, TrainedControl))
    assert event.agreement[0].startswith("all cells: ")
    assert {text.split(":")[0] for text in event.agreement[1:]} == {SMALL, LARGE}
    assert "look like it" in event.agreement[1] and "if repainted" in event.agreement[1]
    assert "Do not trust it" in event.sentence()  # four steps of random networks
    card = json.loads((resumed.folder / "out" / "trained.json").read_text("utf-8"))
    assert set(card["classes"]) == {SMALL, LARGE} and card["base"] == BASE
    assert {row["name"] for row in card["agreement"]} == {"all cells", SMALL, LARGE}
    assert event_from_message({"job": 1, **summary(event)}, None) == event
    assert (resumed.folder / "out" / "held_out.png").is_file()


def test_it_is_a_family_with_classes_under_the_terms_of_its_base(
    cpu: Engine, resumed: Cancelled
) -> None:
    families_folder().mkdir(parents=True)
    (families_folder() / "mine.toml").write_text(resumed.toml, "utf-8")
    family, base = get_family("mine"), get_family(BASE)
    assert set(family.classes) == {SMALL, LARGE} and not base.classes
    assert "whose terms extend to it" in family.licence and "non-commercial" in family.licence
    assert family.cell_gap == base.cell_gap and family.tile == base.tile
    _, labels, classes = field(9)
    settings = GenerationSettings.for_family(family, layout=True, count=1, steps=2)

    def made(named: dict[int, str]) -> np.ndarray:
        request = generate_request(
            family, settings, size=(256, 256), embedding=None, layout=labels, classes=named
        )
        again = request_from_dict(json.loads(json.dumps(request.to_dict())))
        assert again == request
        return pictures(run(cpu, request))[0]

    swapped = {label: LARGE if name == SMALL else SMALL for label, name in classes.items()}
    assert not np.array_equal(made(classes), made(swapped))


def test_images_alone_are_segmented_and_the_user_is_told(
    cpu: Engine, request_: TrainControlRequest, tmp_path: Path
) -> None:
    folder = write_pairs(tmp_path / "alone", 5, masks=False)
    binary = replace(request_, pairs=str(folder), classes=False, start="base", steps=1)
    events = train(cpu, binary)
    assert events[-1] == Finished()
    assert "There are no masks, so the built-in method segments the images." in words(
        events, Notice
    )
    assert not get_family("mine").palette
    request = generate_request(
        get_family("mine"),
        GenerationSettings(),
        size=(256, 256),
        embedding=None,
        layout=field(1)[1],
        classes={1: "any"},
    )
    assert request.classes is None and "classes" not in request.to_dict()


def test_a_base_without_a_controlnet_lends_all_of_its_blocks_but_the_last(
    cpu: Engine, request_: TrainControlRequest
) -> None:
    assert train(cpu, replace(request_, family="pixcell-256", steps=1))[-1] == Finished()
    config = json.loads((Path(request_.out) / "controlnet/config.json").read_text("utf-8"))
    assert config["n_controlnet_blocks"] == 1 and config["num_layers"] == 2
    assert "controlnet_blocks.0.weight" in weights(request_.out)
    family = get_family("mine")
    assert family.takes_layout and not get_family("pixcell-256").takes_layout


def test_a_base_that_is_missing_or_a_stain_is_refused(
    cpu: Engine, request_: TrainControlRequest
) -> None:
    with pytest.raises(PixCellError, match=r"“demo-ki67” is a virtual stain"):
        train(cpu, replace(request_, family="demo-ki67"))
    with pytest.raises(PixCellError) as error:
        train(cpu, replace(request_, family="pixcell-1024"))
    assert str(error.value) == (
        "PixCell-1024 is not installed: the transformer from StonyBrook-CVLab/PixCell-1024 is "
        "missing. Get it in the model manager, or with “napari-pixcell models get pixcell-1024”."
    )
    with pytest.raises(PixCellError, match=r"“gone” does not exist. Train a ControlNet on one of"):
        train(cpu, replace(request_, family="gone"))


def test_a_card_that_is_too_small_is_refused_before_anything_is_read(
    cpu: Engine, request_: TrainControlRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "free_bytes", lambda device: 8_000_000_000)
    with pytest.raises(PixCellError) as error:
        train(cpu, replace(request_, pairs="/nowhere"))
    assert str(error.value).endswith(
        "of free memory, but 8 GB are free. Use a larger GPU, or close other programs that use "
        "this one."
    )


def test_held_out_tiles_without_cells_are_refused(
    cpu: Engine, request_: TrainControlRequest, marked: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(marked, empty)
    for path in empty.glob("*_masks.tif"):
        write_labels(path, np.zeros((256, 256), np.uint16))
    with pytest.raises(PixCellError) as error:
        train(cpu, replace(request_, pairs=str(empty), classes=False, steps=1))
    assert str(error.value) == (
        "No held-out tile has cells, so the ControlNet cannot be tried. Use more pairs."
    )
    assert not (families_folder() / "mine.toml").exists()


def test_a_control_whose_images_are_not_finite_is_not_registered(
    cpu: Engine, request_: TrainControlRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlnet_stage, "RATE", float("inf"))
    monkeypatch.setattr(controlnet_stage, "SMALL_RATE", float("inf"))
    with pytest.raises(PixCellError) as error:
        train(cpu, replace(request_, steps=1))
    assert str(error.value) == (
        "A held-out image is not finite, so the ControlNet cannot be used. Train it again from "
        "its base."
    )
    assert not (families_folder() / "mine.toml").exists()


def test_a_name_that_is_taken_or_a_training_under_way_is_refused(
    cpu: Engine, request_: TrainControlRequest
) -> None:
    with pytest.raises(PixCellError, match=r"“demo” is a built-in model"):
        train(cpu, replace(request_, name="demo"))
    with pytest.raises(PixCellError, match=r"cannot be the name of a ControlNet.*my-cells"):
        train(cpu, replace(request_, name="a b"))
    with (
        TrainingFolder(Path(request_.out)).locked(),
        pytest.raises(PixCellError, match=r"The ControlNet in “out” is being trained already"),
    ):
        train(cpu, request_)


def test_a_request_out_of_range_is_refused(request_: TrainControlRequest) -> None:
    with pytest.raises(PixCellError, match=r"The number of steps is 0"):
        replace(request_, steps=0)
    with pytest.raises(PixCellError, match=r"cannot start from “scratch”. Choose one of"):
        replace(request_, start="scratch")
    assert request_from_dict(json.loads(json.dumps(request_.to_dict()))) == request_
