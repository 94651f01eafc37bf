"""Families loaded from their files into networks on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.build import build_network, read_config, read_preview
from napari_pixcell.models.catalogue import DEMO_FOLDER, Family, Kind, Part, WeightSet
from napari_pixcell.models.lora import attach_lora, detach_lora, open_adapter
from napari_pixcell.models.memory import IN_FULL
from napari_pixcell.models.store import InstalledPart, find, require
from napari_pixcell.models.weights import (
    background_hashes,
    cached_sha256,
    load_weights,
    metadata_of,
    open_tensors,
    replace_weights,
    shape_of,
)
from napari_pixcell.preferences import wanted_device

NETWORKS: tuple[Kind, ...] = ("transformer", "controlnet", "vae", "encoder", "flow")
# The flow is small, and a hundred Euler steps in half precision would drift. The encoder runs once
# for each style, in full precision as published.
PRECISIONS = dict.fromkeys(IN_FULL, torch.float32)
TRAINED_EPS = "norm_eps"  # in the metadata of a flow trained here
# Plain settings, and the adapter's file, whose hash is kept with its small copy.
UNHASHED = ("scheduler", "preview", "lora")
FITTED = 12, 3, 64, 64  # shape of the images that the preview is fitted to
FileKey = tuple[object, ...]


@dataclass(frozen=True)
class LoadedFamily:
    """The networks of a family, ready to run: in evaluation mode, on ``device``, of ``dtype``.

    Parameters
    ----------
    controlnet, flow : nn.Module or None
        None if the family has none.
    encoder : nn.Module or None
        None if it is not installed: styles that are known already do not need it.
    scheduler : dict
        Configuration of the scheduler.
    preview_weight, preview_bias : Tensor, (3, channels) and (3,)
        Linear map from a latent to RGB in 0..1.
    weights : dict of str to str
        sha256 of each weight file.
    files : dict of str to tuple
        Files and precision that each network was loaded with.
    """

    family: Family
    transformer: Any
    controlnet: Any | None
    vae: Any
    encoder: Any | None
    flow: Any | None
    scheduler: dict[str, Any]
    preview_weight: Tensor
    preview_bias: Tensor
    weights: dict[str, str]
    device: torch.device
    dtype: torch.dtype
    files: dict[Kind, FileKey] = field(default_factory=dict)


@dataclass(frozen=True)
class SharedNetworks:
    """Networks in memory, by kind, that another family uses as well.

    The transformer may have an adapter. ``preview`` is weight and bias, see :class:`LoadedFamily`.
    """

    networks: dict[Kind, Any] = field(default_factory=dict)
    preview: tuple[Tensor, Tensor] | None = None

    @property
    def base(self) -> bool:
        """Whether only adapter, flow or ControlNet remain to be loaded."""
        return {"transformer", "vae", "encoder"} <= set(self.networks)

    def bytes_on(self, device: torch.device) -> int:
        """Return the memory that they use on a device, in bytes."""
        values = [v for one in self.networks.values() for v in one.state_dict().values()]
        return sum(v.nbytes for v in values if v.device.type == device.type)


def load_family(
    family: Family,
    device: torch.device,
    dtype: torch.dtype | None = None,
    encoder_device: torch.device | None = None,
    check: Callable[[], None] = lambda: None,
    shared: SharedNetworks | None = None,
) -> LoadedFamily:
    """Load every part of a family, and its encoder if that is installed.

    Parameters
    ----------
    family : Family
        Its files are searched with :func:`napari_pixcell.models.store.find`.
    dtype : torch.dtype, optional
        Precision. Default: see :func:`pick_dtype`.
    encoder_device : torch.device, optional
        Device of the encoder, if it waits elsewhere.
    check : callable
        Called before each tensor and each file. Whatever it raises ends the loading.
    shared : SharedNetworks, optional
        Networks to take over from another family, which cannot be used afterwards.

    Raises
    ------
    PixCellError
        If a file is missing or does not contain the right tensors.
    """
    dtype = dtype or pick_dtype(family, device)
    shared = shared or SharedNetworks()
    needed = [part for part in family.parts if part.kind != "encoder" or find(part) is not None]
    installed = {part.kind: require(family, part) for part in needed}
    hashed = {kind: one.weights for kind, one in installed.items() if kind not in UNHASHED}
    devices = {"encoder": encoder_device or device}
    files = _file_keys(installed, dtype)
    parts: dict[Kind, Any] = {}
    weights: dict[str, str] = {}
    with background_hashes(hashed.values()) as hash_of:
        for kind in files:
            own_device = devices.get(kind, device)
            network = shared.networks.get(kind)
            if network is None:
                precision = PRECISIONS.get(kind, dtype)
                network = load_part(family, installed[kind], own_device, precision, check)
            parts[kind] = network.to(own_device)
        if "lora" in installed:
            path = installed["lora"].weights
            tensors, weights["lora"] = open_adapter(path)
            if tensors.config is not None:  # it decides how strongly the adapter acts
                weights["lora settings"] = cached_sha256(tensors.config)
            attach_lora(parts["transformer"], tensors, path.name, dtype, device)
            parts["transformer"].eval().requires_grad_(False)
        else:
            detach_lora(parts["transformer"])
        if "decoder" in installed:
            decoder = open_tensors(installed["decoder"].weights)
            replace_weights(parts["vae"], decoder, f"{family.name}/decoder", dtype, device)
        # Convolutions over interleaved channels take about half the time.
        parts["vae"].to(memory_format=torch.channels_last)
        _check_compatible(family, parts)
        for kind, path in hashed.items():
            check()
            weights[kind] = hash_of(path)
    if "preview" in installed:
        weight, bias = read_preview(installed["preview"].weights)
    elif shared.preview is not None and "vae" in shared.networks:
        weight, bias = shared.preview
    else:
        weight, bias = fit_preview(parts["vae"])
    return LoadedFamily(
        family=family,
        transformer=parts["transformer"],
        controlnet=parts.get("controlnet"),
        vae=parts["vae"],
        encoder=parts.get("encoder"),
        flow=parts.get("flow"),
        scheduler=read_config(installed["scheduler"].weights),
        preview_weight=weight.to(device),
        preview_bias=bias.to(device),
        weights=weights,
        device=device,
        dtype=dtype,
        files=files,
    )


def shared_with(held: LoadedFamily, family: Family, dtype: torch.dtype) -> SharedNetworks:
    """Return the networks of a loaded family that another one reads from the very same files."""
    installed = {part.kind: one for part in family.parts if (one := find(part)) is not None}
    wanted = _file_keys(installed, dtype)
    networks = {k: getattr(held, k) for k, key in wanted.items() if held.files.get(k) == key}
    return SharedNetworks(networks, (held.preview_weight, held.preview_bias))


def load_part(
    family: Family,
    installed: InstalledPart,
    device: torch.device,
    dtype: torch.dtype,
    check: Callable[[], None] = lambda: None,
) -> nn.Module:
    """Load one network, each tensor straight from its file to the device.

    Parameters are those of :func:`load_family`, with the files of one part.
    """
    part, name = installed.part, f"{family.name}/{installed.part.kind}"
    tensors = open_tensors(installed.weights)
    config = _sizes(part, tensors) if installed.config is None else read_config(installed.config)
    network = build_network(part.network, config)
    load_weights(network, tensors, name, dtype, device, check)
    if part.network == "uni2-h":
        from napari_pixcell.networks.uni import UniEncoder

        network = UniEncoder(network)
    return network.to(device).eval().requires_grad_(False)


def pick_device() -> torch.device:
    """Return the chosen device, else the fastest: CUDA, else Apple's GPU, else the CPU.

    Raises
    ------
    PixCellError
        If the chosen one is not there.
    """
    wanted = wanted_device()
    if wanted:
        check_device(wanted)
        device = torch.device(wanted)
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)  # libraries use the current one
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def check_device(name: str) -> None:
    """Raise PixCellError if this machine has no device of a name, such as ``cuda:1``."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [f"cuda:{number}" for number in range(count)]
    others = ["mps", "cpu"] if torch.backends.mps.is_available() else ["cpu"]
    if name not in [*gpus, *others, *(["cuda"] if gpus else [])]:
        raise PixCellError(
            f"There is no device “{name[:40]}” here. Choose one of: {', '.join(gpus + others)}."
        )


