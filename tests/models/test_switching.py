"""Stains share one base: their adapters have small copies and are exchanged on it."""

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
from napari_pixcell.files import sha256_of
from napari_pixcell.models import loading
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import load_family, pick_dtype
from napari_pixcell.models.lora import open_adapter
from napari_pixcell.models.store import find, kept_adapter

CPU = torch.device("cpu")


@pytest.fixture
def lora(checkpoints: Path, tmp_path: Path) -> Path:
    """A copy of a published file, which contains the whole transformer."""
    source = checkpoints / "StonyBrook-CVLab/pixcell-virtual-staining/ckpts/lora/mist_her2_lora.pth"
    return Path(shutil.copy(source, tmp_path / "her2_lora.pth"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the weight files that are opened in full."""
    opened: list[str] = []

    def spy(path: Path, *others: str):
        opened.append(path.name)
        return loading_tensors(path, *others)

    from napari_pixcell.models import lora

    loading_tensors = lora.open_tensors
    monkeypatch.setattr(lora, "open_tensors", spy)
    return opened


def outputs(transformer) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16, 32, 32, generator=generator)
    style = torch.randn(1, 16, 64, generator=generator)
    with torch.inference_mode():
        return transformer(x, style, torch.tensor([500])).sample


# -- small copies ---------------------------------------------------------------------------


def test_a_whole_state_dict_is_read_once_and_its_adapter_copied_beside_it(lora, reads) -> None:
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


def test_a_changed_source_is_read_again_but_a_touched_one_is_not(lora, reads) -> None:
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
def test_a_damaged_copy_is_written_again(lora, reads, harm: str) -> None:
    expected, _ = open_adapter(lora)
    small = kept_adapter(lora)
    data = bytearray(small.read_bytes())
    data[-5] ^= 1
    small.write_bytes(bytes(data if harm == "flipped" else data[:-9]))
    tensors, _ = open_adapter(lora)
    assert len(reads) == 2 and all(torch.equal(tensors[k], expected[k]) for k in expected)


def test_the_copy_goes_to_the_cache_if_it_cannot_be_written_beside_its_source(lora, reads) -> None:
    kept_adapter(lora).mkdir()  # a folder in its way
    open_adapter(lora)
    open_adapter(lora)
    assert len(reads) == 1 and kept_adapter(lora).is_dir()


def test_a_file_with_only_an_adapter_is_not_copied(lora, tmp_path, reads) -> None:
    open_adapter(lora)
    alone = tmp_path / "alone.safetensors"
    kept_adapter(lora).rename(alone)
    tensors, sha256 = open_adapter(alone)
    assert len(tensors) > 100 and sha256 == sha256_of(alone)
    assert not kept_adapter(alone).exists()


def test_a_missing_source_is_explained(tmp_path: Path) -> None:
    with pytest.raises(PixCellError, match=r"gone\.pth is missing or damaged"):
        open_adapter(tmp_path / "gone.pth")


# -- one base ------------------------------------------------------------------------------


def test_stains_share_one_base_and_restore_it_bit_by_bit(installed: Path, monkeypatch) -> None:
    loaded: list[str] = []
    load_part = loading.load_part

    def spy(family, found, *others):
        loaded.append(f"{family.name}/{found.part.kind}")
        return load_part(family, found, *others)

    monkeypatch.setattr(loading, "load_part", spy)
    residence = LoadedModels(CPU)
    base = residence.load("pixcell-1024", torch.float32)
    before = {key: value.clone() for key, value in base.transformer.state_dict().items()}
    plain = outputs(base.transformer)
    network = base.transformer
    del loaded[:]
    found = {}
    for name in ("stain-her2", "stain-er", "stain-her2"):
        stained = residence.load(name, torch.float32)
        assert stained.transformer is network and stained.encoder is base.encoder
        found.setdefault(name, []).append(outputs(stained.transformer))
        assert stained.weights["lora"] == sha256_of(find(get_family(name).part("lora")).weights)
    assert loaded == ["stain-her2/flow", "stain-er/flow", "stain-her2/flow"]
    assert torch.equal(*found["stain-her2"]) and not torch.equal(plain, found["stain-her2"][0])
    alone = load_family(get_family("stain-er"), CPU, torch.float32)
    assert torch.equal(outputs(alone.transformer), found["stain-er"][0])
    again = residence.load("pixcell-1024", torch.float32)
    after = again.transformer.state_dict()
    assert again.transformer is network and again.flow is None
    assert set(after) == set(before) and all(torch.equal(after[k], before[k]) for k in before)
    assert torch.equal(outputs(again.transformer), plain)


def test_networks_of_both_families_stay_loaded_when_they_are_switched(installed: Path) -> None:
    residence = LoadedModels(CPU)
    large = residence.load("pixcell-1024", torch.float32)
    small = residence.load("pixcell-256-cells", torch.float32)
    assert small.vae is large.vae and small.encoder is large.encoder
    assert small.transformer is not large.transformer and small.controlnet is not None


def test_networks_of_another_precision_are_loaded_again(installed: Path) -> None:
    residence = LoadedModels(CPU)
    half = residence.load("pixcell-1024", torch.bfloat16)
    full = residence.load("pixcell-256", torch.float32)
    assert full.vae is not half.vae
    assert full.encoder is half.encoder  # always in full precision


@pytest.mark.parametrize(
    ("has_bf16", "precision"), [(True, torch.bfloat16), (False, torch.float32)]
)
def test_half_precision_is_used_on_a_cpu_that_supports_it(monkeypatch, has_bf16, precision) -> None:
    monkeypatch.setattr(loading, "_cpu_has_bf16", lambda: has_bf16)
    assert pick_dtype(get_family("pixcell-256"), CPU) == precision
    assert pick_dtype(get_family("demo"), CPU) == torch.float32


def test_a_base_that_changed_on_disk_is_loaded_again(installed: Path) -> None:
    residence = LoadedModels(CPU)
    held = residence.load("stain-her2")
    path = find(get_family("pixcell-1024").part("transformer")).weights
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    assert residence.load("stain-er").transformer is not held.transformer


def test_an_adapter_of_another_rank_replaces_the_previous_one(installed: Path) -> None:
    from napari_pixcell.models.lora import attach_lora, detach_lora

    transformer = load_family(get_family("stain-her2"), CPU, torch.float32).transformer
    names = [f"transformer_blocks.{i}.attn2.to_q" for i in range(28)]
    half = {f"{name}.lora_A.weight": torch.ones(2, 12) for name in names}
    other = {f"{name}.lora_B.weight": torch.ones(12, 2) for name in names}
    attach_lora(transformer, half | other, "mine")
    left = {key for key in transformer.state_dict() if ".lora_" in key}
    assert left == {f"{n}.lora_{side}.default.weight" for n in names for side in "AB"}
    with pytest.raises(PixCellError, match=r"is incomplete \(.*lora_B"):
        attach_lora(transformer, half, "half")
    assert not any(".lora_" in key for key in transformer.state_dict())
    detach_lora(transformer)  # without an adapter, nothing happens


def test_a_stain_without_its_base_names_the_missing_part(
    checkpoints, tmp_path, monkeypatch
) -> None:
    published = "StonyBrook-CVLab"
    shutil.copytree(
        checkpoints / published / "pixcell-virtual-staining",
        tmp_path / published / "pixcell-virtual-staining",
    )
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path))
    with pytest.raises(PixCellError, match=r"Virtual HER2.*the transformer from .*PixCell-1024 is"):
        Engine(CPU).load("stain-her2")


def test_removing_a_stain_removes_its_small_copy(lora, tmp_path, monkeypatch) -> None:
    from napari_pixcell.models.manifest import ManifestEntry, add_to_manifest
    from napari_pixcell.models.transport import remove

    part = get_family("stain-her2").part("lora")
    installed = tmp_path / "weights" / part.hub_id / part.weights
    installed.parent.mkdir(parents=True)
    lora.rename(installed)
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    name = f"{part.hub_id}/{part.weights}"
    entry = ManifestEntry(installed.stat().st_size, sha256_of(installed))
    add_to_manifest(tmp_path / "weights", {name: entry})
    open_adapter(installed)
    remove(replace(get_family("stain-her2"), parts=(part,)))
    assert not installed.exists() and not kept_adapter(installed).exists()


def test_the_demo_stain_leaves_the_demo_unchanged() -> None:
    residence = LoadedModels(CPU)
    demo = residence.load("demo")
    before = {key: value.clone() for key, value in demo.vae.state_dict().items()}
    plain, encoder = demo.transformer.state_dict(), demo.encoder
    stained = residence.load("demo-ki67")
    assert stained.transformer is demo.transformer and stained.encoder is encoder
    changed = stained.vae.state_dict()
    assert any(not torch.equal(changed[key], before[key]) for key in before)
    again = residence.load("demo")
    assert set(again.transformer.state_dict()) == set(plain)
    after = again.vae.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
