"""PixCell-sample-data: patches of tissue with the latents and embeddings that their authors stored.

The set holds ``patches/…/<row>_<column>.jpeg`` of 1024 px, and in the same folders under
``features/`` the arrays ``…_sd3_vae.npy``, mean and standard deviation of the latents, and
``…_uni.npy``, the embeddings of the 4 × 4 tiles. Imports no torch.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_pixcell.errors import PixCellError
from napari_pixcell.models import hub
from napari_pixcell.models.catalogue import DEMO_FOLDER, Family, Part
from napari_pixcell.models.hub_errors import hub_error_message, offline_message
from napari_pixcell.models.hub_file import list_dataset, offline
from napari_pixcell.models.store import cache_repository, weights_folder
from napari_pixcell.untrusted import read_bounded, read_npy, reading
from napari_pixcell.words import file_size

HUB_ID = "StonyBrook-CVLab/PixCell-sample-data"
NAME = "PixCell-sample-data"
LICENCE = "CC BY 4.0"
SIZE = 35_000_000  # bytes of the features, as published
SIDE, GRID, FACTOR = 1024, 4, 8  # px, tiles and px for each latent along a side of a patch
BUNDLED = DEMO_FOLDER / "verification"
PATCHES, FEATURES = "patches", "features"
IMAGE, LATENTS, EMBEDDINGS = ".jpeg", "_sd3_vae.npy", "_uni.npy"
# Names of the published set, and of nothing outside its folder.
PUBLISHED_NAME = re.compile(
    r"(?:patches|features)/(?:\w[\w.-]*/){1,8}\d+_\d+(?:\.jpeg|_sd3_vae\.npy|_uni\.npy)", re.ASCII
)
MOST_BYTES = 64 * 2**20  # of a file
MOST_FILES = 3000
AGAIN = "Download the sample data again."
PART = Part("samples", "", HUB_ID, (), SIZE, LICENCE, dataset=True)

OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SamplePatch:
    """A patch of 1024 px at 0.5 µm/px, and the paths of what its authors stored."""

    image: Path
    latents: Path
    embeddings: Path

    @property
    def slide(self) -> str:
        """Folder of its slide."""
        return self.image.parent.name

    def read_pixels(self) -> NDArray[np.uint8]:
        """Read the tissue: uint8, (1024, 1024, 3)."""
        data = read_bounded(self.image, MOST_BYTES, "patch")
        with reading(self.image.name, AGAIN), Image.open(io.BytesIO(data)) as image:
            if image.size != (SIDE, SIDE):
                raise PixCellError(
                    f"“{self.image.name}” is {image.width} × {image.height} px, and a sample patch "
                    f"is {SIDE} × {SIDE} px. {AGAIN}"
                )
            return np.array(image.convert("RGB"))

    def read_latents(self, channels: int) -> NDArray[np.float32]:
        """Read the mean of the latents, before scale and shift: float32, (channels, 128, 128)."""
        side = SIDE // FACTOR
        values = self._read(self.latents, 2 * channels * side**2, f"latents of {channels} channels")
        return values.reshape(2 * channels, side, side)[:channels]

    def read_embeddings(self, dimension: int) -> NDArray[np.float32]:
        """Read the embeddings of the tiles, row by row: float32, (16, dimension)."""
        what = f"{GRID**2} embeddings of {dimension} numbers"
        values = self._read(self.embeddings, GRID**2 * dimension, what)
        return values.reshape(GRID**2, dimension)

    def _read(self, path: Path, size: int, what: str) -> NDArray[np.float32]:
        values = read_npy(read_bounded(path, MOST_BYTES, "feature"), path.name)
        if values.dtype.kind != "f" or values.size != size:
            raise PixCellError(
                f"“{path.name}” does not hold {what}, as this family has them. Choose the sample "
                "data of its own encoder and autoencoder."
            )
        found = values.astype(np.float32)
        if not np.isfinite(found).all():
            raise PixCellError(f"“{path.name}” is damaged: it holds no numbers. {AGAIN}")
        return found


def offer(family: Family) -> str:
    """Return what a download of the sample data means. Empty if none is needed."""
    if uses_bundled(family) or len(read_set(downloaded())) > 0:
        return ""
    return (
        f"The check of {family.title} needs {NAME} from {HUB_ID}: {file_size(SIZE)} of stored "
        f"features, and their patches of tissue. Licence: {LICENCE}."
    )


def uses_bundled(family: Family) -> bool:
    """Whether a family has the demo's encoder, and so the bundled patch."""
    encoder = family.part("encoder")
    return encoder is not None and encoder.folder == DEMO_FOLDER


