"""``napari-pixcell embed``: the style of a region."""

from __future__ import annotations

import numpy as np

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.region import chosen_region
from napari_pixcell.cli.running import embedding_of
from napari_pixcell.cli.styles import save_style, whole_picture
from napari_pixcell.engine.styles.style import checked_name
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family


@cli.command(
    "embed",
    cli.SLIDE_OR_IMAGE,
    cli.region(required=False),
    cli.path("--out", "FILE.npy", "file to write"),
    cli.argument("--save-as", metavar="NAME", help="save as a style of this name"),
    cli.NO_CACHE,
)
def embed(options: cli.Options) -> cli.Result:
    """Embed a region of a slide, or a whole picture."""
    if options.out is None and options.save_as is None:
        raise PixCellError("No output is named. Add --out FILE.npy, or --save-as NAME.")
    if options.save_as is not None:
        checked_name(options.save_as)  # before anything is computed
    if options.region is None:
        chosen = whole_picture(options.slide, get_family(options.family), options.mpp)
    else:
        chosen = chosen_region(options)
    values, cached = embedding_of(chosen, options.no_cache)
    chosen.warn_if_corrupt()
    result: cli.Result = {"shape": list(values.shape), "from cache": cached}
    if options.out is not None:
        np.save(options.out, values)
        result = {"embedding": str(options.out)} | result
    if options.save_as is not None:
        result["style"] = save_style(options.save_as, values, chosen).name
    return result
