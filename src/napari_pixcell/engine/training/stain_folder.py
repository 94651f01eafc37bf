"""What a stain in training keeps in its folder: embedded pairs and their latents.

``flow.safetensors`` and ``lora.safetensors`` hold the published tensor names; ``flow.json`` has
the sizes of the flow. ``work/`` only serves to resume training, and may be deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.engine.training.folder import TrainingFolder

FLOW, LORA, FLOW_SIZES = "flow.safetensors", "lora.safetensors", "flow.json"
EMPTY = 256  # largest size in bytes of a file without latents


@dataclass(frozen=True, eq=False)
class EmbeddedPair:
    """The embeddings of a pair, float32, (rows, columns, dimension).

    ``tissue`` is the mask of the tiles that are not glass. ``exchanged`` is true if H&E and IHC
    seem to be exchanged.
    """

    he: NDArray[np.float32]
    ihc: NDArray[np.float32]
    tissue: NDArray[np.bool_]
    exchanged: bool


@dataclass(frozen=True, eq=False)
class EmbeddedPairs:
    """All pairs, embedded and split.

    ``keys`` identifies each, and ``held_out`` are masks of its held-out tiles, (rows, columns).
    """

    pairs: list[EmbeddedPair]
    keys: list[str]
    held_out: list[NDArray[np.bool_]]

    def choose(self, held: bool) -> tuple[Tensor, Tensor]:
        """Return H&E and stain embeddings of training or held-out tiles: (tiles, dimension)."""
        masks = [
            pair.tissue & (held_out if held else ~held_out)
            for pair, held_out in zip(self.pairs, self.held_out, strict=True)
        ]
        he = [pair.he[mask] for pair, mask in zip(self.pairs, masks, strict=True)]
        ihc = [pair.ihc[mask] for pair, mask in zip(self.pairs, masks, strict=True)]
        return torch.from_numpy(np.concatenate(he)), torch.from_numpy(np.concatenate(ihc))


class StainFolder:
    """The embedded pairs and the latents of a stain in training."""

    def __init__(self, files: TrainingFolder) -> None:
        self._files = files
        self._work = files.work

    def embedded(self, key: str) -> EmbeddedPair | None:
        """Return a pair that was embedded before, or None."""
        try:
            with np.load(self._work / f"{key}.npz", allow_pickle=False) as file:
                values = {name: file[name] for name in ("he", "ihc", "tissue", "exchanged")}
        except (OSError, ValueError, KeyError, EOFError):
            return None
        return EmbeddedPair(**values | {"exchanged": bool(values["exchanged"])})

    def keep_embedded(self, key: str, pair: EmbeddedPair) -> None:
        """Store an embedded pair."""
        self._files.save(f"{key}.npz", lambda file: np.savez(file, **vars(pair)))

    def has_latents(self, key: str) -> bool:
        """Whether the latents of a pair are stored."""
        return (self._work / f"{key}.npy").is_file()

    def latents(self, key: str) -> NDArray[np.float16]:
        """Return the latents of a pair, memory-mapped; see :meth:`keep_latents`."""
        path = self._work / f"{key}.npy"
        mode: Any = "r" if path.stat().st_size > EMPTY else None  # empty files cannot be mapped
        values: NDArray[np.float16] = np.load(path, mmap_mode=mode, allow_pickle=False)
        return values

    def keep_latents(self, key: str, latents: NDArray[np.float16]) -> None:
        """Store latents of whole tiles: float16, (tiles, 2, channels, h, w), H&E first."""
        self._files.save(f"{key}.npy", lambda file: np.save(file, latents))
