"""Inversion of an image to the noise that would generate it.

Deterministic sampling is an equation that can be solved in both directions (DDIM inversion; Song
et al., 2010.02502). Tissue is inverted under its own style and generated again under another one.
Whatever the two styles share is preserved, so cells stay in position. An exact step back would
need the network's prediction at the noisier end, which is not known yet. The prediction at the
cleaner end replaces it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from napari_pixcell.engine.canvas.painter import CanvasPainter, Floats
from napari_pixcell.engine.canvas.plan import Turn, WindowRow
from napari_pixcell.engine.denoiser import Denoiser

OnDone = Callable[[int, int], None]


def invert(
    denoiser: Denoiser,
    start: Tensor,
    embeddings: Tensor,
    condition: Tensor | None = None,
    on_step: OnDone = lambda done, total: None,
) -> Tensor:
    """Return the noisy latents at the first step to run that lead to given clean latents.

    Parameters
    ----------
    denoiser : Denoiser
        Without guidance, which would lead away from the image.
    start : Tensor, float32, (batch, channels, height, width)
        Clean latents. The denoiser turns the result back into approximately these.
    embeddings : Tensor, (batch, tokens, dimension)
        Their style.
    condition : Tensor, like the latents, optional
        Latents of the layout image.
    on_step : callable
        Receives (steps done, total steps). An exception raised in it ends the inversion.
    """
    solver, styles, latents = denoiser.solver, denoiser.styles(embeddings), start.float()
    for index in range(solver.steps - 1, solver.first - 1, -1):
        clean = denoiser.clean(index, latents, styles, condition)
        latents = solver.back(index, latents, clean)
        on_step(solver.steps - index, solver.steps - solver.first)
    return latents


class CanvasInverter(CanvasPainter):
    """Inverts the start image of a canvas, window by window.

    Windows have the positions of the same step of denoising, but abut where those are fused. An
    interrupted inversion restarts from the beginning.
    """

    def invert(self, on_rows: OnDone) -> None:
        """Replace the canvas's latents by those of its inverted start. The start is overwritten.

        ``on_rows`` receives (window rows done, total rows). An exception raised in it ends the
        inversion.
        """
        solver, side = self.denoiser.solver, self.canvas.window
        turns = [turn if turn.kind != "fused" else Turn() for turn in self._turns]
        total, done = sum(len(self.canvas.rows(turn)) for turn in turns), 0
        source, target = self.store.start, self.store.latents
        for index in range(solver.steps - 1, solver.first - 1, -1):
            for row in self.canvas.rows(turns[index - solver.first]):
                self._row_back(index, row, source, target)
                done += 1
                on_rows(done, total)
            source, target = target, source
        if source is not self.store.latents:
            for top in range(0, self.canvas.height, side):
                target[:, top : top + side] = source[:, top : top + side]

    def _row_back(self, index: int, row: WindowRow, source: Floats, target: Floats) -> None:
        y = row.y
        down = slice(y.write_from - y.start, y.write_to - y.start)
        for first in range(0, len(row.windows), self.batch):
            windows = row.windows[first : first + self.batch]
            read = [source[:, y.start : y.stop, w.x.start : w.x.stop] for w in windows]
            ends = torch.from_numpy(np.stack(read))
            clean = torch.from_numpy(self._predict(index, windows, ends.to(self.device)))
            begun = self.denoiser.solver.back(index, ends, clean).numpy()
            for x, one in zip((window.x for window in windows), begun, strict=True):
                inner = one[:, down, x.write_from - x.start : x.write_to - x.start]
                target[:, y.write_from : y.write_to, x.write_from : x.write_to] = inner
