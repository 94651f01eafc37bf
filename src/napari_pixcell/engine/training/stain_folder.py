"""The folder of a stain that is taught: what was embedded, checkpoints, and the stain itself.

``flow.safetensors`` and ``lora.safetensors`` hold the published tensor names; ``flow.json`` has
the sizes of the flow. ``work/`` is of use only to go on from, and may be deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from napari_pixcell.errors import PixCellError

FLOW, LORA, CARD, FLOW_SIZES = "flow.safetensors", "lora.safetensors", "taught.json", "flow.json"
EMPTY = 256  # bytes of a file without latents, or more
SECONDS = 20.0  # from one checkpoint on the disk to the next


@dataclass(frozen=True, eq=False)
class EmbeddedPair:
    """What the frozen networks of a family make of a pair.

    Parameters
    ----------
    he, ihc : array, float32, (rows, columns, dimension)
    tissue : array, bool, (rows, columns)
        Which are not glass.
    exchanged : bool
        Whether one looks like what the other should be.
    """

    he: NDArray[np.float32]
    ihc: NDArray[np.float32]
    tissue: NDArray[np.bool_]
    exchanged: bool


@dataclass(frozen=True, eq=False)
class Embedded:
    """All pairs, embedded.

    Parameters
    ----------
    pairs : list of EmbeddedPair
    keys : list of str
        What identifies each.
    apart : list of array, bool, (rows, columns)
        Which tiles of each are not taught.
    """

    pairs: list[EmbeddedPair]
    keys: list[str]
    apart: list[NDArray[np.bool_]]

    def choose(self, held: bool) -> tuple[Tensor, Tensor]:
        """Give the embeddings of H&E and stain that are taught, or kept apart: (tiles, width)."""
        chosen = [
            pair.tissue & (apart if held else ~apart)
            for pair, apart in zip(self.pairs, self.apart, strict=True)
        ]
        he = [pair.he[one] for pair, one in zip(self.pairs, chosen, strict=True)]
        ihc = [pair.ihc[one] for pair, one in zip(self.pairs, chosen, strict=True)]
        return torch.from_numpy(np.concatenate(he)), torch.from_numpy(np.concatenate(ihc))


class StainFolder:
    """The folder of one stain.

    Parameters
    ----------
    path : Path
        It is made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from teaching the same stain.

        Raises
        ------
        PixCellError
            If one does already, or nothing can be written there.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.work / "lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise PixCellError(
                f"The stain in “{self.path.name}” is being taught already; wait for it, or choose "
                "another folder."
            ) from None
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            yield
        finally:
            lock.release()

    def embedded(self, key: str) -> EmbeddedPair | None:
        """Give a pair that was embedded before."""
        try:
            with np.load(self.work / f"{key}.npz", allow_pickle=False) as file:
                values = {name: file[name] for name in ("he", "ihc", "tissue", "exchanged")}
        except (OSError, ValueError, KeyError, EOFError):
            return None
        return EmbeddedPair(**values | {"exchanged": bool(values["exchanged"])})

    def keep_embedded(self, key: str, pair: EmbeddedPair) -> None:
        """Keep an embedded pair."""
        with self._writing(self.work / f"{key}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **vars(pair))

    def has_latents(self, key: str) -> bool:
        """Whether the latents of a pair are there."""
        return (self.work / f"{key}.npy").is_file()

    def latents(self, key: str) -> NDArray[np.float16]:
        """Give the latents of a pair as they are asked for, see :meth:`keep_latents`."""
        path = self.work / f"{key}.npy"
        # What is empty cannot be mapped.
        mode: Any = "r" if path.stat().st_size > EMPTY else None
        values: NDArray[np.float16] = np.load(path, mmap_mode=mode, allow_pickle=False)
        return values

    def keep_latents(self, key: str, latents: NDArray[np.float16]) -> None:
        """Keep latents of whole tiles: float16, (tiles, 2, channels, h, w), H&E first."""
        with self._writing(self.work / f"{key}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, latents)

    def checkpoint(self, stage: str, signature: str) -> dict[str, Any] | None:
        """Give the last checkpoint of a stage; None if there is none of this teaching."""
        try:
            state = torch.load(self.work / f"{stage}.pt", map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception:  # cut short, or no checkpoint at all: it is made again
            return None
        return state if state.get("signature") == signature else None

    @contextmanager
    def checkpoints(self, stage: str, signature: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Give what keeps checkpoints: now and then, and the last one however it ends."""
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
                with self._writing(self.work / f"{stage}.pt") as temporary:
                    torch.save(waiting[0] | {"signature": signature}, temporary)
                waiting.clear()

        try:
            yield keep
        finally:
            write()

    def forget(self, stage: str) -> None:
        """Remove the checkpoint of a stage that is done."""
        with contextlib.suppress(OSError):
            (self.work / f"{stage}.pt").unlink()

    def write_tensors(
        self, name: str, tensors: Mapping[str, Tensor], about: dict[str, str]
    ) -> Path:
        """Write a weight file whole or not at all."""
        path = self.path / name
        kept = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        with self._writing(path) as temporary:
            temporary.write_bytes(save(kept, {"format": "pt", **about}))
        return path

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file of the folder; empty where there is none."""
        try:
            value = json.loads((self.path / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file whole or not at all."""
        with self._writing(self.path / name) as temporary:
            temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")

    @contextmanager
    def _writing(self, path: Path) -> Iterator[Path]:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
        except OSError as error:
            raise self._cannot_write(error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _cannot_write(self, error: OSError) -> PixCellError:
        return PixCellError(
            f"The stain cannot be written to “{self.path.name}” ({error.strerror}); choose another "
            "folder, or make room."
        )
