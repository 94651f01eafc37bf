"""The styles of a recipe, one tile of the model each. Tissue is read on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.recipe.parts import MOST_TILES, read_colours, unpacked
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe, Part, mapped
from napari_pixcell.datasets.splits import JOINED
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid, blend
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.tissue_colours import TissueColours, mixed_colours, tissue_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_kind
from napari_pixcell.serialization import to_json
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide
from napari_pixcell.untrusted import check_regular, reading

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MOST_STYLES = 1_000_000
MOST_ENTRIES = 200_000  # of a folder and its subfolders

Pixels = NDArray[np.uint8]
Embeddings = NDArray[np.float32]
Embed = Callable[[Pixels], Embeddings]


def with_library_styles(recipe: DatasetRecipe) -> DatasetRecipe:
    """Return a recipe that holds the saved styles it names, so that it no longer needs the library.

    Raises
    ------
    PixCellError
        If the library has no such style, or the style does not fit the recipe's family.
    """
    family = get_family(recipe.family)

    def by_value(part: Part) -> Part:
        return _from_library(part, family) if part["from"] == "library" else part

    return replace(recipe, styles=tuple(mapped(part, by_value) for part in recipe.styles))


def _from_library(part: Part, family: Family) -> Part:
    style = StyleLibrary().find(part["name"])  # a name or an id
    problem = style.why_not(family, encoder_kind(family))
    if problem:
        raise PixCellError(problem)
    embedding = PackedArray.pack(style.embedding).to_dict()
    known = {"colours": to_json(style.colours)} if style.colours is not None else {}
    return {"from": "embedding", "name": style.name, "embedding": embedding, **known}


@dataclass(frozen=True, eq=False)
class StyleSource:
    """Source of one style."""

    name: str  # for people; reveals no file
    group: str  # of the slide or picture; a blend combines the groups of its styles
    read: Callable[[], Pixels] | None = None  # its tissue, (tile, tile, 3), if it has any
    embedding: Embeddings | None = None  # (rows, columns, dimension), if it is already known
    mixed: tuple[tuple[StyleSource, float], ...] = ()  # styles and shares of a blend
    source: dict[str, Any] = field(default_factory=dict)  # for records: level-0 region, pixel size
    known_colours: TissueColours | None = None  # of its tissue, if that is not there

    def embedded(self, embed: Embed) -> Embeddings | None:
        """Return its embedding, (rows, columns, dimension); None for “no style”."""
        if self.mixed:
            parts = [(one.embedded(embed), share) for one, share in self.mixed]
            known = [(grid, share) for grid, share in parts if grid is not None]
            return blend([grid for grid, _ in known], [share for _, share in known])
        if self.embedding is not None or self.read is None:
            return self.embedding
        return as_grid(embed(self.read()))

    def colours(self, mpp: float) -> TissueColours | None:
        """Return the colours of its tissue, of ``mpp`` µm/px; None if they are unknown."""
        if self.mixed:
            return mixed_colours([(one.colours(mpp), share) for one, share in self.mixed])
        return tissue_colours(self.read(), mpp) if self.read is not None else self.known_colours

    def tissue(self) -> Pixels | None:
        """Return its tissue, uint8 (tile, tile, 3); for a blend, that of the largest share."""
        if self.mixed:
            return max(self.mixed, key=lambda one: one[1])[0].tissue()
        return self.read() if self.read is not None else None


class GroupNumbers:
    """Numbers slides, pictures and layouts from 1 on, so that a dataset need not name them."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, name: str) -> int:
        """Return the number of a path or name; equal ones have the same number."""
        return self._known.setdefault(name, len(self._known) + 1)


