"""Weights of a family into networks on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.adapters import open_adapter
from napari_pixcell.models.build import build_network, read_config
from napari_pixcell.models.catalogue import DEMO_FOLDER, Family, Kind, Part, WeightSet
from napari_pixcell.models.lora import put_lora, take_lora_off
from napari_pixcell.models.preview import fit_preview
from napari_pixcell.models.store import Found, find, require
from napari_pixcell.models.weights import (
    hashing,
    load_weights,
    open_tensors,
    replace_weights,
    shape_of,
)

NETWORKS: tuple[Kind, ...] = ("transformer", "controlnet", "vae", "encoder", "flow")
# The flow is small, and a hundred Euler steps in half precision would drift.
PRECISIONS = {"flow": torch.float32}
# Plain settings; and an adapter's file, whose hash is kept with its small copy.
UNHASHED = ("scheduler", "preview", "lora")
REPLACED = {("vae", "decoder")}
FileKey = tuple[object, ...]


@dataclass(frozen=True)
class LoadedFamily:
    """The networks of a family, ready to run.

    Parameters
    ----------
    family : Family
        What was loaded.
    transformer, vae, encoder : nn.Module
        In evaluation mode, on ``device``, of ``dtype``.
    controlnet, flow : nn.Module or None
        Where the family has them.
    scheduler : dict
        Configuration of the scheduler.
    preview_weight, preview_bias : Tensor, (3, channels) and (3,)
        Linear map from a latent to RGB in 0..1.
    weights : dict of str to str
        sha256 of each weight file.
    device : torch.device
        Where the networks are.
    dtype : torch.dtype
        Their precision.
    files : dict of str to tuple
        Which files each network was read from, and in which precision.
    """

    family: Family
    transformer: Any
    controlnet: Any | None
    vae: Any
    encoder: Any
    flow: Any | None
    scheduler: dict[str, Any]
    preview_weight: Tensor
    preview_bias: Tensor
    weights: dict[str, str]
    device: torch.device
    dtype: torch.dtype
    files: dict[Kind, FileKey] = field(default_factory=dict)


def load_family(
    family: Family,
    device: torch.device,
    dtype: torch.dtype | None = None,
    encoder_device: torch.device | None = None,
    check: Callable[[], None] = lambda: None,
    shared: Shared | None = None,
) -> LoadedFamily:
    """Load every part of a family.

    Parameters
    ----------
    family : Family
        Its files are looked for by :func:`napari_pixcell.models.store.find`.
    device : torch.device
        Where to.
    dtype : torch.dtype, optional
        Precision; see :func:`pick_dtype`.
    encoder_device : torch.device, optional
        Where the encoder waits, if not on ``device``.
    check : callable
        Called before each tensor and each file; whatever it raises ends the loading.
    shared : Shared, optional
        Networks of another family that are this one's too; that family is of no use afterwards.

    Raises
    ------
    PixCellError
        If a file is missing or does not hold the tensors it should.
    """
    dtype = dtype or pick_dtype(family, device)
    found = {part.kind: require(family, part) for part in family.parts}
    named = [one.weights for kind, one in found.items() if kind not in UNHASHED]
    with hashing(named) as hash_of:
        return _load(family, found, device, dtype, encoder_device, check, shared, hash_of)


def _load(
    family: Family,
    found: Mapping[Kind, Found],
    device: torch.device,
    dtype: torch.dtype,
    encoder_device: torch.device | None,
    check: Callable[[], None],
    shared: Shared | None,
    hash_of: Callable[[Path], str],
) -> LoadedFamily:
    places = {"encoder": encoder_device or device}
    files = _file_keys(found, dtype)
    parts: dict[Kind, Any] = {}
    for kind in files:
        place = places.get(kind, device)
        kept = shared.networks.get(kind) if shared is not None else None
        if kept is None:
            precision = PRECISIONS.get(kind, dtype)
            kept = load_part(family, found[kind], place, precision, check)
        parts[kind] = kept.to(place)
    weights: dict[str, str] = {}
    if "lora" in found:
        path = found["lora"].weights
        tensors, weights["lora"] = open_adapter(path)
        put_lora(parts["transformer"], tensors, path.name, dtype, device)
        parts["transformer"].eval().requires_grad_(False)
    else:
        take_lora_off(parts["transformer"])
    if "decoder" in found:
        tensors = open_tensors(found["decoder"].weights)
        replace_weights(parts["vae"], tensors, f"{family.name}/decoder", dtype, device)
    # Convolutions over interleaved channels take about half the time.
    parts["vae"].to(memory_format=torch.channels_last)
    _check_together(family, parts)
    for kind, one in found.items():
        if kind not in UNHASHED:
            check()
            weights[kind] = hash_of(one.weights)
    if "preview" in found:
        preview = read_config(found["preview"].weights)
        weight, bias = torch.tensor(preview["weight"]), torch.tensor(preview["bias"])
    elif shared is not None and shared.preview is not None and "vae" in shared.networks:
        weight, bias = shared.preview
    else:
        weight, bias = fit_preview(parts["vae"])
    return LoadedFamily(
        family=family,
        transformer=parts["transformer"],
        controlnet=parts.get("controlnet"),
        vae=parts["vae"],
        encoder=parts["encoder"],
        flow=parts.get("flow"),
        scheduler=read_config(found["scheduler"].weights),
        preview_weight=weight.to(device),
        preview_bias=bias.to(device),
        weights=weights,
        device=device,
        dtype=dtype,
        files=files,
    )


@dataclass(frozen=True)
class Shared:
    """Networks in memory that another family has as well.

    Parameters
    ----------
    networks : dict of str to nn.Module
        By kind; the transformer may have an adapter.
    preview : (weight, bias), optional
        See :class:`LoadedFamily`.
    """

    networks: dict[Kind, Any]
    preview: tuple[Tensor, Tensor] | None = None

    @property
    def base(self) -> bool:
        """Whether only adapter, flow or ControlNet are to be loaded."""
        return {"transformer", "vae", "encoder"} <= set(self.networks)

    def bytes_on(self, device: torch.device) -> int:
        """Give the memory that they take there."""
        values = [v for one in self.networks.values() for v in one.state_dict().values()]
        return sum(v.nbytes for v in values if v.device.type == device.type)


def shared_with(held: LoadedFamily, family: Family, dtype: torch.dtype) -> Shared:
    """Give the networks of a loaded family that another one reads from the very same files."""
    found = {part.kind: one for part in family.parts if (one := find(part)) is not None}
    wanted = _file_keys(found, dtype)
    networks = {k: getattr(held, k) for k, key in wanted.items() if held.files.get(k) == key}
    return Shared(networks, (held.preview_weight, held.preview_bias))


def _file_keys(found: Mapping[Kind, Found], dtype: torch.dtype) -> dict[Kind, FileKey]:
    """Say which network comes of which files as they are now."""
    keys: dict[Kind, FileKey] = {}
    for kind in NETWORKS:
        # A stain may bring tensors in the place of some of the autoencoder's.
        parts = [one for k, one in found.items() if k == kind or (kind, str(k)) in REPLACED]
        if kind in found:
            paths = sorted({path for one in parts for path in one.files.values()})
            places = tuple((p, p.stat().st_size, p.stat().st_mtime_ns) for p in paths)
            keys[kind] = found[kind].part.network, PRECISIONS.get(kind, dtype), places
    return keys


def load_part(
    family: Family,
    found: Found,
    device: torch.device,
    dtype: torch.dtype,
    check: Callable[[], None] = lambda: None,
) -> nn.Module:
    """Load one network: built without values, then each tensor straight to its place."""
    part, name = found.part, f"{family.name}/{found.part.kind}"
    tensors = open_tensors(found.weights)
    if part.network == "uni2-h":
        from napari_pixcell.networks.uni import UniEncoder

        network = build_network(part.network, _sizes(part, tensors))
        load_weights(network, tensors, name, dtype, device, check)
        network = UniEncoder(network)
    else:
        config = _sizes(part, tensors) if found.config is None else read_config(found.config)
        network = build_network(part.network, config)
        load_weights(network, tensors, name, dtype, device, check)
    return network.to(device).eval().requires_grad_(False)


def pick_device() -> torch.device:
    """CUDA where there is a card, then Apple's, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def pick_dtype(family: WeightSet, device: torch.device) -> torch.dtype:
    """Half precision where it is faster and as good; the small bundled networks stay in float32."""
    base = family.part("transformer")
    if family.bundled or (base is not None and base.folder == DEMO_FOLDER):
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if _cpu_has_bf16() else torch.float32


