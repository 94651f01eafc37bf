"""Memory planning: what a family needs and what fits, before it is loaded. Imports no torch.

File sizes are those of the catalogue. Working memory is estimated from the largest arrays of each
step.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import psutil

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family, Kind, WeightSet
from napari_pixcell.preferences import preference, set_preference

log = logging.getLogger(__name__)

GB = 1_000_000_000
# Bytes per number in the published files, and in full precision.
STORED = FULL = 4
# Networks that run in full precision whatever the others do.
IN_FULL = ("encoder", "flow")
# Fraction left to the driver and to torch's pool, whose blocks are larger than their contents:
# 2.8 GB of arrays did not fit into 3.1 GB of a GPU.
RESERVE = 0.15
# A remembered setting is discarded if this many times more memory is free: another program ended.
MORE = 1.5
# An adapter of rank 4 is a few MB, but its file repeats the whole base.
ADAPTER = 10_000_000
# Measured by benchmarks/card.py on an H100, where estimates are within 3 % of the arrays' size.
# Numbers that decoding holds at once for each pixel.
DECODED = 900
# Arrays of the hidden width that a pass holds at once for each patch of 16 px, and those that a
# ControlNet adds for both passes: three times a residual of each of its blocks.
PASS, RESIDUALS = 13, 3 * 28
WIDTH = 1152
# Numbers that embedding holds for one batch of tiles.
EMBEDDED = 110_000_000
# Workspaces of cuBLAS and cuDNN, in bytes.
LIBRARIES = 60_000_000
# Seconds of a forward pass at 256 px on two AVX-512 cores, by bytes per number, and the factor
# for 1024 px (23 times the operations).
FORWARD_S = {2: 0.95, 4: 1.8}
LARGER = 23
# Numbers that Cellpose holds at once for a tile: the attention among all of its patches.
SEGMENTED = 150_000_000
# Seconds of a Cellpose tile on one such core, and the tiles of a region of 256 px.
SEGMENT_S = {2: 5, 4: 12}
SEGMENT_TILES = 4


@dataclass(frozen=True)
class Setting:
    """A way to hold a family in memory. Each step of the ladder needs less than the one before.

    Parameters
    ----------
    name : str
        Name in records and preferences.
    words : str
        Description that ends a sentence.
    swap_encoder : bool
        The encoder waits in host memory, and replaces the transformer while it embeds.
    tile_vae : bool
        The autoencoder works in overlapping windows.
    two_passes : bool
        The halves of the guidance batch run one after the other.
    on_cpu : bool
        Everything runs on the CPU.
    """

    name: str
    words: str
    swap_encoder: bool = False
    tile_vae: bool = False
    two_passes: bool = False
    on_cpu: bool = False

    @property
    def plain(self) -> bool:
        """Whether images are computed as with ample memory."""
        return not (self.tile_vae or self.two_passes or self.on_cpu)


LADDER = (
    Setting("resident", "with everything in memory"),
    Setting("swap_encoder", "with the encoder moved out while generating", swap_encoder=True),
    Setting("tile_vae", "with the image decoded in windows", swap_encoder=True, tile_vae=True),
    Setting(
        "two_passes",
        "with guidance in two passes",
        swap_encoder=True,
        tile_vae=True,
        two_passes=True,
    ),
    Setting("cpu", "on the CPU, slowly", tile_vae=True, two_passes=True, on_cpu=True),
)


@dataclass(frozen=True)
class Machine:
    """Free memory in bytes: of the GPU (0 without one) and of the host."""

    gpu: int
    host: int


def needed(family: Family, setting: Setting, bytes_per_number: int) -> int:
    """Estimate the peak memory of a family on its device, in bytes.

    ``bytes_per_number`` is 2 in half precision, 4 in full. The encoder is always in full precision.
    """
    sizes = {
        part.kind: ADAPTER
        if part.kind == "lora"
        else part.bytes * _number(part.kind, bytes_per_number) // STORED
        for part in family.parts
    }
    encoder = sizes.pop("encoder", 0)
    others = sum(sizes.values())
    pixels = family.tile**2
    decoded = min(pixels, 512**2) if setting.tile_vae else pixels
    decoding = decoded * DECODED * bytes_per_number
    denoising = working_bytes(family, 1 if setting.two_passes else 2, bytes_per_number)
    embedding = EMBEDDED * FULL
    if setting.swap_encoder:  # either the encoder is loaded, or the transformer and ControlNet
        moved = sizes.get("transformer", 0) + sizes.get("controlnet", 0)
        held = max(others + max(decoding, denoising), others - moved + encoder + embedding)
    else:
        held = others + encoder + max(decoding, denoising, embedding)
    return held + LIBRARIES


def _number(kind: Kind, bytes_per_number: int) -> int:
    return FULL if kind in IN_FULL else bytes_per_number


def working_bytes(family: Family, passes: int, bytes_per_number: int) -> int:
    """Estimate the working memory of denoising one tile, in bytes.

    ``passes`` is 2 if both halves of the guidance batch run together, else 1.
    """
    arrays = passes * PASS + (RESIDUALS if family.takes_layout else 0)
    return family.tile**2 // 256 * WIDTH * arrays * bytes_per_number


def plan(
    family: Family, free_bytes: int, bytes_per_number: int, start: Setting | None = None
) -> Setting:
    """Return the first step of the ladder that fits, at ``start`` or below."""
    first = LADDER.index(start) if start in LADDER else 0
    if family.bundled:
        return LADDER[first]
    room = free_bytes * (1 - RESERVE)
    for setting in LADDER[first:]:
        if setting.on_cpu or needed(family, setting, bytes_per_number) <= room:
            return setting
    return LADDER[-1]


def next_setting(setting: Setting) -> Setting | None:
    """Return the next step down the ladder, or None at its end."""
    index = LADDER.index(setting) + 1
    return LADDER[index] if index < len(LADDER) else None


def remember_setting(device: str, family: Family, setting: Setting, free_bytes: int) -> None:
    """Remember the setting that worked on a device with this much free memory."""
    values = preference("memory settings", {}) or {}
    worked = {"setting": setting.name, "free": free_bytes}
    try:
        set_preference("memory settings", values | {f"{device}/{family.name}": worked})
    except PixCellError as error:
        log.warning("%s", error)


def remembered_setting(device: str, family: Family, free_bytes: int) -> Setting | None:
    """Return the setting that last worked on a device, unless far more memory is free now."""
    values = preference("memory settings", {})
    worked = values.get(f"{device}/{family.name}") if isinstance(values, dict) else None
    if not isinstance(worked, dict) or free_bytes > MORE * worked.get("free", 0):
        return None
    return next((setting for setting in LADDER if setting.name == worked.get("setting")), None)


def this_machine(gpu: int = 0) -> Machine:
    """Return the memory of this machine. The caller passes the GPU's, which needs torch."""
    return Machine(gpu, int(psutil.virtual_memory().available))


