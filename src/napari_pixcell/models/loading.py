"""Weights of a family into networks on a device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.build import build_network, read_config
from napari_pixcell.models.catalogue import Family, Part, WeightSet
from napari_pixcell.models.lora import add_lora
from napari_pixcell.models.preview import fit_preview
from napari_pixcell.models.store import Found, require
from napari_pixcell.models.weights import load_weights, open_tensors, replace_weights, shape_of


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


def load_family(
    family: Family,
    device: torch.device,
    dtype: torch.dtype | None = None,
    encoder_device: torch.device | None = None,
    check: Callable[[], None] = lambda: None,
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

    Raises
    ------
    PixCellError
        If a file is missing or does not hold the tensors it should.
    """
    dtype = dtype or pick_dtype(family, device)
    found = {part.kind: require(family, part) for part in family.parts}
    places = {"encoder": encoder_device or device}
    # The flow is small, and a hundred Euler steps in half precision would drift.
    precisions = {"flow": torch.float32}
    parts: dict[str, Any] = {
        kind: load_part(
            family,
            found[kind],
            places.get(kind, device),
            precisions.get(kind, dtype),
            check,
        )
        for kind in ("transformer", "controlnet", "vae", "encoder", "flow")
        if kind in found
    }
    if "lora" in found:
        tensors = open_tensors(found["lora"].weights)
        name = found["lora"].weights.name
        add_lora(parts["transformer"], tensors, name, dtype=dtype, device=device)
        parts["transformer"].eval().requires_grad_(False)
    if "decoder" in found:
        tensors = open_tensors(found["decoder"].weights)
        replace_weights(parts["vae"], tensors, f"{family.name}/decoder", dtype, device)
    # Convolutions over interleaved channels take about half the time.
    parts["vae"].to(memory_format=torch.channels_last)
    _check_together(family, parts)
    weights: dict[str, str] = {}
    for kind, one in found.items():
        if kind not in ("scheduler", "preview"):
            check()
            weights[kind] = sha256_of(one.weights)
    if "preview" in found:
        preview = read_config(found["preview"].weights)
        weight, bias = torch.tensor(preview["weight"]), torch.tensor(preview["bias"])
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
    )


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
    """Half precision where it is faster and as good; the small bundled family stays in float32."""
    if family.bundled:
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


def sha256_of(path: Path) -> str:
    """Hash a weight file, once while it stays the same: several GB take seconds."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def _check_together(family: Family, parts: Mapping[str, Any]) -> None:
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
