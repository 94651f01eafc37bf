"""Cellpose models, loaded onto a device after a check of their file."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.weights import (
    cached_sha256,
    open_tensors,
    shape_of,
    without_initial_values,
)
from napari_pixcell.networks.cellpose_sam import encoder_of, encoder_sizes

# Cellpose's class fills these itself. Files of its first versions may lack them.
FILLED = {"diam_labels", "diam_mean"}
REMEDY = "Choose a file trained with Cellpose 4, or get “cpsam_v2” in the model manager"


@dataclass(frozen=True)
class LoadedSegmenter:
    """A Cellpose model, ready to run on ``device`` in ``dtype``.

    ``model`` is a ``cellpose.models.CellposeModel``, ``sha256`` the hash of its file.
    """

    path: Path
    model: Any
    sha256: str
    device: torch.device
    dtype: torch.dtype


def load_segmenter(path: Path, device: torch.device, dtype: torch.dtype) -> LoadedSegmenter:
    """Load a Cellpose model.

    Parameters
    ----------
    path : Path
        An existing file: Cellpose would download another model in place of a missing one.
    dtype : torch.dtype
        ``bfloat16`` or ``float32``, the two that Cellpose supports.

    Raises
    ------
    PixCellError
        If the file is not a Cellpose 4 model, or Cellpose is not installed.
    """
    # Before Cellpose opens it: this refuses files that could run code.
    tensors = open_tensors(path, REMEDY)
    _check_version(path, tensors)
    try:
        sizes = encoder_sizes({name: shape_of(tensors, name) for name in tensors})
        with encoder_of(sizes), without_initial_values():
            model = _cellpose()(
                pretrained_model=str(path), device=device, use_bfloat16=dtype == torch.bfloat16
            )
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise _incomplete(path) from error
    # Cellpose would leave missing tensors at their random initial values.
    if set(model.net.state_dict()) - set(tensors) - FILLED:
        raise _incomplete(path)
    model.net.eval().requires_grad_(False)
    return LoadedSegmenter(path, model, cached_sha256(path), device, dtype)


def _cellpose() -> Any:
    logging.getLogger("cellpose").setLevel(logging.ERROR)  # it warns about unrelated networks
    try:
        with contextlib.redirect_stdout(sys.stderr):  # some versions print a welcome
            from cellpose.models import CellposeModel
    except ImportError as error:
        raise PixCellError(
            "Cellpose cannot be imported. Install it with “pip install 'cellpose>=4.2'”, or use "
            "the built-in method."
        ) from error
    return CellposeModel


def _check_version(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if "encoder.cls_token" in tensors:
        raise PixCellError(
            f"{path.name} is a Cellpose model on DINOv3, which is not supported. {REMEDY}."
        )
    if "W2" not in tensors:
        raise PixCellError(
            f"{path.name} is not a model of Cellpose 4 (earlier ones are not supported). {REMEDY}."
        )


def _incomplete(path: Path) -> PixCellError:
    return PixCellError(
        f"{path.name} is not a complete Cellpose network: tensors are missing or have the wrong "
        f"shape. {REMEDY}."
    )
