"""A stain is trained on folders of images by the engine, and then is a family of the user's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import tissue
from PIL import Image
from two_looks import brown_look, real_fields

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import (
    Embedding,
    Event,
    Finished,
    Notice,
    Progress,
    Trained,
    Variant,
    summary,
)
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest, request_from_dict
from napari_pixcell.engine.training import lora_stage
from napari_pixcell.engine.training import pairs as stain_pairs
from napari_pixcell.engine.training.folder import TrainingFolder
from napari_pixcell.engine.training.job import new_flow
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, DEMO_STAIN
from napari_pixcell.models.families import get_family, is_stain, stain_name
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.models.weights import cached_sha256, load_file
from napari_pixcell.networks.stain_flow import StainFlowMLP
from napari_pixcell.worker.protocol import event_from_message

STEPS = 100


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def write(folder: Path, pictures: list[np.ndarray], look: Callable) -> TrainRequest:
    for side in ("he", "ihc"):
        (folder / side).mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / "he" / f"{number}.png")
        Image.fromarray(look(picture)).save(folder / "ihc" / f"{number}.png")
    he, ihc, out = (str(folder / name) for name in ("he", "ihc", "stain"))
    return TrainRequest("my-stain", DEMO.name, he, ihc, out, steps=STEPS)


def write_small(folder: Path) -> TrainRequest:
    rng = np.random.default_rng(0)
    pictures = [tissue(512) - rng.integers(0, 30, 3).astype(np.uint8) for _ in range(2)]
    return write(folder, pictures, lambda picture: picture[..., ::-1] // 2 + 60)


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainRequest:
    monkeypatch.setattr(stain_pairs, "LEAST_TILES", 4)
    return write_small(tmp_path)


@dataclass(frozen=True)
class Resumed:
    """A training with an adapter that was cancelled twice, with the events of each run."""

    request: TrainRequest
    told: list[list[Event]]
    registered: list[bool]


@pytest.fixture(scope="module")
def resumed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resumed]:
    folder = tmp_path_factory.mktemp("resumed")
    request = replace(write_small(folder), family=DEMO_STAIN.name, lora_steps=4, batch=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_CONFIG_DIR", str(folder / "config"))
        patch.setattr(stain_pairs, "LEAST_TILES", 4)
        patch.setattr(lora_stage, "EVERY", 2)
        patch.setattr(lora_stage, "TRIED", 1)
        told, registered = [], []
        for stop in (f"Step 50 of {STEPS}", "Adapter, step 2 of 4", ""):
            told.append(train(engine, request, stop))
            registered.append((families_folder() / "my-stain.toml").exists())
        yield Resumed(request, told, registered)


def train(engine: Engine, request: TrainRequest, stop: str = "") -> list[Event]:
    """Run it; with ``stop``, cancel once progress has these words in it."""
    events: list[Event] = []

    def cancelled() -> bool:
        said = [e.message for e in events if isinstance(e, Progress)]
        return bool(stop) and any(stop in message for message in said)

    engine.run(request, events.append, cancelled)
    return events


def trained(events: list[Event]) -> Trained:
    assert events[-1] == Finished()
    return next(event for event in events if isinstance(event, Trained))


def test_on_real_tissue_a_flow_does_better_than_one_shift_for_all(
    engine: Engine, tmp_path: Path, shared_data: Path
) -> None:
    request = write(tmp_path, real_fields(shared_data, 6), brown_look)
    events = train(engine, replace(request, steps=200))
    found = trained(events)
    assert found.held_out < 0.9 * found.shift < 0.9
    assert found.pairs == 6 and (found.tiles, found.held_tiles) == (20, 4)
    words = [e.message for e in events if isinstance(e, Progress) and "held-out" in e.message]
    assert words[0].startswith("Step 50 of 200 · held-out error ")
    assert "Do not trust" not in found.sentence()
    assert not [e for e in events if isinstance(e, Notice)]


def test_a_resumed_training_yields_the_same_stain_as_an_uninterrupted_one(
    engine: Engine, resumed: Resumed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stain_pairs, "LEAST_TILES", 4)
    first, second, third = resumed.told
    assert first[-1] == second[-1] == Finished(cancelled=True)
    assert resumed.registered == [False, False, True]
    messages = [[e.message for e in told if isinstance(e, Progress)] for told in resumed.told]
    assert not any(m.startswith("Step 50 ") for m in messages[1])  # it resumed after that
    assert not any(m.startswith(("Step", "Adapter, step 2 ")) for m in messages[2])
    trained(third)
    work = Path(resumed.request.out) / "work"
    assert not list(work.glob("*.pt"))  # no checkpoint is left
    (tmp_path / "other" / "work").mkdir(parents=True)
    for path in work.glob("*.np?"):
        shutil.copy(path, tmp_path / "other" / "work")
    whole = replace(resumed.request, name="other", out=str(tmp_path / "other"))
    trained(train(engine, whole))
    for name in ("flow.safetensors", "lora.safetensors"):
        one, other = (load_file(Path(r.out) / name) for r in (resumed.request, whole))
        assert set(one) == set(other)
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], rtol=0, atol=0)


def test_a_trained_stain_is_the_users_own_and_its_records_hold_its_hashes(
    engine: Engine, resumed: Resumed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stain_pairs, "LEAST_TILES", 4)
    found = trained(train(engine, resumed.request))  # finished already: it is only registered
    folder = Path(resumed.request.out)
    family = get_family("my-stain")
    assert is_stain(family) and stain_name(family) == "my-stain" and found.folder == str(folder)
    assert family.notice.startswith("DEMO: a virtual stain trained by its user")
    assert "demo: CC BY 4.0" in family.licence and "whose terms extend to it" in family.licence
    assert family.part("decoder") == DEMO_STAIN.part("decoder")  # that of the base
    events: list[Event] = []
    engine.run(EmbedRequest("my-stain", PackedArray.pack(tissue(256))), events.append)
    style = PackedArray.pack(next(e for e in events if isinstance(e, Embedding)).values)
    engine.run(GenerateRequest("my-stain", style, count=1, steps=1), events.append)
    record = next(e for e in events if isinstance(e, Variant)).record
    assert record.request.family == "my-stain" and record.licence == family.licence
    for kind in ("flow", "lora"):
        assert record.weights[kind] == cached_sha256(folder / f"{kind}.safetensors")
    card = json.loads((folder / "trained.json").read_text("utf-8"))
    assert card["weights"] == {kind: record.weights[kind] for kind in ("flow", "lora")}
    assert card["base"] == "demo-ki67" and card["held-out error"] == found.held_out
    assert card["adapter"]["tiles"] == 4 and card["adapter"]["loss"] > 0


def test_files_have_the_published_tensor_names_and_sizes(resumed: Resumed) -> None:
    folder = Path(resumed.request.out)
    flow = load_file(folder / "flow.safetensors")
    assert {k: v.shape for k, v in flow.items()} == {
        k: v.shape for k, v in new_flow(128).state_dict().items()
    }
    sizes = json.loads((folder / "flow.json").read_text("utf-8"))
    StainFlowMLP(**sizes).load_state_dict(flow)
    adapter = load_file(folder / "lora.safetensors")
    assert adapter["transformer_blocks.7.attn2.to_v.lora_A.default.weight"].shape == (16, 256)
    assert new_flow(1536).state_dict()["input_proj.weight"].shape == (1024, 1536)


def test_other_pairs_or_steps_start_again_but_nothing_is_embedded_twice(
    engine: Engine, request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(train(engine, request_))
    first = load_file(Path(request_.out) / "flow.safetensors")
    monkeypatch.setattr(type(engine.loaded), "load", lambda *_, **__: pytest.fail("embedded"))
    events = train(engine, request_)
    assert not any("Step" in e.message for e in events if isinstance(e, Progress))
    for folder in (request_.he, request_.ihc):  # the same pairs in another order
        for name, other in (("0.png", "9.png"), ("1.png", "8.png")):
            (Path(folder) / name).rename(Path(folder) / other)
    trained(train(engine, replace(request_, steps=50)))
    second = load_file(Path(request_.out) / "flow.safetensors")
    assert any((first[name] != value).any() for name, value in second.items())


def test_exchanged_folders_cause_a_notice(engine: Engine, request_: TrainRequest) -> None:
    events = train(engine, replace(request_, ihc=request_.he, he=request_.ihc), "Training the flow")
    (notice,) = (e for e in events if isinstance(e, Notice))
    assert notice.message.startswith("In 2 of 2 pairs, H&E and IHC seem to be exchanged")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "demo"}, "“demo” is a built-in model. Choose another name"),
        ({"name": "a, b"}, "“a, b” cannot be the name of a stain. Use letters"),
        (
            {"family": "nowhere"},
            "The model “nowhere” does not exist. Train a stain on one of: demo",
        ),
        ({"family": "stain-her2"}, "Virtual HER2 is not installed: the transformer from"),
        ({"name": "taken"}, "You have another model named “taken”. Choose another name"),
        ({"family": "taken"}, "The model “taken” is your own. Train a stain on one of"),
    ],
)
def test_invalid_names_and_bases_are_refused(
    engine: Engine, request_: TrainRequest, changes: dict, words: str
) -> None:
    families_folder().mkdir(parents=True)
    (families_folder() / "taken.toml").write_text('base = "demo"\n')
    with pytest.raises(PixCellError, match=words):
        engine.run(replace(request_, **changes), lambda _: None)


def test_a_folder_in_use_or_a_file_in_its_place_is_refused(
    engine: Engine, request_: TrainRequest, tmp_path: Path
) -> None:
    with (
        TrainingFolder(Path(request_.out)).locked(),
        pytest.raises(PixCellError, match="“stain” is being trained already"),
    ):
        engine.run(request_, lambda _: None)
    (tmp_path / "file").touch()
    with pytest.raises(
        PixCellError, match=r"cannot be written to “file” .*. Choose another folder"
    ):
        engine.run(replace(request_, out=str(tmp_path / "file")), lambda _: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "number of steps is 0. Choose one from 1"),
        ({"lora_steps": -1}, "number of adapter steps is -1"),
        ({"batch": 0}, "number of tiles per step is 0"),
        ({"mpp": 400}, "A pixel size of 400 µm is not plausible"),
    ],
)
def test_numbers_out_of_range_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(PixCellError, match=words):
        TrainRequest("a", "demo", "he", "ihc", "out", **changes)


def test_requests_and_cards_of_the_first_version_are_read(tmp_path: Path) -> None:
    request = TrainRequest("a", "demo", "he", "ihc", "out", lora_steps=5)
    before = request.to_dict() | {"kind": "teach"}
    assert request_from_dict(before) == request and request.to_dict()["kind"] == "train"
    (tmp_path / "taught.json").write_text('{"signature": "ab"}')
    assert TrainingFolder(tmp_path).card() == {"signature": "ab"}
    TrainingFolder(tmp_path).write_json("trained.json", {"signature": "cd"})
    assert TrainingFolder(tmp_path).card() == {"signature": "cd"}


def test_request_and_result_travel_to_the_worker_and_back() -> None:
    request = TrainRequest("a", "demo", "he", "ihc", "out", mpp=0.25, lora_steps=5, aligned=True)
    assert request_from_dict(json.loads(json.dumps(request.to_dict()))) == request
    event = Trained("a", "out", 0.8, 0.6, 3, 20, 4)
    assert event_from_message(json.loads(json.dumps(summary(event))), None) == event
    assert "80% of the distance" in event.sentence() and "Do not trust it" in event.sentence()
