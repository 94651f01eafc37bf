"""Training of stains and ControlNets of your own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_pixcell.api.engine import PublicEngine
from napari_pixcell.api.long_work import long_answer
from napari_pixcell.api.progress import WantedProgress
from napari_pixcell.api.slides import SlideLike, open_slide
from napari_pixcell.api.warning import warn
from napari_pixcell.cells.class_map import checked_palette
from napari_pixcell.cells.methods import METHODS, SegmentMethod
from napari_pixcell.engine.events import Trained, TrainedControl
from napari_pixcell.engine.training.control.request import CONTROL_BATCH, CONTROL_STEPS, STARTS
from napari_pixcell.engine.training.new_requests import (
    control_training,
    stain_training,
    with_region_pair,
)
from napari_pixcell.engine.training.request import FLOW_STEPS, LORA_BATCH, LORA_STEPS
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide


def train_stain(
    name: str,
    he: SlideLike,
    ihc: SlideLike,
    *,
    he_region: Region | None = None,
    ihc_region: Region | None = None,
    base: str | None = None,
    mpp: float | None = None,
    steps: int = FLOW_STEPS,
    lora: bool = False,
    lora_steps: int = LORA_STEPS,
    batch: int = LORA_BATCH,
    aligned: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
    engine: PublicEngine | None = None,
    progress: WantedProgress = False,
) -> Trained:
    """Train a virtual stain of your own on pairs of H&E and IHC.

    The same call resumes a training that was cancelled or interrupted. Afterwards
    ``engine.stain(name, …)`` makes the stain.

    Parameters
    ----------
    name : str
        Name of the stain, such as ``my-her2``.
    he, ihc : str, Path, Slide or array
        Folders of images of the same tissue in H&E and IHC. With regions, slides.
    he_region, ihc_region : Region, optional
        Regions of both slides that show the same tissue. They become a pair.
    base : str, optional
        Family to start from. By default ``pixcell-1024`` if it is installed, else ``demo-ki67``.
    mpp : float, optional
        Pixel size of all images in µm. By default as their files state.
    steps : int
        Training steps at most. It ends early once held-out pairs no longer improve.
    lora : bool
        Also train a LoRA adapter of the generator, in ``lora_steps`` of ``batch`` tiles.
    lora_steps, batch : int
        See ``lora``.
    aligned : bool
        Whether the pairs match to the pixel. The adapter then learns to keep cells in position.
    seed : int
    out : str or Path, optional
        Folder of the stain. By default in the data folder of your user.
    engine : Engine, optional
        Runs the training, here or in its worker, and shows its own progress. By default one in
        this process that is closed afterwards.
    progress : bool or callable
        As for :class:`Engine`, in steps.

    Returns
    -------
    Trained
        ``name`` and ``folder``; ``held_out`` and ``shift`` are the fractions of the distance from
        H&E to the stain that remain on held-out tiles, with the stain and with one shift for all;
        ``pairs``, ``tiles`` and ``held_tiles`` count. ``sentence()`` says it in words.

    Warns
    -----
    PixCellWarning
        If the stain should not be trusted.

    Raises
    ------
    PixCellError
        If the pairs do not match, the base is missing, or a value is out of range.
    RequestCancelled
        If it was cancelled. The work so far is kept.
    """
    pair = _region_pair(he, he_region, ihc, ihc_region, mpp)
    folders = ("", "") if pair is not None else (str(he), str(ihc))
    request = stain_training(
        name,
        *folders,
        base=base,
        out=out,
        mpp=mpp,
        steps=steps,
        lora=lora,
        lora_steps=lora_steps,
        aligned=aligned,
        batch=batch,
        seed=seed,
    )
    if pair is not None:
        request = with_region_pair(request, *pair)
    trained = long_answer(request, Trained, engine, progress)
    if trained.held_out >= trained.shift:
        warn(trained.sentence())
    return trained


def _region_pair(
    he: SlideLike,
    he_region: Region | None,
    ihc: SlideLike,
    ihc_region: Region | None,
    mpp: float | None,
) -> tuple[tuple[Slide, Region], tuple[Slide, Region]] | None:
    """Return the regions of two slides, or None for folders of images."""
    if he_region is not None and ihc_region is not None:
        return (open_slide(he, mpp), he_region), (open_slide(ihc, mpp), ihc_region)
    if he_region is not None or ihc_region is not None:
        raise PixCellError(
            "Regions of both slides are needed. Pass he_region and ihc_region, or neither."
        )
    if not all(isinstance(side, str | Path) for side in (he, ihc)):
        raise PixCellError(
            "Pairs are read from folders. Pass two folders, or slides with he_region and "
            "ihc_region."
        )
    return None


def train_control(
    name: str,
    pairs: str | Path,
    *,
    base: str | None = None,
    classes: bool = False,
    palette: Mapping[str, str] | None = None,
    start: str = STARTS[0],
    segment: str | SegmentMethod = METHODS[0],
    mpp: float | None = None,
    steps: int = CONTROL_STEPS,
    batch: int = CONTROL_BATCH,
    seed: int = 0,
    out: str | Path | None = None,
    engine: PublicEngine | None = None,
    progress: WantedProgress = False,
) -> TrainedControl:
    """Train a ControlNet of your own on images and the masks of their cells.

    The same call resumes a training that was cancelled or interrupted. Afterwards
    ``Engine(name)`` generates with it.

    Parameters
    ----------
    name : str
        Name of the family, such as ``my-cells``.
    pairs : str or Path
        Folder of images with masks: folders ``images`` and ``masks``, or ``a.png`` beside
        ``a_masks.tif`` or ``a.geojson``.
    base : str, optional
        Family to start from. By default ``pixcell-256-cells`` if it is installed, else ``demo``.
    classes : bool
        Draw each class of cells in a colour of its own.
    palette : mapping of str to str, optional
        The classes and their colours, such as ``{"tumour": "#ff2020"}``. It implies ``classes``.
    start : "auto" or "base"
        ``auto`` starts from the ControlNet of the base, if it has one, ``base`` from its blocks.
    segment : "builtin" or "cellpose"
        How images without masks are segmented.
    mpp : float, optional
        Pixel size of all images in µm. By default as their files state.
    steps, batch : int
        Training steps, and tiles per step.
    seed : int
    out : str or Path, optional
        Folder of the ControlNet. By default in the data folder of your user.
    engine, progress
        As for :func:`train_stain`.

    Returns
    -------
    TrainedControl
        ``name`` and ``folder``; ``held_out`` and ``other`` are the errors of held-out tiles with
        their own cells and with those of another tile; ``agreement`` says for all cells and for
        each class how generated tissue follows it, and ``follows`` whether it does so clearly;
        ``pairs``, ``tiles`` and ``held_tiles`` count. ``sentence()`` says it in words.

    Warns
    -----
    PixCellWarning
        If the ControlNet should not be trusted.

    Raises
    ------
    PixCellError
        If the pairs do not fit, the base is missing, memory is too small, or a value is out of
        range.
    RequestCancelled
        If it was cancelled. The work so far is kept.
    """
    request = control_training(
        name,
        pairs,
        base=base,
        out=out,
        classes=classes,
        palette=() if palette is None else checked_palette(palette.items()),
        start=start,
        segment=segment if isinstance(segment, SegmentMethod) else SegmentMethod(segment),
        mpp=mpp,
        steps=steps,
        batch=batch,
        seed=seed,
    )
    trained = long_answer(request, TrainedControl, engine, progress)
    if not trained.follows:
        warn(trained.sentence())
    return trained
