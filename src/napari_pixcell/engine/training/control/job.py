"""Training of a ControlNet: pairs are read and encoded, it is trained, tried and registered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.checkpoint import checkpoint as compute_again

from napari_pixcell import __version__
from napari_pixcell.cells import condition_image, segment_nuclei
from napari_pixcell.cells.class_map import ClassMap, Palette
from napari_pixcell.cells.methods import METHODS
from napari_pixcell.engine.colour_match import colour_match
from napari_pixcell.engine.conditions import prepare
from napari_pixcell.engine.events import Event, Notice, Progress, TrainedControl
from napari_pixcell.engine.latents import encode_picture
from napari_pixcell.engine.loaded_models import LoadedModels, free_bytes
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.pipeline import make_together
from napari_pixcell.engine.request_values import GenerateRequest, SegmentRequest
from napari_pixcell.engine.requests import GenerationSettings, generate_request
from napari_pixcell.engine.segmenting import run_cellpose
from napari_pixcell.engine.tile_embedding import embed_tissue
from napari_pixcell.engine.tissue_colours import tissue_colours
from napari_pixcell.engine.training.control.gate import (
    ClassAgreement,
    GateTile,
    agreement,
    exchanged,
    looks,
)
from napari_pixcell.engine.training.control.pairs import (
    ControlFiles,
    ControlPair,
    class_counts,
    class_map,
    control_files,
    palette_of,
    places,
    read_control_pair,
    tile_grid,
)
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.control.steps import ControlExamples, train_controlnet
from napari_pixcell.engine.training.control.tiles import ControlTiles, TileLatents, symmetry
from napari_pixcell.engine.training.folder import CARD, TrainingFolder
from napari_pixcell.engine.training.job import base_family
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import is_stain, segmenter_file, segmenter_licence
from napari_pixcell.models.loading import LoadedFamily, load_part, pick_dtype, trains_in
from napari_pixcell.models.own_families import (
    WEIGHTS,
    check_not_taken,
    check_own_name,
    write_own_family,
)
from napari_pixcell.models.store import encoder_identity, require
from napari_pixcell.models.training_memory import ControlPlan, plan_control
from napari_pixcell.models.weights import cached_sha256, load_file
from napari_pixcell.networks.compiling import compile_blocks
from napari_pixcell.networks.controlnet import PixCellControlNet
from napari_pixcell.preferences import compile_wanted
from napari_pixcell.words import counted

FORMAT = 1  # increase it when the same pairs and settings yield another ControlNet
CARD_FORMAT = 1
FOLDER = "controlnet"  # in the folder of the training: config.json and weights, as published
SMALL_WIDTH, SMALL_RATE, RATE = 512, 4e-4, 5e-5
WANTED_TILES = 800  # with their symmetries
TRIED = 16  # held-out tiles on which it is evaluated, and for which images are generated
FITTED = 64  # training tiles whose cells show what a class looks like
EVALUATE_EVERY = 100  # steps
CHECKPOINT_SECONDS = 60.0
SEED = 20


class ControlTrainingRun:
    """Runs one request to train a ControlNet, or resumes it.

    Parameters
    ----------
    loaded : LoadedModels
        Provides the networks of the base.
    emit, check : callable
        Receives events, and raises once the user has cancelled the request.
    fitting : callable
        Runs a function, again with other settings if memory is full.
    """

    def __init__(
        self,
        request: TrainControlRequest,
        loaded: LoadedModels,
        emit: Callable[[Event], None],
        check: Callable[[], None],
        fitting: Any,
    ) -> None:
        self.request, self.loaded = request, loaded
        self._emit, self._check, self._fitting = emit, check, fitting
        self.files = TrainingFolder(Path(request.out).expanduser().resolve(), "ControlNet")
        self._licence = ""  # of a segmentation, whose terms extend to the masks

    def run(self) -> None:
        """Train, write and register the ControlNet, or resume its training.

        Raises
        ------
        PixCellError
            If the pairs do not fit, the base is missing, memory is too small, or nothing can be
            written.
        """
        request = self.request
        check_own_name(request.name, BUILT_IN, "ControlNet")
        check_not_taken(request.name, self.files.path / FOLDER)
        base = control_base(request.family)
        # First of all, because reading pairs takes long.
        plan = self._plan(base)
        files = control_files(Path(request.pairs).expanduser())
        if all(one.cells is None for one in files):
            self._emit(
                Notice(f"There are no masks, so {request.segment.words} segments the images.")
            )
        with self.files.locked():
            tiles, palette = self._read(base, files)
            signature = self._signature(base, tiles, palette)
            controlnet, figures = self._train(base, tiles, palette, plan, signature)
            rows = self._gate(base, controlnet, tiles, palette, files, signature)
            self._register(base, palette, figures, rows, signature)
        self._emit(
            TrainedControl(
                request.name,
                str(self.files.path),
                figures["held-out error"],
                figures["with another mask"],
                len(files),
                len(tiles.training),
                len(tiles.held_out),
                tuple(row.sentence() for row in rows),
                all(row.follows for row in rows),
            )
        )

    def _plan(self, base: Family) -> ControlPlan:
        """Return how the training fits into memory, and tell the user."""
        device = self.loaded.device
        self.loaded.unload()
        half = trains_in(device) is not None
        plan = plan_control(base, free_bytes(device), self.request.batch, half)
        if plan.needed:
            self._emit(Notice(plan.words(self.request.batch)))
        return plan

    # -- the pairs -------------------------------------------------------------------------

    def _read(self, base: Family, files: list[ControlFiles]) -> tuple[ControlTiles, Palette]:
        """Read all pairs, and encode the tiles that are not encoded yet."""
        request, counts, shapes, tissue = self.request, [], [], []
        for number, one in enumerate(files, 1):
            self._check()
            self._emit(Progress(number - 1, len(files), f"Reading pair {number} of {len(files)}"))
            pair = self._pair(base, one)
            counts.append((pair.name, class_counts(pair)))
            shapes.append(pair.image.shape)
            tissue.append(tile_grid(pair.image, base))
        palette = palette_of(request, counts)
        without = sum(count[""] for _, count in counts)
        if palette and without:
            self._emit(Notice(f"{counted(without, 'cell')} without a class are drawn white."))
        found = places(shapes, tissue, base, request.seed)
        views = max(1, min(8, WANTED_TILES // len(found)))
        key = self._key(base, palette, views)
        tiles = ControlTiles(self.files, found, [one.key(*key) for one in files])
        for number, one in enumerate(files):
            self._check()
            words = f"Encoding pair {number + 1} of {len(files)}"
            self._emit(Progress(number, len(files), words))
            if not tiles.has(number) and tiles.of_pair[number]:
                tiles.keep(number, self._encode(base, one, tiles, number, palette, views))
        return tiles, palette

    def _key(self, base: Family, palette: Palette, views: int) -> list[object]:
        """Return what the latents of a pair depend on, apart from its files."""
        vae = require(base, base.part("vae"))  # type: ignore[arg-type]
        weights = encoder_identity(base), cached_sha256(vae.weights)
        request = self.request
        how = request.mpp, base.mpp, base.tile, base.grid, base.cell_gap, request.seed
        return [FORMAT, *weights, *how, palette, views, request.segment.to_dict()]

    def _pair(self, base: Family, files: ControlFiles) -> ControlPair:
        pair = read_control_pair(files, base, self.request.mpp)
        if pair.labels is not None:
            return pair
        return replace(pair, labels=self._segmented(pair.image, base))

    def _segmented(self, image: NDArray[np.uint8], base: Family) -> NDArray[np.int32]:
        """Return the cells of an image without a mask, segmented once for all."""
        how = self.request.segment
        stamp = [FORMAT, base.mpp, how.to_dict(), hashlib.sha256(image.tobytes()).hexdigest()]
        if how.method != METHODS[0]:
            stamp.append(cached_sha256(segmenter_file(how.model)))
            self._licence = segmenter_licence(how.model)
        name = f"cells-{hashlib.sha256(json.dumps(stamp).encode()).hexdigest()[:32]}.npy"
        if (self.files.work / name).is_file():
            kept: NDArray[np.int32] = np.load(self.files.work / name, allow_pickle=False)
            return kept
        found = self._segment(image, base).astype(np.int32)
        self.files.save(name, lambda file: np.save(file, found))
        return found

    def _segment(self, image: NDArray[np.uint8], base: Family) -> NDArray[Any]:
        how = self.request.segment
        if how.method == METHODS[0]:
            smallest, largest = how.smallest_um2, how.largest_um2
            return segment_nuclei(image, base.mpp, how.sensitivity, smallest, largest_um2=largest)
        request = SegmentRequest(PackedArray.pack(image), base.mpp, how)

        def work() -> NDArray[np.int32]:
            segmenter = self.loaded.load_segmenter(how.model)
            outputs = run_cellpose(segmenter, request, lambda *_: self._check())
            return outputs.outline(how, base.mpp, self.loaded.segmenter_device)

        with torch.inference_mode():
            found: NDArray[np.int32] = self._fitting(
                work, lambda words: self._emit(Notice(words)), self.loaded.step_segmenter_down
            )
        return found

    def _encode(
        self,
        base: Family,
        files: ControlFiles,
        tiles: ControlTiles,
        number: int,
        palette: Palette,
        views: int,
    ) -> TileLatents:
        pair = self._pair(base, files)
        assert pair.labels is not None
        hint = condition_image(pair.labels, base.cell_gap, class_map(pair, palette))

        def work() -> TileLatents:
            models = self.loaded.load(base.name, check=self._check)
            rows: list[list[Any]] = [[], [], []]
            for place in tiles.of_pair[number]:
                self._check()
                window = tuple(slice(start, start + base.tile) for start in (place.y, place.x))
                picture = np.ascontiguousarray(pair.image[window])
                with self.loaded.encoder() as encoder:
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

        device, precision = self.loaded.device, trains_in(self.loaded.device)
        with (
            torch.inference_mode(),
            torch.autocast(device.type, precision, enabled=precision is not None),
        ):
            encoded: TileLatents = self._fitting(work, lambda words: self._emit(Notice(words)))
        return encoded

    def _signature(self, base: Family, tiles: ControlTiles, palette: Palette) -> str:
        """Return a hash of pairs and settings, which a checkpoint must match."""
        request = self.request
        how = request.steps, request.batch, request.seed, request.start
        what = [FORMAT, base.name, tiles.keys, palette, *how]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    # -- the ControlNet --------------------------------------------------------------------

    def _train(
        self, base: Family, tiles: ControlTiles, palette: Palette, plan: ControlPlan, signature: str
    ) -> tuple[Any, dict[str, Any]]:
        """Train the ControlNet, resume it, or read a finished one."""
        request, device = self.request, self.loaded.device
        self.loaded.unload()
        self._emit(Progress(0, 0, "Loading the model"))
        dtype = pick_dtype(base, device)
        transformer: Any = load_part(
            base,
            require(base, base.part("transformer")),  # type: ignore[arg-type]
            device,
            dtype,
            self._check,
        )
        controlnet = self._begin(base, transformer)
        card, weights = self.files.card(), self.files.path / FOLDER / WEIGHTS
        if card.get("signature") == signature and weights.is_file():
            controlnet.load_state_dict(load_file(weights))
            return controlnet.to(device).eval().requires_grad_(False), card["figures"]
        scheduler = json.loads(
            require(base, base.part("scheduler")).weights.read_text("utf-8")  # type: ignore[arg-type]
        )
        for network in (transformer, controlnet):
            if compile_wanted():
                compile_blocks(network)
            if plan.recompute:
                _recompute(network)
        resume = self.files.checkpoint("controlnet", signature)
        figures: dict[str, Any] = {}
        evaluated = ""

        def on_evaluation(step: int, own: float, other: float) -> None:
            nonlocal evaluated
            figures.update({"held-out error": round(own, 5), "with another mask": round(other, 5)})
            evaluated = f" · held-out error {own:.4f}, {other:.4f} with another tile's cells"

        def on_step(step: int, loss: float) -> None:
            words = f"Step {step:,} of {request.steps:,} · loss {loss:.4f}{evaluated}"
            self._emit(Progress(step, request.steps, words))
            self._check()

        def draw(generator: torch.Generator) -> ControlExamples:
            return tiles.draw(request.batch, device, generator)

        small = transformer.inner_dim < SMALL_WIDTH
        with self.files.checkpoints("controlnet", signature, CHECKPOINT_SECONDS) as keep:
            train_controlnet(
                transformer,
                controlnet,
                scheduler,
                draw,
                tiles.held(TRIED, device),
                steps=request.steps,
                rate=SMALL_RATE if small else RATE,
                at_once=plan.at_once,
                precision=trains_in(device),
                every=EVALUATE_EVERY,
                seed=request.seed,
                on_step=on_step,
                on_evaluation=on_evaluation,
                on_checkpoint=keep,
                resume=resume,
            )
        self._write(base, controlnet, palette, figures, signature)
        self.files.remove_checkpoint("controlnet")
        return controlnet, figures

    def _begin(self, base: Family, transformer: Any) -> PixCellControlNet:
        """Return the ControlNet that training starts from, in float32."""
        part = base.part("controlnet")
        if part is not None:
            config = require(base, part)
            controlnet: PixCellControlNet = load_part(  # type: ignore[assignment]
                base, config, self.loaded.device, torch.float32, self._check
            )
            if self.request.start == "auto":
                return controlnet
            blocks = controlnet.config.n_controlnet_blocks
        else:
            # As published: all blocks but the last.
            blocks = len(transformer.transformer_blocks) - 1
        made: PixCellControlNet = PixCellControlNet.from_transformer(transformer, blocks)
        nn.Module.to(made, self.loaded.device, torch.float32)  # in place
        return made

    def _write(
        self,
        base: Family,
        controlnet: Any,
        palette: Palette,
        figures: dict[str, Any],
        signature: str,
    ) -> None:
        """Write weights and configuration in the published layout, in half precision."""
        about = {"trained on": base.name, "classes": json.dumps(palette)}
        tensors = {name: value.half() for name, value in controlnet.state_dict().items()}
        config = {
            "_class_name": "PixCellControlNet",
            **{k: v for k, v in controlnet.config.items() if not k.startswith("_")},
        }
        self.files.write_json(f"{FOLDER}/config.json", config)
        self.files.write_tensors(f"{FOLDER}/{WEIGHTS}", tensors, about)
        self.files.write_json(CARD, {"signature": signature, "figures": figures})

    # -- the gate --------------------------------------------------------------------------

    def _gate(
        self,
        base: Family,
        controlnet: Any,
        tiles: ControlTiles,
        palette: Palette,
        files: list[ControlFiles],
        signature: str,
    ) -> list[ClassAgreement]:
        """Generate held-out tiles from their cells, and compare."""
        known = self.files.card().get("agreement")
        if known:
            return [
                ClassAgreement(**{k: v for k, v in row.items() if k != "follows"}) for row in known
            ]
        chosen = tiles.chosen(TRIED)
        asked: list[GenerateRequest] = []
        cut: list[tuple[NDArray[np.uint8], NDArray[np.int32], ClassMap | None]] = []
        fitted: list[tuple[NDArray[Any], NDArray[Any]]] = []
        shown = {pair for pair, _ in chosen}
        trained = [pair for pair, own in enumerate(tiles.of_pair) if own]
        for number in trained:
            self._check()
            if number not in shown and not palette:
                continue
            pair = self._pair(base, files[number])
            assert pair.labels is not None
            classes = class_map(pair, palette)
            own = tiles.of_pair[number]
            for place in [one for one in own if not one.held_out][: max(1, FITTED // len(trained))]:
                if classes is not None:
                    image, labels = _cut(pair, place.y, place.x, base.tile)
                    if labels.any():
                        fitted.append(looks(image, labels, classes))
            for index in [index for which, index in chosen if which == number]:
                image, labels = _cut(pair, own[index].y, own[index].x, base.tile)
                if not labels.any():
                    continue
                cut.append((image, labels, classes))
                asked.append(self._request(base, tiles, (number, index), image, labels, classes))
        if not asked:
            raise PixCellError(
                "No held-out tile has cells, so the ControlNet cannot be tried. Use more pairs."
            )
        repainted = []
        if palette and len(palette) > 1:
            repainted = [
                replace(one, classes=exchanged(one.classes, labels))
                for one, (_, labels, _) in zip(asked, cut, strict=True)
                if one.classes is not None
            ]
        images = self._generated(base, controlnet, [*asked, *repainted])
        again: Sequence[NDArray[np.uint8] | None] = images[len(asked) :] or [None] * len(asked)
        found = [
            GateTile(real, labels, classes, made, other)
            for (real, labels, classes), made, other in zip(
                cut, images[: len(asked)], again, strict=True
            )
        ]
        rows = agreement(found, fitted, base.mpp)
        self._keep_sheet(found, base)
        card = self.files.card()
        self.files.write_json(CARD, card | {"agreement": [row.to_dict() for row in rows]})
        return rows

    def _request(
        self,
        base: Family,
        tiles: ControlTiles,
        which: tuple[int, int],
        image: NDArray[np.uint8],
        labels: NDArray[np.int32],
        classes: ClassMap | None,
    ) -> GenerateRequest:
        settings = GenerationSettings.for_family(base, layout=True, count=1, seed=SEED)
        request = generate_request(
            base,
            settings,
            size=(base.tile, base.tile),
            embedding=tiles.tiles(which[0]).embeddings[which[1]],
            layout=labels,
            colour_match=colour_match(base.colour_match, tissue_colours(image, base.mpp)),
        )
        return replace(request, classes=classes)

    def _generated(
        self, base: Family, controlnet: Any, requests: list[GenerateRequest]
    ) -> list[NDArray[np.uint8]]:
        """Generate the images of requests with the trained ControlNet."""
        self.loaded.unload()
        controlnet.cpu()
        images: dict[int, NDArray[np.uint8]] = {}

        def work() -> list[NDArray[np.uint8]]:
            models: LoadedFamily = self.loaded.load(base.name, check=self._check)
            # Not the method of diffusers, which warns of parts that it keeps in float32.
            network = nn.Module.to(controlnet, models.device, models.dtype)
            models = replace(models, controlnet=network)
            at_once = max(1, self.loaded.batch)
            for start in range(0, len(requests), at_once):
                part = range(start, min(start + at_once, len(requests)))
                if all(number in images for number in part):
                    continue
                words = f"Generating held-out tile {start + 1} of {len(requests)}"
                self._emit(Progress(start, len(requests), words))
                members = [(prepare(requests[n], models), requests[n].seed) for n in part]
                made = make_together(members, lambda *_: self._check())
                for number, image in zip(part, made, strict=True):
                    if image is None:
                        raise PixCellError(
                            "A held-out image is not finite, so the ControlNet cannot be used. "
                            "Train it again from its base."
                        )
                    images[number] = image
            return [images[number] for number in range(len(requests))]

        with torch.inference_mode():
            made: list[NDArray[np.uint8]] = self._fitting(
                work, lambda words: self._emit(Notice(words))
            )
        return made

    def _keep_sheet(self, tiles: list[GateTile], base: Family) -> None:
        """Write a contact sheet: each held-out tile, its cells, and the images generated."""
        from PIL import Image

        rows = []
        for tile in tiles[:8]:
            hint = condition_image(tile.labels, base.cell_gap, tile.classes)
            parts = [tile.real, hint, tile.made]
            if tile.exchanged is not None and tile.classes is not None:
                swapped = exchanged(tile.classes, tile.labels)
                hint = condition_image(tile.labels, base.cell_gap, swapped)
                parts += [hint, tile.exchanged]
            rows.append(np.concatenate(parts, axis=1))
        sheet = Image.fromarray(np.concatenate(rows, axis=0))
        self.files.write_file("held_out.png", lambda file: sheet.save(file, "PNG"))

    # -- registration ----------------------------------------------------------------------

    def _register(
        self,
        base: Family,
        palette: Palette,
        figures: dict[str, Any],
        rows: list[ClassAgreement],
        signature: str,
    ) -> None:
        """Register a family of the user's own, and write its card."""
        request = self.request
        licence = f"trained by you on {base.title}, whose terms extend to it"
        if self._licence:
            licence += f"; masks: {self._licence}"
        notice = base.notice
        settings = {"title": request.name, "notice": notice, "cell_gap": base.cell_gap}
        weights = self.files.path / FOLDER / WEIGHTS
        write_own_family(request.name, base, settings, {"controlnet": weights}, licence, palette)
        self.files.write_json(
            CARD,
            {
                "napari-pixcell controlnet": CARD_FORMAT,
                "name": request.name,
                "base": base.name,
                "signature": signature,
                "classes": dict(palette),
                "figures": figures,
                "agreement": [row.to_dict() for row in rows],
                "steps": request.steps,
                "batch": request.batch,
                "seed": request.seed,
                "weights": {"controlnet": cached_sha256(weights)},
                "licence": f"{licence}: {base.licence}",
                "notice": notice,
                "versions": {"napari-pixcell": __version__, "torch": version("torch")},
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )


def control_base(name: str) -> Family:
    """Return the family that a ControlNet can be trained on. Raises PixCellError."""
    if name in BUILT_IN and is_stain(BUILT_IN[name]):
        allowed = ", ".join(one.name for one in BUILT_IN.values() if not is_stain(one))
        raise PixCellError(f"“{name}” is a virtual stain. Train a ControlNet on one of: {allowed}.")
    return base_family(name, "ControlNet")


def _recompute(network: Any) -> None:
    """Make a network compute each block again in the backward pass, to save memory."""
    block = network.pass_block
    network.pass_block = lambda *values: compute_again(block, *values, use_reentrant=False)


def _cut(
    pair: ControlPair, y: int, x: int, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    window = slice(y, y + side), slice(x, x + side)
    assert pair.labels is not None
    return np.ascontiguousarray(pair.image[window]), np.ascontiguousarray(pair.labels[window])
