"""When memory or numbers overflow, one thing is changed, said, and the request goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from engine.running import run, shallow_engine
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Notice, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import EmbedRequest, GenerateRequest
from napari_pixcell.engine.residence import Residence
from napari_pixcell.errors import PixCellError
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
    assert any(text.startswith("Memory is full; again, ") for text in sentences(events))
    assert engine.residence.setting.tile_vae
    assert "tile_vae" in variants(events)[1].record.device


@pytest.mark.usefixtures("full_unless_tiled")
def test_what_worked_is_remembered_for_the_card(installed: str) -> None:
    run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))
    again = run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))
    assert not any("Memory is full" in text for text in sentences(again))


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
    engine.residence.load(installed, torch.bfloat16)
    events = run(engine, GenerateRequest(installed, count=1, steps=1))
    assert "Numbers overflowed in half precision; again in full precision" in sentences(events)
    assert variants(events)[0].record.device == "cpu"


def test_numbers_that_overflow_in_full_precision_get_a_sentence(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_pixcell.engine.computing.denoise",
        lambda *_, **__: torch.full((1, 16, 32, 32), float("inf")),
    )
    with pytest.raises(PixCellError, match="not a picture"):
        run(Engine(CPU), GenerateRequest(installed, count=1, steps=1))


def test_an_encoder_that_is_moved_out_gives_the_same_embedding(installed: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    request = EmbedRequest(installed, PackedArray.pack(pixels))
    engine = Engine(CPU)
    resident = next(e for e in run(engine, request) if isinstance(e, Embedding))
    assert engine.residence.step_down()
    assert engine.residence.setting.swap_encoder
    moved = next(e for e in run(engine, request) if isinstance(e, Embedding))
    np.testing.assert_array_equal(resident.values, moved.values)


def test_freed_memory_holds_no_networks(installed: str) -> None:
    engine = Engine(CPU)
    engine.load(installed)
    engine.unload()
    assert engine.residence.setting is None


@pytest.fixture
def four_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card with room for four tiles in one pass."""
    monkeypatch.setattr(Residence, "_fitting_batch", lambda self, loaded: 4)


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
        assert np.array_equal(engine.again(variant.record), variant.image)
    alone.residence.batch = 1
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
    assert again == ["Memory is full; again, with fewer pictures at once"] * 2
    assert [event.message for event in events if isinstance(event, Notice)] == again
    assert engine.residence.batch == 1 and engine.residence.setting.name == "resident"


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
