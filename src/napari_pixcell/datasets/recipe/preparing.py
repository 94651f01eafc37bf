"""Prepares the styles and layouts of a dataset from its recipe. It can be interrupted and resumed.

Anything that could reveal the source of the tissue (paths, and small pictures of real tissue to
detect copies) is kept in the user's own data folder, not in the dataset.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import describe
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.quality import Ask, RealTiles, gather, look_of
from napari_pixcell.datasets.recipe.layout_sources import LayoutSources
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.style_sources import (
    StyleSource,
    StyleSources,
    with_library_styles,
)
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.dataset import (
    LAYOUTS,
    PER_FOLDER,
    STYLES,
    Dataset,
    DatasetStyle,
    Description,
    PairSettings,
    check_free,
)
from napari_pixcell.datasets.store.plan import Plan, check_styles
from napari_pixcell.datasets.store.rows import cut_torn
from napari_pixcell.engine.colour_match import OFF, colour_setting
from napari_pixcell.engine.events import Embedding, Notice, Progress, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.request_values import EmbedRequest, SegmentRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import data_folder
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.untrusted import read_json

RECIPE, REAL = "recipe.json", "real"
NO_TISSUE = (
    "Layouts are matched to tissue, but no style has tissue. Choose another pairing, or add a "
    "region or a picture as a style."
)

T = TypeVar("T")


def private_folder(description: Description) -> Path:
    """Return the folder of a dataset's private files, in the user's data folder."""
    return data_folder() / "datasets" / description.id


def begin(recipe: DatasetRecipe, folder: Path, block: int = 1) -> Dataset:
    """Create a dataset in an empty folder, and keep its recipe for resuming.

    Parameters
    ----------
    block : int
        Consecutive pairs that are generated together.

    Raises
    ------
    PixCellError
        If the folder is not empty.
    """
    family = get_family(recipe.family)
    default = family.layout_guidance if recipe.layouts else family.guidance
    settings = PairSettings(
        recipe.steps or get_preset(recipe.preset).steps_of(family.steps),
        default if recipe.guidance is None else recipe.guidance,
        recipe.layout_strength,
        recipe.layout_until,
        recipe.preset,
        colour_setting(recipe.colour_match, family, recipe.preset),
    )
    description = Description(
        recipe.name,
        family.name,
        family.mpp,
        (family.tile, family.tile),
        settings,
        recipe.checks.without_path(),
        picture=recipe.picture,
        licence=family.licence,
        notice=family.notice,
        repair=recipe.repair.without_path() if recipe.repair is not None else None,
        drop_wrong=recipe.drop_wrong,
        block=block,
    )
    check_free(folder)
    keep_recipe(description, recipe)  # first: without it the dataset could not be resumed
    return Dataset.create(folder, description)


def keep_recipe(description: Description, recipe: DatasetRecipe) -> None:
    """Keep a recipe, with its paths, among the dataset's private files."""
    private = private_folder(description)
    private.mkdir(parents=True, exist_ok=True)
    write_whole(private / RECIPE, json.dumps(recipe.to_dict()), private=True)


def is_of(dataset: Dataset, recipe: DatasetRecipe) -> bool:
    """Return True if a dataset was begun with a recipe.

    Until its styles and layouts are complete, only name and family must agree: paths in the recipe
    may have changed.
    """
    description, path = dataset.description, private_folder(dataset.description) / RECIPE
    if description.plan is not None and path.exists():
        begun = DatasetRecipe.from_dict(read_json(path))
        return begun.to_dict() == DatasetRecipe.from_dict(recipe.to_dict()).to_dict()
    return (description.name, description.family) == (recipe.name, recipe.family)


def kept_checks(dataset: Dataset) -> Checks:
    """Return the checks of a dataset, with the path of the segmenter's model if it is known."""
    path, checks = private_folder(dataset.description) / RECIPE, dataset.description.checks
    if not path.exists():
        return checks
    return replace(checks, segmenter=DatasetRecipe.load(path).checks.segmenter)


def kept_repair(dataset: Dataset) -> Repair | None:
    """Return how the pairs of a dataset are repaired, with the path of the segmenter's model.

    Nuclei are also compared, without a round, if wrong ones are to be dropped from the masks.
    """
    path = private_folder(dataset.description) / RECIPE
    repair = DatasetRecipe.load(path).repair if path.exists() else dataset.description.repair
    return repair or (Repair(rounds=0) if dataset.description.drop_wrong else None)


