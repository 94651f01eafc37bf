"""Encodes the tiles of all pairs, and the images of their cells, unless they are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_pixcell.cells import condition_image
from napari_pixcell.cells.class_map import Palette
from napari_pixcell.engine.latents import encode_picture
from napari_pixcell.engine.tile_embedding import embed_tissue
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.control.pairs import Place, class_map
from napari_pixcell.engine.training.control.reading import PairReader, PairSurvey
from napari_pixcell.engine.training.control.tiles import ControlTiles, TileLatents, symmetry
from napari_pixcell.engine.training.folder import TrainingFolder
from napari_pixcell.models.loading import trains_in
from napari_pixcell.models.store import encoder_identity, require
from napari_pixcell.models.weights import cached_sha256

FORMAT = 1  # increase it when the same pairs and settings yield another ControlNet
WANTED_TILES = 800  # with their symmetries


def encode_pairs(
    pairs: PairReader, survey: PairSurvey, folder: TrainingFolder, context: TrainingContext
) -> ControlTiles:
    """Encode the tiles of all pairs that are not encoded yet, and return them."""
    views = max(1, min(8, WANTED_TILES // len(survey.places)))
    key, total = _key(pairs, survey.palette, views), len(pairs.files)
    tiles = ControlTiles(folder, survey.places, [one.key(*key) for one in pairs.files])
    for number in range(total):
        context.progress(number, total, f"Encoding pair {number + 1} of {total}")
        if not tiles.has(number) and tiles.of_pair[number]:
            found = _encode(pairs, number, tiles.of_pair[number], survey.palette, views, context)
            tiles.keep(number, found)
    return tiles


def _key(pairs: PairReader, palette: Palette, views: int) -> list[object]:
    """Return what the latents of a pair depend on, apart from its files."""
    base, request = pairs.base, pairs.request
    vae = require(base, base.part("vae"))  # type: ignore[arg-type]
    weights = encoder_identity(base), cached_sha256(vae.weights)
    how = request.mpp, base.mpp, base.tile, base.grid, base.cell_gap, request.seed
    model = [pairs.segmenter_hash] if pairs.segmenter_hash is not None else []
    return [FORMAT, *weights, *how, palette, views, request.segment.to_dict(), *model]


def _encode(
    pairs: PairReader,
    number: int,
    places: list[Place],
    palette: Palette,
    views: int,
    context: TrainingContext,
) -> TileLatents:
    base, pair = pairs.base, pairs.read(number)
    assert pair.labels is not None
    hint = np.zeros_like(pair.image)
    if pair.labels.any():
        hint = condition_image(pair.labels, base.cell_gap, class_map(pair, palette))

    def work() -> TileLatents:
        models = context.loaded.load(base.name, check=context.check)
        rows: list[list[Any]] = [[], [], []]
        for place in places:
            context.check()
            window = tuple(slice(start, start + base.tile) for start in (place.y, place.x))
            picture = np.ascontiguousarray(pair.image[window])
            with context.loaded.encoder() as encoder:
                rows[2].append(embed_tissue(encoder, models, picture))
            for part, source in zip(rows, (picture, hint[window]), strict=False):
                part.append(
                    [
                        encode_picture(symmetry(source, which), models)[0].half().cpu().numpy()
                        for which in range(views)
                    ]
                )
        latents, hints, embeddings = (np.array(one) for one in rows)
        return TileLatents(latents, hints, embeddings.astype(np.float32))

    device, precision = context.loaded.device, trains_in(context.loaded.device)
    with (
        torch.inference_mode(),
        torch.autocast(device.type, precision, enabled=precision is not None),
    ):
        return context.fit(work)
