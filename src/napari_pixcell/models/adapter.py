"""What a LoRA file asks for: layers, ranks and strength, in any of the usual forms.

The strength of a layer is alpha / rank. Alpha is a tensor of the file (kohya), a value in its
metadata (diffusers), or a value in ``adapter_config.json`` beside it (PEFT). The published stains
state none: their alpha is their rank. Whatever would change the result and is not applied here is
refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from napari_pixcell.errors import PixCellError

Shape = tuple[int, ...]

PREFIX = re.compile(r"^(?:base_model\.model\.|transformer\.)+")
# …attn2.to_q.lora_A.default.weight as the authors store it. Others leave out “default”, or write
# lora_down or lora.down for lora_A.
MATRIX = re.compile(r"^(.+?)\.lora(?:_([AB])|[._](down|up))(?:\.([^.]+))?\.weight$")
ALPHA = re.compile(r"^(.+)\.alpha$")
FOREIGN = re.compile(r"\.lora[._]|lora_magnitude|dora_scale|\.hada_|\.lokr_|\.oft_|\.alpha$")
KOHYA = ("lora_unet_", "lora_transformer_")
BLOCK = re.compile(r"^(.*blocks)\.(\d+)\.(.+)$")
PATTERN = re.compile(r"\^?[\w.]+\$?")
DORA = ("lora_magnitude", "dora_scale")
OTHER_METHODS = {".hada_": "LoHa", ".lokr_": "LoKr", ".oft_": "OFT", "lora_embedding": "embeddings"}
MOST_ALPHA = 1e6
# Settings of PEFT that change what an adapter computes, and are not applied here.
REFUSED = (
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "alora_invocation_tokens",
    "use_qalora",
    "use_bdlora",
    "loftq_config",
    "corda_config",
    "lora_ga_config",
    "velora_config",
    "monteclora_config",
    "arrow_config",
    "kasa_config",
)
# Ways to start a training that leave the base as it is. The others change it.
STARTS = (None, True, False, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class AdaptedLayer:
    """One layer of an adapter: the names of its two matrices, its rank, and its strength."""

    down: str
    up: str
    rank: int
    scale: float


@dataclass(frozen=True)
class Network:
    """The transformer that an adapter is for.

    Parameters
    ----------
    layers : dict of str to (out, in)
        Paths and sizes of its linear layers.
    tensors : dict of str to tuple
        Shapes of all of its tensors, without an adapter.
    """

    layers: dict[str, Shape]
    tensors: dict[str, Shape]


@dataclass(frozen=True)
class AdapterSettings:
    """PEFT's settings of an adapter, as in ``adapter_config.json`` or a file's metadata.

    Parameters
    ----------
    where : str
        Where they were read, for messages.
    targets : tuple of str, optional
        Ends of the names of all adapted layers. None if not listed.
    blocks : tuple of int, optional
        Indices of the adapted blocks. None for all.
    """

    where: str = ""
    rank: int | None = None
    alpha: float | None = None
    ranks: Mapping[str, Any] = field(default_factory=dict)
    alphas: Mapping[str, Any] = field(default_factory=dict)
    root: bool = False  # rsLoRA: alpha / √rank
    targets: tuple[str, ...] | None = None
    blocks: tuple[int, ...] | None = None

    def rank_of(self, layer: str) -> int | None:
        """Return the stated rank of a layer, or None."""
        value = _by_pattern(self.ranks, layer)
        return self.rank if value is None else int(value)

    def alpha_of(self, layer: str) -> float | None:
        """Return the stated alpha of a layer, or None."""
        value = _by_pattern(self.alphas, layer)
        return self.alpha if value is None else float(value)

    def wanted(self, layers: Iterable[str]) -> set[str] | None:
        """Return those of a network's layers that it adapts, or None if that is not stated."""
        if self.targets is None:
            return None
        found = {name for name in layers if any(_ends(name, end) for end in self.targets)}
        if self.blocks is None:
            return found
        return {name for name in found if (m := BLOCK.match(name)) and int(m[2]) in self.blocks}


