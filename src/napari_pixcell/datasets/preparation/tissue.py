"""The real tissue of styles that are prepared on machines with other data folders.

It is collected in the data folder of the process that began the dataset, for the search for copies.
It is never stored with the dataset.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from napari_pixcell.datasets.preparation.making import PreparationMaker
from napari_pixcell.datasets.preparation.parts import STYLES, PreparationChunk, part_path, read_part
from napari_pixcell.datasets.preparation.stages import Preparation
from napari_pixcell.datasets.recipe.preparing import REAL, keeps_tissue, private_folder, real_files
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.runner import Run, Runner
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.files import private_folder as make_private
from napari_pixcell.files import write_whole

PATTERN = "[0-9]" * 6 + "*.npz"  # names of the files of real tissue
AT_ONCE = 256  # files of about 2 to 20 KB that are sent together


class LentPreparation:
    """Makes chunks for a coordinator, which may have another data folder.

    Parameters
    ----------
    dataset : Dataset
    recipe : DatasetRecipe
        With the saved styles that it names.
    run : callable
        Runs requests like :meth:`napari_pixcell.engine.engine.Engine.run`.
    """

    def __init__(self, dataset: Dataset, recipe: DatasetRecipe, run: Run) -> None:
        self._check: Callable[[], None] = lambda: None
        self._lent: Path | None = None
        if not keeps_tissue(dataset):
            own = make_private(private_folder(dataset.description))
            self._lent = Path(tempfile.mkdtemp(prefix="lent-", dir=own))  # only for its owner
        runner = Runner(run, lambda: False)
        self._maker = PreparationMaker(
            dataset, recipe, runner.run, lambda: self._check(), self._lent
        )

    def make(self, chunk: PreparationChunk, check: Callable[[], None]) -> None:
        """Make a chunk, see :meth:`PreparationMaker.make`; ``check`` may end it."""
        self._check = check
        self._maker.make(chunk)

    def taken(self) -> dict[str, bytes]:
        """Take the files of real tissue that belong to the coordinator: contents by names."""
        if self._lent is None:
            return {}
        found = {path.name: path.read_bytes() for path in self._lent.glob(PATTERN)}
        for name in found:
            (self._lent / name).unlink()
        return found

    def close(self) -> None:
        """Close the slide that was read last, and remove tissue that was not taken."""
        self._maker.close()
        if self._lent is not None:
            shutil.rmtree(self._lent, ignore_errors=True)


def keep_tissue(dataset: Dataset, files: Mapping[str, bytes]) -> None:
    """Keep files of real tissue of a dataset's styles in the data folder: contents by names."""
    for name, data in files.items():
        folder = make_private(private_folder(dataset.description) / REAL)
        if Path(name).match(PATTERN) and Path(name).name == name:
            write_whole(folder / name, data, private=True)


def tissue_files(dataset: Dataset, there: Collection[int]) -> Iterator[dict[str, bytes]]:
    """Iterate over the files of real tissue that another data folder lacks, some at a time.

    ``there`` are the numbers of the styles whose tissue it has. Contents by names.
    """
    known, here = set(there), real_files(dataset)
    numbers = [number for number in sorted(here) if number not in known]
    for start in range(0, len(numbers), AT_ONCE):
        paths = (here[number] for number in numbers[start : start + AT_ONCE])
        yield {path.name: path.read_bytes() for path in paths}


def forget_without_tissue(preparation: Preparation) -> None:
    """Let those styles be prepared again whose real tissue has not reached this data folder.

    A coordinator may have been killed between.
    """
    if preparation.phase != STYLES:
        return
    here = real_files(preparation.dataset)
    for chunk in preparation.chunks(STYLES):
        if preparation.is_made(chunk):
            rows = read_part(preparation.folder, chunk)
            if any(row["look"] and row["number"] not in here for row in rows):
                part_path(preparation.folder, chunk).unlink()
