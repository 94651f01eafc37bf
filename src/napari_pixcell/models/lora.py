"""LoRA adapters: attached to a transformer, and kept in small copies.

Stains are published as whole state dicts. Only the tensors of their adapter are used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, uint8

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.models.adapter import (
    ALPHA,
    AdaptedLayer,
    AdapterSettings,
    Network,
    Shape,
    base_name,
    is_adapter_tensor,
    read_layers,
    read_settings,
)
from napari_pixcell.models.store import ADAPTER_SUFFIX, kept_adapter
from napari_pixcell.models.weights import (
    cached_sha256,
    metadata_of,
    open_tensors,
    place_tensor,
    shape_of,
)
from napari_pixcell.slides.content import file_stamp
from napari_pixcell.untrusted import parse_json, read_json

log = logging.getLogger(__name__)

NAME = "default"
COPY_FORMAT = "2"
PEFT_CONFIG = "adapter_config.json"
DIFFUSERS_CONFIG = "lora_adapter_metadata"  # in the metadata of a safetensors file
MOST_CONFIG_BYTES = 1_000_000


class AdapterTensors(dict[str, Tensor]):
    """The tensors of an adapter, by their names in its file, and what is known of them.

    Parameters
    ----------
    base : mapping of str to tuple
        Shapes of the other tensors in the file.
    stated : str
        Settings in the file's metadata, as JSON. Empty if there are none.
    folder : Path, optional
        Folder of the file, where PEFT's settings may be.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        base: Mapping[str, Shape] | None = None,
        stated: str = "",
        folder: Path | None = None,
    ) -> None:
        super().__init__(tensors)
        self.base = dict(base or {})
        self.stated = stated
        beside = folder / PEFT_CONFIG if folder is not None and not stated else None
        self.config = beside if beside is not None and beside.exists() else None

    def settings(self, name: str) -> AdapterSettings:
        """Return what its file, named ``name``, or ``adapter_config.json`` beside it states.

        Raises PixCellError if that is damaged or not supported.
        """
        if self.stated:
            where, values = "its metadata", parse_json(self.stated, name)
        elif self.config is not None:
            where, values = PEFT_CONFIG, read_json(self.config, MOST_CONFIG_BYTES)
        else:
            return AdapterSettings()
        if not isinstance(values, dict):
            raise PixCellError(f"The settings of the LoRA {name} are damaged. Choose another file.")
        return read_settings(values, where, name)


