"""Weights and configurations that are damaged or made to do harm are refused in one sentence."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.build import build_network, read_config, read_preview
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.loading import _sizes
from napari_pixcell.models.weights import load_file, load_weights, open_tensors

DEMO = Path(__file__).parents[2] / "src" / "napari_pixcell" / "demo"


def refused(path: Path, match: str = "is missing or damaged|something other than") -> None:
    with pytest.raises(PixCellError, match=match):
        load_file(path)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[" * 50_000,
        b'{"w": {"dtype": "F32", "shape": [1000000000], "data_offsets": [0, 4000000000]}}',
        b'{"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
        b'{"w": {"dtype": "X", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 1e400]}}',
        b'{"w": 5}',
        b"\xff\xfe",
    ],
)
def test_absurd_headers_are_refused(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    refused(path)
    path.write_bytes((1 << 60).to_bytes(8, "little") + header)
    refused(path)


def test_a_header_of_many_megabytes_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write((50 << 20).to_bytes(8, "little"))
        file.truncate(60 << 20)
    refused(path)


@pytest.mark.parametrize(
    "value",
    [
        5,
        [torch.zeros(2)],
        {"a": 5},
        {5: torch.zeros(2)},
        {"a": torch.zeros(1).expand(100_000, 100_000)},  # 40 GB of the same number
        {"a": torch.zeros(2, 2).to_sparse()},
        {"a": torch.empty(10**6, 10**6, device="meta")},
    ],
)
def test_only_named_tensors_with_their_numbers_are_accepted(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(value, path)
    refused(path)


def test_files_that_are_no_pickles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    for data in (b"", b"PK\3\4", b"\x80\x02", b"nonsense" * 99, b"\x80\x02}q\x00.", b"."):
        path.write_bytes(data)
        refused(path, "The weight file w.pth ")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil", b"x")
    refused(path, "The weight file w.pth ")


@pytest.mark.skipif(os.name == "nt", reason="needs a pipe")
def test_pipes_and_long_names_are_not_opened(tmp_path: Path) -> None:
    for name in ("w.pth", "w.safetensors"):
        os.mkfifo(tmp_path / name)
        refused(tmp_path / name)
    os.mkfifo(tmp_path / "config.json")
    for path in (tmp_path / "config.json", tmp_path / ("n" * 5000)):
        with pytest.raises(PixCellError, match="is missing or damaged"):
            read_config(path)
    refused(tmp_path / ("n" * 5000 + ".pth"))


@pytest.mark.parametrize(
    ("tensor", "match"),
    [
        (torch.zeros(3, dtype=torch.int64), r"has the wrong type \(torch.int64\)"),
        (torch.zeros(3, dtype=torch.complex64), r"has the wrong type \(torch.complex64\)"),
        (torch.tensor([1.0, float("nan"), 0.0]), "numbers that are not finite"),
        (torch.tensor([1.0, float("inf"), -float("inf")]), "numbers that are not finite"),
        (torch.zeros(4), "wrong shape: weight"),
    ],
)
def test_tensors_that_would_give_a_wrong_picture_are_refused(tensor, match, tmp_path) -> None:
    save_file({"weight": tensor, "bias": torch.zeros(3)}, tmp_path / "w.safetensors")
    network = torch.nn.LayerNorm(3)
    with pytest.raises(PixCellError, match=match):
        load_weights(network, open_tensors(tmp_path / "w.safetensors"), "norm")


def test_large_numbers_in_half_precision_are_finite() -> None:
    network = torch.nn.LayerNorm(3).half()
    large = {"weight": torch.full((3,), 60_000.0).half(), "bias": torch.zeros(3).half()}
    load_weights(network, large, "norm")


def config(name: str) -> dict[str, Any]:
    return read_config(DEMO / name)


@pytest.mark.parametrize(
    ("network", "folder", "changes"),
    [
        ("pixcell-transformer", "transformer", changes)
        for changes in (
            {"num_layers": 10**9},
            {"num_layers": -1},
            {"num_layers": True},
            {"num_layers": 2.5},
            {"num_layers": "8"},
            {"num_layers": [8]},
            {"num_layers": None},
            {"num_layers": {"a": 8}},
            {"num_attention_heads": 10**5},
            {"num_attention_heads": None},
            {"num_attention_heads": 128, "attention_head_dim": 512, "sample_size": 256},
            {"sample_size": 1024, "patch_size": 1},
            {"patch_size": 0},
            {"cross_attention_dim": 10**5},
            {"caption_channels": "x"},
            {"caption_channels": -5},
            {"interpolation_scale": 0},
            {"norm_eps": 1e9},
            {"sample_size": [32]},
            {"norm_eps": [1e-6]},
            {"norm_type": "other"},
            {"norm_type": "x" * 10_000},
            {"activation_fn": 5},
            {"in_channels": [4] * 5000},
            {"in_channels": [[[[4]]]]},
        )
    ]
    + [
        ("demo-autoencoder", "vae", {"block_out_channels": [10**4, 10**4]}),
        ("demo-autoencoder", "vae", {"block_out_channels": [64]}),
        ("demo-autoencoder", "vae", {"layers_per_block": 10**4}),
        ("demo-autoencoder", "vae", {"scaling_factor": 0}),
        ("demo-autoencoder", "vae", {"scaling_factor": "1"}),
        ("autoencoder-kl", "vae", {"layers_per_block": 17}),
        ("autoencoder-kl", "vae", {"down_block_types": ["None"]}),
        ("tile-encoder", "encoder", {"widths": 5}),
        ("tile-encoder", "encoder", {"embed_dim": 10**6}),
    ],
)
def test_absurd_settings_are_refused_before_anything_is_built(
    network: str, folder: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config(f"{folder}/config.json") | changes))
    with pytest.raises(PixCellError, match=r"out of range for this family|do not fit together"):
        build_network(network, read_config(path))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e400", "9" * 5000, "[" * 10_000])
def test_numbers_that_json_does_not_have_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f'{{"beta_end": {text}}}')
    with pytest.raises(PixCellError, match=r"out of range|is missing or damaged"):
        read_config(tmp_path / "config.json")


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"weight": [[1.0] * 4] * 3},
        {"weight": [[1.0] * 4] * 2, "bias": [0.0] * 3},
        {"weight": [[1.0] * 4, [1.0]] * 2, "bias": [0.0] * 3},
        {"weight": "x", "bias": [0.0] * 3},
        {"weight": [["x"] * 4] * 3, "bias": [0.0] * 3},
        {"weight": [[1.0] * 4] * 3, "bias": None},
        {"weight": 5, "bias": 5},
    ],
)
def test_a_damaged_preview_is_refused(value: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "preview.json").write_text(json.dumps(value))
    with pytest.raises(PixCellError, match=r"is missing or damaged\. Install the family again"):
        read_preview(tmp_path / "preview.json")


def test_published_configurations_are_accepted() -> None:
    for path in DEMO.rglob("*config.json"):
        assert read_config(path)
    shift = build_network("autoencoder-kl", {"shift_factor": None}).config.shift_factor
    assert shift == 0.0


@pytest.mark.parametrize("name", ["res_blocks.999999999.x", "res_blocks.x.y", "res_blocks"])
def test_sizes_read_from_tensors_are_bounded(name: str) -> None:
    part = BUILT_IN["stain-her2"].part("flow")
    assert part is not None
    tensors = {
        name: torch.zeros(1),
        "input_proj.weight": torch.zeros(2, 2),
        "out.2.weight": torch.zeros(2, 2),
        "time_embed.2.weight": torch.zeros(2, 2),
        "res_blocks.0.in_layers.2.weight": torch.zeros(2, 2),
    }
    with pytest.raises(PixCellError, match=r"is out of range|is not the file of|missing"):
        load_weights(build_network("stain-flow", _sizes(part, tensors)), tensors, "flow")
