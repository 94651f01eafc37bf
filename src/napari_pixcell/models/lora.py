"""LoRA adapters: attached to a transformer, and kept in small copies.

Stains are published as whole state dicts. Only the tensors of their adapter are used.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, uint8

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.models.store import ADAPTER_SUFFIX, kept_adapter
from napari_pixcell.models.weights import cached_sha256, open_tensors, place_tensor, shape_of
from napari_pixcell.slides.content import file_stamp

log = logging.getLogger(__name__)

NAME = "default"
COPY_FORMAT = "1"
# …attn2.to_q.lora_A.default.weight as the authors store it. Others leave out “default”
_ADAPTER = re.compile(
    r"^(?:base_model\.model\.|transformer\.)*(.+)\.lora_([AB])(?:\.\w+)?\.weight$"
)


def adapter_names(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the tensors that belong to an adapter."""
    return [name for name in tensors if _ADAPTER.match(name)]


def attach_lora(
    transformer: Any,
    tensors: Mapping[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> None:
    """Attach an adapter to a transformer, replacing one that it has.

    The base's tensors stay as they are: an adapter adds to what a layer computes. An adapter of
    the same rank on the same layers only exchanges tensors of a few MB.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The whole state dict as the stains are published, or an adapter alone. Its alpha is
        assumed to equal its rank, as in the published ones.
    name : str
        Name of the file, for messages.
    dtype, device : optional
        Of the adapter. Default: as in the file, on the CPU.

    Raises
    ------
    PixCellError
        If the tensors are not an adapter of one rank for this transformer. It is then left
        without an adapter.
    """
    keys: dict[str, str] = {}
    ranks: set[int] = set()
    targets: set[str] = set()
    for key in tensors:
        if match := _ADAPTER.match(key):
            module, side = match.groups()
            keys[f"{module}.lora_{side}.{NAME}.weight"] = key
            targets.add(module)
            ranks.add(shape_of(tensors, key)[0 if side == "A" else 1])
    unknown = sorted(targets - {path for path, _ in transformer.named_modules()})
    if not keys or len(ranks) != 1 or unknown:
        detach_lora(transformer)
        why = f"it adapts {unknown[0]}" if unknown else "it holds no adapter of one rank"
        raise PixCellError(
            f"The LoRA {name} does not belong to this transformer ({why}). Choose another file."
        )
    rank = ranks.pop()
    attached = {path: layer.r[NAME] for path, layer in _lora_layers(transformer)}
    if attached != dict.fromkeys(targets, rank):
        from peft import LoraConfig

        detach_lora(transformer)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=sorted(targets))
        transformer.add_adapter(config)
    own = {key: value for key, value in transformer.state_dict().items() if ".lora_" in key}
    unlike = [
        key
        for key in sorted({*own, *keys})
        if key not in own
        or key not in keys
        or tuple(own[key].shape) != shape_of(tensors, keys[key])
    ]
    if unlike:
        detach_lora(transformer)
        raise PixCellError(f"The LoRA {name} is incomplete ({unlike[0]}). Choose another file.")
    for key, source in keys.items():
        place_tensor(transformer, key, tensors[source].to(device or "cpu", dtype))


def detach_lora(transformer: Any) -> None:
    """Remove the adapter of a transformer, if any, and restore the layers of its base."""
    layers = _lora_layers(transformer)
    for path, layer in layers:
        parent, _, leaf = path.rpartition(".")
        setattr(transformer.get_submodule(parent), leaf, layer.get_base_layer())
    if layers:
        del transformer.peft_config
        transformer._hf_peft_config_loaded = False


@contextmanager
def without_lora(transformer: Any) -> Iterator[None]:
    """Disable the adapter of a transformer within a block."""
    layers = [layer for _, layer in _lora_layers(transformer)]
    try:
        for layer in layers:
            layer.enable_adapters(False)
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
            layer.requires_grad_(False)


def _lora_layers(transformer: Any) -> list[tuple[str, Any]]:
    """Return the adapted layers with their paths."""
    if not getattr(transformer, "_hf_peft_config_loaded", False):
        return []
    from peft.tuners.lora import LoraLayer

    return [(path, one) for path, one in transformer.named_modules() if isinstance(one, LoraLayer)]


def open_adapter(path: Path) -> tuple[Mapping[str, Tensor], str]:
    """Open the tensors of an adapter, whatever else its file contains, and the file's sha256.

    A file that contains more is read in full once. Its adapter is then kept in a copy of a few
    MB beside it, or in the cache folder if that is not writable. The copy stores the sha256 of
    its source, which is computed again if the source appears to have changed (size, time, or
    either end), and a hash of its own tensors. Names are those of the source.

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
    if about.get("format") != COPY_FORMAT or about.get("tensors") != _digest(tensors):
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
        "format": COPY_FORMAT,
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