def attach_lora(
    transformer: Any,
    tensors: Mapping[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> None:
    """Attach an adapter to a transformer, replacing one that it has.

    The base's tensors stay as they are: an adapter adds to what a layer computes. An adapter of
    the same ranks on the same layers only exchanges tensors of a few MB.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        From :func:`open_adapter`, or any tensors of an adapter.
    name : str
        Name of the file, for messages.
    dtype, device : optional
        Of the adapter. Default: as in the file, on the CPU.

    Raises
    ------
    PixCellError
        If the tensors are no adapter for this transformer, are incomplete, or ask for what is not
        supported. It is then left without an adapter.
    """
    opened = tensors if isinstance(tensors, AdapterTensors) else AdapterTensors(tensors)
    try:
        layers = adapter_layers(transformer, opened, name)
    except PixCellError:
        detach_lora(transformer)
        raise
    attached = {path: layer.r[NAME] for path, layer in _lora_layers(transformer)}
    ranks = {path: layer.rank for path, layer in layers.items()}
    if attached != ranks:
        from peft import LoraConfig

        detach_lora(transformer)
        config = LoraConfig(
            r=next(iter(ranks.values())), rank_pattern=ranks, target_modules=sorted(ranks)
        )
        transformer.add_adapter(config)
    for path, module in _lora_layers(transformer):
        layer = layers[path]
        module.scaling[NAME] = layer.scale
        for side, source in (("A", layer.down), ("B", layer.up)):
            value = opened[source].to(device or "cpu", dtype)
            place_tensor(transformer, f"{path}.lora_{side}.{NAME}.weight", value)


def adapter_layers(transformer: Any, tensors: AdapterTensors, name: str) -> dict[str, AdaptedLayer]:
    """Return the layers that an adapter asks for, by their path in the transformer.

    Raises like :func:`attach_lora`.
    """
    settings = tensors.settings(name)
    shapes = tensors.base | {key: shape_of(tensors, key) for key in tensors}
    return read_layers(shapes, _alphas(tensors), _network(transformer), settings, name)


def fold_strength(transformer: Any) -> None:
    """Move the strength of an attached adapter into its weights, to train and save them alone."""
    for _, layer in _lora_layers(transformer):
        layer.lora_B[NAME].weight.data *= layer.scaling[NAME]
        layer.scaling[NAME] = 1.0


def _alphas(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the values of ``.alpha`` tensors; not a number if one does not hold one value."""
    found = {}
    for key in filter(ALPHA.match, tensors):
        value = tensors[key]
        found[key] = float(value.reshape(-1)[0]) if value.numel() == 1 else math.nan
    return found


def _network(transformer: Any) -> Network:
    """Describe a transformer without its adapter."""
    layers: dict[str, Shape] = {}
    for path, module in transformer.named_modules():
        if ".base_layer" not in path and ".lora_" not in path:
            plain = module.get_base_layer() if hasattr(module, "get_base_layer") else module
            if isinstance(plain, nn.Linear):
                layers[path] = (plain.out_features, plain.in_features)
    tensors = {
        base_name(key): tuple(value.shape)
        for key, value in transformer.state_dict().items()
        if not is_adapter_tensor(key)
    }
    return Network(layers, tensors)


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


def open_adapter(path: Path) -> tuple[AdapterTensors, str]:
    """Open the tensors of an adapter, whatever else its file contains, and the file's sha256.

    A file that contains more is read in full once. Its adapter is then kept in a copy of a few
    MB beside it, or in the cache folder if that is not writable. The copy stores the sha256 of
    its source, which is computed again if the source appears to have changed (size, time, or
    either end), the shapes of the source's other tensors, and a hash of its own tensors. Names
    are those of the source.

    Raises
    ------
    PixCellError
        If the source is missing, damaged, or contains anything but tensors.
    """
    stamp = _stamp(path)
    for copy in _copies(path, stamp):
        kept = _read_copy(copy, path, stamp)
        if kept is not None:
            return kept
    whole = open_tensors(path)
    names = [name for name in whole if is_adapter_tensor(name)]
    base = {name: shape_of(whole, name) for name in whole if not is_adapter_tensor(name)}
    sha256 = cached_sha256(path)
    tensors = {name: whole[name].clone().contiguous() for name in names}
    stated = metadata_of(whole).get(DIFFUSERS_CONFIG, "")
    adapter = AdapterTensors(tensors, base, stated, path.parent)
    if names and base:
        _write_copy(adapter, path, stamp, sha256)
    return adapter, sha256


def _stamp(path: Path) -> str:
    try:
        return file_stamp(path)
    except OSError:
        return ""  # opening the file raises with a message


def _copies(path: Path, stamp: str) -> tuple[Path, Path]:
    return kept_adapter(path), cache_folder() / "adapters" / f"{stamp[:32]}{ADAPTER_SUFFIX}"


def _read_copy(copy: Path, path: Path, stamp: str) -> tuple[AdapterTensors, str] | None:
    """Read a small copy. None if it is missing, damaged, or of another source."""
    if not copy.is_file() or not stamp:
        return None
    try:
        with safe_open(copy, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        shapes = json.loads(about.get("base", "{}"))
        base = {name: tuple(shape) for name, shape in shapes.items()}
    except (OSError, SafetensorError, ValueError, TypeError, AttributeError) as error:
        log.warning("the adapter %s cannot be read and is written again: %s", copy.name, error)
        return None
    if about.get("format") != COPY_FORMAT:
        return None  # of another version
    if about.get("tensors") != _digest(tensors):
        log.warning("the adapter %s is damaged and is written again", copy.name)
        return None
    sha256 = about.get("source sha256", "")
    adapter = AdapterTensors(tensors, base, about.get(DIFFUSERS_CONFIG, ""), path.parent)
    if about.get("source stamp") != stamp:
        if cached_sha256(path) != sha256:
            return None
        _write_copy(adapter, path, stamp, sha256)  # the same bytes, copied or touched
    return adapter, sha256


def _write_copy(tensors: AdapterTensors, path: Path, stamp: str, sha256: str) -> None:
    """Write a small copy to the first folder that is writable, if any is."""
    about = {
        "format": COPY_FORMAT,
        "source sha256": sha256,
        "source stamp": stamp,
        "tensors": _digest(tensors),
        "base": json.dumps(tensors.base),
        DIFFUSERS_CONFIG: tensors.stated,
    }
    for copy in _copies(path, stamp):
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_whole(copy, lambda temporary: save_file(dict(tensors), temporary, about))
        except (OSError, SafetensorError) as error:
            log.info("no adapter is kept in %s: %s", copy.parent.name, error)
        else:
            return


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(uint8).numpy().tobytes())
    return digest.hexdigest()