def pick_dtype(family: WeightSet, device: torch.device) -> torch.dtype:
    """Return half precision if the device is faster with it, else float32, as for demo networks.

    On a CPU this depends on its instruction set.
    """
    base = family.part("transformer")
    if family.bundled or (base is not None and base.folder == DEMO_FOLDER):
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if _cpu_has_bf16() else torch.float32


def trains_in(device: torch.device) -> torch.dtype | None:
    """Return the precision of autocast in which networks are trained on a device, or None."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
    return torch.bfloat16 if device.type == "cpu" and _cpu_has_bf16() else None


def describe_device(device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """Return the name of a device and precision, such as ``cuda: NVIDIA H200, bfloat16``."""
    name = device.type
    if device.type == "cuda":
        name = f"cuda: {torch.cuda.get_device_name(device)}"
    return name if dtype == torch.float32 else f"{name}, {str(dtype).removeprefix('torch.')}"


def _cpu_has_bf16() -> bool:
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported()) if supported is not None else False


def _file_keys(installed: Mapping[Kind, InstalledPart], dtype: torch.dtype) -> dict[Kind, FileKey]:
    """Return what determines each network: its class, precision, and files as they are now."""
    keys: dict[Kind, FileKey] = {}
    for kind in NETWORKS:
        if kind in installed:
            # A stain may replace some of the autoencoder's tensors.
            kinds = (kind, "decoder") if kind == "vae" else (kind,)
            parts = [installed[k] for k in installed if k in kinds]
            paths = sorted({path for one in parts for path in one.files.values()})
            stamps = tuple((p, p.stat().st_size, p.stat().st_mtime_ns) for p in paths)
            keys[kind] = installed[kind].part.network, PRECISIONS.get(kind, dtype), stamps
    return keys


def _sizes(part: Part, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read the sizes of a network that is published without a config from its tensors."""
    from napari_pixcell.networks.stain_flow import EARLIER_EPS, flow_sizes
    from napari_pixcell.networks.uni import uni_sizes

    shapes = {key: shape_of(tensors, key) for key in tensors}
    try:
        if part.network == "uni2-h":
            return uni_sizes(shapes)
        about, sizes = metadata_of(tensors), flow_sizes(shapes)
        if part.folder == DEMO_FOLDER or ("stain" in about and TRAINED_EPS not in about):
            return sizes | {"norm_eps": EARLIER_EPS}
        return sizes
    except (KeyError, IndexError, ValueError) as error:
        raise PixCellError(
            f"{part.weights} is not the file of {part.hub_id or part.network} ({error} is "
            "missing). Use the published one."
        ) from error