class StyleSources:
    """Iterates over the styles of a recipe.

    Parameters
    ----------
    parts : sequence of dict
        See :mod:`napari_pixcell.datasets.recipe.recipe`.
    family : Family
        Defines tile, pixel size and encoder.
    """

    def __init__(self, parts: tuple[Part, ...], family: Family) -> None:
        self._parts, self._family = parts, family
        self._slides = GroupNumbers()
        self._open: tuple[tuple[str, float | None], Slide] | None = None

    def __iter__(self) -> Iterator[StyleSource]:
        """Iterate over the styles in a stable order."""
        count = 0
        for part in self._parts:
            for style in self._of(part):
                count += 1
                if count > MOST_STYLES:
                    raise PixCellError(
                        f"The recipe has more than {MOST_STYLES:,} styles. Use “most”, or fewer "
                        "slides."
                    )
                yield style

    def close(self) -> None:
        """Close the slide that was read last."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _of(self, part: Part) -> Iterator[StyleSource]:
        match part["from"]:
            case "region":
                yield from self._regions(part, Region(*part["region"]))
            case "slide":
                yield from self._tissue_of_slide(part)
            case "picture":
                yield from self._regions(part, None)
            case "folder":
                for path in files_in(Path(part["path"]), PICTURES, "pictures of tissue"):
                    yield from self._regions({**part, "path": str(path)}, None)
            case "blend":
                yield self._blend(part)
            case "embedding":
                yield from self._embedding(part)
            case "nothing":
                yield StyleSource(part.get("name", "No style"), "nothing")
            case "library":
                yield from self._embedding(_from_library(part, self._family))

    def _slide(self, part: Part) -> Slide:
        """Open the slide of a part, and close the one before."""
        from napari_pixcell.slides import open_slide

        path, mpp = part.get("slide") or part["path"], part.get("mpp")
        if self._open is None or self._open[0] != (path, mpp):
            self.close()
            check_regular(Path(path))  # before a library opens it, which may wait for ever
            slide = open_slide(path, mpp)
            if slide.mpp is None:
                if part["from"] in ("region", "slide"):
                    slide.close()
                    raise PixCellError(
                        f"“{Path(path).name}” states no pixel size. Add “mpp” to it in the recipe."
                    )
                slide = slide.with_mpp(self._family.mpp)
            self._open = (path, mpp), slide
        return self._open[1]

    def _regions(self, part: Part, region: Region | None) -> Iterator[StyleSource]:
        slide = self._slide(part)
        height, width = slide.shape
        whole = region or Region(0, 0, width, height)
        check_on_slide(whole, slide, self._family)
        tiles = tiles_in(whole, slide.require_mpp(), self._family)
        if not tiles:
            name = Path(part.get("slide") or part["path"]).name
            side = math.ceil(self._family.tile * self._family.mpp / slide.require_mpp())
            raise PixCellError(
                f"{'The region' if region else 'This picture'} of “{name}” is "
                f"{whole.width:g} × {whole.height:g} px, smaller than one tile "
                f"({side} × {side} px). Choose a larger one, or another model."
            )
        yield from self._tiles(part, slide, tiles)

    def _tissue_of_slide(self, part: Part) -> Iterator[StyleSource]:
        from napari_pixcell.engine.styles.similarity import lay_grid

        slide, family = self._slide(part), self._family
        side = family.tile * family.mpp / slide.require_mpp()
        grid = lay_grid(slide, family, MOST_TILES, side)
        cells, most = grid.cells, part.get("most", MOST_TILES)
        if len(cells) > most:  # evenly over the slide
            cells = [cells[round(i)] for i in np.linspace(0, len(cells) - 1, most)]
        yield from self._tiles(part, slide, [grid.tile(*cell) for cell in cells])

    def _tiles(self, part: Part, slide: Slide, tiles: list[Region]) -> Iterator[StyleSource]:
        number = self._slides.of(str(part.get("group") or part.get("slide") or part["path"]))
        name, mpp = part.get("name") or f"Slide {number}", slide.require_mpp()
        for tile, region in enumerate(tiles):
            yield StyleSource(
                tile_name(name, tile, len(tiles)),
                f"slide-{number}",
                lambda region=region: self._read(part, region),  # type: ignore[misc]
                source={"region": region.as_list(), "mpp": mpp},
            )

    def _read(self, part: Part, region: Region) -> Pixels:
        side = self._family.tile
        pixels = self._slide(part).read(region, self._family.mpp)
        return np.ascontiguousarray(pixels[:side, :side])

    def _blend(self, part: Part) -> StyleSource:
        inner = [one for each in part["styles"] for one in self._of(each)]
        shares = part.get("shares") or [1.0] * len(inner)
        if len(inner) < 2 or len(shares) != len(inner):
            raise PixCellError(
                f"A blend has {len(inner)} styles of one tile and {len(shares)} shares. Give it "
                "two or more styles of one tile each, and a share for each."
            )
        name = part.get("name") or " + ".join(one.name for one in inner)
        group = JOINED.join(sorted({each for one in inner for each in one.group.split(JOINED)}))
        mixed = tuple(zip(inner, shares, strict=True))
        return StyleSource(name, group, mixed=mixed)

    def _embedding(self, part: Part) -> Iterator[StyleSource]:
        """Cut a grid of embeddings, and the tissue that may come with it, into tiles."""
        grid = as_grid(unpacked(part, "embedding"))
        pixels = unpacked(part, "pixels") if "pixels" in part else None
        name, side = part.get("name") or "Style", self._family.tile
        group = f"slide-{self._slides.of(str(part.get('group') or name))}"
        colours = read_colours(part["colours"]) if part.get("colours") else None
        each = self._family.grid
        rows, columns = (max(1, length // each) for length in grid.shape[:2])
        for at in range(rows * columns):
            place = divmod(at, columns)
            tile = tile_of(pixels, place, side) if pixels is not None else None
            whole = tile is not None and tile.shape[:2] == (side, side)
            yield StyleSource(
                tile_name(name, at, rows * columns),
                group,
                (lambda tile=tile: tile) if whole else None,  # type: ignore[misc]
                tile_of(grid, place, each),
                source=part.get("source") or {},
                known_colours=colours,
            )


def tile_of(array: NDArray[Any], place: tuple[int, int], side: int) -> NDArray[Any]:
    """Return the tile at a row and column of an array, (height, width, …), as a view."""
    row, column = place
    return array[row * side : (row + 1) * side, column * side : (column + 1) * side]


def tile_name(name: str, tile: int, tiles: int) -> str:
    """Return the name of a tile of something that is cut into several."""
    return name if tiles == 1 else f"{name}, tile {tile + 1}"


def check_on_slide(region: Region, slide: Slide, family: Family) -> None:
    """Check that a region in level-0 pixels lies on its slide and has a sensible number of tiles.

    Raises
    ------
    PixCellError
        If it reaches beyond the slide by more than a pixel of the family.
    """
    (height, width), slack = slide.shape, max(1.0, family.mpp / slide.require_mpp())
    right, bottom = region.x + region.width, region.y + region.height
    if min(region.x, region.y) < -slack or right > width + slack or bottom > height + slack:
        raise PixCellError(
            f"The region {', '.join(f'{n:g}' for n in region.as_list())} reaches beyond "
            f"“{slide.short_name}”, which is {width} × {height} px. Move it onto the slide."
        )
    if region.width * region.height / (family.tile * slack) ** 2 > MOST_TILES:
        raise PixCellError(
            f"The region of “{slide.short_name}” has more than {MOST_TILES:,} tiles. Use a smaller "
            "one, or several slides."
        )


def tiles_in(region: Region, mpp: float, family: Family) -> list[Region]:
    """Cut a region into whole tiles of a family, row by row; a remainder is left out."""
    side = family.tile * family.mpp / mpp
    # Rounding may cost a pixel of the model: such a tile counts as whole.
    columns = int((region.width + family.mpp / mpp) / side)
    rows = int((region.height + family.mpp / mpp) / side)
    return [
        Region(region.x + column * side, region.y + row * side, side, side)
        for row in range(rows)
        for column in range(columns)
    ]


def files_in(folder: Path, suffixes: tuple[str, ...], noun: str) -> list[Path]:
    """Return the files in a folder and its subfolders, sorted by name, without hidden ones.

    Raises
    ------
    PixCellError
        If the folder does not exist or has no file with one of the suffixes.
    """
    if not is_folder(folder):
        raise PixCellError(f"The folder “{folder.name}” does not exist. Check the recipe's path.")
    with reading(folder.name, "Check its permissions, and that nothing else is changing it."):
        entries = list(islice(folder.rglob("*"), MOST_ENTRIES + 1))
    if len(entries) > MOST_ENTRIES:
        raise PixCellError(
            f"The folder “{folder.name}” has more than {MOST_ENTRIES:,} files. Choose a folder "
            f"with only {noun}."
        )
    files = sorted(
        path
        for path in entries
        if path.suffix.lower() in suffixes and path.is_file()
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise PixCellError(
            f"There are no {noun} in the folder “{folder.name}”. Choose a folder with files of the "
            f"types {', '.join(suffixes)}."
        )
    return files


def is_folder(path: Path) -> bool:
    """Return True if a path is a folder; False also if the path is not valid."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, a loop of links
        return False