def describe_device(device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """Name a device and precision for a record, such as ``cuda: NVIDIA H200, bfloat16``."""
    name = device.type
    if device.type == "cuda":
        name = f"cuda: {torch.cuda.get_device_name(device)}"
    return name if dtype == torch.float32 else f"{name}, {str(dtype).removeprefix('torch.')}"


def _cpu_has_bf16() -> bool:
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported()) if supported is not None else False


def _sizes(part: Part, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read the sizes of a network that is published without a config from its tensors."""
    from napari_pixcell.networks.stain_flow import flow_sizes
    from napari_pixcell.networks.uni import uni_sizes

    shapes = {key: shape_of(tensors, key) for key in tensors}
    try:
        return uni_sizes(shapes) if part.network == "uni2-h" else flow_sizes(shapes)
    except (KeyError, IndexError, ValueError) as error:
        raise PixCellError(
            f"{part.weights} is not the file of {part.hub_id or part.network} ({error} is "
            "missing); use the published one."
        ) from error


def _check_together(family: Family, parts: Mapping[Kind, Any]) -> None:
    """Refuse parts that do not belong together, before a request fails deep inside."""
    config = parts["transformer"].config
    if config.caption_num_tokens != family.grid**2:
        raise PixCellError(
            f"The transformer of {family.title} reads {config.caption_num_tokens} embeddings, but "
            f"a tile of this family has {family.grid**2}; choose the family it belongs to."
        )
    channels = parts["vae"].config.latent_channels
    if channels != config.in_channels or config.sample_size * 8 != family.tile:
        raise PixCellError(
            f"The autoencoder and the transformer of {family.title} do not fit: {channels} against "
            f"{config.in_channels} channels, tiles of {config.sample_size * 8} px; "
            "use files of one family."
        )
