"""Small copies of adapters: stains are published as whole state dicts, their adapter inside."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, uint8

from napari_pixcell.files import write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.models.lora import adapter_names
from napari_pixcell.models.store import ADAPTER_SUFFIX, kept_adapter
from napari_pixcell.models.weights import cached_sha256, open_tensors
from napari_pixcell.slides.content import file_stamp

log = logging.getLogger(__name__)

FORMAT = "1"


def open_adapter(path: Path) -> tuple[Mapping[str, Tensor], str]:
    """Open the tensors of an adapter, whatever else its file contains.

    A file that contains more is read in full once. Its adapter is then kept in a copy of a few
    MB beside it, or in the cache folder if that is not writable. The copy stores the sha256 of
    its source, which is computed again if the source appears to have changed (size, time, or
    either end), and a hash of its own tensors.

    Parameters
    ----------
    path : Path
        A published file, or an adapter alone.

    Returns
    -------
    tensors : mapping of str to Tensor
        Under the names in the source.
    sha256 : str
        Hash of the source.

    Raises
    ------
    PixCellError
        If the source is missing, damaged, or contains anything but tensors.
    """
    stamp = _stamp(path)
    for copy in _copies(path, stamp):
        adapter = _read_copy(copy, path, stamp)
        if adapter is not None:
            return adapter
    whole = open_tensors(path)
    names = adapter_names(whole)
    sha256 = cached_sha256(path)
    if not names or len(names) == len(whole):
        return whole, sha256
    tensors = {name: whole[name].clone().contiguous() for name in names}
    _write_copy(tensors, path, stamp, sha256)
    return tensors, sha256


def _stamp(path: Path) -> str:
    try:
        return file_stamp(path)
    except OSError:
        return ""  # opening the file raises with a message


def _copies(path: Path, stamp: str) -> tuple[Path, Path]:
    return kept_adapter(path), cache_folder() / "adapters" / f"{stamp[:32]}{ADAPTER_SUFFIX}"


def _read_copy(copy: Path, path: Path, stamp: str) -> tuple[dict[str, Tensor], str] | None:
    """Read a small copy. None if it is missing, damaged, or of another source."""
    if not copy.is_file() or not stamp:
        return None
    try:
        with safe_open(copy, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        log.warning("the adapter %s cannot be read and is written again: %s", copy.name, error)
        return None
    if about.get("format") != FORMAT or about.get("tensors") != _digest(tensors):
        log.warning("the adapter %s is damaged and is written again", copy.name)
        return None
    sha256 = about.get("source sha256", "")
    if about.get("source stamp") != stamp:
        if cached_sha256(path) != sha256:
            return None
        _write_copy(tensors, path, stamp, sha256)  # the same bytes, copied or touched
    return tensors, sha256


def _write_copy(tensors: dict[str, Tensor], path: Path, stamp: str, sha256: str) -> None:
    """Write a small copy to the first folder that is writable, if any is."""
    about = {
        "format": FORMAT,
        "source sha256": sha256,
        "source stamp": stamp,
        "tensors": _digest(tensors),
    }
    for copy in _copies(path, stamp):
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_whole(copy, lambda temporary: save_file(tensors, temporary, about))
        except (OSError, SafetensorError) as error:
            log.info("no adapter is kept in %s: %s", copy.parent.name, error)
        else:
            return


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.view(uint8).numpy().tobytes())
    return digest.hexdigest()