def segmenter_needs(file_bytes: int, bytes_per_number: int) -> int:
    """Estimate the peak memory of a Cellpose model in bytes, including its whole file."""
    return file_bytes + (file_bytes // STORED + SEGMENTED) * bytes_per_number


def segmenter_fits(file_bytes: int, free_bytes: int, bytes_per_number: int) -> bool:
    """Whether a Cellpose model fits into the free memory."""
    return segmenter_needs(file_bytes, bytes_per_number) <= free_bytes * (1 - RESERVE)


def verdict(family: WeightSet, machine: Machine, half: bool = True) -> str:
    """Return in a few words how a family, or Cellpose, runs on a machine."""
    if family.bundled:
        return "runs anywhere"
    size = 2 if half else 4
    if not isinstance(family, Family):
        return _segmenter_verdict(family.bytes, machine, size)
    if machine.gpu:
        setting = plan(family, machine.gpu, size)
        if not setting.on_cpu:
            return "runs resident" if setting == LADDER[0] else f"runs {setting.words}"
    short = needed(family, LADDER[-1], size) - machine.host * (1 - RESERVE)
    if short > 0:
        return _short(short)
    seconds = cpu_seconds(family, family.steps, size)
    time = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"runs slowly on CPU: about {time} a tile"


def cpu_seconds(
    family: Family, steps: int, bytes_per_number: int, layout: bool | None = None
) -> float:
    """Estimate the seconds of a tile of a published family on a CPU.

    With ``layout``, by default if the family supports layouts, the ControlNet runs too.
    """
    steered = family.takes_layout if layout is None else layout
    passes = 2 * steps * (1.5 if steered else 1)
    return passes * FORWARD_S[bytes_per_number] * (LARGER if family.tile > 256 else 1)


def _segmenter_verdict(file_bytes: int, machine: Machine, size: int) -> str:
    if machine.gpu and segmenter_fits(file_bytes, machine.gpu, size):
        return "runs resident"
    short = segmenter_needs(file_bytes, size) - machine.host * (1 - RESERVE)
    if short > 0:
        return _short(short)
    return f"runs slowly on CPU: about {SEGMENT_S[size] * SEGMENT_TILES} s for 256 px"


def _short(bytes_: float) -> str:
    return f"needs {bytes_ / GB:.0f} GB more memory than is free"
