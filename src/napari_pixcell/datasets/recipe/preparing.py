"""Begins a dataset from its recipe, and keeps what belongs to it privately.

Anything that could reveal the source of the tissue (paths, and small pictures of real tissue to
detect copies) is kept in the user's own data folder, not in the dataset.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from napari_pixcell.datasets.quality import RealTiles, gather
from napari_pixcell.datasets.recipe.planning import count_pairs as count_pairs
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.same_weights import weights_of
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.dataset import Dataset, Description, PairSettings, check_free
from napari_pixcell.engine.colour_match import colour_setting
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.repair import Repair
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder as make_private
from napari_pixcell.files import write_whole
from napari_pixcell.folders import data_folder
from napari_pixcell.models.families import get_family
from napari_pixcell.untrusted import read_json

RECIPE, REAL = "recipe.json", "real"


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
        weights=weights_of(family.name, ("encoder",)),
    )
    check_free(folder)
    keep_recipe(description, recipe)  # first: without it the dataset could not be resumed
    make_private(private_folder(description) / REAL)  # shows that the real tissue belongs here
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


def keeps_tissue(dataset: Dataset) -> bool:
    """Return True if the real tissue of a dataset's styles is kept in this data folder."""
    return (private_folder(dataset.description) / REAL).is_dir()


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
