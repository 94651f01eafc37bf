"""What is right passes against the sample data, and each fault fails its own row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_samples import CELLS, FIGURES, STAIN

from napari_pixcell.engine import pipeline
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Verified
from napari_pixcell.engine.latents import Overflow
from napari_pixcell.models import loading, lora
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.loading import load_family
from napari_pixcell.verification import autoencoder
from napari_pixcell.verification.bench import Bench
from napari_pixcell.verification.device import memory_row, precision_row, time_row
from napari_pixcell.verification.figures import read_figures
from napari_pixcell.verification.job import verify
from napari_pixcell.verification.report import VerificationReport
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.verification.samples import BUNDLED, read_set
from napari_pixcell.verification.stains import adapter_row

Patch = pytest.MonkeyPatch


def failed(report: VerificationReport) -> list[str]:
    return [row.key for row in report.of("FAIL")]


def bench_of(family: str, installed: Path) -> Bench:
    patches = read_set(installed / "samples")[:1]
    request = VerifyRequest(family, pictures=1)
    return Bench(
        Engine(torch.device("cpu")), BUILT_IN[family], patches, FIGURES, request,
        tell=lambda *_: None, cancelled=lambda: False,
    )  # fmt: skip


def test_a_right_installation_passes(check) -> None:
    cells = check(CELLS, patches=2, pictures=2)
    assert not cells.failed and not cells.of("WARN")
    applicable = {row.key for row in cells.rows if row.verdict == "PASS"}
    assert applicable == {
        *("files", "latents", "scaling", "psnr", "embeddings", "grid", "resizing", "guidance"),
        *("style 256", "placed", "follows", "precision", "time"),
    }
    reasons = {row.key: row.measured for row in cells.of("not applicable")}
    assert reasons["style 1024"] == "This family generates tiles of 256 px."
    assert reasons["lora"] == "This family is no virtual stain."


def test_it_passes_in_half_precision_as_well(check, monkeypatch) -> None:
    monkeypatch.setattr(loading, "_cpu_has_bf16", lambda: True)
    report = check(CELLS)
    assert report.device == "cpu, bfloat16" and not report.failed and not report.of("WARN")


def test_patches_are_encoded_in_windows_if_memory_is_short(installed, monkeypatch) -> None:
    models = load_family(BUILT_IN[CELLS], torch.device("cpu"))
    for free, windows in ((10**12, False), (10**6, True)):
        monkeypatch.setattr(autoencoder, "free_bytes", lambda _, free=free: free)
        with autoencoder.fitting_windows(models):
            assert models.vae.use_tiling == windows
        assert not models.vae.use_tiling


def test_an_autoencoder_of_the_users_own_has_no_figures(installed, tmp_path) -> None:
    bench = bench_of(CELLS, installed)
    parts = [
        replace(part, folder=tmp_path) if part.kind == "vae" else part
        for part in bench.family.parts
    ]
    bench.family = replace(bench.family, parts=tuple(parts))
    rows = autoencoder.autoencoder_rows(bench)
    assert {row.verdict for row in rows} == {"not applicable"}
    assert rows[0].measured == "The autoencoder is your own: nothing is published about it."


@pytest.mark.parametrize(("gb", "verdict"), [(1.0, "PASS"), (1.4, "WARN"), (2.0, "FAIL")])
def test_peak_memory_is_compared_with_the_plan(installed, gb, verdict) -> None:
    bench = bench_of(CELLS, installed)
    planned = memory_row(bench, 1).values["planned"]
    assert memory_row(bench, int(gb * planned)).verdict == verdict
    assert memory_row(bench, None).verdict == "not applicable"


@pytest.mark.parametrize(("factor", "verdict"), [(1, "PASS"), (10, "WARN")])
def test_a_slow_machine_is_a_warning_and_no_failure(installed, factor, verdict) -> None:
    bench = bench_of(CELLS, installed)
    planned = time_row(bench, 1.0, layout=True).values["planned"]
    assert time_row(bench, factor * planned, layout=True).verdict == verdict


def test_another_precision_than_planned_is_a_warning(installed) -> None:
    bench = bench_of(CELLS, installed)
    bench.engine.loaded.load(CELLS, torch.bfloat16)
    row = precision_row(bench)
    assert row.verdict == "WARN" and row.measured.startswith("bfloat16, encoder float32")


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
            if path.endswith(("to_q", "to_k")):
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
    ],
)
def test_a_fault_fails_the_row_that_is_about_it(
    check, installed, tmp_path, monkeypatch, family, fault, row
) -> None:
    shutil.copytree(installed / "weights", tmp_path / "weights")
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    fault(monkeypatch, tmp_path)
    report = check(family)
    assert failed(report) == [row] and not report.of("WARN")
    (found,) = report.of("FAIL")
    assert found.meaning and found.advice and found.title in report.sentence()


@pytest.mark.parametrize(
    ("fault", "verdict", "words"),
    [
        (lambda patch, folder: None, "PASS", "4 of 4 layers, strength 1.00"),
        (attach_half_the_strength, "FAIL", "4 of 4 layers, strength 0.50"),
        (attach_half_the_layers, "FAIL", "4 of 4 layers, strength 0.00"),
        (cut_the_adapter_in_half, "FAIL", "2 of 4 layers, strength 1.00"),
    ],
)
def test_half_an_adapter_fails_wherever_the_half_was_lost(
    installed, tmp_path, monkeypatch, fault, verdict, words
) -> None:
    shutil.copytree(installed / "weights", tmp_path / "weights")
    monkeypatch.setenv("PIXCELL_WEIGHTS", str(tmp_path / "weights"))
    fault(monkeypatch, tmp_path)
    bench = bench_of(STAIN, installed)
    row = bench.on_networks(lambda models: adapter_row(bench, models))
    assert (row.verdict, row.measured) == (verdict, words)


def test_a_generation_that_fails_leaves_the_other_checks(check, monkeypatch) -> None:
    def overflow(*_: object) -> None:
        raise Overflow

    monkeypatch.setattr(pipeline, "decode", overflow)
    report = check(CELLS)
    (row,) = report.of("FAIL")
    assert row.key == "generation" and "numbers overflowed" in row.meaning
    assert {"latents", "embeddings", "precision"} <= {one.key for one in report.of("PASS")}


# -- the demo families -----------------------------------------------------------------------


@pytest.fixture
def demo() -> Callable[[], VerificationReport]:
    """A function that verifies the demo family with quick pictures of real networks."""

    def run() -> VerificationReport:
        found: list[VerificationReport] = []

        def receive(event: object) -> None:
            if isinstance(event, Verified):
                found.append(VerificationReport.from_dict(event.report))

        request = VerifyRequest("demo", pictures=2, steps=5)
        verify(request, Engine(torch.device("cpu")), receive)
        return found[-1]

    return run


def test_the_demo_family_passes_against_its_own_figures(demo) -> None:
    report = demo()
    assert not report.failed and report.own_figures and report.samples == "bundled"
    assert {"psnr", "style 256", "placed", "follows"} <= {row.key for row in report.of("PASS")}
    figures = read_figures(BUNDLED)
    assert "make_verification.py" in figures.command and "seed" in figures.command


def test_a_controlnet_without_effect_fails_the_rows_of_nuclei(demo, monkeypatch) -> None:
    monkeypatch.setattr(Denoiser, "_residuals", lambda self, *given: [])
    assert failed(demo()) == ["placed", "follows"]
