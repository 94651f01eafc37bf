"""LoRA adapters on a transformer: only the adapter's tensors are used, whatever the file holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.weights import place_tensor, shape_of

NAME = "default"
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
    transformer : PixCellTransformer2DModel
        The base.
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