def _check_compatible(family: Family, parts: Mapping[Kind, Any]) -> None:
    """Raise a PixCellError if transformer, autoencoder and family do not match."""
    config = parts["transformer"].config
    if config.caption_num_tokens != family.grid**2:
        raise PixCellError(
            f"The transformer of {family.title} reads {config.caption_num_tokens} embeddings, but "
            f"a tile of this family has {family.grid**2}. Choose the family it belongs to."
        )
    channels = parts["vae"].config.latent_channels
    if channels != config.in_channels or config.sample_size * 8 != family.tile:
        raise PixCellError(
            f"The autoencoder and the transformer of {family.title} do not match: {channels} and "
            f"{config.in_channels} channels, tiles of {config.sample_size * 8} px. "
            "Use files of one family."
        )


@torch.no_grad()
def fit_preview(vae: Any) -> tuple[Tensor, Tensor]:
    """Fit a linear map from latents to RGB, by least squares on smooth random colours.

    It previews a running generation at no cost. RGB in 0..1 is ``weight · latent + bias``, at an
    eighth of the image's size.

    Returns
    -------
    weight, bias : Tensor, (3, channels) and (3,)
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(*FITTED[:2], *(side // 16 for side in FITTED[2:]), generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=FITTED[2:], mode="bilinear")
    encoded = vae.encode((images * 2 - 1).to(next(vae.parameters())))
    latents = encoded.latent_dist.mode().float()
    latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
    channels, side = latents.shape[1], latents.shape[-1]
    small = torch.nn.functional.adaptive_avg_pool2d(images, side)
    x = latents.permute(0, 2, 3, 1).reshape(-1, channels).cpu()
    y = small.permute(0, 2, 3, 1).reshape(-1, 3)
    design = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    # Ridge regression, because some channels hardly vary on smooth images.
    gram = design.T @ design + 1e-3 * torch.eye(channels + 1, dtype=torch.float64)
    solution = torch.linalg.solve(gram, design.T @ y.double()).float()
    return solution[:-1].T.contiguous(), solution[-1].contiguous()
