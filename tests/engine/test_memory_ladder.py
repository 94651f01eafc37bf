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
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Notice, Progress, Variant
from napari_pixcell.engine.generating import NO_ROOM
from napari_pixcell.engine.loaded_models import LoadedModels
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import load_family
from napari_pixcell.models.memory import LADDER
from napari_pixcell.networks.transformer import PixCellTransformer2DModel
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
def test_full_memory_steps_down_until_the_model_fits(installed: str) -> None:
    engine = Engine(CPU)
    events = run(engine, GenerateRequest(installed, count=2, steps=1))
    assert len(variants(events)) == 2
    assert any(text.startswith("Memory is full. Trying again ") for text in sentences(events))
    assert engine.loaded.setting.tile_vae
    assert "tile_vae" in variants(events)[1].record.device


@pytest.mark.usefixtures("full_unless_tiled")
def test_the_setting_that_fits_is_remembered_for_the_gpu(installed: str) -> None:
    run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))
    again = run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))
    assert not any("Memory is full" in text for text in sentences(again))


@pytest.mark.usefixtures("full_unless_tiled")
@pytest.mark.parametrize("first", [False, True], ids=["at the second variant", "at the first"])
def test_networks_are_released_before_they_are_reloaded(
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


def test_a_model_that_does_not_fit_while_loading_steps_down(
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
def test_full_memory_is_recognised_in_the_words_of_each_library(words: str, full: bool) -> None:
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


def test_the_next_request_works_after_memory_was_insufficient(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    engine = Engine(CPU)
    with monkeypatch.context() as patched, pytest.raises(PixCellError, match="not enough memory"):
        patched.setattr(AutoencoderKL, "decode", full)
        run(engine, GenerateRequest(installed, count=1, steps=1))
    assert len(variants(run(engine, GenerateRequest(installed, count=1, steps=1)))) == 1


def test_an_overflow_in_half_precision_is_repeated_in_full(
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


def test_an_overflow_in_full_precision_is_reported(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_pixcell.engine.pipeline.denoise",
        lambda *_, **__: torch.full((1, 16, 32, 32), float("inf")),
    )
    with pytest.raises(PixCellError, match="not an image"):
        run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))


def test_a_swapped_encoder_yields_the_same_embedding(installed: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    request = EmbedRequest(installed, PackedArray.pack(pixels))
    engine = Engine(CPU)
    resident = next(e for e in run(engine, request) if isinstance(e, Embedding))
    assert engine.loaded.step_down()
    assert engine.loaded.setting.swap_encoder
    moved = next(e for e in run(engine, request) if isinstance(e, Embedding))
    np.testing.assert_array_equal(resident.values, moved.values)


@pytest.mark.parametrize("fails", [False, True])
def test_a_swapped_encoder_displaces_the_other_networks(
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


def test_running_on_the_cpu_beside_a_full_gpu_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded_models, "plan", lambda *_, **__: LADDER[-1])
    request = GenerateRequest("demo", count=2, steps=1)
    said = [
        [event.message for event in run(Engine(device), request) if isinstance(event, Notice)]
        for device in (torch.device("mps"), CPU)  # a Mac's, which is asked for nothing here
    ]
    assert said == [[NO_ROOM], []]


def test_a_gpu_without_room_for_cuda_has_no_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_device: Any) -> None:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", full)
    assert loaded_models.free_bytes(torch.device("cuda")) == 0


@pytest.mark.parametrize(("family", "batch"), [("pixcell-256-cells", 8), ("pixcell-1024", 1)])
def test_small_tiles_are_batched_on_a_gpu(
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
def test_batched_variants_equal_single_ones_and_can_be_reproduced() -> None:
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
def test_full_memory_first_reduces_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_compilation_is_recorded_only_if_it_worked(
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
