"""From a picture back to the noise that it would come from.

Deterministic sampling is an equation that can be followed in both directions (DDIM inversion; Song
et al., 2010.02502): tissue is followed back under its own style, and forth again under another one.
What the two styles say alike comes out as it went in, so cells stay where they are. A step back
needs what the network says of the step's noisier end, which is not known yet: what it says of the
other end stands for it.
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
    """Follow clean latents back to the first step that is taken.

    Parameters
    ----------
    denoiser : Denoiser
        Without guidance, which would lead away from the picture.
    start : Tensor, float32, (batch, channels, height, width)
        Clean latents.
    embeddings : Tensor, (batch, tokens, dimension)
        What they look like.
    condition : Tensor, (batch, channels, height, width), optional
        Latents of the picture of the cells.
    on_step : callable
        Told (steps done, steps in all); whatever it raises ends the work.

    Returns
    -------
    Tensor, float32, like ``start``
        Noisy latents, from which the denoiser comes about to the start again.
    """
    solver, styles, latents = denoiser.solver, denoiser.styles(embeddings), start.float()
    for index in range(solver.steps - 1, solver.first - 1, -1):
        clean = denoiser.clean(index, latents, styles, condition)
        latents = solver.back(index, latents, clean)
        on_step(solver.steps - index, solver.steps - solver.first)
    return latents


class CanvasInverter(CanvasPainter):
    """Follows the start of a canvas back to the first step, window by window.

    Windows lie as they will on the way forth, but side by side where those are fused. This is not
    kept when the work is stopped: it starts anew.
    """

    def invert(self, on_rows: OnDone) -> None:
        """Let the canvas's latents be those of its start, followed back; the start is used up.

        Parameters
        ----------
        on_rows : callable
            Told (rows of windows done, rows in all); whatever it raises ends the work.
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
        """Take one step back with a row of windows."""
        y = row.y
        down = slice(y.given_from - y.start, y.given_to - y.start)
        for first in range(0, len(row.windows), self.batch):
            windows = row.windows[first : first + self.batch]
            read = [source[:, y.start : y.stop, w.x.start : w.x.stop] for w in windows]
            ends = torch.from_numpy(np.stack(read))
            clean = torch.from_numpy(self._predict(index, windows, ends.to(self.device)))
            begun = self.denoiser.solver.back(index, ends, clean).numpy()
            for x, one in zip((window.x for window in windows), begun, strict=True):
                inner = one[:, down, x.given_from - x.start : x.given_to - x.start]
                target[:, y.given_from : y.given_to, x.given_from : x.given_to] = inner
