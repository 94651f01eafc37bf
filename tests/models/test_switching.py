"""Stains of one base: their adapters kept small, and exchanged without loading the base again."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.loaded_models import LoadedModels
from napari_pixcell.errors import PixCellError
from napari_pixcell.models import loading
from napari_pixcell.models.adapters import open_adapter
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.loading import load_family
from napari_pixcell.models.store import find, kept_adapter
from napari_pixcell.models.weights import sha256_of

CPU = torch.device("cpu")


@pytest.fixture
def lora(checkpoints: Path, tmp_path: Path) -> Path:
    """Give a copy of a published file that holds the whole transformer."""
    source = checkpoints / "StonyBrook-CVLab/pixcell-virtual-staining/ckpts/lora/mist_her2_lora.pth"
    return Path(shutil.copy(source, tmp_path / "her2_lora.pth"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tell which files of weights are opened whole."""
    opened: list[str] = []

    def spy(path: Path, *others: str):
        opened.append(path.name)
        return loading_tensors(path, *others)

    from napari_pixcell.models import adapters

    loading_tensors = adapters.open_tensors
    monkeypatch.setattr(adapters, "open_tensors", spy)
    return opened


def outputs(transformer) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16, 32, 32, generator=generator)
    style = torch.randn(1, 16, 64, generator=generator)
    with torch.inference_mode():
        return transformer(x, style, torch.tensor([500])).sample


# -- small files ---------------------------------------------------------------------------


def test_a_whole_state_dict_is_read_once_and_kept_small_beside_it(lora, reads) -> None:
    first, sha256 = open_adapter(lora)
    again, same = open_adapter(lora)
    assert reads == [lora.name] and sha256 == same == sha256_of(lora)
    whole = torch.load(lora, weights_only=True)
    assert set(first) == {key for key in whole if ".lora_" in key} == set(again)
    assert all(torch.equal(again[key], whole[key]) for key in again)
    small = kept_adapter(lora)
    assert small.stat().st_size < lora.stat().st_size / 4
    with safe_open(small, framework="pt") as file:
        assert file.metadata()["source sha256"] == sha256


def test_a_source_that_was_exchanged_is_read_again_and_one_that_was_touched_is_not(
    lora, reads
) -> None:
    open_adapter(lora)
    os.utime(lora, ns=(1, 1))
    open_adapter(lora)
    open_adapter(lora)
    assert reads == [lora.name]
    whole = torch.load(lora, weights_only=True)
    key = next(key for key in whole if ".lora_A" in key)
    whole[key] = whole[key] + 1
    torch.save(whole, lora)
    tensors, _ = open_adapter(lora)
    assert reads == [lora.name] * 2 and torch.equal(tensors[key], whole[key])


@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_a_damaged_small_file_is_made_again(lora, reads, harm: str) -> None:
    expected, _ = open_adapter(lora)
    small = kept_adapter(lora)
    data = bytearray(small.read_bytes())
    data[-5] ^= 1
    small.write_bytes(bytes(data if harm == "flipped" else data[:-9]))
    tensors, _ = open_adapter(lora)
    assert len(reads) == 2 and all(torch.equal(tensors[k], expected[k]) for k in expected)


def test_the_cache_takes_it_where_nothing_can_be_written(lora, reads, monkeypatch) -> None:
    beside = lora.parent

    def mkstemp(suffix, prefix, folder):
        if folder == beside:
            raise PermissionError(13, "Permission denied")
        return real(suffix, prefix, folder)

    from napari_pixcell.models import adapters

    real = adapters.tempfile.mkstemp
    monkeypatch.setattr(adapters.tempfile, "mkstemp", mkstemp)
    open_adapter(lora)
    open_adapter(lora)
    assert len(reads) == 1 and not kept_adapter(lora).exists()


def test_a_small_file_of_its_own_is_not_copied(lora, tmp_path, reads) -> None:
    open_adapter(lora)
    alone = tmp_path / "alone.safetensors"
    kept_adapter(lora).rename(alone)
    tensors, sha256 = open_adapter(alone)
    assert len(tensors) > 100 and sha256 == sha256_of(alone)
    assert not kept_adapter(alone).exists()


def test_a_missing_source_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"gone\.pth is missing or damaged"):
        open_adapter(tmp_path / "gone.pth")


# -- one base ------------------------------------------------------------------------------


