"""When memory or numbers overflow, one thing is changed, said, and the request goes on."""

from __future__ import annotations

import contextlib
import weakref
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from running import run, shallow_engine

from napari_pixcell.engine import loaded_models
from napari_pixcell.engine.engine import NO_ROOM, Engine
from napari_pixcell.engine.events import Embedding, Notice, Progress, Variant
from napari_pixcell.engine.loaded_models import LoadedModels
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest, GenerateRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.loading import load_family
from napari_pixcell.models.memory import LADDER
from napari_pixcell.networks import PixCellTransformer2DModel
from napari_pixcell.preferences import preference

CPU = torch.device("cpu")


def variants(events: list[Any]) -> list[Variant]:
    return [event for event in events if isinstance(event, Variant)]


def sentences(events: list[Any]) -> list[str]:
    return [event.message for event in events if isinstance(event, Progress)]


@pytest.fixture
def full_unless_tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a whole decode need more memory than there is."""
    decode = AutoencoderKL.decode

    def limited(self: AutoencoderKL, *arguments: Any, **others: Any) -> Any:
        if not self.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(self, *arguments, **others)

    monkeypatch.setattr(AutoencoderKL, "decode", limited)


@pytest.mark.usefixtures("full_unless_tiled")
def test_full_memory_takes_one_step_down_after_the_other_until_it_fits(installed: str) -> None:
    engine = Engine(CPU)
    events = run(engine, GenerateRequest(installed, count=2, steps=1))
    assert len(variants(events)) == 2
    assert any(text.startswith("Memory is full. Trying again ") for text in sentences(events))
    assert engine.loaded.setting.tile_vae
    assert "tile_vae" in variants(events)[1].record.device


@pytest.mark.usefixtures("full_unless_tiled")
def test_what_worked_is_remembered_for_the_card(installed: str) -> None:
    run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))
    again = run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))
    assert not any("Memory is full" in text for text in sentences(again))


@pytest.mark.usefixtures("full_unless_tiled")
@pytest.mark.parametrize("first", [False, True], ids=["at the second variant", "at the first"])
def test_what_is_loaded_again_is_not_held_meanwhile(
    installed: str, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    held: list[weakref.ref[Any]] = []
    alive: list[bool] = []

    def load(*arguments: Any, **others: Any) -> Any:
        alive.extend(one() is not None for one in held)
        loaded = load_family(*arguments, **others)
        held.append(weakref.ref(loaded.transformer))
        return loaded

    monkeypatch.setattr(loaded_models, "load_family", load)
    engine = Engine(CPU)
    if not first:
        limited, left = AutoencoderKL.decode, [1]

        def later(self: AutoencoderKL, *arguments: Any, **others: Any) -> Any:
            if left:
                left.pop()
                self.use_tiling = True
                out = limited(self, *arguments, **others)
                self.use_tiling = False
                return out
            return limited(self, *arguments, **others)

        monkeypatch.setattr(AutoencoderKL, "decode", later)
    events = run(engine, GenerateRequest(installed, count=2, steps=1))
    assert len(variants(events)) == 2 and len(held) > 1
    assert not any(alive)


def test_what_does_not_fit_while_it_loads_is_loaded_in_the_next_way(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [torch.OutOfMemoryError("CUDA out of memory")] * 2

    def load(*arguments: Any, **others: Any) -> Any:
        if full:
            raise full.pop()
        return load_family(*arguments, **others)

    monkeypatch.setattr(loaded_models, "load_family", load)
    engine = Engine(CPU)
    assert len(variants(run(engine, GenerateRequest(installed, count=1, steps=1)))) == 1
    assert engine.loaded.setting.name == "tile_vae"


@pytest.mark.parametrize(
    ("words", "full"),
    [
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: out of memory", True),
        ("MPS backend out of memory (MPS allocated: 8 GB)", True),
        ("CUDA error: an illegal memory access was encountered", False),
    ],
)
def test_each_library_has_its_own_words_for_full_memory(words: str, full: bool) -> None:
    errors = [RuntimeError(words)]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    said: list[str] = []
    if full:
        assert Engine(CPU)._fitting(work, said.append, lambda: "with less") == "done"
        assert said == ["Memory is full. Trying again with less"]
    else:
        with pytest.raises(RuntimeError, match="illegal memory access"):
            Engine(CPU)._fitting(work, said.append, lambda: "with less")


@pytest.mark.usefixtures("full_unless_tiled")
def test_a_step_down_keeps_the_precision_that_an_overflow_asked_for(installed: str) -> None:
    engine = Engine(CPU)
    engine.loaded.load(installed, torch.bfloat16)
    assert engine.loaded.full_precision()
    run(engine, GenerateRequest(installed, count=1, steps=1))
    assert engine.loaded.setting.tile_vae
    assert engine.load(installed).dtype == torch.float32


def test_memory_that_is_never_enough_gets_a_sentence_and_the_next_request_works(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    engine = Engine(CPU)
    with monkeypatch.context() as patched, pytest.raises(PixCellError, match="not enough memory"):
        patched.setattr(AutoencoderKL, "decode", full)
        run(engine, GenerateRequest(installed, count=1, steps=1))
    assert len(variants(run(engine, GenerateRequest(installed, count=1, steps=1)))) == 1


def test_numbers_that_overflow_in_half_precision_are_computed_again_in_full(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = AutoencoderKL.decode

    def overflowing(self: AutoencoderKL, z: torch.Tensor, **others: Any) -> Any:
        out = decode(self, z, **others)
        if z.dtype == torch.bfloat16:
            out.sample.fill_(float("nan"))
        return out

    monkeypatch.setattr(AutoencoderKL, "decode", overflowing)
    engine = Engine(CPU)
    engine.loaded.load(installed, torch.bfloat16)
    events = run(engine, GenerateRequest(installed, count=1, steps=1))
    assert "Half precision overflowed. Trying again in full precision" in sentences(events)
    assert variants(events)[0].record.device == "cpu"


def test_numbers_that_overflow_in_full_precision_get_a_sentence(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_pixcell.engine.pipeline.denoise",
        lambda *_, **__: torch.full((1, 16, 32, 32), float("inf")),
    )
    with pytest.raises(PixCellError, match="not an image"):
        run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))


def test_an_encoder_that_is_moved_out_gives_the_same_embedding(installed: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    request = EmbedRequest(installed, PackedArray.pack(pixels))
    engine = Engine(CPU)
    resident = next(e for e in run(engine, request) if isinstance(e, Embedding))
    assert engine.loaded.step_down()
    assert engine.loaded.setting.swap_encoder
    moved = next(e for e in run(engine, request) if isinstance(e, Embedding))
    np.testing.assert_array_equal(resident.values, moved.values)


@pytest.mark.parametrize("fails", [False, True])
def test_an_encoder_that_comes_in_takes_the_place_of_the_others(
    installed: str, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    kept = LoadedModels(CPU)
    loaded = kept.load(installed)
    kept.setting = LADDER[1]
    moves: list[tuple[list[Any], str]] = []
    monkeypatch.setattr(
        kept, "_move", lambda networks, device: moves.append((networks, device.type))
    )
    # A card for the names alone: nothing is moved.
    monkeypatch.setattr(kept, "_loaded", replace(loaded, device=torch.device("cuda")))
    with contextlib.suppress(ZeroDivisionError), kept.encoder():
        assert moves == [([loaded.transformer], "cpu"), ([loaded.encoder], "cuda")]
        if fails:
            raise ZeroDivisionError
    assert moves[2:] == [([loaded.encoder], "cpu"), ([loaded.transformer], "cuda")]


def test_a_card_without_room_is_said_to_be_the_reason_for_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loaded_models, "plan", lambda *_, **__: LADDER[-1])
    request = GenerateRequest("demo", count=2, steps=1)
    said = [
        [event.message for event in run(Engine(device), request) if isinstance(event, Notice)]
        for device in (torch.device("mps"), CPU)  # a Mac's, which is asked for nothing here
    ]
    assert said == [[NO_ROOM], []]


def test_a_card_on_which_nothing_can_be_begun_has_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_device: Any) -> None:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", full)
    assert loaded_models.free_bytes(torch.device("cuda")) == 0


@pytest.mark.parametrize(("family", "batch"), [("pixcell-256-cells", 8), ("pixcell-1024", 1)])
def test_small_tiles_go_through_a_card_together(
    family: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_models, "free_bytes", lambda _: 10**10)
    loaded: Any = SimpleNamespace(
        family=get_family(family), device=torch.device("cuda"), dtype=torch.bfloat16
    )
    assert LoadedModels(CPU)._fitting_batch(loaded) == batch


def test_freed_memory_holds_no_networks(installed: str) -> None:
    engine = Engine(CPU)
    engine.load(installed)
    engine.unload()
    assert engine.loaded.setting is None


@pytest.fixture
def four_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card with room for four tiles in one pass."""
    monkeypatch.setattr(LoadedModels, "_fitting_batch", lambda self, loaded: 4)


