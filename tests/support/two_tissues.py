"""A slide of two tissues and glass, and a worker that embeds by colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from scripted import ScriptedClient

from napari_pixcell.engine.events import Embedding, Finished
from napari_pixcell.engine.request_values import EmbedRequest, Request
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.studio.tasks import JobHandle

GLASS, PINK, PURPLE = (244, 243, 245), (225, 150, 180), (110, 60, 140)


def two_tissues() -> np.ndarray:
    """Glass above; below pink tissue, and purple tissue on the right: 6 × 8 tiles."""
    picture = np.full((1536, 2048, 3), PINK, np.uint8)
    picture[:, 1024:] = PURPLE
    picture[:512] = GLASS
    picture[::7, ::5] -= 9
    return picture


class ColourClient(ScriptedClient):
    """Embeds by mean colour; from request ``hold_from`` on only when :meth:`release` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.hold_from = 1000
        self.held: list[tuple[EmbedRequest, Any]] = []

    def submit(self, request: Request, on_event: Any = None, previews: bool = True) -> JobHandle:
        if not isinstance(request, EmbedRequest) or self.embedding_failure:
            return super().submit(request, on_event)
        self.requests.append(request)
        if len(self.requests) < self.hold_from:
            _answer(request, on_event)
        else:
            self.held.append((request, on_event))
        return _Ends(on_event)

    def release(self) -> None:
        for request, on_event in self.held:
            _answer(request, on_event)
        self.held.clear()


def _answer(request: EmbedRequest, on_event: Any) -> None:
    pixels = request.pixels.unpack()
    rows, columns = pixels.shape[0] // 256, pixels.shape[1] // 256
    values = pixels.reshape(rows, 256, columns, 256, 3).mean(axis=(1, 3), dtype=np.float32)
    values = values[0] if rows == columns == 1 else values
    on_event(Embedding(values, encoder_identity(get_family(request.family)) or ""))
    on_event(Finished())


class _Ends:
    def __init__(self, on_event: Any) -> None:
        self.on_event = on_event

    def cancel(self) -> None:
        self.on_event(Finished(cancelled=True))
