"""The bundled stain through the engine: brown and blue nuclei on a pale ground, and no claim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Embedding, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import EmbedRequest, GenerateRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO, DEMO_FOLDER, DEMO_STAIN
from napari_pixcell.models.weights import load_file, replace_weights
from napari_pixcell.slides import Region, open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    return open_slide(SAMPLE_SLIDE).read(Region(300, 300, 256, 256), 0.5)


def run(engine: Engine, request):
    events: list = []
    engine.run(request, events.append)
    return next(event for event in events if isinstance(event, Embedding | Variant))


@pytest.fixture(scope="module")
def request_(engine, tissue) -> GenerateRequest:
    values = run(engine, EmbedRequest(DEMO_STAIN.name, PackedArray.pack(tissue))).values
    style = PackedArray.pack(values)
    return GenerateRequest(DEMO_STAIN.name, style, count=1, steps=10, seed=1, guidance=1.2)


@pytest.fixture(scope="module")
def variant(engine, request_) -> Variant:
    return run(engine, request_)


def colours(rgb: np.ndarray) -> dict[str, float]:
    """Return the parts of a picture that are brown, blue and pale, by optical density."""
    density = -np.log10(np.maximum(rgb, 1) / 255)
    red, _, blue = np.moveaxis(density, -1, 0)
    dark = density.sum(-1)
    return {
        "brown": float(((dark > 1.2) & (blue > 1.15 * red)).mean()),
        "blue": float(((dark > 0.5) & (red > 1.3 * blue)).mean()),
        "pale": float((rgb.min(-1) > 200).mean()),
    }


def darkness(rgb: np.ndarray, channel: int | None = None) -> np.ndarray:
    grey = rgb[..., channel] if channel is not None else rgb.mean(-1)
    return gaussian_filter(255 - grey.astype(float), 3)


def test_it_has_brown_and_blue_nuclei_on_a_pale_background_unlike_h_and_e(
    engine, variant, tissue
) -> None:
    found = colours(variant.image)
    assert found["brown"] > 0.01 and found["blue"] > 0.02 and found["pale"] > 0.4
    assert colours(tissue)["brown"] < 0.005 and colours(tissue)["pale"] < 0.3


def test_it_is_labelled_as_a_demo(variant) -> None:
    assert variant.record.notice.startswith("DEMO") and "not biology" in variant.record.notice
    assert "not biology" in DEMO_STAIN.title and "BreCaHAD" in DEMO_STAIN.licence
    assert set(variant.record.weights) >= {"lora", "flow", "decoder", "vae", "transformer"}


def test_its_record_reproduces_its_pixels(variant) -> None:
    again = Engine().reproduce(variant.record)
    np.testing.assert_array_equal(np.asarray(again), variant.image)


def test_nuclei_keep_their_positions_only_when_started_from_the_tissue(
    engine, request_, variant, tissue
) -> None:
    held = run(engine, replace(request_, start=PackedArray.pack(tissue), strength=0.3)).image
    there = darkness(tissue, channel=0)  # haematoxylin takes the red
    kept, free = (
        np.corrcoef(there.ravel(), darkness(image).ravel())[0, 1] for image in (held, variant.image)
    )
    assert kept > 0.5 and kept > free + 0.3
    assert colours(variant.image)["brown"] > 0.003 and colours(held)["blue"] > 0.02


def test_it_shares_all_demo_networks_except_a_sixth_of_the_autoencoder(engine) -> None:
    shared = {part for part in DEMO.parts if part.kind != "preview"}
    assert shared < set(DEMO_STAIN.parts)
    decoder = load_file(DEMO_FOLDER / "stain" / "decoder.safetensors")
    vae = engine.load(DEMO_STAIN.name).vae.state_dict()
    plain = load_file(DEMO_FOLDER / "vae" / "diffusion_pytorch_model.safetensors")
    for name, value in vae.items():
        wanted = decoder.get(name, plain[name])
        torch.testing.assert_close(value, wanted.float(), rtol=0, atol=0)
    assert sum(t.numel() for t in decoder.values()) < sum(t.numel() for t in plain.values()) / 6
    with pytest.raises(PixCellError, match="do not belong to this network"):
        replace_weights(engine.load(DEMO_STAIN.name).vae, {"x": torch.zeros(1)}, "decoder")


def test_everything_bundled_stays_below_60_mb() -> None:
    sizes = [path.stat().st_size for path in DEMO_FOLDER.rglob("*") if path.is_file()]
    assert sum(sizes) < 60e6
