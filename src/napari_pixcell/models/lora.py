"""A LoRA file onto a transformer: the adapter's tensors alone, whatever else the file holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.weights import load_weights, shape_of

NAME = "default"
# …attn2.to_q.lora_A.default.weight as the authors store it, without “default” as others do
_ADAPTER = re.compile(
    r"^(?:base_model\.model\.|transformer\.)*(.+)\.lora_([AB])(?:\.\w+)?\.weight$"
)


def add_lora(transformer: Any, tensors: Mapping[str, Tensor], name: str, **where: Any) -> None:
    """Add the adapter of a file to a transformer that has its own weights already.

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        The base; it keeps its weights.
    tensors : mapping of str to Tensor
        The whole state dict as the stains are published, or an adapter alone. The adapter's
        alpha is taken to be its rank, as in the published ones.
    name : str
        What messages call it.
    **where
        ``dtype`` and ``device``, as in :func:`~.weights.load_weights`.
    """
    from peft import LoraConfig

    found: dict[str, str] = {}
    ranks: set[int] = set()
    targets: set[str] = set()
    for key in tensors:
        match = _ADAPTER.match(key)
        if match:
            module, side = match.groups()
            found[f"{module}.lora_{side}.{NAME}.weight"] = key
            targets.add(module)
            ranks.add(shape_of(tensors, key)[0 if side == "A" else 1])
    modules = {path for path, _ in transformer.named_modules()}
    strange = sorted(targets - modules)
    if not found or len(ranks) != 1 or strange:
        why = f"it adapts {strange[0]}" if strange else "it holds no adapter of one rank"
        raise PixCellError(
            f"The LoRA {name} does not belong to this transformer ({why}); choose another file."
        )
    rank = ranks.pop()
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=sorted(targets)))
    own = transformer.state_dict(keep_vars=True)
    # The base's tensors stay what they are; only the adapter's come from the file.
    merged = {key: tensors[found[key]] if key in found else value for key, value in own.items()}
    left = set(found) - set(own)
    missing = [key for key in own if ".lora_" in key and key not in found]
    if left or missing:
        first = (missing or sorted(left))[0]
        raise PixCellError(f"The LoRA {name} is not complete ({first}); choose another file.")
    load_weights(transformer, merged, name, **where)
