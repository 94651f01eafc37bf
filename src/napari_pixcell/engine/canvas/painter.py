"""Denoising and decoding of images of any size, window by window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.engine.canvas.plan import (
    FACTOR,
    Canvas,
    CanvasWindow,
    Span,
    Turn,
    WindowRow,
    bells,
    ramps,
    weights,
    window_styles,
)
from napari_pixcell.engine.canvas.store import CanvasStore
from napari_pixcell.engine.denoiser import Denoiser, PreparedStyles
from napari_pixcell.engine.sampler import hold, noise_at
from napari_pixcell.engine.start_image import CanvasStart
from napari_pixcell.slides.stored_picture import Picture

Floats = NDArray[np.float32]
Decode = Callable[[Tensor], Floats]
Encode = Callable[[NDArray[np.uint8]], Tensor]
OnWindows = Callable[[int], None]
OnRows = Callable[[int, int], None]

STYLES_KEPT = 256  # windows whose prepared styles are cached from step to step
OVERLAP = 16  # overlap of the autoencoder's windows in latents: 128 px
KEPT_ROWS = 512  # rows of an unchanged start image written at once
LEAST = 1e-6  # smaller than the weight of any computed window


class CanvasPainter:
    """Denoises and decodes one canvas.

    Parameters
    ----------
    denoiser : Denoiser
        Denoiser of the generation.
    store : CanvasStore
        Its arrays. An interrupted canvas resumes from them.
    seed : int
        Seed of the noise.
    styles : array, float32, (rows, columns, dimension)
        Embeddings of the canvas.
    device : torch.device
        Device of the networks.
    condition : callable, optional
        Returns the latents of the layout image in a window, (1, channels, window, window).
    batch : int
        Windows per pass.
    start : CanvasStart, optional
        Image to start from. The store must then hold its latents.

    Attributes
    ----------
    begin_by : callable, optional
        Fills the store's latents for the first step, instead of noise and start. Windows then
        agree at their borders as the start does. The previous step has no weight there, as it
        would lag behind (seam ratio 0.75, against 0.94 without it and 0.94 of real tissue).
    finish_by : callable, optional
        Changes the decoded image in place, by rows. The store then takes them for damaged: if it
        is interrupted, they are decoded again, and it starts over.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        canvas: Canvas,
        store: CanvasStore,
        *,
        seed: int,
        styles: Floats,
        device: torch.device,
        condition: Callable[[CanvasWindow], Tensor] | None = None,
        batch: int = 1,
        start: CanvasStart | None = None,
    ) -> None:
        self.denoiser, self.canvas, self.store = denoiser, canvas, store
        self.seed, self.device, self.batch = seed, device, batch
        self._styles, self._condition = styles, condition
        self._start = start
        self.begin_by: Callable[[], None] | None = None
        self.finish_by: Callable[[Any], None] | None = None
        self._prepared: LRUCache[tuple[CanvasWindow, ...], PreparedStyles] = LRUCache(
            max(1, STYLES_KEPT // batch)
        )
        self._first = denoiser.solver.first
        self._turns = canvas.turns(denoiser.solver.steps - self._first)
        # The published method takes the plain mean.
        flat = np.ones((canvas.window, canvas.window), np.float32)
        self._bell = flat if canvas.published else weights(canvas.window)

    def paint(
        self,
        decode: Decode,
        decoded: int,
        on_windows: OnWindows,
        on_rows: OnRows,
        encode: Encode | None = None,
        on_encoded: OnRows = lambda done, total: None,
    ) -> Picture:
        """Generate the image, uint8 (height, width, 3), or resume it.

        Parameters
        ----------
        decode : callable
            Returns pixels in [0, 1], float32 (3, h, w), for latents (1, channels, h/8, w/8).
        decoded : int
            Side of the autoencoder's windows in latents.
        on_windows : callable
            Receives the number of finished windows after each row. An exception raised in it
            ends the work, which can be resumed.
        on_rows : callable
            Receives (rows done, total rows) after each row of decoded windows. Likewise.
        encode : callable, optional
            Returns latents, (1, channels, h, w), for pixels of the start, uint8 (8 h, 8 w, 3).
        on_encoded : callable
            As ``on_rows``, for the rows of the start.
        """
        steps = self.denoiser.solver.steps
        if self.store.finished is not None:
            return self.store.finished
        if self._start is not None and self._first == steps:
            self._keep(self._start)
            return self.store.finish()
        if self.store.resumed and self._harmed(decoded):
            self.store.restart()
        if not self.store.resumed:
            if self._start is not None and encode is not None:
                self._encode(self._start, encode, decoded, on_encoded)
            self._begin()
        for index in range(self.store.step, steps):
            self._step(index, on_windows)
        self._decode(decode, decoded, on_rows)
        if self.finish_by is not None:
            self.finish_by(self.store.picture)
        return self.store.finish()

    def windows_done(self) -> int:
        """Return the number of finished windows."""
        canvas, steps, store = self.canvas, self.denoiser.solver.steps, self.store
        done = 0
        for index in range(self._first, min(store.step + 1, steps)):
            rows = canvas.rows(self._turn(index))
            rows = rows if index < store.step else rows[: store.row]
            done += sum(len(row.windows) for row in rows)
        return done

    def _turn(self, index: int) -> Turn:
        return self._turns[index - self._first]

    def _keep(self, start: CanvasStart) -> None:
        for top in range(0, self.canvas.size[0], KEPT_ROWS):
            self.store.put(top, start.picture[top : top + KEPT_ROWS])

    def _encode(self, start: CanvasStart, encode: Encode, side: int, on_rows: OnRows) -> None:
        """Encode the start in windows, blended where they overlap, as far as it is needed."""
        canvas, store = self.canvas, self.store
        rows, columns = canvas.decoding(side, OVERLAP)
        first, stop = canvas.read_columns()
        store.start[:] = 0
        for number, (y, down) in enumerate(zip(rows, ramps(rows, 1), strict=True)):
            for x, across in zip(columns, ramps(columns, 1), strict=True):
                if canvas.near(WindowRow(y, ())) and x.start < stop and x.stop > first:
                    latents = encode(start.read(y.start, y.stop, x.start, x.stop))[0].cpu().numpy()
                    store.start[:, y.start : y.stop, x.start : x.stop] += latents * np.outer(
                        down, across
                    )
            on_rows(number + 1, len(rows))

    def _begin(self) -> None:
        store, side, solver = self.store, self.canvas.window, self.denoiser.solver
        if self.begin_by is not None:
            self.begin_by()
            store.begin(self._first)
            return
        channels, height, width = store.latents.shape
        for top in range(0, height, side):
            rows = min(side, height - top)
            noise = noise_at(self.seed, channels, top, 0, rows, width)
            begun = solver.begin(torch.from_numpy(noise), *self._held(top, top + rows))
            store.latents[:, top : top + rows] = begun.numpy()
        store.begin(self._first)

    def _held(self, top: int, bottom: int) -> tuple[Tensor | None, Tensor | None]:
        """Return the latents of the start in some rows, and the mask of those that change."""
        if self._start is None:
            return None, None
        start, free = torch.from_numpy(np.array(self.store.start[:, top:bottom])), self.canvas.free
        return start, torch.from_numpy(free[top:bottom]) if free is not None else None

    def _step(self, index: int, on_windows: OnWindows) -> None:
        canvas, store = self.canvas, self.store
        rows = canvas.rows(self._turn(index))
        fused = self._turn(index).kind == "fused"
        for number in range(store.row, len(rows)):
            row = rows[number]
            if not canvas.near(row):
                continue
            following = rows[number + 1] if number + 1 < len(rows) else None
            band = self._band(row)
            clean, weight = self._clean_row(index, row, band, fused)
            # Rows that no later window writes to are finished with this step.
            top = rows[number].y.start if fused else row.y.write_from
            bottom = (following.y.start if following else row.y.stop) if fused else row.y.write_to
            store.row = number
            self._advance(index, row, band, clean, weight, span=(top, bottom), following=following)
            on_windows(self.windows_done())
        if store.step == index:  # the last rows were skipped
            store.done(index + 1, 0, {}, {}, 0)

    def _band(self, row: WindowRow) -> Floats:
        """Return the latents that a row of windows reads, as they were before this step."""
        band = np.array(self.store.latents[:, row.y.start : row.y.stop])
        kept = self.store.carried.get("latents")
        if kept is not None:
            band[:, : kept.shape[1]] = kept
        return band

    def _clean_row(
        self, index: int, row: WindowRow, band: Floats, fused: bool
    ) -> tuple[Floats, Floats | None]:
        """Return a row's predicted clean latents, (channels, window, width), and summed weights."""
        clean = np.zeros_like(band)
        weight = np.zeros(band.shape[1:], np.float32) if fused else None
        kept = self.store.carried
        if weight is not None and "clean" in kept:
            rows = kept["clean"].shape[1]
            clean[:, :rows], weight[:rows] = kept["clean"], kept["weight"]
        for first in range(0, len(row.windows), self.batch):
            windows = row.windows[first : first + self.batch]
            noisy = np.stack([band[:, :, w.x.start : w.x.stop] for w in windows])
            found = self._predict(index, windows, torch.from_numpy(noisy).to(self.device))
            for window, one in zip(windows, found, strict=True):
                x = window.x
                if weight is not None:
                    clean[:, :, x.start : x.stop] += one * self._bell
                    weight[:, x.start : x.stop] += self._bell
                else:
                    inner = slice(x.write_from - x.start, x.write_to - x.start)
                    clean[:, :, x.write_from : x.write_to] = one[:, :, inner]
        return clean, weight

    def _predict(self, index: int, windows: tuple[CanvasWindow, ...], noisy: Tensor) -> Floats:
        condition = None
        if self._condition is not None and self.denoiser.plan[index].layout != "off":
            condition = torch.cat([self._condition(window) for window in windows])
        clean = self.denoiser.clean(index, noisy, self._styles_of(windows), condition)
        found: Floats = clean.cpu().numpy()
        return found

    def _styles_of(self, windows: tuple[CanvasWindow, ...]) -> PreparedStyles:
        prepared = self._prepared.get(windows)
        if prepared is None:
            values = np.stack([window_styles(self._styles, self.canvas, w) for w in windows])
            prepared = self.denoiser.styles(torch.from_numpy(values).to(self.device))
            self._prepared[windows] = prepared
        return prepared

    def _advance(
        self,
        index: int,
        row: WindowRow,
        band: Floats,
        clean: Floats,
        weight: Floats | None,
        *,
        span: tuple[int, int],
        following: WindowRow | None,
    ) -> None:
        """Advance the rows of ``span``, and store the values that the next windows need."""
        store, (top, bottom) = self.store, span
        inner = slice(top - row.y.start, bottom - row.y.start)
        ready: Any = clean[:, inner]
        if weight is not None:  # 0 where no window was computed
            ready = ready / np.maximum(weight[inner], LEAST)
        before = np.array(store.clean[:, top:bottom]) if index > self._first else None
        if before is not None and weight is None and self.begin_by is None:
            down, across = self.canvas.trust(self._turn(index))
            trusted = np.minimum(down[top:bottom, None], across)
            ready = before + trusted * (ready - before)
        start, free = self._held(top, bottom)
        if start is not None and free is not None:
            ready = hold(torch.from_numpy(ready), start, free).numpy()
        moved = self.denoiser.solver.advance(
            index,
            torch.from_numpy(band[:, inner]),
            torch.from_numpy(ready),
            torch.from_numpy(before) if before is not None else None,
        )
        carried: dict[str, Any] = {}
        step, number = (index, store.row + 1) if following else (index + 1, 0)
        if following is not None and following.y.start < row.y.stop:
            rest = slice(following.y.start - row.y.start, None)
            carried["latents"] = np.array(band[:, rest])
            if weight is not None:
                carried |= {"clean": np.array(clean[:, rest]), "weight": np.array(weight[rest])}
        store.done(step, number, {"latents": moved.numpy(), "clean": ready}, carried, top)

    def _harmed(self, side: int) -> bool:
        """Return True if rows of latents that are still needed were damaged."""
        store = self.store
        if store.step < self.denoiser.solver.steps:
            return any(store.damaged.values())
        rows, _ = self.canvas.decoding(side, OVERLAP)
        if not store.picture_begun:
            return bool(store.damaged["latents"])
        lost = self._lost_rows(rows)
        again = {above for n in lost for above in range(n + 1) if rows[above].stop > rows[n].start}
        needed = [rows[n] for n in again | set(range(store.row, len(rows)))]
        return any(
            span.start <= row < span.stop for span in needed for row in store.damaged["latents"]
        )

    def _lost_rows(self, rows: list[Span]) -> list[int]:
        """Return the numbers of the decoded rows that the image no longer holds."""
        return [n for n in range(self.store.row) if not self.store.holds(rows[n].start * FACTOR)]

    def _decode(self, decode: Decode, side: int, on_rows: OnRows) -> None:
        store = self.store
        rows, columns = self.canvas.decoding(side, OVERLAP)
        blend = bells if self.canvas.published else ramps
        downs, acrosses = blend(rows), blend(columns)
        if not store.picture_begun:  # lost, or now stored the other way
            store.row, store.carried = 0, {}

        def decoded(number: int, carried: Floats | None) -> tuple[Floats, Floats]:
            """Return the finished pixels of a row of windows, and those that the next adds to."""
            y, down = rows[number], downs[number]
            below = rows[number + 1].start if number + 1 < len(rows) else self.canvas.height
            shape = (y.stop - y.start) * FACTOR, self.canvas.width * FACTOR, 3
            picture = np.zeros(shape, np.float32)
            if carried is not None:
                picture[: len(carried)] = carried
            for x, across in zip(columns, acrosses, strict=True):
                if not self._touched(y, x):
                    continue
                latents = np.array(store.latents[:, y.start : y.stop, x.start : x.stop])
                pixels = decode(torch.from_numpy(latents)[None].to(self.device))
                weighted = pixels * np.outer(down, across)
                picture[:, x.start * FACTOR : x.stop * FACTOR] += np.moveaxis(weighted, 0, -1)
            ready = (below - y.start) * FACTOR
            return picture[:ready], np.array(picture[ready:])

        last, carried = -2, None
        for number in self._lost_rows(rows):
            if number != last + 1:
                carried = None
                for above in range(number):
                    if rows[above].stop > rows[number].start:  # it adds to the pixels of this row
                        _, carried = decoded(above, carried)
            ready, carried = decoded(number, carried)
            self._write(rows[number].start * FACTOR, ready)
            last = number
        for number in range(store.row, len(rows)):
            ready, carried = decoded(number, store.carried.get("pixels"))
            self._write(rows[number].start * FACTOR, ready)
            store.done(store.step, number + 1, {}, {"pixels": carried}, 0)
            on_rows(number + 1, len(rows))

    def _touched(self, y: Span, x: Span) -> bool:
        start = self._start
        return start is None or start.touched(y.start, y.stop, x.start, x.stop)

    def _write(self, top: int, pixels: Floats) -> None:
        """Write rows of pixels in [0, 1], cropped to the image."""
        height, width = self.canvas.size
        part = pixels[: max(0, height - top), :width]
        if len(part):
            ready = np.rint(part.clip(0, 1) * 255).astype(np.uint8)
            self.store.put(top, self._start.merge(top, ready) if self._start else ready)
