"""The folder of a stain in training: embedded pairs, checkpoints, and the stain itself.

``flow.safetensors`` and ``lora.safetensors`` hold the published tensor names; ``flow.json`` has
the sizes of the flow. ``work/`` only serves to resume training, and may be deleted.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import Write, write_whole

FLOW, LORA, CARD, FLOW_SIZES = "flow.safetensors", "lora.safetensors", "trained.json", "flow.json"
CARD_BEFORE = "taught.json"  # its name in the first versions
EMPTY = 256  # largest size in bytes of a file without latents
SECONDS = 20.0  # between checkpoints on disk


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
    """The folder of one stain, created on the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Prevent other processes from training the same stain.

        Raises PixCellError if one does already, or the folder cannot be written to.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.work / "lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise PixCellError(
                f"The stain in “{self.path.name}” is being trained already. Wait until that is "
                "done, or choose another folder."
            ) from None
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            yield
        finally:
            lock.release()

    def embedded(self, key: str) -> EmbeddedPair | None:
        """Return a pair that was embedded before, or None."""
        try:
            with np.load(self.work / f"{key}.npz", allow_pickle=False) as file:
                values = {name: file[name] for name in ("he", "ihc", "tissue", "exchanged")}
        except (OSError, ValueError, KeyError, EOFError):
            return None
        return EmbeddedPair(**values | {"exchanged": bool(values["exchanged"])})

    def keep_embedded(self, key: str, pair: EmbeddedPair) -> None:
        """Store an embedded pair."""
        self._save(f"{key}.npz", lambda file: np.savez(file, **vars(pair)))

    def has_latents(self, key: str) -> bool:
        """Whether the latents of a pair are stored."""
        return (self.work / f"{key}.npy").is_file()

    def latents(self, key: str) -> NDArray[np.float16]:
        """Return the latents of a pair, memory-mapped; see :meth:`keep_latents`."""
        path = self.work / f"{key}.npy"
        mode: Any = "r" if path.stat().st_size > EMPTY else None  # empty files cannot be mapped
        values: NDArray[np.float16] = np.load(path, mmap_mode=mode, allow_pickle=False)
        return values

    def keep_latents(self, key: str, latents: NDArray[np.float16]) -> None:
        """Store latents of whole tiles: float16, (tiles, 2, channels, h, w), H&E first."""
        self._save(f"{key}.npy", lambda file: np.save(file, latents))

    def checkpoint(self, stage: str, signature: str) -> dict[str, Any] | None:
        """Return the last checkpoint of a stage, or None if there is none with this signature."""
        try:
            state = torch.load(self.work / f"{stage}.pt", map_location="cpu", weights_only=True)
        except Exception:  # missing or damaged: the stage starts again
            return None
        return state if state.get("signature") == signature else None

    @contextmanager
    def checkpoints(self, stage: str, signature: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Provide a function that stores checkpoints at intervals, and the last one on any exit."""
        waiting: list[dict[str, Any]] = []
        written = time.monotonic()

        def keep(state: dict[str, Any]) -> None:
            nonlocal written
            waiting[:] = [state]
            if time.monotonic() - written > SECONDS:
                write()
                written = time.monotonic()

        def write() -> None:
            if waiting:
                state = waiting.pop() | {"signature": signature}
                self._write(self.work / f"{stage}.pt", lambda path: torch.save(state, path))

        try:
            yield keep
        finally:
            write()

    def remove_checkpoint(self, stage: str) -> None:
        """Remove the checkpoint of a finished stage."""
        with contextlib.suppress(OSError):
            (self.work / f"{stage}.pt").unlink()

    def write_tensors(
        self, name: str, tensors: Mapping[str, Tensor], about: dict[str, str]
    ) -> None:
        """Write a weight file."""
        kept = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        self._write(self.path / name, save(kept, {"format": "pt", **about}))

    def card(self) -> dict[str, Any]:
        """Return the stain's description, empty if there is none."""
        for name in (CARD, CARD_BEFORE):
            with contextlib.suppress(OSError, ValueError):
                value = json.loads((self.path / name).read_text("utf-8"))
                return value if isinstance(value, dict) else {}
        return {}

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file."""
        self._write(self.path / name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def _save(self, name: str, save_to: Callable[[BinaryIO], None]) -> None:
        def write(path: Path) -> None:
            with path.open("wb") as file:  # NumPy would add a suffix to a path
                save_to(file)

        self._write(self.work / name, write)

    def _write(self, path: Path, content: Write | bytes | str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> PixCellError:
        return PixCellError(
            f"The stain cannot be written to “{self.path.name}” ({error.strerror}). Choose another "
            "folder, or free some space."
        )