def kept_recipe(dataset: Dataset) -> DatasetRecipe:
    """Return the recipe that a dataset was begun with.

    Raises
    ------
    PixCellError
        If it is not on this machine.
    """
    path = private_folder(dataset.description) / RECIPE
    if not path.exists():
        raise PixCellError(
            f"The styles and layouts of {dataset.folder.name} are not complete, and its recipe is "
            "not on this machine. Resume it with the recipe's file."
        )
    return DatasetRecipe.load(path)


@dataclass
class Preparation:
    """Prepares the styles and layouts of a dataset."""

    dataset: Dataset  # locked by the caller
    recipe: DatasetRecipe
    ask: Ask
    emit: Callable[[Progress | Notice], None]
    check: Callable[[], None]  # called regularly; an exception ends the work, which can be resumed

    def __post_init__(self) -> None:
        self._family: Family = get_family(self.recipe.family)

    def run(self) -> None:
        """Prepare the missing styles and layouts, and write the plan."""
        if self.dataset.description.plan is not None:
            return
        sources = StyleSources(self.recipe.styles, self._family)
        try:
            styles = self._prepare_styles(sources)
            layouts = self._prepare_layouts(sources)
        finally:
            sources.close()
        rows = sorted(self.dataset.layout_rows(), key=lambda row: int(row["number"]))
        matches = tuple(row["style"] for row in rows)
        plan = _plan(self.recipe, styles, layouts, matches)
        per_folder = PER_FOLDER if len(plan) > PER_FOLDER else None
        self.dataset.describe(plan=plan.to_dict(), pairs_per_folder=per_folder)

    def _prepare_styles(self, sources: StyleSources) -> int:
        cut_torn(self.dataset.folder / STYLES)
        have = self.dataset.prepared(STYLES)
        real = private_folder(self.dataset.description) / REAL
        matching = self.dataset.description.settings.colour_match != OFF
        unknown: list[str] = []
        count = 0
        for number, source in enumerate(self._with_progress(sources, "style", have)):
            count = number + 1
            if number < have:
                continue
            pixels, embedding = source.tissue(), source.embedded(self._embed)
            look: dict[str, float] = {}
            if pixels is not None:
                look = look_of(pixels) | self._cells_of(pixels)
                own = self._embed(pixels) if source.mixed or embedding is None else embedding
                self._keep_real(real / f"{number:06}.npz", pixels, own)
            colours = source.colours(self._family.mpp) if matching else None
            if matching and colours is None and embedding is not None:
                unknown.append(source.name)
            self.dataset.add_style(
                DatasetStyle(
                    number, source.name, source.group, embedding, look, source.source, colours
                )
            )
        if unknown and matching:
            others = f" and {len(unknown) - 1:,} other styles" if len(unknown) > 1 else ""
            self.emit(
                Notice(
                    f"Colours are not matched to “{unknown[0]}”{others}, whose tissue is unknown. "
                    "Save such styles again from their tissue."
                )
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
        have = self.dataset.prepared(LAYOUTS)
        layouts = LayoutSources(
            self.recipe.layouts, self._family, lambda: enumerate(sources), self._segment
        )
        matching = self._matching() if self.recipe.pairing == "matched" else None
        count = 0
        for layout in self._with_progress(layouts, "layout", have):
            count = layout.number + 1
            if layout.number < have:
                continue
            if layout.style is None and matching is not None:
                style = matching.most_similar(layout.labels, self._family.mpp)
                layout = replace(layout, style=style)
            self.dataset.add_layout(layout)
        return count

    def _with_progress(self, items: Iterable[T], noun: str, have: int) -> Iterator[T]:
        for number, item in enumerate(items, 1):
            self.check()
            if number > have:
                self.emit(Progress(0, 0, f"Preparing {noun} {number:,}"))
            yield item

    def _embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        events = self.ask(EmbedRequest(self._family.name, PackedArray.pack(pixels)))
        return next(event.values for event in events if isinstance(event, Embedding))

    def _segment(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int32], LayoutSource]:
        how = self.recipe.checks.segmenter
        request = SegmentRequest(PackedArray.pack(pixels), self._family.mpp, how)
        cells = next(event for event in self.ask(request) if isinstance(event, SegmentedLayout))
        return cells.labels, cells.source

    def _cells_of(self, pixels: NDArray[np.uint8]) -> dict[str, float]:
        """Return density and size of the cells in tissue, if layouts are matched to it."""
        if self.recipe.pairing != "matched":
            return {}
        return _cells(self._segment(pixels)[0], self._family.mpp)

    def _matching(self) -> _Matching:
        looks = [(row["number"], row["look"]) for row in self.dataset.style_rows()]
        known = [(number, look) for number, look in looks if "density" in look]
        if not known:
            raise PixCellError(NO_TISSUE)
        return _Matching(known)


