"""The tissue that a recipe's styles come from, one tile of the model each; read when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.recipe.recipe import Part
from napari_pixcell.datasets.splits import JOINED
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid, blend
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MOST_PLACES = 100_000  # of one slide

Pixels = NDArray[np.uint8]
Grid = NDArray[np.float32]
Embed = Callable[[Pixels], Grid]


@dataclass(frozen=True, eq=False)
class StyleSource:
    """Where one style comes from.

    Parameters
    ----------
    name : str
        For people; says nothing of files.
    group : str
        Of the slide or picture; a blend is of all of its.
    read : callable, optional
        Gives its tissue, uint8 (tile, tile, 3); styles without tissue have none.
    embedding : array, float32, (rows, columns, dimension), optional
        Where it is known already.
    mixed : tuple of (StyleSource, float)
        What it is blended from, and the shares.
    source : dict
        For records: region in level-0 pixels, and the slide's pixel size.
    """

    name: str
    group: str
    read: Callable[[], Pixels] | None = None
    embedding: Grid | None = None
    mixed: tuple[tuple[StyleSource, float], ...] = ()
    source: dict[str, Any] = field(default_factory=dict)

    def embedded(self, embed: Embed) -> Grid | None:
        """Give its embedding, (rows, columns, dimension); None for “nothing”."""
        if self.mixed:
            parts = [(one.embedded(embed), share) for one, share in self.mixed]
            known = [(grid, share) for grid, share in parts if grid is not None]
            return blend([grid for grid, _ in known], [share for _, share in known])
        if self.embedding is not None or self.read is None:
            return self.embedding
        return as_grid(embed(self.read()))

    def tissue(self) -> Pixels | None:
        """Give its tissue, uint8 (tile, tile, 3); of a blend that of the largest share."""
        if self.mixed:
            return max(self.mixed, key=lambda one: one[1])[0].tissue()
        return self.read() if self.read is not None else None


class Groups:
    """Numbers for slides and pictures: the same for the same, and without a meaning elsewhere."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def number(self, what: str) -> int:
        """Give the number of a path or name, from 1 on."""
        return self._known.setdefault(what, len(self._known) + 1)


