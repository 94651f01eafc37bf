"""From a recipe to the styles and layouts of a dataset; goes on where it was stopped.

What could tell where the tissue is from (paths, and small pictures of real tissue to find copies
with) is kept in the user's own data folder, beside no dataset.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import describe
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.checks import Checks
from napari_pixcell.datasets.quality import Ask, RealTiles, gather, look_of
from napari_pixcell.datasets.recipe.layout_sources import LayoutSources
from napari_pixcell.datasets.recipe.plan import Plan
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.style_sources import StyleSource, StyleSources
from napari_pixcell.datasets.store.dataset import (
    LAYOUTS,
    STYLES,
    Dataset,
    Description,
    Layout,
    Settings,
    Style,
    check_free,
)
from napari_pixcell.datasets.store.rows import cut_torn
from napari_pixcell.engine.events import Embedding, Progress, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.request import EmbedRequest, SegmentRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import data_folder
from napari_pixcell.models.catalogue import Family, get_family

RECIPE, REAL = "recipe.json", "real"
MOST_REAL = 20_000  # styles whose tissue copies are looked for among

T = TypeVar("T")


def private_folder(description: Description) -> Path:
    """Give the folder of what belongs to a dataset but not into it."""
    return data_folder() / "datasets" / description.id


def begin(recipe: DatasetRecipe, folder: Path) -> Dataset:
    """Begin a dataset in an empty folder; its recipe is kept for resuming.

    Raises
    ------
    PixCellError
        If the folder is not empty, or the recipe does not go with its family.
    """
    family = get_family(recipe.family)
    if recipe.layouts and not family.takes_layout:
        raise PixCellError(
            f"{family.title} takes no layouts; choose another model, or leave the layouts out."
        )
    if not recipe.styles:
        raise PixCellError("The dataset has no style; add a region, a picture or a library's.")
    steps = recipe.steps or get_preset(recipe.preset).steps_of(family.steps)
    usual = family.layout_guidance if recipe.layouts else family.guidance
    settings = Settings(
        steps,
        usual if recipe.guidance is None else recipe.guidance,
        recipe.layout_strength,
        recipe.layout_until,
        recipe.preset,
    )
    size = family.tile, family.tile
    description = Description(
        recipe.name,
        family.name,
        family.mpp,
        size,
        settings,
        recipe.checks.without_path(),
        picture=recipe.picture,
        licence=family.licence,
        notice=family.notice,
    )
    check_free(folder)
    keep_recipe(description, recipe)  # first: a dataset without it could not go on
    return Dataset.create(folder, description)


def keep_recipe(description: Description, recipe: DatasetRecipe) -> None:
    """Keep a recipe, with its paths, where only this user finds it."""
    private = private_folder(description)
    private.mkdir(parents=True, exist_ok=True)
    write_whole(private / RECIPE, json.dumps(recipe.to_dict()).encode())


def is_of(dataset: Dataset, recipe: DatasetRecipe) -> bool:
    """Whether a dataset was begun with a recipe.

    While styles and layouts are not complete only name and models have to be the same: paths in
    the recipe may have changed.
    """
    description, path = dataset.description, private_folder(dataset.description) / RECIPE
    if description.plan is not None and path.exists():
        begun = json.loads(path.read_bytes())
        return bool(begun == json.loads(json.dumps(recipe.to_dict())))
    return (description.name, description.family) == (recipe.name, recipe.family)


def kept_checks(dataset: Dataset) -> Checks:
    """Give the checks of a dataset; its recipe knows where the file of a segmenter lies."""
    path = private_folder(dataset.description) / RECIPE
    return DatasetRecipe.load(path).checks if path.exists() else dataset.description.checks


def kept_recipe(dataset: Dataset) -> DatasetRecipe:
    """Give the recipe that a dataset was begun with.

    Raises
    ------
    PixCellError
        If it is not on this machine.
    """
    path = private_folder(dataset.description) / RECIPE
    if not path.exists():
        raise PixCellError(
            f"The styles and layouts of {dataset.folder.name} are not complete, and its recipe is "
            "not on this machine; resume it with the recipe's file."
        )
    return DatasetRecipe.load(path)


@dataclass
class Preparation:
    """Makes the styles and layouts of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Locked by whoever uses this.
    recipe : DatasetRecipe
    ask : Ask
        Runs requests.
    emit : callable
        Gets progress.
    check : callable
        Called now and then; what it raises ends the work, which can go on later.
    """

    dataset: Dataset
    recipe: DatasetRecipe
    ask: Ask
    emit: Callable[[Progress], None]
    check: Callable[[], None]

    def __post_init__(self) -> None:
        """Look up the family."""
        self._family: Family = get_family(self.recipe.family)

    def run(self) -> None:
        """Prepare what is missing, and write the plan."""
        if self.dataset.description.plan is not None:
            return
        sources = StyleSources(self.recipe.styles, self._family)
        try:
            styles = self._prepare_styles(sources)
            layouts = self._prepare_layouts(sources)
        finally:
            sources.close()
        recipe = self.recipe
        matches = tuple(row["style"] for row in self.dataset.layout_rows())
        pairing = recipe.pairing if layouts else "each"
        if pairing != "matched":
            matches = ()
        plan = Plan(
            styles, layouts, pairing, recipe.seeds, recipe.first_seed, recipe.pairs, matches
        )
        self.dataset.describe(plan=plan.to_dict())

    def _prepare_styles(self, sources: StyleSources) -> int:
        cut_torn(self.dataset.folder / STYLES)
        have = sum(1 for _ in self.dataset.style_rows())
        real = private_folder(self.dataset.description) / REAL
        count = 0
        for number, source in enumerate(self._told(sources, "style", have)):
            count = number + 1
            if number < have:
                continue
            pixels, embedding = source.tissue(), source.embedded(self._embed)
            look: dict[str, float] = {}
            if pixels is not None:
                look = look_of(pixels) | self._cells_of(pixels)
                if number < MOST_REAL:
                    own = self._embed(pixels) if source.mixed or embedding is None else embedding
                    self._keep_real(real / f"{number:06}.npz", pixels, own)
            self.dataset.add_style(
                Style(number, source.name, source.group, embedding, look, source.source)
            )
        return count

    @staticmethod
    def _keep_real(path: Path, pixels: NDArray[np.uint8], embedding: NDArray[np.float32]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        real = RealTiles()
        real.add(pixels, embedding)
        real.save(path)

    def _prepare_layouts(self, sources: StyleSources) -> int:
        cut_torn(self.dataset.folder / LAYOUTS)
        have = sum(1 for _ in self.dataset.layout_rows())
        layouts = LayoutSources(
            self.recipe.layouts, self._family, lambda: enumerate(sources), self._segment
        )
        matching = self._matching() if self.recipe.pairing == "matched" else None
        count = 0
        for number, item in enumerate(self._told(layouts, "layout", have)):
            count = number + 1
            if number < have:
                continue
            style = item.style
            if style is None and matching is not None:
                style = matching.most_alike(item.labels, self._family.mpp)
            self.dataset.add_layout(
                Layout(number, item.name, item.group, item.labels, item.made, style)
            )
        return count

    def _told(self, things: Any, what: str, have: int) -> Iterator[Any]:
        for number, thing in enumerate(things, 1):
            self.check()
            if number > have:
                self.emit(Progress(0, 0, f"Preparing {what} {number:,}"))
            yield thing

    def _embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        events = self.ask(EmbedRequest(self._family.name, PackedArray.pack(pixels)))
        return next(event.values for event in events if isinstance(event, Embedding))

    def _segment(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int32], LayoutSource]:
        how = self.recipe.checks.segmenter
        request = SegmentRequest(PackedArray.pack(pixels), self._family.mpp, how)
        found = next(event for event in self.ask(request) if isinstance(event, SegmentedLayout))
        return found.labels, found.source

    def _cells_of(self, pixels: NDArray[np.uint8]) -> dict[str, float]:
        """Say how many cells tissue has and how large they are, where layouts are matched to it."""
        if self.recipe.pairing != "matched":
            return {}
        return _cells(self._segment(pixels)[0], self._family.mpp)

    def _matching(self) -> _Matching:
        looks = [(row["number"], row["look"]) for row in self.dataset.style_rows()]
        known = [(number, look) for number, look in looks if "density" in look]
        if not known:
            raise PixCellError(
                "Layouts are matched to tissue, and no style is of tissue; choose another pairing, "
                "or add a region or a picture as a style."
            )
        return _Matching(known)


class _Matching:
    """Finds the style whose tissue has cells as a layout has them.

    A factor of two in their density counts as much as one in their size.
    """

    def __init__(self, looks: list[tuple[int, dict[str, float]]]) -> None:
        self._numbers = [number for number, _ in looks]
        self._places = np.stack([_place(look) for _, look in looks])

    def most_alike(self, labels: NDArray[Any], mpp: float) -> int:
        distances = np.linalg.norm(self._places - _place(_cells(labels, mpp)), axis=1)
        return self._numbers[int(distances.argmin())]


def _place(cells: dict[str, float]) -> NDArray[np.float64]:
    return np.log(np.maximum([cells["density"], cells["area"]], 1.0))


def _cells(labels: NDArray[Any], mpp: float) -> dict[str, float]:
    """Give cells per mm² and their median area in µm²."""
    found = describe(labels, mpp)
    return {"density": found.per_mm2, "area": found.median_um2}


def real_tiles(dataset: Dataset) -> RealTiles:
    """Give the real tissue that copies are looked for among; empty where it is not known here."""
    return gather(private_folder(dataset.description) / REAL)


def count_pairs(recipe: DatasetRecipe, layouts: int | None = None) -> int:
    """Say how many pairs a recipe makes, without embedding or segmenting anything.

    Parameters
    ----------
    recipe : DatasetRecipe
    layouts : int, optional
        How many there are, where that is known; they are counted by default, one for each style
        that has tissue where cells are to be found in it.

    Raises
    ------
    PixCellError
        As :meth:`Preparation.run` would.
    """
    family = get_family(recipe.family)
    sources = StyleSources(recipe.styles, family)

    def cell(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], LayoutSource]:
        return np.ones((1, 1), np.uint8), LayoutSource("builtin")

    try:
        styles = list(sources)
        if layouts is None:
            found = LayoutSources(recipe.layouts, family, lambda: _without_reading(styles), cell)
            layouts = sum(1 for _ in found)
    finally:
        sources.close()
    matches = (0,) * layouts if recipe.pairing == "matched" else ()
    plan = Plan(
        len(styles),
        layouts,
        recipe.pairing if layouts else "each",
        recipe.seeds,
        recipe.first_seed,
        recipe.pairs,
        matches,
    )
    return len(plan)


def _without_reading(styles: list[StyleSource]) -> Iterator[tuple[int, StyleSource]]:
    tile = np.zeros((1, 1, 3), np.uint8)
    for number, style in enumerate(styles):
        if style.read is not None or style.mixed:
            yield number, StyleSource(style.name, style.group, lambda: tile)


__all__ = [
    "Preparation",
    "begin",
    "count_pairs",
    "keep_recipe",
    "kept_checks",
    "kept_recipe",
    "real_tiles",
]
