"""Weight files as plain data: tensors by name, without code, none missing and none extra."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import cached_sha256 as cached_sha256
from napari_pixcell.models.integrity import header_problem

MAX_NAMES = 3  # in a message
HASH_THREADS = 4
PREFIX = "transformer."
PUBLISHED = "Use the published file of this family"


class _SafeTensors(Mapping[str, Tensor]):
    """Tensors of an open safetensors file, each read when it is accessed."""

    def __init__(self, path: Path) -> None:
        problem = header_problem(path)
        if problem:
            raise ValueError(problem)
        self._path = path
        self._file: Any = safe_open(path, framework="pt", device="cpu")
        self._names = dict.fromkeys(self._file.keys())

    def __getitem__(self, name: str) -> Tensor:
        with self._explained():
            tensor: Tensor = self._file.get_tensor(name)
        return tensor

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        with self._explained():
            return tuple(self._file.get_slice(name).get_shape())

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except KeyError:
            raise
        except Exception as error:  # such as a type of numbers that torch does not have
            raise PixCellError(
                f"The weight file {self._path.name} is damaged ({str(error)[:100]}). Install the "
                "family again."
            ) from error


def open_tensors(path: Path, remedy: str = PUBLISHED) -> Mapping[str, Tensor]:
    """Open the tensors of a ``.safetensors``, ``.pth`` or ``.bin`` file without reading them all.

    Safetensors are read tensor by tensor. The others are memory-mapped, so that a tensor is read
    when it is used. ``remedy`` is the last sentence of the message if the file is refused, without
    its full stop.

    Raises
    ------
    PixCellError
        If the file is missing, damaged, or contains anything but tensors.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait forever
            raise ValueError("not a file")
        if path.suffix == ".safetensors":
            return _SafeTensors(path)
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _refuse_bomb(path, remedy)
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except PixCellError:
        raise
    except UnpicklingError as error:
        raise PixCellError(
            f"The weight file {path.name} contains more than tensors and could run code, so it was "
            f"not opened. {remedy}."
        ) from error
    except Exception as error:  # of whatever class the reader raises
        again = "Install the family again" if remedy == PUBLISHED else remedy
        raise PixCellError(
            f"The weight file {path.name} is missing or damaged. {again}."
        ) from error
    if not isinstance(tensors, dict) or not all(map(_is_plain, tensors, tensors.values())):
        raise PixCellError(
            f"The weight file {path.name} contains something other than named tensors. {remedy}."
        )
    return tensors


def load_file(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file, see :func:`open_tensors`."""
    return dict(open_tensors(path))


def load_weights(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Load tensors into a network, all of them and no others.

    Each tensor goes from its file to the device alone, in the target precision, so there are
    never two copies of the network.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Under the published names. A ``transformer.`` before them is accepted, as the authors'
        training script writes it.
    name : str
        Name of the weights in messages.
    dtype : torch.dtype, optional
        Precision of the floating-point tensors. Default: as in the file.
    device : torch.device, optional
        Default: the CPU.
    check : callable
        Called before each tensor. Whatever it raises ends the loading.

    Raises
    ------
    PixCellError
        If tensors are missing, unexpected, duplicated or of the wrong shape. The message names
        them.
    """
    given = {key.removeprefix(PREFIX): key for key in tensors}
    own = dict(network.state_dict(keep_vars=True))
    shapes = {key: shape_of(tensors, full) for key, full in given.items()}
    problems = {
        "duplicated": sorted(key for key in tensors if PREFIX + key in tensors),
        "missing": sorted(set(own) - set(given)),
        "unexpected": sorted(set(given) - set(own)),
        "wrong shape": sorted(
            key for key in set(own) & set(given) if tuple(own[key].shape) != shapes[key]
        ),
    }
    parts = [f"{kind}: {_some(names)}" for kind, names in problems.items() if names]
    if parts:
        raise PixCellError(
            f"The weights of {name} do not belong to this network ({'; '.join(parts)}). "
            "Use the published file of this family."
        )
    for key, full in given.items():
        check()
        value = tensors[full]
        if value.is_floating_point() != own[key].is_floating_point() or value.is_complex():
            raise PixCellError(
                f"The tensor {key} of {name} has the wrong type ({value.dtype}). Use the published "
                "file of this family."
            )
        if dtype is not None and value.is_floating_point():
            value = value.to(dtype)
        value = value.to(device or "cpu")
        if not _is_finite(value):
            raise PixCellError(
                f"The tensor {key} of {name} contains numbers that are not finite. Get the "
                "weights again."
            )
        place_tensor(network, key, value)


def replace_weights(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> None:
    """Replace some of a network's tensors. Parameters are those of :func:`load_weights`."""
    own = network.state_dict(keep_vars=True)
    load_weights(network, {**own, **dict(tensors)}, name, dtype, device)


def shape_of(tensors: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    """Return the shape of a tensor without reading it."""
    if isinstance(tensors, _SafeTensors):
        return tensors.shape_of(name)
    return tuple(tensors[name].shape)


def metadata_of(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the metadata of an open safetensors file; empty for other files."""
    return dict(tensors._file.metadata() or {}) if isinstance(tensors, _SafeTensors) else {}


@contextmanager
def background_hashes(paths: Iterable[Path]) -> Iterator[Callable[[Path], str]]:
    """Provide a function that returns the hash of a file, computed in threads while a block runs.

    One after the other, hashing 8 GB would take longer than the rest of loading a family.
    """
    pool = ThreadPoolExecutor(HASH_THREADS)
    hashes = {path: pool.submit(cached_sha256, path) for path in paths}
    try:
        yield lambda path: hashes[path].result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def without_initial_values() -> Iterator[None]:
    """Build networks without initial values, which the weights from a file would overwrite.

    Untouched memory costs nothing, so a network of several GB is built in a moment. Buffers that
    the file does not contain are still computed.
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
    """Replace a parameter (without gradient) or buffer of a network by its name."""
    path, _, leaf = key.rpartition(".")
    module = network.get_submodule(path)
    if leaf in module._parameters:
        module._parameters[leaf] = nn.Parameter(value, requires_grad=False)
    else:
        module._buffers[leaf] = value


def _is_plain(name: Any, value: Any) -> bool:
    """Whether an entry is a named tensor whose numbers are all stored, none of them repeated."""
    return (
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout == torch.strided
        and not value.is_quantized
        and value.device.type == "cpu"
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _is_finite(value: Tensor) -> bool:
    """Whether no number is NaN or infinite. Types of less than 16 bits cannot be summed."""
    if not value.is_floating_point() or value.element_size() < 2:
        return True
    # One pass without a copy: the sum of finite numbers is finite in this precision.
    return bool(value.sum(dtype=torch.promote_types(value.dtype, torch.float32)).isfinite())


def _refuse_bomb(path: Path, remedy: str) -> None:
    """Refuse an archive larger inside than outside. Torch never compresses."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or (
        unpacked > path.stat().st_size
    ):
        raise PixCellError(
            f"The weight file {path.name} is compressed, which weight files never are, so it was "
            f"not opened. {remedy}."
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
