"""``napari-pixcell styles``, and the styles of other commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cli import options as cli
from napari_pixcell.cli.feature_styles import features_style, names_features
from napari_pixcell.cli.messages import note
from napari_pixcell.cli.running import embedding_of
from napari_pixcell.cli.tables import print_table
from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid, blend, for_family
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.styles.pictures import open_picture
from napari_pixcell.engine.styles.style import Style, checked_name
from napari_pixcell.engine.tissue_colours import TissueColours, mixed_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_kind
from napari_pixcell.untrusted import MOST_ARRAY_BYTES, read_bounded, read_npy
from napari_pixcell.words import counted

OWN = "region"  # the region's own tissue, as a style or as an image to start from

Grid = NDArray[np.float32]
Shares = tuple[tuple[str, float], ...]

STYLE = """name of a saved style, an embedding.npy, a picture of tissue, a patch of a file of
features as FILE.h5#row or FILE.h5#x,y, or “region” for the region's own; repeat it to blend
styles"""
WEIGHT = "weight of a style, one for each --style; default: equal weights"
NAME = cli.argument("name", metavar="NAME", help="name of a saved style")
STYLE_OPTIONS = cli.group(
    "styles, instead of the region's own",
    cli.argument("--style", action="append", default=[], metavar="STYLE", help=STYLE),
    cli.argument(
        "--style-weight", action="append", default=[], type=float, metavar="N", help=WEIGHT
    ),
)


@dataclass(frozen=True, eq=False)
class AskedStyle:
    """The style that a command asks for.

    Parameters
    ----------
    embedding : PackedArray
        float32, (tokens, dimension) or (rows, columns, dimension).
    shares : tuple of (str, float)
        Names and shares of the styles for the record; empty for the region's own.
    colours : TissueColours, optional
        Of its tissue.
    unknown : str
        Name of a style whose tissue is unknown; empty if there is none.
    """

    embedding: PackedArray
    shares: Shares
    colours: TissueColours | None
    unknown: str = ""


def style_for(options: cli.Options, chosen: ChosenRegion) -> AskedStyle:
    """Return the style of a region: its own, or the blend that the options ask for.

    Raises
    ------
    PixCellError
        If a style is unknown or does not fit the family, or the weights do not fit the styles.
    """
    names, weights, family = options.style, options.style_weight, chosen.family
    if weights and len(weights) != len(names):
        raise PixCellError(
            f"There are {counted(len(names), 'style')} and {counted(len(weights), 'weight')}. "
            "Add one --style-weight for each --style."
        )
    if not names:
        embedding = PackedArray.pack(embedding_of(chosen, options.no_cache)[0])
        return AskedStyle(embedding, (), chosen.colours())
    styles = [_find(name, chosen, options.no_cache) for name in names]
    weights = weights or [1.0] * len(names)
    cells = cells_of(chosen.size, family.tile, family.grid)
    # A single style keeps its own grid.
    grid = blend([grid for _, grid, _ in styles], weights, cells if len(styles) > 1 else None)
    total = sum(weights)
    shares = tuple(
        (name, round(weight / total, 6))
        for (name, _, _), weight in zip(styles, weights, strict=True)
        if weight and total
    )
    used = [(name, one, w) for (name, _, one), w in zip(styles, weights, strict=True) if w]
    return AskedStyle(
        for_family(grid, family),
        () if names == [OWN] else shares,
        mixed_colours([(colours, weight) for _, colours, weight in used]),
        next((name for name, colours, _ in used if colours is None), ""),
    )


def whole_picture(path: Path, family: Family, mpp: float | None = None) -> ChosenRegion:
    """Open a picture whose whole area is one style, and print what is assumed about it."""
    picture = open_picture(path, family, mpp)
    if picture.note:
        note(picture.note)
    return ChosenRegion.whole(family, picture.slide)


def save_style(name: str, values: NDArray[np.float32], chosen: ChosenRegion) -> Style:
    """Save the embedding of a region to the style library, with a thumbnail."""
    return StyleLibrary().save(chosen.style(name, values))


def _find(
    name: str, chosen: ChosenRegion, no_cache: bool
) -> tuple[str, Grid, TissueColours | None]:
    """Return a style's name for records, never that of a file, its grid, and its colours."""
    path, family = Path(name), chosen.family
    if name == OWN:
        return OWN, as_grid(embedding_of(chosen, no_cache)[0]), chosen.colours()
    if names_features(name):
        found = features_style(name, family)
        return found.name, found.values, None
    if path.suffix.lower() == ".npy":
        return "embedding", as_grid(_load(path)), None
    if path.suffix and path.is_file():
        picture = whole_picture(path, family)
        return "picture", as_grid(embedding_of(picture, no_cache)[0]), picture.colours()
    style = StyleLibrary().find(name)
    if problem := style.why_not(family, encoder_kind(family)):
        raise PixCellError(problem)
    return style.name, style.embedding, style.colours


