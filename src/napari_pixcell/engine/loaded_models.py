"""Networks in the memory of one device: planned before loading, reduced when it is full."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import CELLPOSE, Family
from napari_pixcell.models.families import get_family, segmenter_file
from napari_pixcell.models.loading import (
    LoadedFamily,
    SharedNetworks,
    describe_device,
    load_family,
    pick_device,
    pick_dtype,
    shared_with,
)
from napari_pixcell.models.loading_segmenter import LoadedSegmenter, load_segmenter
from napari_pixcell.models.memory import (
    Setting,
    next_setting,
    plan,
    remember_setting,
    remembered_setting,
    segmenter_fits,
    working_bytes,
)
from napari_pixcell.models.store import encoder_identity, find, require
from napari_pixcell.models.weights import cached_sha256
from napari_pixcell.networks.compiling import compile_blocks
from napari_pixcell.preferences import compile_wanted, set_preference

log = logging.getLogger(__name__)

# Windows of a tiled autoencoder, in px. Neighbours overlap by a quarter and are blended.
VAE_TILE = 512
# Messages of CUDA, cuBLAS, cuDNN, Metal and the CPU's allocator when memory is full.
FULL = ("out of memory", "alloc_failed", "can't allocate memory", "not enough memory")
# Tiles of 256 px per pass on a GPU. These keep it busy (of larger tiles, one does), and more would
# delay cancel and the first image.
MOST_AT_ONCE = 8
FREE_PART = 0.8  # of the free memory, for a pass


class LoadedModels:
    """The networks of one family and one Cellpose model, on the devices where they fit.

    Parameters
    ----------
    device : torch.device, optional
        By default the best one available.

    Attributes
    ----------
    setting : Setting or None
        Memory setting of the loaded family. None while none is loaded.
    batch : int
        Tiles per pass.
    most : int
        Tiles per pass that fit, even if fewer are as fast.
    compiled : bool
        Whether the blocks of the transformer are compiled.
    encoder_id : str
        Identity of the encoder's files at the time they were loaded.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or pick_device()
        self.setting: Setting | None = None
        self.batch = self.most = 1
        self.compiled = False
        self.encoder_id = ""
        self._loaded: LoadedFamily | None = None
        self._segmenter: LoadedSegmenter | None = None

    def load(
        self, name: str, dtype: torch.dtype | None = None, check: Callable[[], None] = lambda: None
    ) -> LoadedFamily:
        """Return the networks of a family, loading them if they are not in memory.

        Parameters
        ----------
        name : str
            Name of the family. Another loaded family is unloaded first, except for networks
            that both share: stains of one base only swap their adapters.
        dtype : torch.dtype, optional
            Precision, if not the usual one of device and family.
        check : callable
            Called before each tensor. An exception raised in it ends the loading, with nothing
            loaded.
        """
        family = get_family(name)
        held = self._loaded
        if held is not None and held.family == family and dtype in (None, held.dtype):
            encoder = family.part("encoder")
            if held.encoder is not None or encoder is None or find(encoder) is None:
                return held
        precision = dtype or pick_dtype(family, self.device)
        shared, setting = None, None
        if held is not None:
            shared = shared_with(held, family, precision)
            setting = self.setting if shared.base else None  # it still fits
        del held
        if setting is not None:
            self._loaded = None  # only adapters change, which need no room
        else:
            self.unload()
            free = free_bytes(self.device) + (shared.bytes_on(self.device) if shared else 0)
            start = remembered_setting(describe_device(self.device), family, free)
            setting = plan(family, free, precision.itemsize, start=start)
        return self._load(family, setting, dtype, check, shared)

    def step_down(self, together: int = 1) -> str | None:
        """Load the same family again in a setting that needs less memory.

        Before that, fewer tiles share a pass.

        Parameters
        ----------
        together : int
            Tiles in the pass that did not fit, if they were more than ``batch``.

        Returns
        -------
        str or None
            The change in words. None if nothing is left to try.
        """
        if self._segmenter is not None:
            self._segmenter = None
            self._collect()
            return "without Cellpose in memory"
        if max(self.batch, together) > 1:
            self.batch = max(1, self.batch // 2)
            self.most = max(1, together // 2)
            self._collect()
            return "with fewer images at once"
        held, setting = self._loaded, self.setting
        less = next_setting(setting) if setting is not None else None
        if held is None or less is None:
            return None
        family, dtype = held.family, _kept(held.dtype)
        del held
        self.unload()
        free = free_bytes(self.device)
        self._load(family, less, dtype)
        assert self.setting is not None
        remember_setting(describe_device(self.device), family, self.setting, free)
        return self.setting.words

    def full_precision(self) -> bool:
        """Load the same family again in float32. Returns False if it already has that precision."""
        held, setting = self._loaded, self.setting
        if held is None or setting is None or held.dtype == torch.float32:
            return False
        family = held.family
        del held
        self.unload()
        self._load(family, setting, torch.float32)
        return True

    def load_segmenter(self, model: str) -> LoadedSegmenter:
        """Return a Cellpose model, loading it if it is not in memory.

        Parameters
        ----------
        model : str
            See :func:`napari_pixcell.models.families.segmenter_file`. A family that leaves no
            room for it is unloaded.
        """
        path, held = segmenter_file(model), self._segmenter
        if held is not None and held.path == path and held.sha256 == cached_sha256(path):
            return held
        del held
        self._segmenter = None
        self._collect()
        size, device = path.stat().st_size, self.device
        if not segmenter_fits(size, free_bytes(device), _segmenter_dtype(device).itemsize):
            self.unload()
            if not segmenter_fits(size, free_bytes(device), _segmenter_dtype(device).itemsize):
                device = torch.device("cpu")
        return self._load_segmenter(path, device)

    @property
    def bypasses_gpu(self) -> bool:
        """True if the family runs on the CPU although there is a GPU."""
        on_cpu = self.setting is not None and self.setting.on_cpu
        return on_cpu and self.device.type != "cpu"

    @property
    def segmenter_device(self) -> torch.device:
        """The device that Cellpose is on, or would be loaded to."""
        return self._segmenter.device if self._segmenter is not None else self.device

    def step_segmenter_down(self) -> str | None:
        """Make room for the Cellpose model; see :meth:`step_down`."""
        if self._loaded is not None:
            self._loaded = self.setting = None
            self._collect()
            return "without the other model in memory"
        held = self._segmenter
        if held is None or held.device.type == "cpu":
            return None
        path = held.path
        del held
        self.unload()
        self._load_segmenter(path, torch.device("cpu"))
        return "on the CPU, slowly"

    def unload(self) -> None:
        """Free all memory held by networks."""
        self._loaded = self.setting = self._segmenter = None
        self._collect()

    def _load_segmenter(self, path: Path, device: torch.device) -> LoadedSegmenter:
        self._segmenter = load_segmenter(path, device, _segmenter_dtype(device))
        log.info("Cellpose on %s", describe_device(device, self._segmenter.dtype))
        return self._segmenter

    def _collect(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @contextmanager
    def encoder(self) -> Iterator[Any]:
        """Provide the encoder on the device. If need be, the other networks make room.

        Raises
        ------
        PixCellError
            If it is not installed.
        """
        assert self._loaded is not None and self.setting is not None
        loaded = self._loaded
        if loaded.encoder is None:
            for part in loaded.family.parts:
                require(loaded.family, part)  # raises: only the encoder may be missing
        if not self.setting.swap_encoder:
            yield loaded.encoder
            return
        others = [one for one in (loaded.transformer, loaded.controlnet) if one is not None]
        try:
            self._move(others, torch.device("cpu"))
            self._move([loaded.encoder], loaded.device)
            yield loaded.encoder
        finally:
            self._move([loaded.encoder], torch.device("cpu"))
            self._move(others, loaded.device)

    def _move(self, networks: list[Any], device: torch.device) -> None:
        for network in networks:
            network.to(device)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _load(
        self,
        family: Family,
        setting: Setting,
        dtype: torch.dtype | None,
        check: Callable[[], None] = lambda: None,
        shared: SharedNetworks | None = None,
    ) -> LoadedFamily:
        """Load a family, in the next setting down the ladder if it does not fit."""
        while True:
            try:
                return self._load_as(family, setting, dtype, check, shared)
            except RuntimeError as error:
                less = next_setting(setting)
                if less is None or not memory_is_full(error):
                    raise
            log.info("no room for %s %s", family.name, setting.name)
            setting, shared = less, None if less.on_cpu else shared
            self.unload()

    def _load_as(
        self,
        family: Family,
        setting: Setting,
        dtype: torch.dtype | None,
        check: Callable[[], None],
        shared: SharedNetworks | None,
    ) -> LoadedFamily:
        device = torch.device("cpu") if setting.on_cpu else self.device
        away = torch.device("cpu") if setting.swap_encoder else device
        # Before loading, because files that are replaced afterwards have another identity.
        self.encoder_id = encoder_identity(family) or ""
        loaded = load_family(family, device, dtype, away, check, shared)
        if hasattr(loaded.vae, "disable_tiling"):
            loaded.vae.disable_tiling()  # it may be another family's too
        if setting.tile_vae and hasattr(loaded.vae, "enable_tiling"):
            loaded.vae.enable_tiling()
            loaded.vae.tile_sample_min_size = VAE_TILE
            loaded.vae.tile_latent_min_size = VAE_TILE // 8
        self.compiled = compile_wanted() and self._compile(loaded)
        self._loaded, self.setting = loaded, setting
        self.batch, self.most = self._fitting_batch(loaded), self._fitting_most(loaded)
        log.info("%s on %s: %s", family.name, describe_device(device, loaded.dtype), setting.name)
        return loaded

    def _compile(self, loaded: LoadedFamily) -> bool:
        """Compile the blocks, or store for the doctor why that does not work here."""
        networks = [n for n in (loaded.transformer, loaded.controlnet) if n is not None]
        reasons = [reason for reason in map(compile_blocks, networks) if reason]
        try:
            set_preference("compile failed", reasons[0] if reasons else "")
        except PixCellError as error:
            log.warning("%s", error)
        return not reasons

    def _fitting_most(self, loaded: LoadedFamily) -> int:
        """Return how many tiles fit into a pass."""
        if self.setting and not self.setting.plain:
            return 1
        each = working_bytes(loaded.family, 2, loaded.dtype.itemsize)
        return max(1, int(free_bytes(loaded.device) * FREE_PART // each))

    def _fitting_batch(self, loaded: LoadedFamily) -> int:
        """Return the number of tiles per pass: more than one only if that is faster."""
        if loaded.device.type != "cuda" or (self.setting and not self.setting.plain):
            return 1
        most = MOST_AT_ONCE * 256**2 // loaded.family.tile**2
        return max(1, min(most, self._fitting_most(loaded)))


def memory_is_full(error: RuntimeError) -> bool:
    """Whether an error means that memory is full, in the words of any library."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(sign in words for sign in FULL)


def _kept(dtype: torch.dtype) -> torch.dtype | None:
    """Return the precision to keep on a reload: full once half precision overflowed."""
    return dtype if dtype == torch.float32 else None


def _segmenter_dtype(device: torch.device) -> torch.dtype:
    """Return half precision as for other models, but only the kind that Cellpose supports."""
    usual = pick_dtype(CELLPOSE, device)
    return usual if usual == torch.bfloat16 else torch.float32


def free_bytes(device: torch.device) -> int:
    """Return the number of free bytes on a device."""
    if device.type == "cuda":
        try:
            return int(torch.cuda.mem_get_info(device)[0])
        except RuntimeError as error:
            if not memory_is_full(error):
                raise
            return 0  # not even CUDA's own memory fits beside other programs
    return int(psutil.virtual_memory().available)