def read_settings(values: Mapping[str, Any], where: str, name: str) -> AdapterSettings:
    """Read PEFT's settings of the LoRA file ``name``.

    Raises
    ------
    PixCellError
        If a value is damaged, or asks for what is not supported.
    """
    given = {re.sub(r"^(transformer|unet)\.", "", str(key)): value for key, value in values.items()}

    def refuse(why: str) -> NoReturn:
        raise PixCellError(f"The LoRA {name} is not supported: {where} {why}. Choose another file.")

    if str(given.get("peft_type") or "LORA").upper() != "LORA":
        refuse(f"says peft_type = {str(given['peft_type'])[:40]}")
    for key in REFUSED:
        if given.get(key):
            refuse(f"says {key} = {str(given[key])[:40]}")
    if given.get("bias") not in (None, "none"):
        refuse(f"says bias = {str(given['bias'])[:40]}")
    start = given.get("init_lora_weights")
    if not (start is None or isinstance(start, bool) or start in STARTS):
        refuse(f"says init_lora_weights = {str(start)[:40]}")
    for key, whole in (("r", True), ("lora_alpha", False)):
        if given.get(key) is not None and not _is_number(given[key], whole):
            refuse(f"says {key} = {str(given[key])[:40]}")
    patterns: dict[str, Mapping[str, Any]] = {}
    for key, whole in (("rank_pattern", True), ("alpha_pattern", False)):
        pattern = given.get(key) or {}
        if not isinstance(pattern, dict):
            refuse(f"says {key} = {str(pattern)[:40]}")
        for layer, value in pattern.items():
            if not PATTERN.fullmatch(layer) or not _is_number(value, whole):
                refuse(f"says {str(layer)[:40]} = {str(value)[:40]} in {key}")
        patterns[key] = pattern
    targets, blocks = given.get("target_modules"), given.get("layers_to_transform")
    listed = isinstance(targets, list) and all(isinstance(one, str) for one in targets)
    listed = listed and not given.get("exclude_modules")
    chosen = [blocks] if isinstance(blocks, int) else blocks
    if chosen is not None and not (
        isinstance(chosen, list) and all(isinstance(one, int) for one in chosen)
    ):
        refuse(f"says layers_to_transform = {str(blocks)[:40]}")
    return AdapterSettings(
        where,
        given.get("r"),
        given.get("lora_alpha"),
        patterns["rank_pattern"],
        patterns["alpha_pattern"],
        bool(given.get("use_rslora")),
        tuple(targets) if listed and targets is not None else None,
        tuple(chosen) if chosen is not None else None,
    )


def read_layers(
    shapes: Mapping[str, Shape],
    alphas: Mapping[str, float],
    network: Network,
    settings: AdapterSettings,
    name: str,
) -> dict[str, AdaptedLayer]:
    """Return the layers of an adapter by their path in the transformer.

    Parameters
    ----------
    shapes : mapping of str to tuple
        Names and shapes of the file's tensors, those of a base included.
    alphas : mapping of str to float
        Values of its ``.alpha`` tensors by name.
    name : str
        Name of the file, for messages.

    Raises
    ------
    PixCellError
        If the file is no LoRA for this transformer, is incomplete, or asks for what is not
        supported.
    """

    def foreign(why: str) -> NoReturn:
        raise PixCellError(
            f"The LoRA {name} does not belong to this transformer ({why}). Choose another file."
        )

    def incomplete(what: str) -> NoReturn:
        raise PixCellError(f"The LoRA {name} is incomplete ({what}). Choose another file.")

    _refuse_methods(shapes, name)
    paths = {path.replace(".", "_"): path for path in network.layers}
    matrices: dict[str, dict[str, str]] = {}
    adapters: set[str] = set()
    for key in shapes:
        if match := MATRIX.match(key):
            layer, side, word, adapter = match.groups()
            path = _path(layer, paths)
            if path not in network.layers:
                foreign(f"it adapts {path[:80]}")
            side = side or ("A" if word == "down" else "B")
            adapters.add(adapter or "")
            if side in matrices.setdefault(path, {}) and len(adapters) < 2:
                foreign(f"it holds {path} twice")
            matrices[path][side] = key
    if len(adapters) > 1:
        named = ", ".join(sorted(adapter or "unnamed" for adapter in adapters))
        raise PixCellError(
            f"The LoRA {name} holds several adapters ({named[:80]}). Save one of them in a file of "
            "its own."
        )
    if not matrices:
        foreign("it holds no adapter")
    _check_rest(shapes, network, matrices, name)
    strengths = {_path(str(ALPHA.match(key)[1]), paths): alphas[key] for key in alphas}  # type: ignore[index]
    if alone := sorted(set(strengths) - set(matrices)):
        incomplete(f"it states an alpha for {alone[0][:80]}, but no weights")
    layers = {}
    for path, sides in matrices.items():
        for side, short in (("A", "lora_A"), ("B", "lora_B")):
            if side not in sides:
                incomplete(f"{path}.{short} is missing")
        down, up = shapes[sides["A"]], shapes[sides["B"]]
        outside, inside = network.layers[path]
        if len(down) != 2 or len(up) != 2 or down[0] != up[1] or not down[0]:
            incomplete(f"the two matrices of {path} do not fit each other")
        if (up[0], down[1]) != (outside, inside):
            foreign(
                f"it was made for another base: its {path} is {up[0]} × {down[1]}, "
                f"not {outside} × {inside}"
            )
        layers[path] = _layer(path, sides, down[0], strengths, settings, name)
    _check_complete(layers, network, settings, incomplete)
    return layers


def base_name(key: str) -> str:
    """Return the name of a base's tensor in the transformer itself."""
    return PREFIX.sub("", key).replace(".base_layer.", ".")


