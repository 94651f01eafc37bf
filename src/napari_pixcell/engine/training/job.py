"""Training of a stain: pairs are embedded, flow and adapter trained, and the stain registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.engine.events import Progress, Trained
from napari_pixcell.engine.latents import encode_picture
from napari_pixcell.engine.tile_embedding import cut_tiles, embed_tiles
from napari_pixcell.engine.training.context import TrainingContext
from napari_pixcell.engine.training.flow import TrainingProgress, flow_error, train_flow
from napari_pixcell.engine.training.folder import CARD, TrainingFolder
from napari_pixcell.engine.training.identity import signature_of
from napari_pixcell.engine.training.lora_stage import LoraTiles, run_lora_stage
from napari_pixcell.engine.training.pairs import (
    StainPair,
    folder_pairs,
    hold_out,
    read_pair,
    whole_tiles,
)
from napari_pixcell.engine.training.registering import base_family, register, withdraw
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.engine.training.stain_folder import (
    FLOW,
    FLOW_SIZES,
    LORA,
    EmbeddedPair,
    EmbeddedPairs,
    StainFolder,
)
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.loading import TRAINED_EPS
from napari_pixcell.models.own_families import check_not_taken, check_own_name
from napari_pixcell.models.store import encoder_identity, require
from napari_pixcell.models.weights import cached_sha256, load_file
from napari_pixcell.networks.stain_flow import StainFlowMLP, flow_sizes

FORMAT = 1  # increase it when the same pairs and settings yield another stain
EVALUATE_EVERY = 50  # steps of the flow
UNI = 1536  # dimension of the embeddings of UNI2-h
EXCHANGED = (
    "In {count} of {all} pairs, H&E and IHC seem to be exchanged or to show other stains. Check "
    "the folders."
)
GUIDANCE = 1.2  # of the published stains
ADAPTER = "adapter", "adapter signature"  # in the card
FIGURES = (
    "held-out error",
    "by one shift",
    "best step",
    "stopped early",
    "tiles",
    "tiles kept apart",
)


class TrainingRun:
    """Runs one request to train a stain, or resumes it."""

    def __init__(self, request: TrainRequest, context: TrainingContext) -> None:
        self.request, self.context = request, context
        self.files = TrainingFolder(Path(request.out).expanduser().resolve(), "stain")
        self.folder = StainFolder(self.files)

    def run(self) -> None:
        """Train, write and register the stain, or resume its training.

        Raises
        ------
        PixCellError
            If the pairs do not match, the base is missing, or nothing can be written.
        """
        request = self.request
        check_own_name(request.name, BUILT_IN)
        check_not_taken(request.name, self.files.path)
        base = base_family(request.family, "stain")
        pairs, note = folder_pairs(*(Path(p).expanduser() for p in (request.he, request.ihc)))
        if note:
            self.context.notice(note)
        with self.files.locked():
            embedded = self._embed(base, pairs)
            signature = self._signature(base, embedded)
            flow, figures = self._flow(embedded, signature)
            parts = {"flow": self.files.path / FLOW}
            if request.lora_steps:
                figures |= self._lora(base, embedded, flow, signature)
                parts["lora"] = self.files.path / LORA
            figures |= {"signature": signature}
            register(self.files, request, base, parts, _settings(request, base), figures)
        train, held = (len(embedded.choose(one)[0]) for one in (False, True))
        self.context.emit(
            Trained(
                request.name,
                str(self.files.path),
                figures["held-out error"],
                figures["by one shift"],
                len(pairs),
                train,
                held,
            )
        )

    # -- the pairs -------------------------------------------------------------------------

    def _embed(self, base: Family, pairs: list[StainPair]) -> EmbeddedPairs:
        """Embed pairs that are not embedded yet, with latents if an adapter is trained."""
        wanted = bool(self.request.lora_steps)
        keys, found = [], []
        for number, pair in enumerate(pairs, 1):
            words = f"Reading pair {number} of {len(pairs)}"
            self.context.progress(number - 1, len(pairs), words)
            key = self._pair_key(base, pair)
            known = self.folder.embedded(key)
            if known is None or (wanted and not self.folder.has_latents(key)):
                known = self._compute(base, pair, key, wanted)
            keys.append(key)
            found.append(known)
        exchanged = sum(pair.exchanged for pair in found)
        if exchanged:
            self.context.notice(EXCHANGED.format(all=len(found), count=exchanged))
        return EmbeddedPairs(found, keys, hold_out([p.tissue for p in found], self.request.seed))

    def _pair_key(self, base: Family, pair: StainPair) -> str:
        vae = require(base, base.part("vae"))  # type: ignore[arg-type]
        weights = encoder_identity(base), cached_sha256(vae.weights)
        mpp = self.request.mpp, base.mpp
        return pair.key(FORMAT, *weights, *mpp, base.tile // base.grid, base.grid)

    def _compute(self, base: Family, pair: StainPair, key: str, latents: bool) -> EmbeddedPair:
        pixels = read_pair(pair, base, self.request.mpp)
        side = base.tile // base.grid

        def work() -> tuple[EmbeddedPair, NDArray[np.float16] | None]:
            models = self.context.loaded.load(base.name, check=self.context.check)
            values = []
            with self.context.loaded.encoder() as encoder:
                for picture in (pixels.he, pixels.ihc):
                    tiles = cut_tiles(picture, side)
                    found = embed_tiles(
                        encoder, models.device, tiles, lambda *_: self.context.check()
                    )
                    values.append(found.reshape(*pixels.tissue.shape, -1))
            embedded = EmbeddedPair(values[0], values[1], pixels.tissue, pixels.exchanged)
            if not latents:
                return embedded, None
            encoded = []
            for corner in whole_tiles(pixels.tissue.shape, base.grid):
                self.context.check()
                window = tuple(slice(n * side, n * side + base.tile) for n in corner)
                both = [encode_picture(one[window], models)[0] for one in (pixels.he, pixels.ihc)]
                encoded.append(torch.stack(both).half().cpu().numpy())
            empty = np.zeros((0, 2, 1, 1, 1), np.float16)
            return embedded, np.stack(encoded) if encoded else empty

        with torch.inference_mode():
            embedded, encoded = self.context.fit(work)
        self.folder.keep_embedded(key, embedded)
        if encoded is not None:
            self.folder.keep_latents(key, encoded)
        return embedded

    def _signature(self, base: Family, embedded: EmbeddedPairs) -> str:
        """Return a hash of pairs and settings, which a checkpoint must match."""
        request = self.request
        return signature_of(FORMAT, base.name, embedded.keys, request.steps, request.seed)

    # -- the flow --------------------------------------------------------------------------

    def _flow(self, embedded: EmbeddedPairs, signature: str) -> tuple[Any, dict[str, Any]]:
        """Train the flow, resume it, or read a finished one."""
        train, held = embedded.choose(False), embedded.choose(True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.request.seed)
            flow = new_flow(train[0].shape[1])
        done = self.files.card()
        if done.get("signature") == signature and (self.files.path / FLOW).is_file():
            flow.load_state_dict(load_file(self.files.path / FLOW))
            flow.to(self.context.loaded.device).eval().requires_grad_(False)
            return flow, {name: done[name] for name in FIGURES}
        flow.to(self.context.loaded.device)
        resume = self.files.checkpoint("flow", signature)
        best = resume["best"]["held_out"] if resume is not None else float("inf")
        self.context.emit(Progress(0, 0, "Training the flow"))

        def on_progress(now: TrainingProgress) -> None:
            nonlocal best
            assert now.held_out is not None
            best = min(best, now.held_out)
            at = f"Step {now.step:,} of {now.steps:,}"
            words = f"{at} · held-out error {now.held_out:.2f}, best {best:.2f}"
            self.context.emit(Progress(now.step, now.steps, words))
            self.context.check()

        with self.files.checkpoints("flow", signature) as keep:
            trained = train_flow(
                flow,
                *train,
                *held,
                steps=self.request.steps,
                every=EVALUATE_EVERY,
                seed=self.request.seed,
                on_progress=on_progress,
                on_checkpoint=keep,
                resume=resume,
            )
        figures = {
            "held-out error": round(trained.held_out, 4),
            "by one shift": round(_shift_error(*train, *held), 4),
            "best step": trained.step,
            "stopped early": trained.stopped,
            "tiles": len(train[0]),
            "tiles kept apart": len(held[0]),
        }
        withdraw(self.files, self.request.name)
        about = {"stain": self.request.name, "base": self.request.family, TRAINED_EPS: "1e-05"}
        self.files.write_tensors(FLOW, trained.flow.state_dict(), about)
        shapes = {name: tuple(value.shape) for name, value in trained.flow.state_dict().items()}
        self.files.write_json(FLOW_SIZES, flow_sizes(shapes))
        self.files.write_json(CARD, {"signature": signature, **figures})
        self.files.remove_checkpoint("flow")
        return trained.flow, figures

    # -- the adapter -----------------------------------------------------------------------

    def _lora(
        self, base: Family, embedded: EmbeddedPairs, flow: Any, signature: str
    ) -> dict[str, Any]:
        """Train the adapter, resume it, or keep a finished one."""
        request = self.request
        own = signature_of(signature, request.lora_steps, request.aligned, request.batch)
        done = self.files.card()
        if done.get("adapter signature") == own and (self.files.path / LORA).is_file():
            return {name: done[name] for name in ADAPTER}
        latents = [self.folder.latents(key) for key in embedded.keys]
        tiles = LoraTiles(base, embedded, latents, flow, request)
        self.context.loaded.unload()
        self.context.emit(Progress(0, 0, "Loading the model"))
        with self.files.checkpoints("lora", own) as keep:
            tensors, figures = run_lora_stage(
                tiles,
                self.context.loaded.device,
                self.context.emit,
                self.context.check,
                keep,
                lambda: self.files.checkpoint("lora", own),
            )
        kept = {name: one for name, one in self.files.card().items() if name not in ADAPTER}
        withdraw(self.files, request.name, kept)
        about = {"stain": request.name, "base": request.family}
        self.files.write_tensors(LORA, tensors, about)
        self.files.write_json(
            CARD, self.files.card() | {"adapter": figures, "adapter signature": own}
        )
        self.files.remove_checkpoint("lora")
        return {"adapter": figures, "adapter signature": own}


def _settings(request: TrainRequest, base: Family) -> dict[str, Any]:
    """Return the settings of the family that a stain becomes."""
    notice = (
        f"{'DEMO' if base.bundled else 'Synthetic'}: a virtual stain trained by its user on "
        f"{base.title}, not a real one. Its cells may differ in position from those of the H&E. "
        "For research use only, not for diagnosis"
    )
    return {"title": f"Virtual {request.name}", "notice": notice, "guidance": GUIDANCE}


def new_flow(width: int) -> StainFlowMLP:
    """Return a new flow: the published one for UNI's embeddings, a smaller one for others."""
    if width == UNI:
        return StainFlowMLP()
    return StainFlowMLP(width, width, width, width, width, num_res_blocks=4)


def _shift_error(source: Tensor, target: Tensor, held: Tensor, wanted: Tensor) -> float:
    """Return the error of one common shift of all embeddings, see :func:`flow_error`."""

    class Shift:
        def translate(self, embeddings: Tensor, _steps: int) -> Tensor:
            return embeddings + (target - source).mean(0)

    return flow_error(Shift(), held, wanted)
