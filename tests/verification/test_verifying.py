"""Families are compared with the sample data: what is right passes, and each fault fails its row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny_samples import CELLS, STAIN

from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.models import lora
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.verification.report import VerificationReport

Patch = pytest.MonkeyPatch


def failed(report: VerificationReport) -> list[str]:
    return [row.key for row in report.of("FAIL")]


def test_a_right_installation_passes(check) -> None:
    cells = check(CELLS, patches=2, pictures=2)
    print(cells.table())
    assert not cells.failed and not cells.of("WARN")
    applicable = {row.key for row in cells.rows if row.verdict == "PASS"}
    assert applicable == {
        *("files", "latents", "scaling", "psnr", "embeddings", "grid", "resizing", "guidance"),
        *("style 256", "placed", "follows", "precision", "time"),
    }
    reasons = {row.key: row.measured for row in cells.of("not applicable")}
    assert reasons["style 1024"] == "This family generates tiles of 256 px."
    assert reasons["lora"] == "This family is no virtual stain."


def test_a_right_stain_passes(check) -> None:
    stain = check(STAIN)
    print(stain.table())
    assert not stain.failed and not stain.of("WARN")
    assert {"moved", "lora", "positive", "kept"} <= {row.key for row in stain.of("PASS")}


# -- faults ----------------------------------------------------------------------------------


def scale_latents_otherwise(patch: Patch, folder: Path) -> None:
    """Use the factor of Stable Diffusion 1.5."""
    weights = folder / "weights"
    part = BUILT_IN[CELLS].part("vae")
    path = weights / part.hub_id / part.config
    config = json.loads(path.read_text()) | {"scaling_factor": 0.18215}
    path.write_text(json.dumps(config))


def leave_the_shift_out(patch: Patch, folder: Path) -> None:
    part = BUILT_IN[CELLS].part("vae")
    path = folder / "weights" / part.hub_id / part.config
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shift_factor": None}))


def transpose_the_grid(patch: Patch, folder: Path) -> None:
    from napari_pixcell.engine import tile_embedding

    cut = tile_embedding.cut_tiles

    def columns_first(pixels, side):
        tiles = cut(pixels, side)
        count = round(len(tiles) ** 0.5)
        return tiles.reshape(count, count, *tiles.shape[1:]).swapaxes(0, 1).reshape(tiles.shape)

    patch.setattr(tile_embedding, "cut_tiles", columns_first)


def resize_bicubic(patch: Patch, folder: Path) -> None:
    plain = torch.nn.functional.interpolate

    def interpolate(images, mode="nearest", **others):
        return plain(images, mode="bicubic" if mode == "bilinear" else mode, **others)

    patch.setattr(torch.nn.functional, "interpolate", interpolate)


def swap_channels_of_the_encoder(patch: Patch, folder: Path) -> None:
    from napari_pixcell.networks.uni import UniEncoder

    forward = UniEncoder.forward
    patch.setattr(UniEncoder, "forward", lambda self, images: forward(self, images.flip(1)))


def swap_channels_of_the_autoencoder(patch: Patch, folder: Path) -> None:
    from diffusers import AutoencoderKL

    encode = AutoencoderKL.encode
    patch.setattr(AutoencoderKL, "encode", lambda self, x: encode(self, x.flip(1)))


def write_guidance_as_one_plus_w(patch: Patch, folder: Path) -> None:
    """Guide by (w + 1) · c − w · u."""
    begin = Denoiser.__init__

    def one_more(self, *given, guidance, **others):
        begin(self, *given, guidance=guidance + 1 if guidance > 1 else guidance, **others)

    patch.setattr(Denoiser, "__init__", one_more)


def guide_the_wrong_way(patch: Patch, folder: Path) -> None:
    """Exchange the halves of the guidance batch."""
    from napari_pixcell.networks.prepared import PreparedStyle

    cat = PreparedStyle.cat
    patch.setattr(PreparedStyle, "cat", lambda styles: cat(styles[::-1]))


def attach_half_the_strength(patch: Patch, folder: Path) -> None:
    attach = lora.attach_lora

    def weaker(transformer, *given, **others):
        attach(transformer, *given, **others)
        for _, layer in lora._lora_layers(transformer):
            layer.scaling[lora.NAME] /= 2

    patch.setattr("napari_pixcell.models.loading.attach_lora", weaker)


def attach_half_the_layers(patch: Patch, folder: Path) -> None:
    attach = lora.attach_lora

    def fewer(transformer, *given, **others):
        attach(transformer, *given, **others)
        for path, layer in lora._lora_layers(transformer):
            if path.endswith(("to_v", "to_out.0")):
                layer.scaling[lora.NAME] = 0.0

    patch.setattr("napari_pixcell.models.loading.attach_lora", fewer)


def cut_the_adapter_in_half(patch: Patch, folder: Path) -> None:
    part = BUILT_IN[STAIN].part("lora")
    path = folder / "weights" / part.hub_id / part.weights
    tensors = torch.load(path, weights_only=True)
    kept = {k: v for k, v in tensors.items() if ".lora_" not in k or ".to_q" in k or ".to_k" in k}
    torch.save(kept, path)


@pytest.mark.parametrize(
    ("family", "fault", "row"),
    [
        (CELLS, scale_latents_otherwise, "scaling"),
        (CELLS, leave_the_shift_out, "scaling"),
        (CELLS, transpose_the_grid, "grid"),
        (CELLS, resize_bicubic, "resizing"),
        (CELLS, swap_channels_of_the_encoder, "embeddings"),
        (CELLS, swap_channels_of_the_autoencoder, "latents"),
        (CELLS, write_guidance_as_one_plus_w, "guidance"),
        (CELLS, guide_the_wrong_way, "guidance"),
        (STAIN, attach_half_the_strength, "lora"),
        (STAIN, attach_half_the_layers, "lora"),
        (STAIN, cut_the_adapter_in_half, "lora"),
    ],
)
def test_a_fault_fails_the_row_that_is_about_it(
    check, installed, tmp_path, monkeypatch, family, fault, row
) -> None:
    shutil.copytree(installed / "weights", tmp_path / "weights")
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    fault(monkeypatch, tmp_path)
    report = check(family)
    values = {one.key: one.values.get("value") for one in report.rows if one.values}
    print(fault.__name__, {k: round(v, 4) for k, v in values.items()})
    assert failed(report) == [row]
    (found,) = report.of("FAIL")
    assert found.meaning and found.advice and found.title in report.sentence()
