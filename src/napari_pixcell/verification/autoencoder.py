"""Checks of the autoencoder: latents as stored, their scale, and reconstruction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.engine.latents import decode, encode_picture, to_image
from napari_pixcell.engine.loaded_models import VAE_TILE, free_bytes
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.models.memory import DECODED, RESERVE
from napari_pixcell.verification.bench import Bench
from napari_pixcell.verification.report import CheckRow, not_applicable
from napari_pixcell.verification.samples import SIDE

LATENTS, SCALING, PSNR = "Latents", "Scale and shift of the latents", "Reconstruction"
OWN = "The autoencoder is your own: nothing is published about it."
OTHER_DECODER = "The decoder makes the look of a stain, not the tissue."
GET_AGAIN = "Run “napari-pixcell models check”, and get the family again if a file is damaged."


@dataclass(frozen=True)
class _Encoded:
    """A patch by our encoder and by its authors', (channels, height, width), and its PSNR."""

    ours: NDArray[np.float32]
    stored: NDArray[np.float32]
    psnr: float


def autoencoder_rows(bench: Bench) -> list[CheckRow]:
    """Encode and decode the patches, and compare them with what their authors stored."""
    titles = {"latents": LATENTS, "scaling": SCALING, "psnr": PSNR}
    if bench.is_own("vae"):
        return [not_applicable(key, title, OWN) for key, title in titles.items()]
    encoded = []
    for number, patch in enumerate(bench.patches):
        bench.tell(number, len(bench.patches), "Encoding the patches")
        pixels = patch.read_pixels()

        def work(models: LoadedFamily, pixels: NDArray[np.uint8] = pixels) -> tuple[object, float]:
            with fitting_windows(models):
                latents = encode_picture(pixels, models)
                again = to_image(torch.from_numpy(decode(latents, models)))
            return latents[0].cpu().numpy(), psnr(pixels, again)

        ours, ratio = bench.on_networks(work)
        values = np.asarray(ours, np.float32)
        encoded.append(_Encoded(values, patch.read_latents(len(values)), ratio))
    return [*_latents(bench, encoded), _psnr(bench, encoded)]


@contextmanager
def fitting_windows(models: LoadedFamily) -> Iterator[None]:
    """Let the autoencoder work in windows within a block, if a whole patch does not fit.

    Without this, the family would be loaded with less memory, and stay so: a patch is larger than
    the tiles that most families are planned for.
    """
    vae, needed = models.vae, DECODED * SIDE**2 * models.dtype.itemsize
    roomy = needed <= free_bytes(models.device) * (1 - RESERVE)
    if roomy or not hasattr(vae, "enable_tiling") or vae.use_tiling:
        yield
        return
    vae.enable_tiling()
    vae.tile_sample_min_size, vae.tile_latent_min_size = VAE_TILE, VAE_TILE // 8
    try:
        yield
    finally:
        vae.disable_tiling()


def psnr(wanted: NDArray[np.uint8], found: NDArray[np.uint8]) -> float:
    """Compute the peak signal-to-noise ratio of two images in dB."""
    error = float(np.mean((wanted.astype(np.float64) - found) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def _latents(bench: Bench, encoded: list[_Encoded]) -> list[CheckRow]:
    """Fit scale and shift, by which the stored latents differ, then compare what is left."""
    ours = np.concatenate([one.ours.reshape(len(one.ours), -1) for one in encoded], axis=1)
    stored = np.concatenate([one.stored.reshape(len(one.stored), -1) for one in encoded], axis=1)
    slope, offset = _line(stored, ours)
    spread = _rms(stored - stored.mean(axis=1, keepdims=True))
    left = (ours - offset) / slope - stored if slope else stored
    away = _rms(left) / max(spread, 1e-9)
    agree = bench.row(
        "latents",
        LATENTS,
        away,
        f"{away:.1%} off",
        "The autoencoder does not make the latents that its authors stored for the same tissue: "
        "its weights, the order of the colours or the range of the input differ.",
        GET_AGAIN,
    )
    if agree.verdict == "FAIL":
        reason = "The latents differ too much to fit a factor."
        return [agree, not_applicable("scaling", SCALING, reason)]
    figures, shift = bench.figures, -offset / slope
    wrong = max(
        abs(slope / figures.scaling_factor - 1),
        abs(shift - figures.shift_factor) / max(spread, 1e-9),
    )
    scale = bench.row(
        "scaling",
        SCALING,
        wrong,
        f"{slope:.4f}, {shift:.4f}",
        "The generator receives latents of another size than in its training, so its pictures are "
        "pale, burnt or noise.",
        "Use the config.json that was published with the autoencoder.",
        figures.scaling,
        scale=slope,
        shift=shift,
    )
    return [agree, scale]


def _psnr(bench: Bench, encoded: list[_Encoded]) -> CheckRow:
    if bench.family.part("decoder") is not None:
        return not_applicable("psnr", PSNR, OTHER_DECODER)
    ratio = float(np.mean([one.psnr for one in encoded]))
    return bench.row(
        "psnr",
        PSNR,
        ratio,
        f"{ratio:.1f} dB",
        "Tissue that is encoded and decoded loses more than published, so every picture does.",
        GET_AGAIN,
    )


def _line(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """Return slope and offset of ``y`` over ``x`` by least squares."""
    a, b = x.ravel().astype(np.float64), y.ravel().astype(np.float64)
    centred = a - a.mean()
    slope = float(centred @ b / max(centred @ centred, 1e-12))
    return slope, float(b.mean() - slope * a.mean())


def _rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))
