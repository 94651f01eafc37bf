"""Requests of different styles, layouts and seeds in one pass of the networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_stain import write_own_stain
from random_checkpoints import SIZES, Widths, write_family
from real_layouts import sample_layout
from running import embedded, run, shallow_engine

from napari_pixcell.engine import presets
from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.conditions import prepare
from napari_pixcell.engine.denoiser import Denoiser
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Notice, Variant, VariantFailure
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.pipeline import denoise_together
from napari_pixcell.engine.presets import Preset
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.request_values import BatchRequest, GenerateRequest, request_from_dict
from napari_pixcell.engine.sampler import denoise
from napari_pixcell.engine.tissue_colours import tissue_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.models.loading import LoadedFamily, load_family
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

NARROW, LAYERS = "pixcell-256-cells", 4  # two of the layers are skipped at some steps
SKIPPING = Preset("skipping", "", whole_every=2, layout_every=2, guided=(0.0, 0.5))


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> LoadedFamily:
    """A published family with narrow networks of random weights."""
    folder = tmp_path_factory.mktemp("weights")
    write_family(get_family(NARROW), folder, Widths(**SIZES, layers=LAYERS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_WEIGHTS", str(folder))
        return load_family(get_family(NARROW), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def requests(engine: Engine, tissue: np.ndarray) -> list[GenerateRequest]:
    """Return requests of three styles, two layouts, and colours of their own."""
    left, right = (np.ascontiguousarray(tissue[:256, x : x + 256]) for x in (0, 128))
    layouts = [PackedArray.pack(sample_layout(0, x, 256).astype(np.uint16)) for x in (0, 256)]
    full = ColourMatch("full", tissue_colours(right, 0.5))  # nuclei apart
    made = GenerateRequest("demo", embedded(engine, left), layouts[0], count=1, steps=4, seed=5)
    return [
        made,
        replace(made, embedding=embedded(engine, right), seed=9, colour_match=full),
        replace(made, embedding=None, layout=layouts[1], seed=2),
    ]


@pytest.mark.parametrize("name", [*presets.PRESETS, SKIPPING.name])
@pytest.mark.parametrize("with_layout", [True, False], ids=["layout", "no layout"])
def test_a_batch_equals_its_images_made_alone(
    narrow: LoadedFamily, name: str, with_layout: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(presets.PRESETS, SKIPPING.name, SKIPPING)
    style = np.random.default_rng(0).normal(size=(1, SIZES["embed_dim"])).astype(np.float32)
    asked = [
        GenerateRequest(
            NARROW,
            embedding,
            PackedArray.pack(sample_layout(0, x, 256).astype(np.uint16)) if with_layout else None,
            count=1,
            steps=4,
            seed=seed,
            preset=name,
        )
        for embedding, x, seed in ((PackedArray.pack(style), 0, 5), (None, 256, 2))
    ]
    with torch.inference_mode():
        members = [(prepare(one, narrow), one.seed) for one in asked]
        together = denoise_together(members)
        alone = torch.cat([denoise_together([member]) for member in members])
    assert (together - alone).abs().max() < 1e-4 * alone.abs().max()
    assert all((together[0] - other).abs().max() > 0.1 for other in together[1:])


def test_a_batch_of_several_tokens_equals_its_images_made_alone() -> None:
    torch.manual_seed(0)
    network = PixCellTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=4,
        cross_attention_dim=16,
        sample_size=16,
        caption_channels=12,
        caption_num_tokens=16,
    ).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.normal_(0, 0.2)
    config = {"_class_name": "DPMSolverMultistepScheduler"}
    noise, styles = torch.randn(3, 16, 16, 16), torch.randn(3, 16, 12)
    with torch.inference_mode():
        denoiser = Denoiser(network, config, steps=4, guidance=2.0, preset=SKIPPING)
        together = denoise(denoiser, noise, styles)
        alone = [denoise(denoiser, noise[i : i + 1], styles[i : i + 1]) for i in range(3)]
    scale = together.abs().max()
    assert (together - torch.cat(alone)).abs().max() < 1e-4 * max(1.0, scale)


def variants(events: list[Any]) -> list[Variant]:
    return sorted((e for e in events if isinstance(e, Variant)), key=lambda e: e.index)


def failures(events: list[Any]) -> dict[int, str]:
    return {event.index: event.message for event in events if isinstance(event, VariantFailure)}


def grey_levels(one: np.ndarray, other: np.ndarray) -> int:
    """Return the largest difference of two images."""
    return int(np.abs(one.astype(int) - other).max())


def test_images_keep_their_places_and_are_reproduced_without_the_others(
    shallow: Engine, requests: list[GenerateRequest]
) -> None:
    first, second, third = (replace(one, steps=2) for one in requests)
    twice = replace(second, count=2)
    found = variants(run(shallow, BatchRequest((first, twice, third), at_once=3)))
    assert [one.index for one in found] == [0, 1, 2, 3]
    assert [one.record.batch for one in found] == [(3, 0), (3, 1), (3, 2), (3, 0)]
    wanted = [first, *twice.variants(), third]
    assert [one.record.request for one in found] == wanted
    for one in (found[1], found[3]):
        # On some processors matrix products round by the place of their operands in memory.
        assert grey_levels(np.asarray(shallow.reproduce(one.record)), one.image) <= 2
    alone = [variants(run(shallow, one))[0].image for one in wanted]
    assert max(grey_levels(a, b.image) for a, b in zip(alone, found, strict=True)) <= 2


def test_the_pixels_do_not_depend_on_the_images_beside(
    shallow: Engine, requests: list[GenerateRequest]
) -> None:
    first, second, third = (replace(one, steps=2) for one in requests)
    unreadable = replace(third, embedding=PackedArray.pack(np.ones((1, 7), np.float32)))
    whole = variants(run(shallow, BatchRequest((first, second, third), 4)))
    events = run(shallow, BatchRequest((first, second, unreadable), 4))
    padded = variants(run(shallow, BatchRequest((first, second), 4)))
    assert [np.array_equal(a.image, b.image) for a, b in zip(whole, padded, strict=False)] == [1, 1]
    others = variants(events)
    assert [np.array_equal(a.image, b.image) for a, b in zip(whole, others, strict=False)] == [1, 1]
    assert "Embed the region again with this model" in failures(events)[2]


def test_what_cannot_share_a_pass_is_made_alone(
    shallow: Engine, requests: list[GenerateRequest], tissue: np.ndarray
) -> None:
    first = replace(requests[0], steps=2)
    plain = replace(first, layout=None)
    others = [
        replace(plain, size=(256, 320)),
        replace(plain, start=PackedArray.pack(tissue[:256, :256]), strength=0.5),
        replace(plain, size=(100, 100)),
        replace(first, steps=3),
        replace(first, repair=Repair(rounds=0)),
    ]
    events = run(shallow, BatchRequest((first, plain, *others), 2))
    found = {one.index: one for one in variants(events)}
    assert sorted(found) == [0, 1, 2, 3, 5, 6]
    assert "100 × 100 px is smaller than one tile" in failures(events)[4]
    assert found[2].image.shape == (256, 320, 3)
    assert found[6].record.repair is not None and found[6].record.batch == (2, 1)
    for index in (2, 3):
        (single,) = variants(run(shallow, others[index - 2]))
        assert np.array_equal(single.image, found[index].image)


def test_a_stain_from_noise_is_batched(tmp_path: Path, requests: list[GenerateRequest]) -> None:
    name = write_own_stain(tmp_path, "batched", "Batched")
    plain = {"family": name, "layout": None, "colour_match": None, "steps": 2}
    asked = [replace(one, **plain) for one in requests[:2]]
    engine = Engine(torch.device("cpu"))
    found = variants(run(engine, BatchRequest(tuple(asked), 2)))
    alone = [variants(run(engine, one))[0] for one in asked]
    assert [one.record.batch for one in found] == [(2, 0), (2, 1)]
    assert all(grey_levels(a.image, b.image) <= 1 for a, b in zip(alone, found, strict=True))


def test_full_memory_halves_the_pass(
    requests: list[GenerateRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, tried = PixCellTransformer2DModel.forward, []

    def limited(self: Any, hidden_states: Any, *arguments: Any, **others: Any) -> Any:
        tried.append(len(hidden_states))
        if len(hidden_states) > 4:  # with guidance, two images
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, hidden_states, *arguments, **others)

    monkeypatch.setattr(PixCellTransformer2DModel, "forward", limited)
    engine, asked = shallow_engine(), [replace(one, steps=1, guidance=2.0) for one in requests]
    events = run(engine, BatchRequest(tuple(asked), 3))
    assert [one.record.batch for one in variants(events)] == [(1, 0)] * 3
    assert Notice("Memory is full. Trying again with fewer images at once") in events
    tried.clear()
    run(engine, BatchRequest(tuple(asked), 3))
    assert set(tried) == {2}  # it remembers


def test_a_batch_is_a_json_value(requests: list[GenerateRequest]) -> None:
    batch = BatchRequest(tuple(requests), 4)
    value = json.loads(json.dumps(batch.to_dict()))
    assert request_from_dict(value) == batch
    assert batch.family == "demo" and len(batch.variants()) == 3
    for damage in (
        {"requests": None},
        {"requests": [value]},
        {"requests": [{"kind": "embed"}]},
        {"at_once": "4"},
    ):
        with pytest.raises(PixCellError, match="does not hold a request"):
            request_from_dict(value | damage)


def test_batches_that_cannot_be_made_are_refused(requests: list[GenerateRequest]) -> None:
    other = replace(requests[0], family="pixcell-256", layout=None)
    with pytest.raises(PixCellError, match=r"mixes the models demo and pixcell-256. Use one batch"):
        BatchRequest((requests[0], other))
    with pytest.raises(PixCellError, match=r"has 0 images. Ask for 1 to 2,000"):
        BatchRequest(())
    with pytest.raises(PixCellError, match="images in a pass is 65"):
        BatchRequest((requests[0],), 65)


@pytest.mark.parametrize(
    ("family", "cpu", "gpu"), [("demo", 2, 8), ("pixcell-256", 2, 8), ("pixcell-1024", 1, 1)]
)
def test_a_pass_holds_as_many_images_as_are_fastest(family: str, cpu: int, gpu: int) -> None:
    assert Engine(torch.device("cpu")).at_once(family) == cpu
    assert Engine(torch.device("cuda")).at_once(family) == gpu
