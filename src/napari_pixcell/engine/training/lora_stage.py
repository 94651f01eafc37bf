"""The adapter of a stain: what it learns from, on which layers, and in what memory there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint as compute_again

from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.engine.training.flow import (
    PUBLISHED_RANK,
    PUBLISHED_TARGETS,
    Examples,
    adapter_loss,
    train_lora,
)
from napari_pixcell.engine.training.flow import Progress as Step
from napari_pixcell.engine.training.pairs import whole_tiles
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.engine.training.stain_folder import Embedded
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.adapters import open_adapter
from napari_pixcell.models.build import read_config
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.loading import load_part, pick_dtype
from napari_pixcell.models.lora import put_lora
from napari_pixcell.models.store import require

# With one embedding for a tile cross-attention adds the same to every patch: it cannot make one
# nucleus brown and its neighbour blue.
ONE_EMBEDDING_TARGETS = (
    *(f"attn1.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn2.{name}" for name in ("to_v", "to_out.0")),
    "ff.net.0.proj",
    "ff.net.2",
)
ONE_EMBEDDING_RANK = 16
FROM_START = 0.6  # of the lessons where pairs are aligned
SMALL_WIDTH, SMALL_RATE, RATE = 512, 1e-3, 1e-4
EVERY = 10  # steps from one checkpoint to the next
TRIED = 16  # tiles kept apart that the adapter is tried on


class LoraTiles:
    """The tiles of a stain, with what the frozen networks make of them.

    Parameters
    ----------
    base : Family
        What the stain is taught on.
    embedded : Embedded
        All pairs.
    latents : list of array
        Of each pair, see :meth:`.taught_files.StainFolder.keep_latents`.
    flow : StainFlowMLP
        Already taught: what it makes of the H&E is what will be read.
    request : TrainRequest

    Raises
    ------
    PixCellError
        If no pair holds a whole tile of the generator.
    """

    def __init__(
        self,
        base: Family,
        embedded: Embedded,
        latents: list[NDArray[np.float16]],
        flow: Any,
        request: TrainRequest,
    ) -> None:
        self.base, self.request = base, request
        self._latents = latents
        self.taught: list[tuple[int, int]] = []  # pair, and which of its tiles
        self.apart: list[tuple[int, int]] = []
        styles: dict[tuple[int, int], Tensor] = {}
        device = next(flow.parameters()).device
        for number, (pair, held) in enumerate(zip(embedded.pairs, embedded.apart, strict=True)):
            for index, (row, column) in enumerate(whole_tiles(pair.tissue.shape, base.grid)):
                cells = slice(row, row + base.grid), slice(column, column + base.grid)
                if not pair.tissue[cells].any():
                    continue
                (self.apart if held[cells].any() else self.taught).append((number, index))
                he, ihc = (
                    torch.from_numpy(values[cells].reshape(-1, values.shape[-1]))
                    for values in (pair.he, pair.ihc)
                )
                moved = flow.translate(he.to(device)).cpu()
                styles[number, index] = torch.stack([ihc, moved])
        self._styles = styles
        if not self.taught:
            raise PixCellError(
                f"No pair holds a whole tile of {base.title} ({base.tile * base.mpp:.0f} µm) to "
                "teach its adapter with; give larger pictures, or more of them."
            )

    def drawn(self, batch: int, device: torch.device) -> Callable[[torch.Generator], Examples]:
        """Give what draws batches of tiles that are taught."""

        def draw(generator: torch.Generator) -> Examples:
            chosen = torch.randint(len(self.taught), (batch,), generator=generator).tolist()
            which = torch.randint(2, (batch,), generator=generator).tolist()
            return self._examples([self.taught[n] for n in chosen], which, device)

        return draw

    def tried(self, device: torch.device) -> list[Examples]:
        """Give tiles that are not taught, one by one, as they will be read."""
        return [self._examples([one], [1], device) for one in self.apart[:TRIED]]

    @property
    def from_start(self) -> float:
        """Part of the lessons that begins at the H&E."""
        return FROM_START if self.request.aligned else 0.0

    def _examples(
        self, tiles: list[tuple[int, int]], which: list[int], device: torch.device
    ) -> Examples:
        both = np.stack([self._latents[number][index] for number, index in tiles])
        latents = torch.from_numpy(both).to(device).float()
        styles = [self._styles[tile][n] for tile, n in zip(tiles, which, strict=True)]
        return Examples(latents[:, 1], torch.stack(styles).to(device), latents[:, 0])


def teach_lora(
    lesson: LoraTiles,
    device: torch.device,
    emit: Callable[[Event], None],
    check: Callable[[], None],
    keep: Callable[[dict[str, Any]], None],
    kept: Callable[[], dict[str, Any] | None],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Teach the adapter; where memory is full with fewer tiles at once.

    Parameters
    ----------
    lesson : LoraTiles
    device : torch.device
    emit, check : callable
        Get events, and raise once the user has stopped it.
    keep, kept : callable
        Take a checkpoint, and give the last one.

    Returns
    -------
    tensors : dict of str to Tensor
        Under the published names.
    figures : dict
        How well it does on tiles that were not taught.

    Raises
    ------
    PixCellError
        If there is too little memory for one tile.
    """
    request, batch = lesson.request, lesson.request.batch
    state = kept()

    def remember(checkpoint: dict[str, Any]) -> None:
        nonlocal state
        state = checkpoint
        keep(checkpoint)

    def on_progress(step: Step) -> None:
        words = f"Adapter, step {step.step:,} of {step.steps:,} · loss {step.loss:.3f}"
        emit(Progress(step.step, step.steps, words))

    while True:
        try:
            transformer, scheduler, dtype = _load(lesson.base, device, check)
            draw = lesson.drawn(batch, device)

            def next_batch(generator: torch.Generator) -> Examples:
                check()
                return draw(generator)  # noqa: B023

            one = lesson.base.grid == 1
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
                    from_start=lesson.from_start,
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
        # Outside of the handler: what it caught holds the memory that must go first.
        del transformer
        if batch == 1:
            raise PixCellError(
                "There is not enough memory to teach the adapter; close other programs, or leave "
                "it out (without --lora only the flow is taught)."
            )
        batch //= 2
        torch.cuda.empty_cache()
        emit(Notice(f"Memory is full; again, with {batch} tiles at once"))
    figures: dict[str, Any] = {
        "steps": request.lora_steps,
        "tiles": len(lesson.taught),
        "tiles kept apart": len(lesson.apart),
        "begins at the H&E": lesson.from_start,
    }
    tried = lesson.tried(device)
    if tried:
        emit(Progress(0, 0, "Trying it on tiles kept apart"))
        with_it, without = adapter_loss(transformer, scheduler, tried, lesson.from_start, dtype)
        figures |= {"loss": round(with_it, 4), "loss without it": round(without, 4)}
    return tensors, figures


def _load(
    base: Family, device: torch.device, check: Callable[[], None]
) -> tuple[Any, dict[str, Any], torch.dtype]:
    """Load the transformer to be taught, and the scheduler's configuration."""
    dtype = pick_dtype(base, device)
    found = {part.kind: require(base, part) for part in base.parts}
    transformer: Any = load_part(base, found["transformer"], device, dtype, check)
    if "lora" in found:  # it goes on from the stain that it builds on
        path = found["lora"].weights
        put_lora(transformer, open_adapter(path)[0], path.name, torch.float32, device)
    block = transformer.pass_block
    # Each block is computed again on the way back, instead of remembering all it did: a tile of
    # 1024 px would fill a large card.
    transformer.pass_block = lambda *values: compute_again(block, *values, use_reentrant=False)
    return transformer, read_config(found["scheduler"].weights), dtype
