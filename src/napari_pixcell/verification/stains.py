"""Checks of a stain: its flow, its adapter, positive nuclei, and nuclei that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.ihc.measures import measure_staining
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import Source
from napari_pixcell.engine.requests import STAIN_STRENGTH, StartImage, stain_request, tile_size
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import is_stain
from napari_pixcell.models.loading import LoadedFamily
from napari_pixcell.models.lora import adapter_layers, open_adapter
from napari_pixcell.models.store import require
from napari_pixcell.verification.bench import Bench
from napari_pixcell.verification.guidance import first_prediction
from napari_pixcell.verification.pictures import Drawn, draw, kappas, requests_of
from napari_pixcell.verification.report import CheckRow, not_applicable

MOVED, LORA = "Embeddings moved by the flow", "LoRA adapter"
POSITIVE, KEPT = "Positive nuclei", "Nuclei kept in structure mode"
TITLES = {"moved": MOVED, "lora": LORA, "positive": POSITIVE, "kept": KEPT}
NO_STAIN = "This family is no virtual stain."
NO_ADAPTER = "This stain has no LoRA adapter."
PER_BLOCK = 4  # adapted layers in each block of the published stains: to_q, to_k, to_v, to_out.0
NO_NUCLEI = -1.0  # instead of a percentage
PUBLISHED_SCALE = 1.0  # alpha / rank


def stain_rows(bench: Bench) -> tuple[list[CheckRow], Drawn | None]:
    """Check a virtual stain."""
    if not is_stain(bench.family):
        return [not_applicable(key, title, NO_STAIN) for key, title in TITLES.items()], None
    bench.tell(0, 0, "Checking the adapter")
    lora = bench.on_networks(lambda models: adapter_row(bench, models))
    drawn = draw(bench, requests_of(bench))
    return [_moved(bench), lora, _positive(bench, drawn), _kept(bench)], drawn


def _moved(bench: Bench) -> CheckRow:
    styles = bench.embeddings.reshape(-1, bench.embeddings.shape[-1])

    def work(models: LoadedFamily) -> NDArray[np.float32]:
        assert models.flow is not None
        moved = models.flow.translate(torch.from_numpy(styles).to(models.device))
        return np.asarray(moved.cpu().numpy())

    moved = bench.on_networks(work)
    spread = float(np.linalg.norm(styles - styles.mean(axis=0)))
    change = float(np.linalg.norm(moved - styles)) / max(spread, 1e-9)
    return bench.row(
        "moved",
        MOVED,
        change,
        f"{change:.2f} of their spread",
        "The flow leaves the embeddings as they are, or moves them out of all tissue, so the stain "
        "looks like H&E or like nothing.",
        "Get the stain again with “napari-pixcell models get”.",
    )


def adapter_row(bench: Bench, models: LoadedFamily) -> CheckRow:
    """Compare what the attached adapter does with what its file says."""
    part = bench.family.part("lora")
    if part is None:
        return not_applicable("lora", LORA, NO_ADAPTER)
    path = require(bench.family, part).weights
    tensors, _ = open_adapter(path)
    layers = adapter_layers(models.transformer, tensors, path.name)
    expected = len(layers)
    changes = {}
    for name, layer in layers.items():
        scale = layer.scale
        if part.hub_id:
            scale, expected = (
                PUBLISHED_SCALE,
                PER_BLOCK * len(models.transformer.transformer_blocks),
            )
        down, up = (tensors[key].float().to(models.device) for key in (layer.down, layer.up))
        changes[name] = down, up, scale
    request = replace(requests_of(bench)[0], guidance=1.0, steps=1)
    with _measured(models.transformer, changes) as strengths:
        first_prediction(bench, models, request)
    strength = max(strengths.values(), key=lambda one: abs(one - 1), default=0.0)
    error = max(abs(strength - 1), 1 - len(layers) / expected)
    return bench.row(
        "lora",
        LORA,
        error,
        f"{len(layers)} of {expected} layers, strength {strength:.2f}",
        "Only a part of the adapter acts, or it acts with another strength than published, so the "
        "stain is too weak or wrong.",
        "Get the stain again with “napari-pixcell models get”.",
        f"{expected} layers, strength 1",
        layers=len(layers),
        strength=strength,
    )


@contextmanager
def _measured(
    transformer: torch.nn.Module, changes: dict[str, tuple[Tensor, Tensor, float]]
) -> Iterator[dict[str, float]]:
    """Measure how strongly an adapter acts in each layer that is used within a block.

    What a layer adds to its base is projected on what the adapter's matrices add to it.
    """
    strengths: dict[str, float] = {}

    def hook(name: str, down: Tensor, up: Tensor, scale: float) -> Any:
        def measure(layer: Any, given: tuple[Tensor, ...], out: Tensor) -> None:
            base = layer.get_base_layer()(given[0]) if hasattr(layer, "get_base_layer") else out
            added = (out.float() - base.float()).flatten()
            wanted = (given[0].float() @ down.T @ up.T * scale).flatten()
            size = float(wanted @ wanted)
            strengths[name] = float(added @ wanted) / size if size else 1.0

        return measure

    handles = [
        transformer.get_submodule(name).register_forward_hook(hook(name, *change))
        for name, change in changes.items()
    ]
    try:
        yield strengths
    finally:
        for handle in handles:
            handle.remove()


def _positive(bench: Bench, drawn: Drawn) -> CheckRow:
    mpp, percents, looks = bench.family.mpp, [], set()
    for image in drawn.images:
        labels = segment_nuclei(image, mpp, brown=True)
        try:
            measured = measure_staining(image, mpp, labels)
        except PixCellError:  # no tissue
            looks.add("empty")
            continue
        looks.add(measured.look)
        if len(measured.labels):
            percents.append(measured.score().percent)
    percent = float(np.mean(percents)) if percents else NO_NUCLEI
    row = bench.row(
        "positive",
        POSITIVE,
        percent,
        f"{max(percent, 0):.0f} %, looks like {' or '.join(sorted(looks))}",
        "Stained pictures have no nuclei, an implausible share of positive ones, or the look of "
        "H&E.",
        "Check the adapter and the flow above first.",
    )
    return row if looks <= {*bench.figures.looks} else replace(row, verdict="FAIL")


def _kept(bench: Bench) -> CheckRow:
    family, mpp = bench.family, bench.family.mpp
    requests = [
        stain_request(
            family,
            size=tile_size(family),
            embedding=style,
            source=Source(),
            seed=bench.request.seed,
            steps=bench.steps,
            start=StartImage(image=PackedArray.pack(tissue), strength=STAIN_STRENGTH, invert=True),
        )
        for tissue, style in bench.sources
    ]
    drawn = draw(bench, requests)
    wanted = [segment_nuclei(tissue, mpp) for tissue, _ in bench.sources]
    found = [segment_nuclei(image, mpp, brown=True) for image in drawn.images]
    own, other = kappas(wanted, found)
    return bench.row(
        "kept",
        KEPT,
        own - other,
        f"kappa {own:.2f} (other tissue {other:.2f})",
        "A stain that starts from the tissue does not keep its nuclei.",
        "Keep more of the structure, and check the autoencoder above first.",
        f"{bench.figures.kept:.2f} higher than of other tissue",
        own=own,
        other=other,
    )