def is_adapter_tensor(key: str) -> bool:
    """Whether a tensor is part of an adapter, supported or not, rather than of its base."""
    return FOREIGN.search(key) is not None


def _layer(
    path: str,
    sides: Mapping[str, str],
    rank: int,
    strengths: Mapping[str, float],
    settings: AdapterSettings,
    name: str,
) -> AdaptedLayer:
    stated = settings.rank_of(path)
    if stated not in (None, rank):
        raise PixCellError(
            f"The LoRA {name} does not belong to its settings ({settings.where} says rank {stated} "
            f"for {path}, but it is {rank}). Choose the settings it was saved with."
        )
    alpha = strengths.get(path, settings.alpha_of(path))
    if alpha is None:
        alpha = rank
    if not _is_number(alpha):
        raise PixCellError(
            f"The LoRA {name} is damaged (the alpha of {path} is {alpha}). Choose another file."
        )
    root = settings.root and path not in strengths
    return AdaptedLayer(sides["A"], sides["B"], rank, alpha / (math.sqrt(rank) if root else rank))


def _refuse_methods(names: Iterable[str], name: str) -> None:
    for key in names:
        method = next((word for sign, word in OTHER_METHODS.items() if sign in key), None)
        if any(sign in key for sign in DORA):
            method = "DoRA"
        if method is None and is_adapter_tensor(key) and key.endswith(".bias"):
            method = "biases"
        if (
            method is None
            and is_adapter_tensor(key)
            and not (MATRIX.match(key) or ALPHA.match(key))
        ):
            method = key[:80]
        if method is not None:
            raise PixCellError(
                f"The LoRA {name} uses {method}, which is not supported. Train or export it as a "
                "plain LoRA."
            )


def _check_rest(
    shapes: Mapping[str, Shape], network: Network, adapted: Collection[str], name: str
) -> None:
    """Check what a file holds besides its adapter: nothing, or the whole base."""
    rest = {base_name(key): shapes[key] for key in shapes if not is_adapter_tensor(key)}
    if not rest:
        return
    missing = sorted(set(network.tensors) - set(rest))
    extra = sorted(set(rest) - set(network.tensors))
    unlike = sorted(k for k, shape in rest.items() if network.tensors.get(k, shape) != shape)
    if unlike:
        key = unlike[0]
        raise PixCellError(
            f"The LoRA {name} does not belong to this transformer (it was made for another base: "
            f"its {key} has the shape {rest[key]}, not {network.tensors[key]}). Choose another "
            "file."
        )
    if not missing and not extra:
        return
    if extra or len(missing) > len(rest):  # not a whole base, but some trained tensors
        odd = extra[0] if extra else min(rest)
        word = "the bias " if odd.endswith(".bias") else ""
        raise PixCellError(
            f"The LoRA {name} is not supported: besides the adapter it holds {word}{odd[:80]}. "
            "Train it without additional layers or biases."
        )
    raise PixCellError(
        f"The LoRA {name} is incomplete ({missing[0]} is missing). Choose another file."
    )


def _check_complete(
    layers: Collection[str], network: Network, settings: AdapterSettings, incomplete: Any
) -> None:
    """Check that no block lacks a layer that others adapt, or that the settings list."""
    wanted = settings.wanted(network.layers)
    if wanted is None:
        chosen = {(m[1], m[3]) for path in layers if (m := BLOCK.match(path))}
        wanted = {
            path
            for path in network.layers
            if (m := BLOCK.match(path))
            and (m[1], m[3]) in chosen
            and (settings.blocks is None or int(m[2]) in settings.blocks)
        }
    elif odd := sorted(set(layers) - wanted):
        incomplete(f"{settings.where} does not list {odd[0]}")
    if lacking := sorted(wanted - set(layers), key=_natural):
        incomplete(f"the layer {lacking[0]} is missing")


def _natural(path: str) -> tuple[int, str]:
    match = BLOCK.match(path)
    return (int(match[2]) if match else -1), path


def _path(layer: str, paths: Mapping[str, str]) -> str:
    """Return the path of a layer in the transformer, as far as it is known."""
    plain = PREFIX.sub("", layer)
    for prefix in KOHYA:
        if plain.startswith(prefix):
            return paths.get(plain.removeprefix(prefix), plain)
    return plain


def _by_pattern(patterns: Mapping[str, Any], layer: str) -> Any:
    """Return the value of the first pattern that a layer ends with, as PEFT does."""
    return next((value for key, value in patterns.items() if _ends(layer, key)), None)


def _ends(layer: str, end: str) -> bool:
    plain = end.removesuffix("$")
    if plain.startswith("^"):
        return layer == plain[1:]
    return layer == plain or layer.endswith(f".{plain}")


def _is_number(value: Any, whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return bool(0 < value <= MOST_ALPHA)
