"""The adapter of a LoRA file, kept small beside it: stains are published as whole state dicts."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, uint8

from napari_pixcell.folders import cache_folder
from napari_pixcell.models.lora import adapter_names
from napari_pixcell.models.store import ADAPTER_SUFFIX, kept_adapter
from napari_pixcell.models.weights import open_tensors, sha256_of
from napari_pixcell.slides.content import file_stamp

log = logging.getLogger(__name__)

FORMAT = "1"


def open_adapter(path: Path) -> tuple[Mapping[str, Tensor], str]:
    """Open the tensors of an adapter, whatever else its file holds.

    A file that holds more is read in full once. What belongs to the adapter is then kept in a
    file of a few MB beside it, or in the cache folder where nothing can be written there. The
    small file names the source by its sha256, which is computed again when the source looks
    changed (size, time, or either end), and its own tensors by theirs.

    Parameters
    ----------
    path : Path
        As published, or an adapter alone.

    Returns
    -------
    tensors : mapping of str to Tensor
        Under the names in the source.
    sha256 : str
        Of the source.

    Raises
    ------
    PixCellError
        If the source is missing, damaged, or holds anything but tensors.
    """
    stamp = _stamp(path)
    for place in _places(path, stamp):
        found = _read(place, path, stamp)
        if found is not None:
            return found
    whole = open_tensors(path)
    names = adapter_names(whole)
    sha256 = sha256_of(path)
    if not names or len(names) == len(whole):
        return whole, sha256
    tensors = {name: whole[name].clone().contiguous() for name in names}
    _keep(tensors, path, stamp, sha256)
    return tensors, sha256


def _stamp(path: Path) -> str:
    try:
        return file_stamp(path)
    except OSError:
        return ""  # opening it says what is wrong


def _places(path: Path, stamp: str) -> tuple[Path, Path]:
    """Give where the small file may be: beside the source, and in the cache."""
    return (
        kept_adapter(path),
        cache_folder() / "adapters" / f"{stamp[:32]}{ADAPTER_SUFFIX}",
    )


def _read(place: Path, path: Path, stamp: str) -> tuple[dict[str, Tensor], str] | None:
    """Read a small file; None if it is not there, or not of this source as it is now."""
    if not place.is_file() or not stamp:
        return None
    try:
        with safe_open(place, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        log.warning("the adapter %s cannot be read and is made again: %s", place.name, error)
        return None
    if about.get("format") != FORMAT or about.get("tensors") != _digest(tensors):
        log.warning("the adapter %s is damaged and is made again", place.name)
        return None
    sha256 = about.get("source sha256", "")
    if about.get("source stamp") != stamp:
        if sha256_of(path) != sha256:
            return None
        _keep(tensors, path, stamp, sha256)  # the same bytes, copied or touched
    return tensors, sha256


def _keep(tensors: dict[str, Tensor], path: Path, stamp: str, sha256: str) -> None:
    """Write the small file where that is possible; without it the source is read again."""
    about = {
        "format": FORMAT,
        "source sha256": sha256,
        "source stamp": stamp,
        "tensors": _digest(tensors),
    }
    for place in _places(path, stamp):
        temporary = None
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(".tmp", "adapter-", place.parent)
            os.close(handle)
            temporary = Path(name)
            save_file(tensors, temporary, about)
            temporary.replace(place)
        except (OSError, SafetensorError) as error:
            log.info("an adapter is not kept in %s: %s", place.parent.name, error)
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink()
        else:
            return


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.view(uint8).numpy().tobytes())
    return digest.hexdigest()