def _load(path: Path) -> NDArray[np.float32]:
    data = read_bounded(path, MOST_ARRAY_BYTES, "embedding")
    try:
        values = read_npy(data, path.name)
    except PixCellError as error:
        raise PixCellError(
            f"“{path.name}” is not an embedding. Use a file that “napari-pixcell embed” wrote."
        ) from error
    if values.dtype.kind != "f":
        raise PixCellError(
            f"“{path.name}” holds {values.dtype.name}, not an embedding. Use a file that "
            "“napari-pixcell embed” wrote."
        )
    return values.astype(np.float32)


@cli.command(
    "styles add",
    NAME,
    cli.argument(
        "patch", metavar="FILE.h5#ROW", help="a patch and its neighbours, by row or as FILE.h5#x,y"
    ),
    cli.FAMILY,
    cli.examples("styles add Tumour features.h5#1234 --family pixcell-256"),
)
def add(options: cli.Options) -> cli.Result:
    """Save a patch of a file of features as a style."""
    family = get_family(options.family)
    style = features_style(options.patch, family).saved(checked_name(options.name), family)
    return _details(StyleLibrary().save(style))


@cli.command("styles list", cli.examples("styles list", "styles list --json"))
def list_styles(options: cli.Options) -> cli.Result:
    """List the saved styles."""
    library = StyleLibrary()
    styles = library.read()
    for problem in library.problems:
        note(problem)
    if options.json:
        return {"styles": [_details(style) for style in styles]}
    if styles:
        rows = [(s.name, s.family, s.tiles, s.embedding.shape[-1], s.created) for s in styles]
        print_table(("name", "family", "tiles", "dimension", "created"), rows)
    else:
        print("There are no saved styles. Save one in the dock widget, or with embed --save-as.")
    return {}


@cli.command("styles show", NAME, cli.examples("styles show Stroma"))
def show(options: cli.Options) -> cli.Result:
    """Show the details of a style."""
    return _details(StyleLibrary().find(options.name))


@cli.command("styles remove", NAME, cli.examples("styles remove Stroma"))
def remove(options: cli.Options) -> cli.Result:
    """Delete a style."""
    library = StyleLibrary()
    style = library.find(options.name)
    library.remove(style.id)
    return {"removed": style.name}


@cli.command(
    "styles rename",
    NAME,
    cli.argument("new", metavar="NEW_NAME", help="its name from now on"),
    cli.examples("styles rename Stroma 'Dense stroma'"),
)
def rename(options: cli.Options) -> cli.Result:
    """Rename a style."""
    library = StyleLibrary()
    return {"name": library.rename(library.find(options.name).id, options.new).name}


def _details(style: Style) -> cli.Result:
    return {
        "name": style.name,
        "id": style.id,
        "family": style.family,
        "shape": list(style.embedding.shape),
        "made of": [f"{name} {share:.0%}" for name, share in style.made_of],
        "tissue colours": "known" if style.colours is not None else "unknown",
        "created": style.created,
    }
