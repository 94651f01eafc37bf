"""The styles of a recipe, one tile of the model each. Tissue is read on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.recipe.feature_sources import FeatureSources
from napari_pixcell.datasets.recipe.parts import MOST_TILES, read_colours, unpacked
from napari_pixcell.datasets.recipe.recipe import Part
from napari_pixcell.datasets.recipe.saved_styles import style_from_library
from napari_pixcell.datasets.recipe.source_files import files_in, is_folder, names_in
from napari_pixcell.datasets.recipe.tiles import (
    SourceTiles,
    check_count,
    check_on_slide,
    tile_name,
    tile_of,
    tiles_in,
)
from napari_pixcell.datasets.splits import JOINED
from napari_pixcell.engine.styles.blending import as_grid, blend
from napari_pixcell.engine.styles.features.file import SUFFIXES as FEATURES
from napari_pixcell.engine.tissue_colours import TissueColours, mixed_colours, tissue_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide
from napari_pixcell.untrusted import check_regular

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")

Pixels = NDArray[np.uint8]
Embeddings = NDArray[np.float32]
Embed = Callable[[Pixels], Embeddings]


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
    """The styles of a recipe, source by source: slides, pictures, blends and others.

    The tiles of each source are known only once it was opened, see :meth:`tiles`. Everything else
    depends on the recipe and on the names in its folders alone.

    Parameters
    ----------
    parts : sequence of dict
        See :mod:`napari_pixcell.datasets.recipe.recipe`.
    family : Family
        Defines tile, pixel size and encoder.
    """

    def __init__(self, parts: tuple[Part, ...], family: Family) -> None:
        self._parts, self._family = parts, family
        self._features = FeatureSources(family)
        self._open: tuple[tuple[str, float | None], Slide] | None = None
        self._last: tuple[tuple[object, ...], Pixels] | None = None  # that was read
        self._unpacked: tuple[Part, Embeddings, Pixels | None] | None = None

    def __len__(self) -> int:
        """Return the number of sources. A folder is one for each picture.

        Raises
        ------
        PixCellError
            If a folder does not exist or has no pictures.
        """
        return len(self._sources)

    def __iter__(self) -> Iterator[StyleSource]:
        """Iterate over the styles in a stable order."""
        counts = 0
        for number in range(len(self)):
            tiles = self.tiles(number)
            counts += tiles.count
            check_count(counts)
            for at in range(tiles.count):
                yield self.style(number, tiles, at)

    def file_names(self) -> Iterator[str]:
        """Iterate over the names of the files in the folders of the recipe."""
        for part, path in self._sources:
            if path is not None:
                yield from names_in(part[_key(part)], [Path(path)])

    def tiles(self, number: int) -> SourceTiles:
        """Open a source, and return its tiles.

        Raises
        ------
        PixCellError
            If it cannot be opened, or has no whole tile.
        """
        return self._tiles(self._part(number))

    def style(self, number: int, tiles: SourceTiles, at: int) -> StyleSource:
        """Return the style of a tile of a source; its tissue is read later."""
        return self._style(self._part(number), tiles, at)

    def close(self) -> None:
        """Close the slide and the file of features that were read last."""
        self._features.close()
        self._last = None
        if self._open is not None:
            self._open[1].close()
            self._open = None

    # -- sources ---------------------------------------------------------------------------

    @cached_property
    def _sources(self) -> list[tuple[Part, str | None]]:
        """The parts of the recipe, a folder once for each of its files, with their paths."""
        return [(part, path) for each in self._parts for part, path in self._flat(each)]

    @cached_property
    def _slides(self) -> GroupNumbers:
        """The numbers of slides and pictures, in the order of the recipe."""
        numbers = GroupNumbers()
        for part, path in self._sources:
            self._number(part, path, numbers)
        return numbers

    def _number(self, part: Part, path: str | None, numbers: GroupNumbers) -> None:
        match part["from"]:
            case "blend":
                for each in part["styles"]:
                    for inner, inner_path in self._flat(each):
                        self._number(inner, inner_path, numbers)
            case "nothing":
                pass
            case _:
                numbers.of(_group_name(_with_path(part, path)))

    def _flat(self, part: Part) -> Iterator[tuple[Part, str | None]]:
        match part["from"]:
            case "folder":
                for path in files_in(Path(part["path"]), PICTURES, "pictures of tissue"):
                    yield part, str(path)
            case "features" if is_folder(Path(part["file"])):
                for path in files_in(Path(part["file"]), FEATURES, "files of features"):
                    yield part, str(path)
            case "library":
                yield style_from_library(part, self._family), None
            case _:
                yield part, None

    def _part(self, number: int) -> Part:
        return _with_path(*self._sources[number])

    # -- tiles -----------------------------------------------------------------------------

    def _tiles(self, part: Part) -> SourceTiles:
        match part["from"]:
            case "region":
                return self._in_region(part, Region(*part["region"]))
            case "slide":
                return self._in_tissue(part)
            case "picture" | "folder":
                return self._in_region(part, None)
            case "features":
                return self._features.tiles(part["file"], part.get("most"), part.get("seed"))
            case "embedding":
                grid, pixels = self._arrays(part)
                rows, columns = self._tiles_of(grid)
                places = [divmod(at, columns) for at in range(rows * columns)]
                whole = sum(self._own_tissue(pixels, place) is not None for place in places)
                return SourceTiles(len(places), whole)
            case "blend":
                self._blend(part)  # raises if it cannot be followed
                return SourceTiles(1, 1)
        return SourceTiles(1, 0)

    def _style(self, part: Part, tiles: SourceTiles, at: int) -> StyleSource:
        match part["from"]:
            case "blend":
                return self._blend(part)
            case "embedding":
                return self._of_embedding(part, tiles, at)
            case "features":
                return self._of_features(part, tiles, at)
            case "nothing":
                return StyleSource(part.get("name", "No style"), "nothing")
        number, region = self._number_of(part), tiles.regions[at]
        return StyleSource(
            tile_name(part.get("name") or f"Slide {number}", at, tiles.count),
            f"slide-{number}",
            lambda: self._read(part, region),
            source={"region": region.as_list(), "mpp": tiles.mpp},
        )

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

    def _in_region(self, part: Part, region: Region | None) -> SourceTiles:
        slide = self._slide(part)
        height, width = slide.shape
        whole, mpp = region or Region(0, 0, width, height), slide.require_mpp()
        check_on_slide(whole, slide, self._family)
        tiles = tiles_in(whole, mpp, self._family)
        if not tiles:
            name = Path(part.get("slide") or part["path"]).name
            side = math.ceil(self._family.tile * self._family.mpp / mpp)
            raise PixCellError(
                f"{'The region' if region else 'This picture'} of “{name}” is "
                f"{whole.width:g} × {whole.height:g} px, smaller than one tile "
                f"({side} × {side} px). Choose a larger one, or another model."
            )
        return SourceTiles(len(tiles), len(tiles), tuple(tiles), mpp)

    def _in_tissue(self, part: Part) -> SourceTiles:
        from napari_pixcell.engine.styles.similarity import lay_grid

        slide, family = self._slide(part), self._family
        mpp = slide.require_mpp()
        grid = lay_grid(slide, family, MOST_TILES, family.tile * family.mpp / mpp)
        cells, most = grid.cells, part.get("most", MOST_TILES)
        if len(cells) > most:  # evenly over the slide
            cells = [cells[round(i)] for i in np.linspace(0, len(cells) - 1, most)]
        return SourceTiles(len(cells), len(cells), tuple(grid.tile(*cell) for cell in cells), mpp)

    def _read(self, part: Part, region: Region) -> Pixels:
        key = part.get("slide") or part["path"], part.get("mpp"), region
        if self._last is None or self._last[0] != key:  # a style is read more than once
            side = self._family.tile
            pixels = self._slide(part).read(region, self._family.mpp)
            self._last = key, np.ascontiguousarray(pixels[:side, :side])
        return self._last[1]

    def _blend(self, part: Part) -> StyleSource:
        inner = [one for each in part["styles"] for one in self._all_of(each)]
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

    def _all_of(self, part: Part) -> Iterator[StyleSource]:
        for flat, path in self._flat(part):
            one = _with_path(flat, path)
            tiles = self._tiles(one)
            yield from (self._style(one, tiles, at) for at in range(tiles.count))

    # -- known embeddings ------------------------------------------------------------------

    def _of_features(self, part: Part, tiles: SourceTiles, at: int) -> StyleSource:
        found, number = self._features.style(part["file"], tiles.rows[at]), self._number_of(part)
        return StyleSource(
            f"{part.get('name') or f'Slide {number}'}, row {tiles.rows[at]}",
            f"slide-{number}",
            embedding=found.values,
            source={"features": found.key, "row": tiles.rows[at]},
        )

    def _number_of(self, part: Part) -> int:
        return self._slides.of(_group_name(part))

    def _arrays(self, part: Part) -> tuple[Embeddings, Pixels | None]:
        """Return a grid of embeddings, and the tissue that may come with it."""
        if self._unpacked is None or self._unpacked[0] is not part:
            grid = as_grid(unpacked(part, "embedding"))
            pixels = unpacked(part, "pixels") if "pixels" in part else None
            self._unpacked = part, grid, pixels
        return self._unpacked[1:]

    def _tiles_of(self, grid: Embeddings) -> tuple[int, int]:
        rows, columns = (max(1, length // self._family.grid) for length in grid.shape[:2])
        return rows, columns

    def _own_tissue(self, pixels: Pixels | None, place: tuple[int, int]) -> Pixels | None:
        side = self._family.tile
        tile = tile_of(pixels, place, side) if pixels is not None else None
        return tile if tile is not None and tile.shape[:2] == (side, side) else None

    def _of_embedding(self, part: Part, tiles: SourceTiles, at: int) -> StyleSource:
        grid, pixels = self._arrays(part)
        name, place = part.get("name") or "Style", divmod(at, self._tiles_of(grid)[1])
        tile = self._own_tissue(pixels, place)
        return StyleSource(
            tile_name(name, at, tiles.count),
            f"slide-{self._number_of(part)}",
            (lambda: tile) if tile is not None else None,
            tile_of(grid, place, self._family.grid),
            source=part.get("source") or {},
            known_colours=read_colours(part["colours"]) if part.get("colours") else None,
        )


def _key(part: Part) -> str:
    """Return the key of a part that names its file or folder."""
    return "file" if part["from"] == "features" else "path"


def _with_path(part: Part, path: str | None) -> Part:
    """Return a part that names one file of its folder."""
    return part if path is None else {**part, _key(part): path}


def _group_name(part: Part) -> str:
    """Return the path or name that tells slides and pictures apart, so that a split can."""
    if part["from"] == "embedding":
        return str(part.get("group") or part.get("name") or "Style")
    return str(part.get("group") or part.get("slide") or part[_key(part)])
