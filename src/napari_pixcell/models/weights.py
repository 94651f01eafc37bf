"""Weight files as data: no pickle beyond tensors, and no tensor too many or too few."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError

SHOWN = 3
HASHED_AT_ONCE = 4
PREFIX = "transformer."
PUBLISHED = "use the published file of this family"


class _SafeTensors(Mapping[str, Tensor]):
    """Tensors of an open safetensors file, read one by one when asked for."""

    def __init__(self, path: Path) -> None:
        self._file: Any = safe_open(path, framework="pt", device="cpu")
        self._names = dict.fromkeys(self._file.keys())

    def __getitem__(self, name: str) -> Tensor:
        return self._file.get_tensor(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def open_tensors(path: Path, remedy: str = PUBLISHED) -> Mapping[str, Tensor]:
    """Open the tensors of a ``.safetensors``, ``.pth`` or ``.bin`` file without reading them all.

    Safetensors are read tensor by tensor; the others are mapped into memory, so that the pages
    of a tensor come from the disk when it is used.

    Parameters
    ----------
    path : Path
        The file.
    remedy : str
        What to do if it is refused, to end the sentence.

    Raises
    ------
    PixCellError
        If the file is missing, damaged, or holds anything but tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return _SafeTensors(path)
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _refuse_bomb(path, remedy)
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except UnpicklingError as error:
        raise PixCellError(
            f"The weight file {path.name} holds more than tensors and could run code, so it was "
            f"not opened; {remedy}."
        ) from error
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, MemoryError) as error:
        again = "install the family again" if remedy == PUBLISHED else remedy
        raise PixCellError(
            f"The weight file {path.name} is missing or damaged; {again}."
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(v, Tensor) for v in tensors.values()):
        raise PixCellError(
            f"The weight file {path.name} holds something else than tensors by name; {remedy}."
        )
    return tensors


def load_file(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file, see :func:`open_tensors`."""
    tensors = open_tensors(path)
    return {name: tensors[name] for name in tensors}


def load_weights(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Load tensors into a network, all of them and no others.

    Each tensor goes from its file to its place on the device on its own, already in the target
    precision: at no time are there two copies of the network.

    Parameters
    ----------
    network : nn.Module
        What to fill.
    tensors : mapping of str to Tensor
        Under the published names; a ``transformer.`` before them is accepted, as the authors'
        training script writes it.
    name : str
        What the message calls these weights.
    dtype : torch.dtype, optional
        Precision of the floating-point tensors; as in the file by default.
    device : torch.device, optional
        Where they go; the CPU by default.
    check : callable
        Called before each tensor; whatever it raises ends the loading.

    Raises
    ------
    PixCellError
        If tensors are missing, unexpected, of another shape or there twice; the sentence names
        them.
    """
    given = {key.removeprefix(PREFIX): key for key in tensors}
    own = dict(network.state_dict(keep_vars=True))
    shapes = {key: shape_of(tensors, full) for key, full in given.items()}
    problems = {
        "there twice": sorted(key for key in tensors if PREFIX + key in tensors),
        "missing": sorted(set(own) - set(given)),
        "unexpected": sorted(set(given) - set(own)),
        "of another shape": sorted(
            key for key in set(own) & set(given) if tuple(own[key].shape) != shapes[key]
        ),
    }
    parts = [f"{kind}: {_some(names)}" for kind, names in problems.items() if names]
    if parts:
        raise PixCellError(
            f"The weights of {name} are not those of this network ({'; '.join(parts)}); "
            "use the published file of this family."
        )
    for key, full in given.items():
        check()
        value = tensors[full]
        if dtype is not None and value.is_floating_point():
            value = value.to(dtype)
        place_tensor(network, key, value.to(device or "cpu"))


def replace_weights(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> None:
    """Put tensors into a network in the place of some of its own, see :func:`load_weights`."""
    own = network.state_dict(keep_vars=True)
    load_weights(network, {**own, **{key: tensors[key] for key in tensors}}, name, dtype, device)


def shape_of(tensors: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    """Give the shape of a tensor without reading it."""
    if isinstance(tensors, _SafeTensors):
        return tuple(tensors._file.get_slice(name).get_shape())
    return tuple(tensors[name].shape)


def sha256_of(path: Path) -> str:
    """Hash a weight file, once while it stays the same: several GB take seconds."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@contextmanager
def hashing(paths: Iterable[Path]) -> Iterator[Callable[[Path], str]]:
    """Hash files beside what a block does; gives what waits for the hash of one of them.

    Hashing 8 GB one file after the other takes longer than all else of loading a family.
    """
    pool = ThreadPoolExecutor(HASHED_AT_ONCE)
    found = {path: pool.submit(sha256_of, path) for path in paths}
    try:
        yield lambda path: found[path].result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@cache
def _sha256(path: Path, _size: int, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def without_initial_values() -> Iterator[None]:
    """Build networks without filling their parameters: their weights come from a file anyway.

    Memory that nobody has written to costs nothing, so a network of several GB can be made in a
    moment; buffers that the file does not hold are still computed.
    """
    names = [name for name in vars(nn.init) if name.endswith("_") and not name.startswith("_")]
    kept = {name: getattr(nn.init, name) for name in names}
    try:
        for name in names:
            setattr(nn.init, name, lambda tensor, *_args, **_others: tensor)
        yield
    finally:
        for name, function in kept.items():
            setattr(nn.init, name, function)


def place_tensor(network: nn.Module, key: str, value: Tensor) -> None:
    """Put a tensor where its name says, in place of what is there; it gets no gradient."""
    path, _, leaf = key.rpartition(".")
    module = network.get_submodule(path)
    if leaf in module._parameters:
        module._parameters[leaf] = nn.Parameter(value, requires_grad=False)
    else:
        module._buffers[leaf] = value


def _refuse_bomb(path: Path, remedy: str) -> None:
    """Refuse an archive that would unpack to more than it is; torch stores, never compresses."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or (
        unpacked > path.stat().st_size
    ):
        raise PixCellError(
            f"The weight file {path.name} is packed in a way that no weight file is, so it was "
            f"not opened; {remedy}."
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