class StyleSources:
    """Goes through the styles of a recipe.

    Parameters
    ----------
    parts : sequence of dict
        See :mod:`napari_pixcell.datasets.recipe.recipe`.
    family : Family
        Whose tile, pixel size and encoder.
    """

    def __init__(self, parts: tuple[Part, ...], family: Family) -> None:
        self._parts, self._family = parts, family
        self._slides = Groups()
        self._open: tuple[tuple[str, float | None], Slide] | None = None

    def __iter__(self) -> Iterator[StyleSource]:
        """Give the styles, always in the same order."""
        for part in self._parts:
            yield from self._of(part)

    def close(self) -> None:
        """Close the slide that was read last."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _of(self, part: Part) -> Iterator[StyleSource]:
        match part["from"]:
            case "region":
                yield from self._regions(part, _region(part))
            case "slide":
                yield from self._places(part)
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
                raise PixCellError(
                    f"The style “{part['name']}” of the library was not looked up; use “dataset "
                    "make”, which does."
                )

    def _slide(self, part: Part) -> Slide:
        """Open the slide of a part; the one before is closed."""
        from napari_pixcell.slides import open_slide

        path, mpp = part.get("slide") or part["path"], part.get("mpp")
        if self._open is None or self._open[0] != (path, mpp):
            self.close()
            slide = open_slide(path, mpp)
            if slide.mpp is None:
                if part["from"] in ("region", "slide"):
                    slide.close()
                    raise PixCellError(
                        f"“{Path(path).name}” does not say its pixel size; add “mpp” to it in the "
                        "recipe."
                    )
                slide = slide.with_mpp(self._family.mpp)
            self._open = (path, mpp), slide
        return self._open[1]

    def _regions(self, part: Part, region: Region | None) -> Iterator[StyleSource]:
        slide = self._slide(part)
        height, width = slide.shape
        whole = region or Region(0, 0, width, height)
        tiles = tiles_in(whole, slide.require_mpp(), self._family)
        if not tiles:
            name = Path(part.get("slide") or part["path"]).name
            side = math.ceil(self._family.tile * self._family.mpp / slide.require_mpp())
            raise PixCellError(
                f"{'The region' if region else 'This picture'} of “{name}” is "
                f"{whole.width:g} × {whole.height:g} px, smaller than one tile "
                f"({side} × {side} px); choose a larger one, or another model."
            )
        yield from self._tiles(part, slide, tiles)

    def _places(self, part: Part) -> Iterator[StyleSource]:
        from napari_pixcell.engine.styles.similarity import lay_grid

        slide, family = self._slide(part), self._family
        side = family.tile * family.mpp / slide.require_mpp()
        grid = lay_grid(slide, family, MOST_PLACES, side)
        cells, most = grid.cells, int(part.get("most", MOST_PLACES))
        if len(cells) > most:  # evenly over all of it
            cells = [cells[round(i)] for i in np.linspace(0, len(cells) - 1, most)]
        yield from self._tiles(part, slide, [grid.tile(*cell) for cell in cells])

    def _tiles(self, part: Part, slide: Slide, tiles: list[Region]) -> Iterator[StyleSource]:
        number = self._slides.number(str(part.get("group") or part.get("slide") or part["path"]))
        name, mpp = part.get("name") or f"Slide {number}", slide.require_mpp()
        for tile, region in enumerate(tiles, 1):
            yield StyleSource(
                name if len(tiles) == 1 else f"{name}, tile {tile}",
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
                f"A blend has {len(inner)} styles of one tile and {len(shares)} shares; give two "
                "or more of one tile each, and a share for each."
            )
        name = part.get("name") or " + ".join(one.name for one in inner)
        group = JOINED.join(sorted({each for one in inner for each in one.group.split(JOINED)}))
        mixed = tuple(zip(inner, map(float, shares), strict=True))
        return StyleSource(name, group, mixed=mixed)

    def _embedding(self, part: Part) -> Iterator[StyleSource]:
        """Cut a grid of embeddings, and the tissue that may come with it, into tiles."""
        grid, each = as_grid(PackedArray.from_dict(part["embedding"]).unpack()), self._family.grid
        pixels = PackedArray.from_dict(part["pixels"]).unpack() if part.get("pixels") else None
        name, side = part.get("name") or "Style", self._family.tile
        group = f"slide-{self._slides.number(str(part.get('group') or name))}"
        rows, columns = (max(1, n // each) for n in grid.shape[:2])
        for at in range(rows * columns):
            row, column = divmod(at, columns)
            cut = grid[row * each : (row + 1) * each, column * each : (column + 1) * each]
            tile = None
            if pixels is not None:
                tile = pixels[row * side : (row + 1) * side, column * side : (column + 1) * side]
            whole = tile is not None and tile.shape[:2] == (side, side)
            yield StyleSource(
                name if rows * columns == 1 else f"{name}, tile {at + 1}",
                group,
                (lambda tile=tile: tile) if whole else None,  # type: ignore[misc]
                cut,
                source=part.get("source") or {},
            )


def tiles_in(region: Region, mpp: float, family: Family) -> list[Region]:
    """Cut a region into whole tiles of a family, row by row; what is left over is left out."""
    side = family.tile * family.mpp / mpp
    # A pixel of the model may be missing by rounding: it is a tile all the same.
    columns = int((region.width + family.mpp / mpp) / side)
    rows = int((region.height + family.mpp / mpp) / side)
    return [
        Region(region.x + column * side, region.y + row * side, side, side)
        for row in range(rows)
        for column in range(columns)
    ]


def files_in(folder: Path, suffixes: tuple[str, ...], what: str) -> list[Path]:
    """Give the files of a folder, and of those in it, in the order of their names.

    Raises
    ------
    PixCellError
        If there is no such folder, or nothing of this kind in it.
    """
    if not folder.is_dir():
        raise PixCellError(f"There is no folder “{folder.name}” there; check the recipe's path.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise PixCellError(
            f"There are no {what} in the folder “{folder.name}”; choose one with files of the "
            f"kinds {', '.join(suffixes)}."
        )
    return found


def _region(part: Part) -> Region:
    try:
        x, y, width, height = (float(n) for n in part["region"])
    except (TypeError, ValueError):
        raise PixCellError(
            f"The region {part['region']} is not four numbers; give x, y, width and height in "
            "level-0 pixels."
        ) from None
    return Region(x, y, width, height)
