"""The LoRA stage of training a stain: its tiles, its layers, and what fits in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.engine.training.denoising import Examples
from napari_pixcell.engine.training.flow import TrainingProgress
from napari_pixcell.engine.training.lora import (
    PUBLISHED_RANK,
    PUBLISHED_TARGETS,
    adapter_loss,
    train_lora,
)
from napari_pixcell.engine.training.optimisation import recompute_blocks
from napari_pixcell.engine.training.pairs import whole_tiles
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.engine.training.stain_folder import EmbeddedPairs
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.build import read_config
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.loading import load_part, pick_dtype
from napari_pixcell.models.lora import attach_lora, fold_strength, open_adapter
from napari_pixcell.models.store import require
from napari_pixcell.words import counted

# With one embedding per tile, cross-attention adds the same to every patch. It cannot make one
# nucleus brown and its neighbour blue.
ONE_EMBEDDING_TARGETS = (
    *(f"attn1.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn2.{name}" for name in ("to_v", "to_out.0")),
    "ff.net.0.proj",
    "ff.net.2",
)
ONE_EMBEDDING_RANK = 16
FROM_START = 0.6  # fraction of the examples, if pairs are aligned
SMALL_WIDTH, SMALL_RATE, RATE = 512, 1e-3, 1e-4
EVERY = 10  # steps between checkpoints
TRIED = 16  # held-out tiles on which the adapter is evaluated


class LoraTiles:
    """The tiles of a stain, with their embeddings and latents.

    Parameters
    ----------
    base : Family
        The family that the stain is trained on.
    latents : list of array
        Latents of each pair, see :meth:`~.stain_folder.StainFolder.keep_latents`.
    flow : StainFlowMLP
        The trained flow. Its output for the H&E is the style used for generation.

    Raises
    ------
    PixCellError
        If no pair holds a whole tile of the generator.
    """

    def __init__(
        self,
        base: Family,
        embedded: EmbeddedPairs,
        latents: list[NDArray[np.float16]],
        flow: Any,
        request: TrainRequest,
    ) -> None:
        self.base, self.request = base, request
        self._latents = latents
        self.training: list[tuple[int, int]] = []  # index of the pair, and of the tile in it
        self.held_out: list[tuple[int, int]] = []
        styles: dict[tuple[int, int], Tensor] = {}
        device = next(flow.parameters()).device
        for number, (pair, held) in enumerate(zip(embedded.pairs, embedded.held_out, strict=True)):
            for index, (row, column) in enumerate(whole_tiles(pair.tissue.shape, base.grid)):
                cells = slice(row, row + base.grid), slice(column, column + base.grid)
                if not pair.tissue[cells].any():
                    continue
                (self.held_out if held[cells].any() else self.training).append((number, index))
                he, ihc = (
                    torch.from_numpy(values[cells].reshape(-1, values.shape[-1]))
                    for values in (pair.he, pair.ihc)
                )
                moved = flow.translate(he.to(device)).cpu()
                styles[number, index] = torch.stack([ihc, moved])
        self._styles = styles
        if not self.training:
            raise PixCellError(
                f"No pair holds a whole tile of {base.title} ({base.tile * base.mpp:.0f} µm) to "
                "train its adapter on. Use larger images, or more of them."
            )

    def sampler(self, batch: int, device: torch.device) -> Callable[[torch.Generator], Examples]:
        """Return a function that draws random batches of training tiles."""

        def draw(generator: torch.Generator) -> Examples:
            chosen = torch.randint(len(self.training), (batch,), generator=generator).tolist()
            which = torch.randint(2, (batch,), generator=generator).tolist()
            return self._examples([self.training[n] for n in chosen], which, device)

        return draw

    def evaluation(self, device: torch.device) -> list[Examples]:
        """Return held-out tiles, one by one, with the styles used for generation."""
        return [self._examples([one], [1], device) for one in self.held_out[:TRIED]]

    @property
    def from_start(self) -> float:
        """Fraction of the examples that start from the H&E."""
        return FROM_START if self.request.aligned else 0.0

    def _examples(
        self, tiles: list[tuple[int, int]], which: list[int], device: torch.device
    ) -> Examples:
        both = np.stack([self._latents[number][index] for number, index in tiles])
        latents = torch.from_numpy(both).to(device).float()
        styles = [self._styles[tile][n] for tile, n in zip(tiles, which, strict=True)]
        return Examples(latents[:, 1], torch.stack(styles).to(device), latents[:, 0])


def run_lora_stage(
    tiles: LoraTiles,
    device: torch.device,
    emit: Callable[[Event], None],
    check: Callable[[], None],
    keep: Callable[[dict[str, Any]], None],
    kept: Callable[[], dict[str, Any] | None],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train the adapter, with fewer tiles at once if memory is full.

    Parameters
    ----------
    emit, check : callable
        Receives events, and raises once the user has cancelled.
    keep, kept : callable
        Stores a checkpoint, and returns the last one.

    Returns
    -------
    tensors, figures : dict
        Tensors under the published names, and results on held-out tiles.

    Raises
    ------
    PixCellError
        If there is too little memory for one tile.
    """
    request, batch = tiles.request, tiles.request.batch
    state = kept()

    def remember(checkpoint: dict[str, Any]) -> None:
        nonlocal state
        state = checkpoint
        keep(checkpoint)

    def on_progress(now: TrainingProgress) -> None:
        words = f"Adapter, step {now.step:,} of {now.steps:,} · loss {now.loss:.3f}"
        emit(Progress(now.step, now.steps, words))

    while True:
        try:
            transformer, scheduler, dtype = _load(tiles.base, device, check)
            draw = tiles.sampler(batch, device)

            def next_batch(generator: torch.Generator) -> Examples:
                check()
                return draw(generator)  # noqa: B023

            one = tiles.base.grid == 1
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(request.seed)
                tensors = train_lora(
                    transformer,
                    scheduler,
                    next_batch,
                    rank=ONE_EMBEDDING_RANK if one else PUBLISHED_RANK,
                    targets=ONE_EMBEDDING_TARGETS if one else PUBLISHED_TARGETS,
                    steps=request.lora_steps,
                    rate=SMALL_RATE if transformer.inner_dim < SMALL_WIDTH else RATE,
                    from_start=tiles.from_start,
                    precision=dtype if dtype != torch.float32 else None,
                    every=EVERY,
                    seed=request.seed,
                    on_progress=on_progress,
                    on_checkpoint=remember,
                    resume=state,
                )
            break
        except torch.OutOfMemoryError:
            pass
        # Outside the handler, because the exception it caught holds memory.
        del transformer
        if batch == 1:
            raise PixCellError(
                "There is not enough memory to train the adapter. Close other programs, or train "
                "only the flow (without --lora)."
            )
        batch //= 2
        torch.cuda.empty_cache()
        emit(Notice(f"Memory is full. Trying again with {counted(batch, 'tile')} at once"))
    figures: dict[str, Any] = {
        "steps": request.lora_steps,
        "tiles": len(tiles.training),
        "tiles kept apart": len(tiles.held_out),
        "begins at the H&E": tiles.from_start,
    }
    held_out = tiles.evaluation(device)
    if held_out:
        emit(Progress(0, 0, "Evaluating the adapter on held-out tiles"))
        with_it, without = adapter_loss(transformer, scheduler, held_out, tiles.from_start, dtype)
        figures |= {"loss": round(with_it, 4), "loss without it": round(without, 4)}
    return tensors, figures


def _load(
    base: Family, device: torch.device, check: Callable[[], None]
) -> tuple[Any, dict[str, Any], torch.dtype]:
    """Load the transformer to train, and the scheduler's configuration."""
    dtype = pick_dtype(base, device)
    found = {part.kind: require(base, part) for part in base.parts}
    transformer: Any = load_part(base, found["transformer"], device, dtype, check)
    if "lora" in found:  # training continues from the base stain
        path = found["lora"].weights
        attach_lora(transformer, open_adapter(path)[0], path.name, torch.float32, device)
        fold_strength(transformer)
    # The activations of a tile of 1024 px would fill a large GPU.
    recompute_blocks(transformer)
    return transformer, read_config(found["scheduler"].weights), dtype