@pytest.mark.usefixtures("four_at_once")
def test_variants_of_one_batch_are_those_of_single_ones_and_made_again_alike() -> None:
    style = PackedArray.pack(np.random.default_rng(0).normal(size=(1, 128)).astype(np.float32))
    request = GenerateRequest("demo", style, count=5, steps=2, guidance=2.0)
    engine, alone = shallow_engine(), shallow_engine()
    found = variants(run(engine, request))
    assert [variant.record.batch for variant in found] == [(4, 0), (4, 1), (4, 2), (4, 3), (1, 0)]
    assert [variant.index for variant in found] == list(range(5))
    assert len({variant.record.sha256 for variant in found}) == 5
    for variant in (found[2], found[4]):  # of the batch of four, and the one left over
        assert np.array_equal(engine.reproduce(variant.record), variant.image)
    alone.loaded.batch = 1
    for single, variant in zip(variants(run(alone, request)), found, strict=True):
        assert np.abs(single.image.astype(int) - variant.image).max() <= 1


@pytest.mark.usefixtures("four_at_once")
def test_on_full_memory_fewer_pictures_are_made_at_once_before_anything_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = PixCellTransformer2DModel.forward

    def limited(self: Any, hidden_states: Any, *arguments: Any, **others: Any) -> Any:
        if len(hidden_states) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, hidden_states, *arguments, **others)

    monkeypatch.setattr(PixCellTransformer2DModel, "forward", limited)
    engine = shallow_engine()
    events = run(engine, GenerateRequest("demo", count=3, steps=1, guidance=1.0))
    assert len(variants(events)) == 3
    again = [text for text in sentences(events) if text.startswith("Memory is full")]
    assert again == ["Memory is full. Trying again with fewer images at once"] * 2
    assert [event.message for event in events if isinstance(event, Notice)] == again
    assert engine.loaded.batch == 1 and engine.loaded.setting.name == "resident"


@pytest.mark.parametrize("works", [True, False])
def test_compilation_is_noted_in_the_record_or_left_out(
    works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiler(function: Any, **_: Any) -> Any:
        def missing(*_: Any) -> None:
            raise RuntimeError("no C++ compiler")

        return function if works else missing

    monkeypatch.setenv("PIXCELL_COMPILE", "1")
    monkeypatch.setattr(torch, "compile", compiler)
    (variant,) = variants(run(Engine(CPU), GenerateRequest("demo", count=1, steps=1)))
    assert variant.record.device == ("cpu, compiled" if works else "cpu")
    assert preference("compile failed") == ("" if works else "RuntimeError: no C++ compiler")
