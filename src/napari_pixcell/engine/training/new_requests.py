"""Requests to train models of the user's own, with their usual bases and folders.

The command line, the public API and the dock build them here. Imports no torch.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_pixcell.cells.class_map import Palette
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.pairs import write_region_pair
from napari_pixcell.engine.training.request import LORA_STEPS, TrainRequest
from napari_pixcell.folders import data_folder
from napari_pixcell.models.catalogue import BUILT_IN
from napari_pixcell.models.families import get_family, usual_base, usual_control_base
from napari_pixcell.models.own_families import check_own_name
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide, check_region


def stain_out(name: str) -> Path:
    """Return the usual folder of a stain, in the data folder of the user."""
    return data_folder() / "stains" / name


def control_out(name: str) -> Path:
    """Return the usual folder of a ControlNet, in the data folder of the user."""
    return data_folder() / "controls" / name


def stain_training(
    name: str,
    he: str | Path,
    ihc: str | Path,
    *,
    base: str | None = None,
    out: str | Path | None = None,
    lora: bool = False,
    lora_steps: int = LORA_STEPS,
    **settings: Any,
) -> TrainRequest:
    """Return the request to train a stain.

    Parameters
    ----------
    he, ihc : str or Path
        Folders of images; or files of slides, for :func:`with_region_pair`.
    base : str, optional
        By default PixCell-1024 if it is installed, else the demo stain.
    out : str or Path, optional
        By default :func:`stain_out`.
    lora : bool
        Whether an adapter is trained too, in ``lora_steps``.
    settings
        Other fields of :class:`TrainRequest`.

    Raises
    ------
    PixCellError
        If the name cannot be used, or a value is out of range.
    """
    check_own_name(name, BUILT_IN)
    return TrainRequest(
        name=name,
        family=base or usual_base().name,
        he=_absolute(he),
        ihc=_absolute(ihc),
        out=_absolute(out or stain_out(name)),
        lora_steps=lora_steps if lora else 0,
        **settings,
    )


def with_region_pair(
    request: TrainRequest, he: tuple[Slide, Region], ihc: tuple[Slide, Region]
) -> TrainRequest:
    """Write two regions of slides to the folder of a stain, and return the request to train on it.

    Raises
    ------
    PixCellError
        If a region does not fit its slide or the base, or nothing can be written.
    """
    family = get_family(request.family)
    for slide, region in (he, ihc):
        check_region(region, slide, family.tile, family.mpp)
    folders = write_region_pair(he, ihc, family, Path(request.out) / "pairs")
    # The new images state their own pixel size.
    return replace(request, he=str(folders[0]), ihc=str(folders[1]), mpp=None)


def control_training(
    name: str,
    pairs: str | Path,
    *,
    base: str | None = None,
    out: str | Path | None = None,
    classes: bool = False,
    palette: Palette = (),
    **settings: Any,
) -> TrainControlRequest:
    """Return the request to train a ControlNet.

    Parameters
    ----------
    pairs : str or Path
        Folder of images with masks.
    base : str, optional
        By default PixCell-256-Cells if it is installed, else the demo family.
    out : str or Path, optional
        By default :func:`control_out`.
    classes : bool
        Whether each class of cells has a colour of its own, which a palette implies.
    settings
        Other fields of :class:`TrainControlRequest`.

    Raises
    ------
    PixCellError
        If the name cannot be used, or a value is out of range.
    """
    check_own_name(name, BUILT_IN, "ControlNet")
    return TrainControlRequest(
        name=name,
        family=base or usual_control_base().name,
        pairs=_absolute(pairs),
        out=_absolute(out or control_out(name)),
        classes=classes or bool(palette),
        palette=palette,
        **settings,
    )


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().resolve())
