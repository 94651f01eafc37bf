"""``napari-pixcell styles``, and the styles of other commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid, blend, for_family
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.styles.style import Style, checked_name
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.identity import encoder_kind
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide
from napari_pixcell.studio.styles.from_picture import Opened, open_picture, thumbnail_of

Result = dict[str, Any]
Embed = Callable[[Slide, Region], NDArray[np.float32]]
Named = list[tuple[str, float]]

OWN = "region"  # as a style: the tissue of the region itself


def add_styles_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``styles`` and its own commands to the parser."""
    text = "Saved styles: what there is, and what to call it."
    styles = commands.add_parser("styles", help=text, description=text)
    actions = styles.add_subparsers(required=True, metavar="ACTION")

    def add(name: str, function: Callable[[argparse.Namespace], Result], text: str) -> Any:
        action = actions.add_parser(name, help=text, description=text, parents=[common])
        action.set_defaults(command=function)
        if name != "list":
            action.add_argument("name", metavar="NAME", help="of a saved style")
        return action

    add("list", _list, "List the saved styles.")
    add("show", _show, "Say what is known of a style.")
    add("remove", _remove, "Forget a style.")
    add("rename", _rename, "Call a style something else.").add_argument("new", metavar="NEW_NAME")


def add_style_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`blended` reads."""
    group = parser.add_argument_group("styles, instead of the region's own")
    group.add_argument(
        "--style",
        action="append",
        default=[],
        metavar="STYLE",
        help="a saved style's name, an embedding.npy, a picture of tissue, or “region” for the "
        "region's own; several are blended",
    )
    group.add_argument(
        "--style-weight",
        action="append",
        default=[],
        type=float,
        metavar="N",
        help="one for each --style; default: equal ones",
    )


def blended(
    options: argparse.Namespace,
    family: Family,
    size: tuple[int, int] | None,
    own: Callable[[], NDArray[np.float32]],
    embed: Embed,
) -> tuple[PackedArray, Named]:
    """Give the style that was asked for, and names and shares for the record.

    Parameters
    ----------
    options : Namespace
        With what :func:`add_style_options` added.
    family : Family
    size : (height, width), optional
        Of the picture; one tile where it is not given.
    own : callable
        Gives the embedding of the region itself.
    embed : callable
        Gives that of a region of a picture.

    Raises
    ------
    PixCellError
        If a style is unknown, or cannot be used with the family, or weights do not fit.
    """
    names, weights = options.style, options.style_weight
    if weights and len(weights) != len(names):
        raise PixCellError(
            f"There are {len(names)} styles and {len(weights)} weights; give one --style-weight "
            "for each --style."
        )
    if not names:
        return PackedArray.pack(own()), []
    found = [_find(name, family, own, embed) for name in names]
    weights = weights or [1.0] * len(names)
    cells = cells_of(size or (family.tile, family.tile), family.tile, family.grid)
    grids = [grid for _, grid in found]
    grid = blend(grids, weights, cells if len(grids) > 1 else None)  # one keeps its own cells
    total = sum(weights)
    made_of = [
        (name, round(weight / total, 6))
        for (name, _), weight in zip(found, weights, strict=True)
        if weight and total
    ]
    return for_family(grid, family), [] if names == [OWN] else made_of


def open_whole(path: Path, family: Family, mpp: float | None) -> Opened:
    """Open a picture that is embedded as a whole, telling what was assumed."""
    opened = open_picture(path, family, mpp)
    if opened.note:
        print(opened.note, file=sys.stderr)
    return opened


def save_as(
    name: str, values: NDArray[np.float32], family: Family, slide: Slide, region: Region
) -> Style:
    """Keep the embedding of a region in the library, with a small picture of its tissue."""
    encoder = encoder_kind(family)
    assert encoder is not None  # it has just embedded
    picture = thumbnail_of(slide, region)
    return StyleLibrary().save(
        Style(name, as_grid(values), encoder, family.name, thumbnail=picture)
    )


def check_new_name(name: str | None) -> None:
    """Refuse a name before anything is computed for it."""
    if name is not None:
        checked_name(name)


def _find(
    name: str, family: Family, own: Callable[[], NDArray[np.float32]], embed: Embed
) -> tuple[str, NDArray[np.float32]]:
    """Give a style's name for records, which is never that of a file, and its grid."""
    path = Path(name)
    if name == OWN:
        return OWN, as_grid(own())
    if path.suffix.lower() == ".npy":
        return "embedding", as_grid(_load(path))
    if path.suffix and path.is_file():
        opened = open_whole(path, family, None)
        return "picture", as_grid(embed(opened.slide, opened.region))
    style = StyleLibrary().find(name)
    problem = style.why_not(family, encoder_kind(family))
    if problem:
        raise PixCellError(problem)
    return style.name, style.embedding


def _load(path: Path) -> NDArray[np.float32]:
    try:
        values = np.load(path, allow_pickle=False)
        if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
            raise ValueError("it is no array of numbers")
    except FileNotFoundError:
        raise PixCellError(f"There is no file “{path.name}” there; check its path.") from None
    except (OSError, ValueError, EOFError) as error:
        raise PixCellError(
            f"“{path.name}” is no embedding; give a file that “napari-pixcell embed” wrote."
        ) from error
    return values.astype(np.float32)


def _list(options: argparse.Namespace) -> Result:
    library = StyleLibrary()
    styles = library.read()
    for problem in library.problems:
        print(problem, file=sys.stderr)
    if options.json:
        return {"styles": [_described(style) for style in styles]}
    for style in styles:
        print(f"{style.name}  ({style.family}, {style.tiles} × {style.embedding.shape[-1]})")
    if not styles:
        print("There are no saved styles yet; save one in the dock, or with embed --save-as.")
    return {}


def _show(options: argparse.Namespace) -> Result:
    return _described(StyleLibrary().find(options.name))


def _remove(options: argparse.Namespace) -> Result:
    library = StyleLibrary()
    style = library.find(options.name)
    library.remove(style.id)
    return {"removed": style.name}


def _rename(options: argparse.Namespace) -> Result:
    library = StyleLibrary()
    style = library.rename(library.find(options.name).id, options.new)
    return {"name": style.name}


def _described(style: Style) -> Result:
    return {
        "name": style.name,
        "id": style.id,
        "family": style.family,
        "shape": list(style.embedding.shape),
        "made of": [f"{name} {share:.0%}" for name, share in style.made_of],
        "created": style.created,
    }