class _Matching:
    """Finds the style whose tissue has the cells most similar to those of a layout.

    A factor of two in density counts as much as a factor of two in size.
    """

    def __init__(self, looks: list[tuple[int, dict[str, float]]]) -> None:
        self._numbers = [number for number, _ in looks]
        self._points = np.stack([_point(look) for _, look in looks])

    def most_similar(self, labels: NDArray[Any], mpp: float) -> int:
        distances = np.linalg.norm(self._points - _point(_cells(labels, mpp)), axis=1)
        return self._numbers[int(distances.argmin())]


def _point(cells: dict[str, float]) -> NDArray[np.float64]:
    return np.log(np.maximum([cells["density"], cells["area"]], 1.0))


def _cells(labels: NDArray[Any], mpp: float) -> dict[str, float]:
    """Return cells per mm² and their median area in µm²."""
    cells = describe(labels, mpp)
    return {"density": cells.per_mm2, "area": cells.median_um2}


def real_files(dataset: Dataset) -> dict[int, Path]:
    """Return the files of the real tissue on this machine by the numbers of their styles."""
    paths = (private_folder(dataset.description) / REAL).glob("*.npz")
    return {int(path.stem): path for path in paths if path.stem.isdecimal()}


def lacking_tissue(dataset: Dataset) -> int:
    """Return the number of styles whose real tissue should be on this machine, but is not."""
    here = real_files(dataset)
    known = (row["number"] for row in dataset.style_rows() if row["look"])
    return sum(1 for number in known if number not in here)


def real_tiles(dataset: Dataset) -> RealTiles:
    """Return the real tissue of a dataset's styles; empty if some of it is not on this machine.

    A comparison with a part of it would look like one with all.
    """
    if lacking_tissue(dataset):
        return RealTiles()
    return gather(private_folder(dataset.description) / REAL)


def _plan(recipe: DatasetRecipe, styles: int, layouts: int, matches: tuple[int, ...]) -> Plan:
    pairing = recipe.pairing if layouts else "each"
    matches = matches if pairing == "matched" else ()
    return Plan(
        styles,
        layouts,
        pairing,
        recipe.seeds,
        recipe.first_seed,
        recipe.pairs,
        matches,
        recipe.candidates,
    )


def count_pairs(recipe: DatasetRecipe, check: Callable[[], None] = lambda: None) -> int:
    """Return the number of pairs that a recipe makes, without embedding or segmenting anything.

    If cells are to be segmented in the tissue of the styles, each style with tissue counts as one
    layout. Of several invented layouts or variations, the first one stands for all.

    Parameters
    ----------
    check : callable
        Called regularly; an exception ends the work.

    Raises
    ------
    PixCellError
        As :meth:`Preparation.run` would.
    """
    recipe, family = with_library_styles(recipe), get_family(recipe.family)
    if recipe.layouts and not family.takes_layout:
        raise PixCellError(
            f"{family.title} does not support layouts. Choose another model, or remove the layouts."
        )
    colour_setting(recipe.colour_match, family, recipe.preset)
    check_styles(len(recipe.styles))
    sources = StyleSources(recipe.styles, family)

    def one_cell(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], LayoutSource]:
        return np.ones((1, 1), np.uint8), LayoutSource("builtin")

    def checked(items: Iterable[T]) -> Iterator[T]:
        for item in items:
            check()
            yield item

    try:
        styles = list(checked(sources))
        if recipe.pairing == "matched" and not any(_without_reading(styles)):
            raise PixCellError(NO_TISSUE)
        items = LayoutSources(
            recipe.layouts, family, lambda: _without_reading(styles), one_cell, counting=True
        )
        layouts = sum(1 for _ in checked(items))
    finally:
        sources.close()
    return len(_plan(recipe, len(styles), layouts, (0,) * layouts))


def _without_reading(styles: list[StyleSource]) -> Iterator[tuple[int, StyleSource]]:
    tile = np.zeros((1, 1, 3), np.uint8)
    for number, style in enumerate(styles):
        if style.read is not None or style.mixed:
            yield number, StyleSource(style.name, style.group, lambda: tile)
