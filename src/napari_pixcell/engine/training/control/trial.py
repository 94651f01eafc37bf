"""Held-out tiles, generated from their cells by the trained ControlNet, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_pixcell.cells import condition_image
from napari_pixcell.cells.class_map import ClassMap, Palette
from napari_pixcell.engine.colour_match import colour_match
from napari_pixcell.engine.conditions import prepare
from napari_pixcell.engine.events import Progress
from napari_pixcell.engine.pipeline import make_together
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import GenerationSettings, generate_request
from napari_pixcell.engine.tissue_colours import tissue_colours
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.control.controlnet_stage import TRIED
from napari_pixcell.engine.training.control.gate import (
    ClassAgreement,
    GateTile,
    agreement,
    exchanged,
    looks,
)
from napari_pixcell.engine.training.control.pairs import class_map
from napari_pixcell.engine.training.control.reading import PairReader, cut
from napari_pixcell.engine.training.control.tiles import ControlTiles
from napari_pixcell.engine.training.folder import CARD, TrainingFolder
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.loading import LoadedFamily

FITTED = 64  # training tiles whose cells show what a class looks like
SHOWN = 8  # held-out tiles on the contact sheet
SEED = 20

Look = tuple[NDArray[Any], NDArray[Any]]  # see gate.looks


@dataclass(eq=False)
class AskedTiles:
    """Held-out tiles, what is asked for them, and what training cells look like."""

    requests: list[GenerateRequest] = field(default_factory=list)
    tiles: list[tuple[NDArray[np.uint8], NDArray[np.int32], ClassMap | None]] = field(
        default_factory=list
    )
    training: list[Look] = field(default_factory=list)

    def repainted(self) -> list[GenerateRequest]:
        """Return the requests with exchanged classes; none without classes, or with one."""
        return [
            replace(one, classes=exchanged(one.classes, labels))
            for one, (_, labels, _) in zip(self.requests, self.tiles, strict=True)
            if one.classes is not None and len(one.classes.palette) > 1
        ]


class ControlTrial:
    """Tries a trained ControlNet on held-out tiles, once for all."""

    def __init__(
        self,
        pairs: PairReader,
        tiles: ControlTiles,
        palette: Palette,
        folder: TrainingFolder,
        context: TrainingContext,
    ) -> None:
        self._pairs, self._tiles, self._palette = pairs, tiles, palette
        self._base, self._folder, self._context = pairs.base, folder, context

    def run(self, controlnet: Any) -> list[ClassAgreement]:
        """Generate held-out tiles from their cells, and return the agreement; or read it.

        Raises
        ------
        PixCellError
            If no held-out tile has cells, or an image is not finite.
        """
        known = self._folder.card().get("agreement")
        if known:
            return [
                ClassAgreement(**{k: v for k, v in row.items() if k != "follows"}) for row in known
            ]
        asked = self._asked()
        if not asked.requests:
            raise PixCellError(
                "No held-out tile has cells, so the ControlNet cannot be tried. Use more pairs."
            )
        count = len(asked.requests)
        images = self._generated(controlnet, [*asked.requests, *asked.repainted()])
        again: Sequence[NDArray[np.uint8] | None] = images[count:] or [None] * count
        found = [
            GateTile(real, labels, classes, made, other)
            for (real, labels, classes), made, other in zip(
                asked.tiles, images[:count], again, strict=True
            )
        ]
        rows = agreement(found, asked.training, self._base.mpp)
        self._keep_sheet(found)
        card = self._folder.card()
        self._folder.write_json(CARD, card | {"agreement": [row.to_dict() for row in rows]})
        return rows

    def _asked(self) -> AskedTiles:
        """Return held-out tiles with cells, and the looks of cells in training tiles."""
        asked, side = AskedTiles(), self._base.tile
        chosen = self._tiles.chosen(TRIED)
        shown = {pair for pair, _ in chosen}
        trained = [pair for pair, own in enumerate(self._tiles.of_pair) if own]
        fitted = max(1, FITTED // len(trained))
        for number in trained:
            self._context.check()
            if number not in shown and not self._palette:
                continue
            pair = self._pairs.read(number)
            classes = class_map(pair, self._palette)
            own = self._tiles.of_pair[number]
            for place in [one for one in own if not one.held_out][:fitted]:
                if classes is not None:
                    image, labels = cut(pair, place, side)
                    if labels.any():
                        asked.training.append(looks(image, labels, classes))
            for index in [index for which, index in chosen if which == number]:
                image, labels = cut(pair, own[index], side)
                if labels.any():
                    asked.tiles.append((image, labels, classes))
                    style = self._tiles.tiles(number).embeddings[index]
                    asked.requests.append(self._request(image, labels, classes, style))
        return asked

    def _request(
        self,
        image: NDArray[np.uint8],
        labels: NDArray[np.int32],
        classes: ClassMap | None,
        style: NDArray[np.float32],
    ) -> GenerateRequest:
        base = self._base
        request = generate_request(
            base,
            GenerationSettings.for_family(base, layout=True, count=1, seed=SEED),
            size=(base.tile, base.tile),
            embedding=style,
            layout=labels,
            colour_match=colour_match(base.colour_match, tissue_colours(image, base.mpp)),
        )
        return replace(request, classes=classes)

    def _generated(
        self, controlnet: Any, requests: list[GenerateRequest]
    ) -> list[NDArray[np.uint8]]:
        """Generate the images of requests with the trained ControlNet."""
        loaded, check = self._context.loaded, self._context.check
        loaded.unload()
        controlnet.cpu()
        images: dict[int, NDArray[np.uint8]] = {}

        def work() -> list[NDArray[np.uint8]]:
            models: LoadedFamily = loaded.load(self._base.name, check=check)
            # Not the method of diffusers, which warns of parts that it keeps in float32.
            network = nn.Module.to(controlnet, models.device, models.dtype)
            models = replace(models, controlnet=network)
            at_once = max(1, loaded.batch)
            for start in range(0, len(requests), at_once):
                part = range(start, min(start + at_once, len(requests)))
                if all(number in images for number in part):
                    continue
                words = f"Generating held-out tile {start + 1} of {len(requests)}"
                self._context.emit(Progress(start, len(requests), words))
                members = [(prepare(requests[n], models), requests[n].seed) for n in part]
                made = make_together(members, lambda *_: check())
                for number, image in zip(part, made, strict=True):
                    if image is None:
                        raise PixCellError(
                            "A held-out image is not finite, so the ControlNet cannot be used. "
                            "Train it again from its base."
                        )
                    images[number] = image
            return [images[number] for number in range(len(requests))]

        with torch.inference_mode():
            return self._context.fit(work)

    def _keep_sheet(self, tiles: list[GateTile]) -> None:
        """Write a contact sheet: each held-out tile, its cells, and the images generated."""
        from PIL import Image

        gap, rows = self._base.cell_gap, []
        for tile in tiles[:SHOWN]:
            parts = [tile.real, condition_image(tile.labels, gap, tile.classes), tile.made]
            if tile.exchanged is not None and tile.classes is not None:
                swapped = exchanged(tile.classes, tile.labels)
                parts += [condition_image(tile.labels, gap, swapped), tile.exchanged]
            rows.append(np.concatenate(parts, axis=1))
        sheet = Image.fromarray(np.concatenate(rows, axis=0))
        self._folder.write_file("held_out.png", lambda file: sheet.save(file, "PNG"))