def test_stains_share_one_base_and_give_it_back_bit_by_bit(installed: Path, monkeypatch) -> None:
    loaded: list[str] = []
    load_part = loading.load_part

    def spy(family, found, *others):
        loaded.append(f"{family.name}/{found.part.kind}")
        return load_part(family, found, *others)

    monkeypatch.setattr(loading, "load_part", spy)
    models = LoadedModels(CPU)
    base = models.load("pixcell-1024", torch.float32)
    before = {key: value.clone() for key, value in base.transformer.state_dict().items()}
    plain = outputs(base.transformer)
    network = base.transformer
    del loaded[:]
    found = {}
    for name in ("stain-her2", "stain-er", "stain-her2"):
        stained = models.load(name, torch.float32)
        assert stained.transformer is network and stained.encoder is base.encoder
        found.setdefault(name, []).append(outputs(stained.transformer))
        assert stained.weights["lora"] == sha256_of(find(get_family(name).part("lora")).weights)
    assert loaded == ["stain-her2/flow", "stain-er/flow", "stain-her2/flow"]
    assert torch.equal(*found["stain-her2"]) and not torch.equal(plain, found["stain-her2"][0])
    alone = load_family(get_family("stain-er"), CPU, torch.float32)
    assert torch.equal(outputs(alone.transformer), found["stain-er"][0])
    again = models.load("pixcell-1024", torch.float32)
    after = again.transformer.state_dict()
    assert again.transformer is network and again.flow is None
    assert set(after) == set(before) and all(torch.equal(after[k], before[k]) for k in before)
    assert torch.equal(outputs(again.transformer), plain)


def test_only_what_both_have_is_kept(installed: Path) -> None:
    models = LoadedModels(CPU)
    large = models.load("pixcell-1024")
    small = models.load("pixcell-256-cells")
    assert small.vae is large.vae and small.encoder is large.encoder
    assert small.transformer is not large.transformer and small.controlnet is not None
    assert models.load("pixcell-256", torch.float32).vae is not large.vae  # other precision


def test_a_base_that_was_exchanged_on_disk_is_loaded_anew(installed: Path) -> None:
    models = LoadedModels(CPU)
    held = models.load("stain-her2")
    path = find(get_family("pixcell-1024").part("transformer")).weights
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    assert models.load("stain-er").transformer is not held.transformer


def test_an_adapter_of_another_rank_replaces_the_one_before(installed: Path) -> None:
    from napari_pixcell.models.lora import put_lora, take_lora_off

    transformer = load_family(get_family("stain-her2"), CPU, torch.float32).transformer
    name = "transformer_blocks.0.attn2.to_q"
    half = {f"{name}.lora_A.weight": torch.ones(2, 12)}
    put_lora(transformer, half | {f"{name}.lora_B.weight": torch.ones(12, 2)}, "mine")
    left = [key for key in transformer.state_dict() if ".lora_" in key]
    assert left == [f"{name}.lora_A.default.weight", f"{name}.lora_B.default.weight"]
    with pytest.raises(PixCellError, match=r"is not complete \(.*lora_B"):
        put_lora(transformer, half, "half")
    assert not any(".lora_" in key for key in transformer.state_dict())
    take_lora_off(transformer)  # has none: nothing happens


def test_a_stain_without_its_base_says_what_is_missing(checkpoints, tmp_path, monkeypatch) -> None:
    published = "StonyBrook-CVLab"
    shutil.copytree(
        checkpoints / published / "pixcell-virtual-staining",
        tmp_path / published / "pixcell-virtual-staining",
    )
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    with pytest.raises(PixCellError, match=r"Virtual HER2.*the transformer from .*PixCell-1024 is"):
        Engine(CPU).load("stain-her2")


def test_removing_a_stain_takes_its_small_file_along(lora, tmp_path, monkeypatch) -> None:
    from napari_pixcell.models.manifest import Entry, add_to_manifest
    from napari_pixcell.models.moving import remove

    part = get_family("stain-her2").part("lora")
    place = tmp_path / "weights" / part.hub_id / part.weights
    place.parent.mkdir(parents=True)
    lora.rename(place)
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    name = f"{part.hub_id}/{part.weights}"
    add_to_manifest(tmp_path / "weights", {name: Entry(place.stat().st_size, sha256_of(place))})
    open_adapter(place)
    remove(replace(get_family("stain-her2"), parts=(part,)))
    assert not place.exists() and not kept_adapter(place).exists()


def test_the_demo_stain_leaves_the_demo_as_it_was() -> None:
    models = LoadedModels(CPU)
    demo = models.load("demo")
    before = {key: value.clone() for key, value in demo.vae.state_dict().items()}
    plain, encoder = demo.transformer.state_dict(), demo.encoder
    stained = models.load("demo-ki67")
    assert stained.transformer is demo.transformer and stained.encoder is encoder
    changed = stained.vae.state_dict()
    assert any(not torch.equal(changed[key], before[key]) for key in before)
    again = models.load("demo")
    assert set(again.transformer.state_dict()) == set(plain)
    after = again.vae.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
