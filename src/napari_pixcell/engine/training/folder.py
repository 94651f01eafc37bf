"""The folder of a training: its lock, its checkpoints, its weights and its card.

``work/`` only serves to resume training, and may be deleted.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save
from torch import Tensor

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import Write, write_whole

CARD = "trained.json"
CARD_BEFORE = "taught.json"  # its name in the first versions
SECONDS = 20.0  # between checkpoints on disk

State = dict[str, Any]
Keep = Callable[[State | Callable[[], State]], None]


class TrainingFolder:
    """The folder of one training, created on the first write.

    Parameters
    ----------
    path : Path
        The folder.
    what : str
        What is trained, for messages.
    """

    def __init__(self, path: Path, what: str = "stain") -> None:
        self.path, self.what = path, what
        self.work = path / "work"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Prevent other processes from training the same.

        Raises PixCellError if one does already, or the folder cannot be written to.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.work / "lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise PixCellError(
                f"The {self.what} in “{self.path.name}” is being trained already. Wait until that "
                "is done, or choose another folder."
            ) from None
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            yield
        finally:
            lock.release()

    def checkpoint(self, stage: str, signature: str) -> dict[str, Any] | None:
        """Return the last checkpoint of a stage, or None if there is none with this signature."""
        try:
            state = torch.load(self.work / f"{stage}.pt", map_location="cpu", weights_only=True)
        except Exception:  # missing or damaged: the stage starts again
            return None
        return state if state.get("signature") == signature else None

    @contextmanager
    def checkpoints(self, stage: str, signature: str, seconds: float = SECONDS) -> Iterator[Keep]:
        """Provide a function that stores checkpoints at intervals, and the last one on any exit.

        It takes a checkpoint, or a function that returns it once it is written.
        """
        waiting: list[State | Callable[[], State]] = []
        written = time.monotonic()

        def keep(state: State | Callable[[], State]) -> None:
            nonlocal written
            waiting[:] = [state]
            if time.monotonic() - written > seconds:
                write()
                written = time.monotonic()

        def write() -> None:
            if waiting:
                state = waiting.pop()
                state = (state() if callable(state) else state) | {"signature": signature}
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
        """Return the description of what was trained, empty if there is none."""
        for name in (CARD, CARD_BEFORE):
            with contextlib.suppress(OSError, ValueError):
                value = json.loads((self.path / name).read_text("utf-8"))
                return value if isinstance(value, dict) else {}
        return {}

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file."""
        self._write(self.path / name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def save(self, name: str, save_to: Callable[[BinaryIO], None]) -> None:
        """Write a file of ``work/`` by a function that writes to an open file."""
        self._write(self.work / name, _opened(save_to))

    def write_file(self, name: str, save_to: Callable[[BinaryIO], None]) -> None:
        """Write a file by a function that writes to an open file."""
        self._write(self.path / name, _opened(save_to))

    def _write(self, path: Path, content: Write | bytes | str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> PixCellError:
        return PixCellError(
            f"The {self.what} cannot be written to “{self.path.name}” ({error.strerror}). Choose "
            "another folder, or free some space."
        )


def _opened(save_to: Callable[[BinaryIO], None]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:  # NumPy would add a suffix to a path
            save_to(file)

    return write