def find_samples(
    family: Family,
    folder: str = "",
    agreed: bool = False,
    wanted: int = 1,
    on_progress: OnProgress = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Path, list[SamplePatch]]:
    """Return the folder and the patches of the sample data, downloading them if agreed.

    Parameters
    ----------
    folder : str
        Folder of a copy. By default the bundled patch of the demo families, else the downloaded
        set.
    wanted : int
        Number of patches. They are taken from all slides in turn.
    on_progress, cancelled : callable
        See :func:`napari_pixcell.models.hub.download`.

    Raises
    ------
    PixCellError
        If there are no sample data, or they cannot be downloaded.
    """
    if folder:
        return Path(folder), _chosen(_required(Path(folder)), wanted)
    if uses_bundled(family):
        return BUNDLED, _chosen(_required(BUNDLED), wanted)
    there = downloaded()
    patches = read_set(there)
    if len(patches) < wanted:
        if agreed:
            _download(on_progress, cancelled)
        elif not patches:
            raise PixCellError(
                f"{offer(family)} Agree to the download, or name the folder of a copy."
            )
        there = downloaded()
        patches = _required(there)
    return there, _chosen(patches, wanted)


def downloaded() -> Path:
    """Return the folder where downloaded sample data are, or would be."""
    folder = weights_folder()
    if folder is not None:
        return folder / HUB_ID
    top = cache_repository(HUB_ID, dataset=True)
    reference = top / "refs" / PART.revision
    commit = reference.read_text("utf-8").strip() if reference.is_file() else ""
    return top / "snapshots" / (commit or PART.revision)


def read_set(folder: Path) -> list[SamplePatch]:
    """Return the complete patches of a folder, in a stable order."""
    patches = []
    for image in sorted((folder / PATCHES).glob(f"**/*{IMAGE}"))[:MOST_FILES]:
        features = folder / FEATURES / image.relative_to(folder / PATCHES).parent
        latents, embeddings = (features / (image.stem + end) for end in (LATENTS, EMBEDDINGS))
        if latents.is_file() and embeddings.is_file():
            patches.append(SamplePatch(image, latents, embeddings))
    return patches


def _required(folder: Path) -> list[SamplePatch]:
    patches = read_set(folder)
    if not patches:
        raise PixCellError(
            f"“{folder.name}” does not hold {NAME}. Choose the folder that contains “{PATCHES}” "
            f"and “{FEATURES}”."
        )
    return patches


def _chosen(patches: Iterable[SamplePatch], wanted: int) -> list[SamplePatch]:
    """Return some patches, from each slide in turn."""
    slides: dict[str, list[SamplePatch]] = defaultdict(list)
    for patch in patches:
        slides[patch.slide].append(patch)
    turns: Any = zip_longest(*slides.values())
    return [patch for turn in turns for patch in turn if patch is not None][:wanted]


def _download(on_progress: OnProgress, cancelled: Callable[[], bool]) -> None:
    if offline():
        raise PixCellError(offline_message(PART))
    on_progress(0, 0, "Contacting the hub")
    try:
        listed = list_dataset(PART)
    except Exception as error:  # of whatever class the hub's client raises
        raise PixCellError(hub_error_message(error, PART)) from error
    # Features first: a patch that is there is then complete.
    names = sorted(filter(PUBLISHED_NAME.fullmatch, listed))[:MOST_FILES]
    if not any(name.startswith(PATCHES) for name in names):
        raise PixCellError(
            f"{HUB_ID} no longer has the files that this version expects. Update napari-pixcell, "
            "or name the folder of an earlier copy with --folder."
        )
    size = sum(listed[name] for name in names)
    hub.download([replace(PART, files=tuple(names), bytes=size)], on_progress, cancelled)
