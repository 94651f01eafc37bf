"""A Cellpose model on a device, from a file that was looked at first."""

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
from napari_pixcell.models.weights import open_tensors, sha256_of, shape_of, without_initial_values
from napari_pixcell.networks.cellpose_sam import encoder_of, encoder_sizes

# Cellpose's class fills these itself; files of its first versions need not hold them.
FILLED = {"diam_labels", "diam_mean"}
REMEDY = "choose a file that Cellpose 4 has trained, or get “cpsam_v2” in the model manager"


@dataclass(frozen=True)
class LoadedSegmenter:
    """A Cellpose model, ready to run.

    Parameters
    ----------
    path : Path
        Its file.
    model : cellpose.models.CellposeModel
        On ``device``, of ``dtype``.
    sha256 : str
        Hash of the file.
    device : torch.device
        Where it is.
    dtype : torch.dtype
        Its precision.
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
        A file that exists: for one that does not, Cellpose would fetch another.
    device : torch.device
        Where to.
    dtype : torch.dtype
        ``bfloat16`` or ``float32``, the two that Cellpose knows.

    Raises
    ------
    PixCellError
        If the file holds anything but a Cellpose 4 model, or Cellpose is not installed.
    """
    # Before Cellpose opens it: a file that could run code is never opened by anyone else.
    tensors = open_tensors(path, REMEDY)
    _check_kind(path, tensors)
    try:
        sizes = encoder_sizes({name: shape_of(tensors, name) for name in tensors})
        with encoder_of(sizes), without_initial_values():
            model = _cellpose()(
                pretrained_model=str(path),
                device=device,
                use_bfloat16=dtype == torch.bfloat16,
            )
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise _not_whole(path) from error
    # Cellpose takes what is there and leaves the rest as it was made: at random.
    if set(model.net.state_dict()) - set(tensors) - FILLED:
        raise _not_whole(path)
    model.net.eval().requires_grad_(False)
    return LoadedSegmenter(path, model, sha256_of(path), device, dtype)


def _cellpose() -> Any:
    logging.getLogger("cellpose").setLevel(logging.ERROR)  # it warns of networks nobody asked for
    try:
        with contextlib.redirect_stdout(sys.stderr):  # some versions greet there
            from cellpose.models import CellposeModel
    except ImportError as error:
        raise PixCellError(
            "Cellpose cannot be imported; install it with “pip install 'cellpose>=4.2'”, or use "
            "the built-in method."
        ) from error
    return CellposeModel


def _check_kind(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if "encoder.cls_token" in tensors:
        raise PixCellError(
            f"{path.name} is a Cellpose model on DINOv3, which is not supported; {REMEDY}."
        )
    if "W2" not in tensors:
        raise PixCellError(
            f"{path.name} is no model of Cellpose 4 (those of Cellpose 3 and earlier are of "
            f"another kind); {REMEDY}."
        )


def _not_whole(path: Path) -> PixCellError:
    return PixCellError(
        f"{path.name} does not hold a whole Cellpose network: tensors are missing or of another "
        f"shape; {REMEDY}."
    )
