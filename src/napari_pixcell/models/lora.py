"""A LoRA file onto a transformer: the adapter's tensors alone, whatever else the file holds."""

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
# …attn2.to_q.lora_A.default.weight as the authors store it, without “default” as others do
_ADAPTER = re.compile(
    r"^(?:base_model\.model\.|transformer\.)*(.+)\.lora_([AB])(?:\.\w+)?\.weight$"
)


def adapter_names(tensors: Mapping[str, Tensor]) -> list[str]:
    """Give the names of those tensors of a file that belong to its adapter."""
    return [name for name in tensors if _ADAPTER.match(name)]


def put_lora(
    transformer: Any,
    tensors: Mapping[str, Tensor],
    name: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> None:
    """Put the adapter of a file onto a transformer, in place of one that it has.

    The base's tensors are not touched: an adapter adds to what a layer computes. An adapter of
    the same rank on the same layers only exchanges tensors of a few MB.

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        The base; it keeps its weights.
    tensors : mapping of str to Tensor
        The whole state dict as the stains are published, or an adapter alone. The adapter's
        alpha is taken to be its rank, as in the published ones.
    name : str
        What messages call it.
    dtype, device : optional
        Of the adapter; as in the file, and the CPU, by default.

    Raises
    ------
    PixCellError
        If it is no adapter of one rank for this transformer; it then has none.
    """
    found: dict[str, str] = {}
    ranks: set[int] = set()
    targets: set[str] = set()
    for key in adapter_names(tensors):
        match = _ADAPTER.match(key)
        assert match is not None
        module, side = match.groups()
        found[f"{module}.lora_{side}.{NAME}.weight"] = key
        targets.add(module)
        ranks.add(shape_of(tensors, key)[0 if side == "A" else 1])
    modules = {path for path, _ in transformer.named_modules()}
    strange = sorted(targets - modules)
    if not found or len(ranks) != 1 or strange:
        take_lora_off(transformer)
        why = f"it adapts {strange[0]}" if strange else "it holds no adapter of one rank"
        raise PixCellError(
            f"The LoRA {name} does not belong to this transformer ({why}); choose another file."
        )
    rank = ranks.pop()
    if {path: layer.r[NAME] for path, layer in _layers(transformer)} != dict.fromkeys(
        targets, rank
    ):
        from peft import LoraConfig

        take_lora_off(transformer)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=sorted(targets))
        transformer.add_adapter(config)
    own = {key: value for key, value in transformer.state_dict().items() if ".lora_" in key}
    unlike = [
        key
        for key in sorted({*own, *found})
        if key not in own
        or key not in found
        or tuple(own[key].shape) != shape_of(tensors, found[key])
    ]
    if unlike:
        take_lora_off(transformer)
        raise PixCellError(f"The LoRA {name} is not complete ({unlike[0]}); choose another file.")
    for key, source in found.items():
        place_tensor(transformer, key, tensors[source].to(device or "cpu", dtype))


def take_lora_off(transformer: Any) -> None:
    """Give a transformer back without its adapter: the very layers that it was loaded with."""
    layers = list(_layers(transformer))
    for path, layer in layers:
        parent, _, leaf = path.rpartition(".")
        setattr(transformer.get_submodule(parent), leaf, layer.get_base_layer())
    if layers:
        del transformer.peft_config
        transformer._hf_peft_config_loaded = False


@contextmanager
def without_lora(transformer: Any) -> Iterator[None]:
    """Let a transformer compute as its base does, for as long as a block lasts."""
    layers = [layer for _, layer in _layers(transformer)]
    try:
        for layer in layers:
            layer.enable_adapters(False)
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
            layer.requires_grad_(False)


def _layers(transformer: Any) -> list[tuple[str, Any]]:
    """Give the layers that an adapter was put onto, by their path."""
    if not getattr(transformer, "_hf_peft_config_loaded", False):
        return []
    from peft.tuners.lora import LoraLayer

    return [(path, one) for path, one in transformer.named_modules() if isinstance(one, LoraLayer)]
