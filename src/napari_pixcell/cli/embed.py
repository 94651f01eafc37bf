"""``napari-pixcell embed``: the style of a region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.region import chosen_region, warn_if_corrupt
from napari_pixcell.cli.running import check_folder_of, embedding_of
from napari_pixcell.cli.styles import save_style, whole_picture
from napari_pixcell.datasets.export import write_problem
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.engine.styles.features.file import SUFFIXES
from napari_pixcell.engine.styles.features.writing import write_features
from napari_pixcell.engine.styles.style import checked_name
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.models.families import get_family


@cli.command(
    "embed",
    cli.SLIDE_OR_IMAGE,
    cli.region(required=False),
    cli.path(
        "--out", "FILE.npy|FILE.h5", "embedding to write; with --grid, features in TRIDENT's layout"
    ),
    cli.flag("--grid", "write one embedding for each patch, with its position"),
    cli.argument("--save-as", metavar="NAME", help="name under which it is saved as a style"),
    cli.NO_CACHE,
    cli.DEVICE,
    cli.examples(
        "embed sample --region 400,400,256,256 --out style.npy",
        "embed sample --region 400,400,256,256 --save-as Stroma",
    ),
)
def embed(options: cli.Options) -> cli.Result:
    """Embed a region of a slide, or a whole picture."""
    if options.out is None and options.save_as is None:
        raise PixCellError("No output is named. Add --out FILE.npy, or --save-as NAME.")
    if options.out is not None and not (options.grid or options.out.suffix):
        options.out = options.out.with_suffix(".npy")  # by which “--style” knows it
    _check_format(options.out, options.grid)
    if options.save_as is not None:
        checked_name(options.save_as)  # before anything is computed
    if options.region is None:
        if isinstance(options.slide, str):
            raise PixCellError("A slide on the network is not embedded as a whole. Add --region.")
        chosen = whole_picture(options.slide, get_family(options.family), options.mpp)
    else:
        chosen = chosen_region(options)
    values, cached = embedding_of(chosen, options.no_cache)
    warn_if_corrupt(chosen)
    result: cli.Result = {"shape": list(values.shape), "from cache": cached}
    if options.out is not None:
        if options.grid:
            _write_grid(options.out, values, chosen)
        else:
            _write_embedding(options.out, values)
        result = {"embedding": str(options.out)} | result
    if options.save_as is not None:
        result["style"] = save_style(options.save_as, values, chosen).name
    return result


def _check_format(out: Path | None, grid: bool) -> None:
    """Raise PixCellError if the file to write and ``--grid`` do not fit, or it has no folder."""
    features = out is not None and out.suffix.lower() in SUFFIXES
    if grid and not features:
        raise PixCellError("--grid writes features in HDF5. Add --out FILE.h5.")
    if features and not grid:
        raise PixCellError("A file of features holds a grid. Add --grid, or use --out FILE.npy.")
    check_folder_of(out)


def _write_embedding(out: Path, values: NDArray[np.float32]) -> None:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, values)

    try:
        write_whole(out, write)
    except OSError as error:
        raise write_problem(out, error) from error


def _write_grid(out: Path, values: NDArray[np.float32], chosen: ChosenRegion) -> None:
    """Write the embeddings of a region in TRIDENT's layout."""
    slide = chosen.slide.shape, chosen.slide.require_mpp()
    write_features(out, as_grid(values), chosen.region, slide, chosen.family)
